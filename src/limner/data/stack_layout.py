"""Stacks and volumes as pictures: one item for each frame; and which NPY files belong together."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from limner.core.errors import DataError
from limner.data.items import Item
from limner.data.stacks import STACK_SUFFIXES, VOLUME_SUFFIXES, num_frames, stack_suffix
from limner.data.volume_place import check_same_place

_IMAGES = re.compile(r"(?:^|[-_])(?:x|images?|imgs?|data)(?=$|[-_])", re.IGNORECASE)
_MASKS = re.compile(r"(?:^|[-_])(?:y|masks?|labels?|gt|targets?)(?=$|[-_])", re.IGNORECASE)


def npy_roles(files: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """NPY files by what their names say: images by key, masks by key; the key is the path without that word.

    Examples
    --------
    >>> npy_roles(["train_x.npy", "train_y.npy", "other.png"])
    ({'train': ['train_x.npy']}, {'train': ['train_y.npy']})
    """
    images: dict[str, list[str]] = defaultdict(list)
    masks: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if stack_suffix(file) != ".npy":
            continue
        path = PurePosixPath(file)
        for word, role in ((_MASKS, masks), (_IMAGES, images)):
            if word.search(path.stem):
                rest = word.sub("", path.stem, count=1).strip("-_")
                role[(path.parent / rest).as_posix()].append(file)
                break
    return dict(images), dict(masks)


def expand_stacks(items: Sequence[Item]) -> tuple[Item, ...]:
    """Each item of several frames as one item a frame; the others as they are.

    Slices of a volume get it as their group where they have none (`Item.is_volume`). A file that cannot be
    read stays one item, which the survey then names.

    Raises
    ------
    DataError : image and mask hold different numbers of frames, or are volumes of different places; both are named.
    MachineError : the extra for medical files is not installed.
    """
    expanded = []
    alike = Counter(_group(item) for item in items)
    for item in items:
        if not stack_suffix(item.image.name) and (item.mask is None or not stack_suffix(item.mask.name)):
            expanded.append(item)
            continue
        try:
            count = num_frames(item.image) if stack_suffix(item.image.name) else 1
        except DataError:
            expanded.append(item)
            continue
        files = (item.mask, item.instances, *item.channels)
        check_same_place(item.image, [path for path in files if isinstance(path, Path)])
        name, volume = without_stack_suffix(item.name), _group(item)
        if not item.group and volume:  # patient1/ct.nii.gz and patient2/ct.nii.gz are two
            item = dataclasses.replace(item, group=volume if alike[volume] == 1 else name, is_volume=True)
        if count == 1:
            expanded.append(item)
            continue
        _same_count(item, count)
        expanded += [dataclasses.replace(item, name=f"{name}/{frame:04d}", frame=frame) for frame in range(count)]
    return tuple(sorted(expanded, key=lambda item: item.name))


def without_stack_suffix(name: str) -> str:
    """A path without ``.npy``, ``.nii.gz``, ..."""
    suffix = next((suffix for suffix in STACK_SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def _group(item: Item) -> str:
    if stack_suffix(item.image.name) in VOLUME_SUFFIXES:
        return without_stack_suffix(item.image.name)
    return ""


def _same_count(item: Item, count: int) -> None:
    if item.mask is None or not stack_suffix(item.mask.name):
        return
    try:
        masks = num_frames(item.mask)
    except DataError:
        return  # the survey names it
    if masks != count:
        raise DataError(
            f"{item.image.name} holds {count} pictures, {item.mask.name} {masks} masks", expected="as many masks as pictures",
            where=f"{item.image} and {item.mask}", fix="save them again, in the same order",
        )  # fmt: skip
