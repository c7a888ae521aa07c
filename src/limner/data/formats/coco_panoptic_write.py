"""Write COCO panoptic: ``panoptic.json`` and a PNG for each picture in ``panoptic/``; one segment a pixel, the later on top."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Problem, Region
from limner.core.files import write_text
from limner.data.areas import boxes_of
from limner.data.formats.coco_categories import things_and_stuff, written_categories
from limner.data.formats.coco_write import own_record, place_of
from limner.data.formats.cover import cover, has_area
from limner.data.formats.fields import identifier, name_of
from limner.data.formats.file_names import annotation_paths
from limner.data.formats.format import ORDERLESS
from limner.data.formats.geometry import Refusal
from limner.data.formats.joining import joined
from limner.data.formats.json_text import to_json
from limner.data.formats.ledger import FREE_PIXELS, Ledger
from limner.data.formats.numbering import Numbering
from limner.data.images import write_image

FOLDER = "panoptic"
IGNORED = (
    "pixels that are not known, which COCO panoptic cannot say; they belong to no segment and are read as background"
)


def write(annotations: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write the segments of `annotations` below `folder`."""
    path = folder / f"{FOLDER}.json"
    ledger = Ledger(str(path))
    is_own = annotations.format == "coco-panoptic"
    is_orderless = annotations.format in ORDERLESS
    own = own_record(annotations.record, is_own)
    kept = [image for image in annotations.images if _has_size(image, ledger)]
    labels = [region.label for image in kept for region in image.regions if not region.is_ignored]
    stated = things_and_stuff(annotations.record)
    stuff = frozenset(name for name, is_thing in stated.items() if not is_thing)
    classes = () if own else annotations.classes
    stated = dict.fromkeys([*classes, *labels], True) | stated
    categories, ids = written_categories(own.get("categories"), classes, labels, stated=stated)
    taken = frozenset(PurePosixPath(image.image).name.casefold() for image in kept)
    names = annotation_paths([_png_name(image, is_own, taken) for image in kept], ".png")
    image_ids = Numbering(_part(image, "image", is_own).get("id") for image in kept)
    image_records, records = [], []
    for image, name in zip(kept, names, strict=True):
        image_record = _image_record(image, is_own)
        image_record["id"] = image_ids.give(image_record.get("id"))
        image_records.append(image_record)
        if not image.regions and _part(image, "image", is_own) and not _part(image, "annotation", is_own):
            continue  # it had no PNG before
        whole = image if is_own else _with_whole_stuff(image, stuff)
        canvas, segments = _segments(whole, ids, ledger, is_own=is_own, is_orderless=is_orderless)
        _write_ids(folder / FOLDER / name, canvas)
        places = {"image_id": image_record["id"], "file_name": str(name), "segments_info": segments}
        records.append({**_part(image, "annotation", is_own), **places})
    start = own or {"info": {"description": "written by Limner"}, "licenses": []}
    write_text(path, to_json({**start, "images": image_records, "annotations": records, "categories": categories}))
    return (*ledger.warnings, *ledger.refused)


def _with_whole_stuff(image: Annotation, stuff: Set[str]) -> Annotation:
    """The regions of each class of stuff as parts of one: a picture has one segment of each."""
    regions = (
        dataclasses.replace(region, group=f"stuff {region.label}") if region.label in stuff else region
        for region in image.regions
    )
    return dataclasses.replace(image, regions=tuple(regions))


def _has_size(image: Annotation, ledger: Ledger) -> bool:
    """The size of a picture is known and a PNG of it can be held; else it is refused by name."""
    left = f"its {len(image.regions)} regions are left out"
    if image.size_hw is None:
        ledger.refuse("no-size", f"{image.image}: its size is not known, and the PNG needs it; {left}", image.where)
        return False
    height, width = image.size_hw
    if height * width > FREE_PIXELS:
        ledger.refuse("too-many-pixels", f"{image.image}: {width} x {height} pixels are too many; {left}", image.where)
        return False
    return True


def _part(image: Annotation, part: str, is_own: bool) -> Mapping[str, Any]:
    """The record of the picture (``image``) or of its PNG (``annotation``) as read; empty when there is none."""
    record = own_record(image.record, is_own).get(part)
    return record if isinstance(record, dict) else {}


def _png_name(image: Annotation, is_own: bool, taken: Set[str]) -> str:
    """The name that the PNG had; else that of the picture, told apart from all pictures, of which some may be PNG, too."""
    own = name_of(_part(image, "annotation", is_own).get("file_name"))
    if own:
        return own
    path = PurePosixPath(image.image)
    if path.suffix.lower() == ".png":
        return str(path.with_name(f"{path.stem}_panoptic.png"))
    if f"{path.stem}.png".casefold() in taken:  # a.jpg beside a.png
        return str(path.with_name(f"{path.stem}_{path.suffix[1:]}_panoptic.png"))
    return image.image


