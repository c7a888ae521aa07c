"""The verb ``convert``: any supported layout to a folder of images, id masks and ``limner.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limner.core.choices import nearest
from limner.core.errors import OutputError, UsageError
from limner.core.files import prepare_output
from limner.core.protocols import Listener, Silent
from limner.data.dataset import Dataset, open_dataset
from limner.data.mask_folder import write_mask_folder

FORMATS = ("masks",)
_QUIET = Silent()


def convert(
    src: Path | str,
    dst: Path | str,
    *,
    to: str = "masks",
    dry_run: bool = False,
    overwrite: bool = False,
    listener: Listener = _QUIET,
) -> dict[str, Any]:
    """Read `src` and write it to `dst` in another format; the originals stay as they are.

    Parameters
    ----------
    src : a data folder.
    dst : a new folder.
    to : the format to write: ``masks``.
    dry_run : count what would be written, and write nothing.
    overwrite : replace `dst` when an earlier call made it.
    listener : hears of progress.

    Returns
    -------
    The JSON document: ``format`` read, ``images``, ``images_without_objects``, ``objects`` (None: masks have classes,
    not objects), ``classes`` (pictures in which each class occurs), ``shapes``, ``missing_images``, ``warnings``,
    ``refused``, and ``out`` when something was written.

    Raises
    ------
    UsageError : `to` is not a format that can be written.
    DataError : findings that block, see `open_dataset`.
    OutputError : `dst` exists, lies inside `src`, or may not be written.
    """
    if to not in FORMATS:
        expected = f"one of {', '.join(FORMATS)}"
        raise UsageError(f"format '{to}'", expected=expected, where="--to", fix=nearest(to, FORMATS))
    src, dst = Path(src), Path(dst)
    source, target = src.resolve(), dst.resolve()
    if target == source or source in target.parents or target in source.parents:
        raise OutputError(
            f"{dst} overlaps with {src}",
            expected="a folder beside the data",
            where=str(dst),
            fix="choose another folder",
        )
    # leaks between given splits are carried over as they are; training will name them again
    dataset = open_dataset(src, allow=("SPLIT_LEAK", "FEW_SAMPLES", "EMPTY_MASKS"), listener=listener)
    result = _summary(dataset)
    if not dry_run:
        prepare_output(dst, overwrite=overwrite)
        write_mask_folder(dst, dataset, listener=listener)
        result["out"] = str(dst)
    return result


def _summary(dataset: Dataset) -> dict[str, Any]:
    names = dataset.label_space.names
    shown = dict.fromkeys(names[1:], 0)
    empty = 0
    for item in dataset.items:
        present = [index for index, number in dataset.facts[item.name].pixels.items() if index > 0 and number]
        empty += not present
        for index in present:
            shown[names[index]] += 1
    warnings = [
        {"code": finding.code, "message": finding.message, "file": next(iter(finding.files), ""), "where": ""}
        for finding in dataset.findings
        if finding.level in ("warning", "fixed")
    ]
    return {
        "format": dataset.format,
        "images": len(dataset.items),
        "images_without_objects": empty,
        "objects": None,
        "classes": shown,
        "shapes": {"mask": len(dataset.items)},
        "missing_images": [],
        "warnings": warnings,
        "refused": [],
    }
