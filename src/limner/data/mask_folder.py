"""Write a data set as ``images/``, ``masks/`` with class ids, ``limner.toml``: the layout that needs no guessing."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from limner.core.files import write_atomic, write_bytes, write_text
from limner.core.labels import LabelSpace
from limner.core.protocols import Listener
from limner.data.dataset import Dataset
from limner.data.images import write_labels, write_tiff
from limner.data.layouts import IMAGE_FOLDERS, Item
from limner.data.pixels import is_embedded, load_image

COMPOSED_SUFFIX = ".tif"  # of pictures that are no file of their own
IGNORE_8, IGNORE_16 = 255, 65535  # written where the labels are not known


def write_mask_folder(folder: Path, dataset: Dataset, *, listener: Listener) -> None:
    """Write every picture of `dataset` below `folder`, which exists.

    Images are copied byte for byte; masks become class ids in palette PNG. A given split goes to ``splits.csv``.

    Raises
    ------
    DataError : a picture or mask cannot be read.
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    names = plain_names(dataset.items)
    ignore = IGNORE_8 if len(dataset.label_space) <= IGNORE_8 else IGNORE_16
    rows, has_unknown = [], False
    for done, item in enumerate(dataset.items, start=1):
        image = PurePosixPath("images") / (names[item.name] + (COMPOSED_SUFFIX if is_composed(item) else ""))
        mask = PurePosixPath("masks") / PurePosixPath(names[item.name]).with_suffix(".png")
        has_unknown |= _write_mask(folder / mask, item, dataset, ignore)
        write_picture(folder / image, item)
        rows.append([str(image), str(mask), item.split, item.group])
        listener.progress("convert", done, len(dataset.items), item.name)
    if dataset.split_rule or any(item.group for item in dataset.items):
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([["image", "mask", "split", "group"], *rows])
        write_text(folder / "splits.csv", table.getvalue())
    text = declaration(dataset.label_space, ignore if has_unknown else None, dataset.spacing)
    write_text(folder / "limner.toml", text)


def plain_names(items: tuple[Item, ...]) -> Mapping[str, str]:
    """Each image's path without the folder that says ``images``; pictures of one stem keep their suffix in the stem.

    Examples
    --------
    >>> plain_names((Item("train/images/a.b.jpg", Path("a.b.jpg"), None),))
    {'train/images/a.b.jpg': 'train/a.b.jpg'}
    """
    plain = {}
    for item in items:
        parts = list(PurePosixPath(item.name).parts)
        place = next((i for i, part in enumerate(parts[:-1]) if part.lower() in IMAGE_FOLDERS), None)
        if place is not None:
            del parts[place]
        plain[item.name] = "/".join(parts)
    if len({PurePosixPath(path).with_suffix("") for path in plain.values()}) < len(plain):
        return {item.name: item.name for item in items}  # two image folders hold the same names: keep whole paths
    return plain


def declaration(label_space: LabelSpace, ignore: int | None, spacing: tuple[float, float] | None) -> str:
    """The text of ``limner.toml``."""
    lines = [
        f"classes = {json.dumps(list(label_space.names), ensure_ascii=False)}",
        f"colors = {json.dumps([list(color) for color in label_space.colors])}",
    ]
    if len(set(label_space.colors)) < len(label_space):
        lines.pop()  # classes that share a colour cannot be declared by colour
    if ignore is not None:
        lines.append(f"ignore = {ignore}")
    if spacing is not None:
        lines.append(f"spacing = [{spacing[0]}, {spacing[1]}]")
    return "\n".join(lines) + "\n"


def copy_file(source: Path, target: Path) -> None:
    """A copy, as a second name of the same bytes is not safe: a change to one would change the other.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    write_atomic(target, lambda temporary: shutil.copyfile(os.fspath(source), temporary))


def is_composed(item: Item) -> bool:
    """The picture is one of several in a file, or made of several files: it cannot be copied."""
    return item.frame is not None or bool(item.channels)


def write_picture(target: Path, item: Item) -> None:
    """A copy of the picture, byte for byte where it is a file of its own, else its pixels as TIFF."""
    if item.drawing is not None and is_embedded(item) and item.drawing.annotation.pixels is not None:
        write_bytes(target, item.drawing.annotation.pixels)
    elif is_composed(item):
        pixels = load_image(item)
        write_atomic(target, lambda temporary: write_tiff(temporary, pixels))
    else:
        copy_file(item.image, target)


def _write_mask(path: Path, item: Item, dataset: Dataset, ignore: int) -> bool:
    """Write the class ids of one item; True when some pixels are not known."""
    sample = dataset.load(item)
    labels = sample.labels
    if labels is None:
        return False
    if sample.valid is not None:
        labels = labels.astype(np.uint8) if ignore <= 255 else labels.astype(np.uint16)
        labels[~sample.valid] = ignore
    write_labels(path, labels, dataset.label_space)
    return sample.valid is not None
