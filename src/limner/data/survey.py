"""Read every image and mask of a data set once, whole, in threads, and keep what the checks need to know."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from limner.core.errors import DataError
from limner.core.protocols import Listener
from limner.data.images import Header, read_header, read_image
from limner.data.layouts import Item
from limner.data.masks import MaskStats, survey_mask

T = TypeVar("T")


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
    """

    header: Header
    digest: str
    lowest: float
    highest: float
    pixels: Mapping[int, int] = field(default_factory=dict)
    mask_size_hw: tuple[int, int] | None = None


@dataclass(frozen=True)
class Survey:
    """All that was read.

    Parameters
    ----------
    items : the pictures.
    facts : by item name; only pictures that could be read.
    masks : surveys of the masks by item name; only those that could be read.
    failures : file relative to the data, and what is wrong with it.
    """

    items: tuple[Item, ...]
    facts: Mapping[str, Facts]
    masks: Mapping[str, MaskStats]
    failures: tuple[tuple[str, DataError], ...]


def survey(root: Path, items: Sequence[Item], *, listener: Listener) -> Survey:
    """Read all files of `items`; damaged ones are listed, not raised."""
    facts: dict[str, Facts] = {}
    masks: dict[str, MaskStats] = {}
    failures: list[tuple[str, DataError]] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for done, (item, image, mask) in enumerate(pool.map(_read_pair, items), start=1):
            if isinstance(image, Facts):
                facts[item.name] = image
            else:
                failures.append((item.name, image))
            if isinstance(mask, MaskStats):
                masks[item.name] = mask
            elif mask is not None and item.mask is not None:
                failures.append((item.mask.relative_to(root).as_posix(), mask))
            listener.progress("check", done, len(items), item.name)
    return Survey(tuple(items), facts, masks, tuple(failures))


def _read_pair(item: Item) -> tuple[Item, Facts | DataError, MaskStats | DataError | None]:
    image: Facts | DataError
    mask: MaskStats | DataError | None = None
    try:
        image = _image_facts(item.image)
    except DataError as error:
        image = error
    if item.mask is not None:
        try:
            mask = survey_mask(item.mask)
        except DataError as error:
            mask = error
    return item, image, mask


def _image_facts(path: Path) -> Facts:
    image = read_image(path)
    head = read_header(path)
    header = Header((image.shape[0], image.shape[1]), int(image.shape[2]), image.dtype.name, head.orientation)
    digest = hashlib.sha1(f"{image.shape} {image.dtype}".encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(image).data)
    return Facts(header, digest.hexdigest(), float(image.min()), float(image.max()))
