"""The pixels of an item, wherever they lie: in a file, a stack, several files of one channel each, or inside an annotation."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from limner.core.errors import DataError
from limner.core.sample import Image
from limner.data.images import Header, read_header, read_image
from limner.data.instance_maps import read_ids
from limner.data.items import Item
from limner.data.masks import RawMask, read_raw_mask
from limner.data.one_file_each import read_one_file_each
from limner.data.raw_ids import RawIds
from limner.data.stacks import read_frame, stack_suffix

T = TypeVar("T")

_SIGNATURES = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"BM": ".bmp",
    b"RIFF": ".webp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


def load_image(item: Item) -> Image:
    """The picture of `item`, ``(H, W, C)``; see `read_image` and `read_frame`.

    Raises
    ------
    DataError : it cannot be read, or its files differ in size.
    """
    if is_embedded(item):
        return _with_embedded(item, read_image)
    parts = [_read(path, item.frame) for path in (item.image, *item.channels)]
    if len({part.shape[:2] for part in parts}) > 1:
        shown = ", ".join(f"{part.shape[0]} x {part.shape[1]}" for part in parts)
        raise DataError(
            f"the channels of {item.name} differ in size: {shown}", expected="one size", where=str(item.image.parent),
            fix="export them again",
        )  # fmt: skip
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _read(path: Path, frame: int | None) -> Image:
    return read_frame(path, frame) if stack_suffix(path.name) else read_image(path)


def load_header(item: Item) -> Header:
    """Size, channels and depth of the picture of `item`; from the file's header where it has one.

    Raises
    ------
    DataError : it cannot be read.
    """
    if is_embedded(item):
        return _with_embedded(item, read_header)
    if stack_suffix(item.image.name) or item.channels:
        image = load_image(item)
        return Header((image.shape[0], image.shape[1]), image.shape[2], image.dtype.name)
    return read_header(item.image)


def raw_mask(item: Item, *, alpha: bool = False) -> RawMask:
    """The numbers in the mask of `item`, which has one, with its objects where files tell them apart; see `read_raw_mask`.

    Where there are objects and no mask file, the mask is 1 where there is an object. Object files beside a mask file that cannot
    be read, or are of another size, leave their error in its place.

    Raises
    ------
    DataError : unreadable, or numbers that are no class ids.
    """
    assert item.mask is not None
    if isinstance(item.instances, tuple):
        found = read_one_file_each(item.instances, load_header(item).size_hw)
        return RawMask((found.ids > 0).astype(np.uint8), "1-bit", objects=found)
    if item.instances == item.mask:
        found = read_ids(item.mask, frame=_frame_of(item, item.mask))
        return RawMask((found.ids > 0).astype(np.uint8), "1-bit", objects=found)
    raw = read_raw_mask(item.mask, alpha=alpha, frame=_frame_of(item, item.mask))
    if item.instances is None:
        return raw
    return dataclasses.replace(raw, objects=_objects_beside(item, item.instances, raw.values.shape))


def _objects_beside(item: Item, path: Path, shape: tuple[int, ...]) -> RawIds | DataError:
    try:
        found = read_ids(path, frame=_frame_of(item, path))
    except DataError as error:
        return error
    if found.ids.shape == shape:
        return found
    sizes = [f"{size[0]} x {size[1]}" for size in (found.ids.shape, shape)]
    return DataError(
        f"{path.name} is {sizes[0]}, the mask {sizes[1]}", expected="the same height and width", where=str(path),
        fix="export the numbers of objects at the size of the mask",
    )  # fmt: skip


def _frame_of(item: Item, path: Path) -> int | None:
    return item.frame if stack_suffix(path.name) else None


def is_embedded(item: Item) -> bool:
    """The picture lies inside the annotation file and nowhere else."""
    return item.drawing is not None and item.drawing.annotation.pixels is not None and not item.image.is_file()


def embedded_suffix(pixels: bytes) -> str:
    """``.png``, ``.jpg``, ... by the first bytes; empty when they are no picture that is read here."""
    return next((suffix for start, suffix in _SIGNATURES.items() if pixels.startswith(start)), "")


def _with_embedded(item: Item, read: Callable[[Path], T]) -> T:
    """Call `read` with a file that holds the embedded picture; decoders want a file."""
    assert item.drawing is not None and item.drawing.annotation.pixels is not None
    pixels = item.drawing.annotation.pixels
    suffix = embedded_suffix(pixels)
    if not suffix:
        raise DataError(
            f"the picture inside the annotation of {item.name} is of an unknown kind", expected="PNG or JPEG",
            where=item.drawing.annotation.where or item.name, fix="put the picture beside the annotation file",
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"embedded{suffix}"
        path.write_bytes(pixels)
        try:
            return read(path)
        except DataError as error:
            found = error.found.replace(path.name, f"the picture inside the annotation of {item.name}")
            raise DataError(found, expected=error.expected, where=item.name, fix=error.fix) from None
