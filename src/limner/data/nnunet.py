"""Folders of nnU-Net and of the Medical Segmentation Decathlon: ``imagesTr``, ``labelsTr`` and ``dataset.json``.

nnU-Net keeps each channel in a file of its own, ``case_0000.png``, ``case_0001.png``; the Decathlon all channels in one. Labels are
``{"1": "liver"}`` in the Decathlon and ``{"liver": 1}`` in nnU-Net 2.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

from limner.core.errors import DataError
from limner.data.declared import Declared
from limner.data.formats.safe_json import parse_json
from limner.data.formats.safe_text import read_text
from limner.data.images import SUFFIXES
from limner.data.items import Item, Layout
from limner.data.stack_layout import without_stack_suffix
from limner.data.stacks import stack_suffix

FILE_NAME = "dataset.json"
PARTS = {"Tr": "train", "Ts": "test"}
_CHANNEL = re.compile(r"^(.*)_(\d{4})$")


def is_nnunet(root: Path) -> bool:
    """The folder has ``imagesTr``, ``labelsTr`` and ``dataset.json``."""
    return (root / "imagesTr").is_dir() and (root / "labelsTr").is_dir() and (root / FILE_NAME).is_file()


def nnunet_layout(root: Path, declared: Declared) -> Layout:
    """The cases of `root`; those in ``imagesTs`` count where ``labelsTs`` has their labels.

    Parameters
    ----------
    root : the folder, see `is_nnunet`.
    declared : ``limner.toml``; classes declared there go before those of ``dataset.json``.

    Raises
    ------
    DataError : ``dataset.json`` is damaged, or its labels are regions of several ids or leave ids out.
    """
    document = read_text(root / FILE_NAME)
    tree, _ = parse_json(document, root / FILE_NAME)
    names, ignore = _classes(tree, root / FILE_NAME)
    items: list[Item] = []
    lonely_images: list[str] = []
    lonely_masks: list[str] = []
    has_test = (root / "imagesTs").is_dir() and (root / "labelsTs").is_dir()
    for part, split in PARTS.items() if has_test else [("Tr", "train")]:
        masks = _files(root / f"labels{part}")
        images = _cases(root / f"images{part}", masks)
        lonely_images += [f"images{part}/{path.name}" for case in images.keys() - masks.keys() for path in images[case]]
        lonely_masks += [f"labels{part}/{masks[case].name}" for case in masks.keys() - images.keys()]
        for case in sorted(images.keys() & masks.keys()):
            name = f"images{part}/{images[case][0].name}"
            items.append(
                Item(name, images[case][0], masks[case], split if has_test else "", declared.group_of(name),
                     channels=tuple(images[case][1:]))
            )  # fmt: skip
    rule = "given by imagesTr and imagesTs" if has_test else ""
    if not declared.classes:
        declared = _with(declared, names, ignore, str(root / FILE_NAME))
    return Layout(
        tuple(items), tuple(sorted(lonely_images)), tuple(sorted(lonely_masks)), (), (), rule, declared, format="nnunet"
    )


def _files(folder: Path) -> dict[str, Path]:
    """Pictures of a folder by name without suffix."""
    return {
        without_stack_suffix(path.name) if stack_suffix(path.name) else path.stem: path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and (path.suffix.lower() in SUFFIXES or stack_suffix(path.name))
    }


def _cases(folder: Path, masks: Collection[str]) -> dict[str, list[Path]]:
    """Files of each case, channels in order; the name is the case where a mask bears it, or without the ending ``_0000``."""
    cases: dict[str, list[Path]] = defaultdict(list)
    for stem, path in sorted(_files(folder).items()):
        match = None if stem in masks else _CHANNEL.match(stem)  # the Decathlon may number cases with four digits
        cases[match.group(1) if match else stem].append(path)
    return dict(cases)


def _classes(tree: Any, path: Path) -> tuple[tuple[str, ...], int | None]:
    """Names in id order, and the id whose pixels are not known."""
    labels = tree.get("labels") if isinstance(tree, dict) else None
    if not isinstance(labels, dict) or not labels:
        raise DataError(
            "no labels", expected='"labels": {"background": 0, "liver": 1}', where=str(path), fix="add them"
        )
    if any(isinstance(value, list) for value in labels.values()):
        regions = ", ".join(name for name, value in labels.items() if isinstance(value, list))
        raise DataError(
            f"labels that are several ids together: {regions}", expected="one id for each class", where=str(path),
            fix="list the single ids as classes; overlapping classes are not supported",
        )  # fmt: skip
    by_id: dict[int, str] = {}
    for key, value in labels.items():
        number, name = (key, value) if str(key).isdigit() and not str(value).isdigit() else (value, key)
        if not str(number).isdigit() or int(number) > 65535:
            raise DataError(
                f"the label {key!r}: {value!r}", expected="a name and an id", where=str(path), fix="correct it"
            )
        by_id[int(number)] = str(name)
    ignore = next((index for index, name in by_id.items() if name.lower() == "ignore"), None)
    if ignore is not None:
        del by_id[ignore]
    if sorted(by_id) != list(range(len(by_id))) or len(by_id) < 2:
        raise DataError(
            f"label ids {sorted(by_id)}", expected="0, 1, 2, ... without gaps, 0 the background", where=str(path),
            fix="number the classes without gaps",
        )  # fmt: skip
    return tuple(by_id[index] for index in range(len(by_id))), ignore


def _with(declared: Declared, names: tuple[str, ...], ignore: int | None, where: str) -> Declared:
    return dataclasses.replace(
        declared,
        classes=names,
        ignore=declared.ignore if declared.ignore is not None else ignore,
        where=declared.where or where,
    )