def _image_record(image: Annotation, is_own: bool) -> dict[str, Any]:
    assert image.size_hw is not None
    own = _part(image, "image", is_own)
    height, width = image.size_hw
    record: dict[str, Any] = {"id": None, **own, "width": width, "height": height}
    if (name_of(own.get("file_name")) or identifier(own.get("id"))) != image.image:
        record["file_name"] = image.image
    return record


def _segments(
    image: Annotation, ids: Mapping[str, Any], ledger: Ledger, *, is_own: bool, is_orderless: bool
) -> tuple[npt.NDArray[np.uint32], list[dict[str, Any]]]:
    """The id of every pixel, and a record for each segment that shows, in the order of the regions."""
    assert image.size_hw is not None
    canvas = np.zeros(image.size_hw, np.uint32)
    regions = list(image.regions) if is_own else joined(image.regions, image.size_hw)
    numbers = Numbering(own_record(region.record, is_own).get("id") for region in regions)
    painted: list[tuple[int, Region, int]] = []
    drawn: dict[int, dict[str, Any]] = {}
    for place, region in sorted(enumerate(regions), key=lambda entry: entry[1].order):
        with ledger.record(place_of(image, region)):
            bitmap = _pixels(region, image.size_hw)
            window = canvas[bitmap.y :, bitmap.x :][: bitmap.mask.shape[0], : bitmap.mask.shape[1]]
            if window[bitmap.mask].any():
                ledger.warn(
                    "overlap",
                    "it covers pixels of other regions; a pixel has one segment, the one on top",
                    region.where,
                )
            if region.is_ignored:
                window[bitmap.mask] = 0  # nobody's pixels: what panoptic scores leave out
                ledger.warn("ignored", IGNORED, region.where)
                continue
            if region.label not in ids:
                raise Refusal("no-class", "the region has no class, and COCO needs one")
            own = own_record(region.record, is_own)
            number = int(numbers.give(own.get("id")))
            window[bitmap.mask] = number
            painted.append((place, region, number))
            drawn[number] = {**own, "id": number, "category_id": ids[region.label], "iscrowd": int(region.is_crowd)}
    if is_orderless:
        _smaller_on_top(canvas, painted, image.size_hw)
    segments, boxes = [], boxes_of(canvas)
    for _, region, number in sorted(painted, key=lambda entry: entry[0]):
        with ledger.record(place_of(image, region)):
            if number not in boxes:
                raise Refusal("hidden", "other regions cover all of it; a segment needs a pixel of its own")
            top, left, bottom, right = boxes[number]
            area = int((canvas[top:bottom, left:right] == number).sum())
            segments.append({**drawn[number], "area": area, "bbox": [left, top, right - left, bottom - top]})
    return canvas, segments


def _smaller_on_top(
    canvas: npt.NDArray[np.uint32], painted: Sequence[tuple[int, Region, int]], size_hw: tuple[int, int]
) -> None:
    """Give each pixel to the smallest segment of its class that covers it; which class it is stays, see `limner.data.drawing`."""
    keys = {number: (region.label, region.is_crowd) for _, region, number in painted}
    places = {key: place for place, key in enumerate(dict.fromkeys(keys.values()), start=1)}
    table = np.zeros(max(keys, default=0) + 1, np.int32)
    for number, key in keys.items():
        table[number] = places[key]
    kinds = table[canvas]
    pixels = [(_pixels(region, size_hw), number) for _, region, number in painted]
    for bitmap, number in sorted(pixels, key=lambda entry: (-int(entry[0].mask.sum()), entry[1])):
        height, width = bitmap.mask.shape
        place = slice(bitmap.y, bitmap.y + height), slice(bitmap.x, bitmap.x + width)
        canvas[place][bitmap.mask & (kinds[place] == table[number])] = number


def _pixels(region: Region, size_hw: tuple[int, int]) -> Bitmap:
    if not has_area(region.shape):
        raise Refusal("no-area", "a line or point, which has no area; a segment is made of pixels")
    bitmap = cover(region.shape, size_hw)
    if bitmap is None:
        raise Refusal("no-area", "the region covers no pixel of the picture")
    return bitmap


def _write_ids(path: Path, ids: npt.NDArray[np.uint32]) -> None:
    planes = [(ids >> np.uint32(shift)).astype(np.uint8) for shift in (0, 8, 16)]  # the lowest eight bits are kept
    write_image(path, np.stack(planes, axis=-1))
