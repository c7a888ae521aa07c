"""Read every image and mask of a data set once, whole, in threads, and keep what the checks need to know."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from limner.core.errors import DataError
from limner.core.protocols import Listener
from limner.core.sample import Image
from limner.data.images import Header
from limner.data.layouts import Item
from limner.data.look import Look, look_at
from limner.data.mask_survey import Objects, count_area, count_mask, count_objects
from limner.data.masks import IGNORED, MaskStats
from limner.data.object_shapes import shapes_of
from limner.data.object_survey import PictureObjects
from limner.data.pixels import load_header, load_image, raw_mask
from limner.data.png_chunks import may_state_orientation
from limner.data.stacks import patient_of


@dataclass(frozen=True)
class Facts:
    """What is known of one picture without holding its pixels.

    Parameters
    ----------
    header : size, channels and depth.
    digest : SHA-1 of the decoded pixels; equal for exact copies, whatever the file format.
    lowest, highest : smallest and largest value of the pixels.
    pixels : pixels of each class id; empty where there is no mask.
    mask_size_hw : height and width of the mask, or None.
    look : a small gray copy, for finding copies; None when the picture has one value everywhere.
    objects : connected areas of each class id above 0; where objects are told apart, these, and of things alone.
    patient : whom a DICOM file is of; empty for other files.
    things : the objects that are told apart, measured; None where they are not.
    """

    header: Header
    digest: str
    lowest: float
    highest: float
    pixels: Mapping[int, int] = field(default_factory=dict)
    mask_size_hw: tuple[int, int] | None = None
    look: Look | None = field(default=None, repr=False, compare=False)
    objects: Mapping[int, Objects] = field(default_factory=dict)
    patient: str = ""
    things: PictureObjects | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class MaskFacts:
    """What one mask file holds: its statistics, and the objects of each stored value, see `count_objects`."""

    stats: MaskStats
    objects: Mapping[int, Objects]


@dataclass(frozen=True)
class Survey:
    """All that was read.

    Parameters
    ----------
    items : the pictures.
    facts : by item name; only pictures that could be read; with the pixels of each class where regions were drawn.
    masks : of the mask files by item name; only those that could be read.
    failures : file relative to the data, and what is wrong with it.
    """

    items: tuple[Item, ...]
    facts: Mapping[str, Facts]
    masks: Mapping[str, MaskFacts]
    failures: tuple[tuple[str, DataError], ...]


def survey(root: Path, items: Sequence[Item], *, listener: Listener) -> Survey:
    """Read all files of `items`; damaged ones are listed, not raised."""
    facts: dict[str, Facts] = {}
    masks: dict[str, MaskFacts] = {}
    failures: list[tuple[str, DataError]] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for done, (item, (image, mask)) in enumerate(zip(items, pool.map(_read_pair, items), strict=True), start=1):
            if isinstance(image, Facts):
                facts[item.name] = image
            else:
                failures.append((item.name, image))
            if isinstance(mask, MaskFacts):
                masks[item.name] = mask
            elif mask is not None and item.mask is not None:
                inside = item.mask.is_relative_to(root)
                failures.append((item.mask.relative_to(root).as_posix() if inside else str(item.mask), mask))
            listener.progress("check", done, len(items), item.name)
    return Survey(tuple(items), facts, masks, tuple(failures))


def _read_pair(item: Item) -> tuple[Facts | DataError, MaskFacts | DataError | None]:
    """What is known of an image, and of its mask file where it has one."""
    mask: MaskFacts | DataError | None = None
    if item.mask is not None:
        try:
            raw = raw_mask(item)
            stats = count_mask(raw, item.mask)
            mask = MaskFacts(stats, count_objects(raw.values, stats))
        except DataError as error:
            mask = error
    try:
        return _image_facts(load_image(item), item), mask
    except DataError as error:
        return error, mask


def _image_facts(image: Image, item: Item) -> Facts:
    header = Header((image.shape[0], image.shape[1]), int(image.shape[2]), image.dtype.name, _orientation(item))
    digest = hashlib.sha1(f"{image.shape} {image.dtype}".encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(image).data)
    lowest, highest = float(image.min()), float(image.max())
    pixels, objects, things = _drawn(item, header.size_hw)
    size = header.size_hw if item.drawing is not None else None
    look = look_at(image) if lowest < highest else None
    return Facts(
        header, digest.hexdigest(), lowest, highest, pixels, size, look, objects, patient_of(item.image),
        things,
    )  # fmt: skip


def _orientation(item: Item) -> int:
    """The EXIF orientation; a PNG that cannot state one is not opened, since Pillow decodes it whole to learn that."""
    if item.image.suffix.lower() == ".png" and item.image.is_file() and not may_state_orientation(item.image):
        return 1
    return load_header(item).orientation


def _drawn(item: Item, size_hw: tuple[int, int]) -> tuple[dict[int, int], dict[int, Objects], PictureObjects | None]:
    """Pixels and objects of each class where regions were drawn in place of a mask file, and the objects of things measured."""
    if item.drawing is None:
        return {}, {}, None
    things = None
    if item.drawing.things:
        drawn = item.drawing.draw(size_hw)
        labels, valid = drawn.labels, drawn.valid
        things = PictureObjects(shapes_of(drawn.objects), drawn.overlaps)
    else:
        labels, valid = item.drawing.labels(size_hw)
    grid = np.where(valid, labels.astype(np.int32), IGNORED)
    values, counts = np.unique(grid, return_counts=True)
    pixels = dict(zip(values.tolist(), counts.tolist(), strict=True))
    if things is not None:
        return pixels, things.counts(), things
    return pixels, {index: count_area(valid & (labels == index)) for index in pixels if index > 0}, None
