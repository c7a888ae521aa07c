"""Write a data set as ``images/``, ``masks/`` with class ids, ``limner.toml``: the layout that needs no guessing."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path, PurePosixPath

import numpy as np

from limner.core.files import write_atomic, write_bytes, write_text
from limner.core.labels import LabelSpace
from limner.core.protocols import Listener
from limner.data.dataset import Dataset
from limner.data.images import write_labels, write_tiff
from limner.data.layouts import Item
from limner.data.picture_names import is_composed, mask_names, plain_names
from limner.data.pixels import is_embedded, load_image

__all__ = ["copy_file", "declaration", "plain_names", "write_mask_folder", "write_picture"]

IGNORE_8, IGNORE_16 = 255, 65535  # written where the labels are not known


def write_mask_folder(folder: Path, dataset: Dataset, *, listener: Listener) -> None:
    """Write every picture of `dataset` below `folder`, which exists.

    Images are copied byte for byte; masks become class ids in palette PNG. A given split goes to ``splits.csv``, and so do the
    pairs where pictures differ in their suffix alone (``a.jpg`` and ``a.png``), whose masks keep it (``a.jpg.png``).

    Raises
    ------
    DataError : a picture or mask cannot be read, or two pictures would have one name.
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    names = plain_names(dataset.items)
    masks = mask_names(names.values())
    ignore = IGNORE_8 if len(dataset.label_space) <= IGNORE_8 else IGNORE_16
    rows, has_unknown = [], False
    is_listed = any(
        item.split for item in dataset.items
    )  # what a list of the source left out, this one leaves out, too
    for done, item in enumerate(dataset.items, start=1):
        image, mask = PurePosixPath("images", names[item.name]), PurePosixPath("masks", masks[names[item.name]])
        has_unknown |= _write_mask(folder / mask, item, dataset, ignore)
        write_picture(folder / image, item)
        if item.split or not is_listed:
            rows.append([str(image), str(mask), item.split, item.group])
        listener.progress("convert", done, len(dataset.items), item.name)
    has_suffixes = any(mask == f"{image}.png" for image, mask in masks.items())
    if dataset.split_rule or has_suffixes or any(item.group for item in dataset.items):
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([["image", "mask", "split", "group"], *rows])
        write_text(folder / "splits.csv", table.getvalue())
    text = declaration(dataset.label_space, ignore if has_unknown else None, dataset.spacing)
    write_text(folder / "limner.toml", text)


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
