"""COCO panoptic: a JSON that lists segments, and for each picture a PNG whose colours say which pixel belongs to which.

The id of a pixel is R + 256 G + 65536 B; 0 belongs to nothing. Every pixel has one segment at most. The format:
cocodataset.org/#format-data, section 4; Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Region
from limner.core.errors import DataError
from limner.data.areas import boxes_of
from limner.data.formats.coco import NOT_SETS, read_images
from limner.data.formats.coco_categories import Categories, read_categories
from limner.data.formats.coco_panoptic_write import write
from limner.data.formats.fields import identifier, name_of, whole
from limner.data.formats.foreign import shown
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.geometry import Refusal
from limner.data.formats.ledger import FREE_PIXELS, PIXELS_PER_CHARACTER, Ledger
from limner.data.formats.panoptic_pictures import PanopticPictures
from limner.data.images import read_header, read_image


def sniff(content: Content) -> bool:
    """A document with ``annotations``, one of which at least lists ``segments_info``."""
    annotations = content.json.get("annotations") if isinstance(content.json, dict) else None
    if not isinstance(annotations, list):
        return False
    return any(isinstance(record, dict) and "segments_info" in record for record in annotations)


def read(content: Content) -> AnnotationSet:
    """All segments; those whose PNG is missing or does not show them are refused."""
    document = content.json
    if not sniff(content):
        raise wrong(content, "no panoptic COCO", "annotations with segments_info")
    ledger = Ledger.of(content)
    records = document["annotations"]
    categories = read_categories(document.get("categories"), _used(records), ledger)
    listed = document.get("images")
    images = read_images(listed if isinstance(listed, list) else [], ledger)
    index_of: dict[str, int] = {}
    for position, image in enumerate(images):
        index_of.setdefault(identifier(image.record.get("id")) or "", position)
    names = [name_of(record.get("file_name")) for record in records if isinstance(record, dict)]
    pictures = PanopticPictures(content.path, [name for name in names if name])
    regions: list[list[Region]] = [[] for _ in images]
    annotation_of: dict[int, dict[str, Any]] = {}
    for number, record in enumerate(records):
        where = f"annotations/{number}"
        if not isinstance(record, dict):
            ledger.refuse("bad-record", "an annotation that is not an object with keys", where)
            continue
        key = identifier(record.get("image_id"))
        index = index_of.get(key) if key is not None else None
        if index is None:
            text = f"its segments belong to the picture {shown(record.get('image_id'))}, which the file does not list"
            for place, _ in _segments(record, where):
                ledger.refuse("unknown-image", text, place)
            continue
        regions[index] += _regions(record, images[index], pictures, categories, ledger, where)
        annotation_of.setdefault(index, {key: value for key, value in record.items() if key != "segments_info"})
    filled = (
        dataclasses.replace(
            image, regions=tuple(regions[i]), record={"image": image.record, "annotation": annotation_of.get(i)}
        )
        for i, image in enumerate(images)
    )
    return AnnotationSet(
        "coco-panoptic", tuple(filled), categories.classes, warnings=ledger.warnings, refused=ledger.refused,
        record={key: value for key, value in document.items() if key not in NOT_SETS},
    )  # fmt: skip


def _used(records: list[Any]) -> set[str]:
    """Category ids that segments have."""
    keys = (
        identifier(segment.get("category_id"))
        for record in records
        if isinstance(record, dict)
        for _, segment in _segments(record, "")
        if isinstance(segment, dict)
    )
    return {key for key in keys if key is not None}


def _segments(record: Mapping[str, Any], where: str) -> list[tuple[str, Any]]:
    segments = record.get("segments_info")
    listed = segments if isinstance(segments, list) else []
    return [(f"{where}/segments_info/{index}", segment) for index, segment in enumerate(listed)]


def _regions(
    record: Mapping[str, Any],
    image: Annotation,
    pictures: PanopticPictures,
    categories: Categories,
    ledger: Ledger,
    where: str,
) -> list[Region]:
    """The segments of one picture."""
    segments = _segments(record, where)
    try:
        ids = _read_ids(pictures.find(name_of(record.get("file_name"))), image, ledger)
    except Refusal as refusal:
        for place, _ in segments:
            ledger.refuse(refusal.code, refusal.message, place)
        return []
    regions, known, boxes = [], {0}, boxes_of(ids)
    for place, segment in segments:
        with ledger.record(place):
            number = whole(segment.get("id")) if isinstance(segment, dict) else None
            if number is None or not 0 < number < 2**24:
                raise Refusal("bad-record", "a segment whose id is not a whole number from 1 to 16777215")
            if number in known:
                raise Refusal("duplicate-id", f"the segment id {number} occurs twice in this picture")
            known.add(number)
            if number not in boxes:
                raise Refusal("empty-mask", f"no pixel of the PNG has the id {number}")
            top, left, bottom, right = boxes[number]
            bitmap = Bitmap(left, top, ids[top:bottom, left:right] == number)
            ledger.take_pixels(bitmap.mask.size)
            label = categories.label(segment.get("category_id"))
            if label is None:
                text = f"the category {shown(segment.get('category_id'))} is not declared; the segment has no class"
                ledger.warn("unknown-category", text, place)
            regions.append(
                Region(label or "", bitmap, is_crowd=whole(segment.get("iscrowd")) == 1, record=segment, where=place)
            )
    strange = boxes.keys() - known
    if strange:
        text = (
            f"{len(strange)} ids of the PNG are in no segment, such as {min(strange)}; their pixels belong to nothing"
        )
        ledger.warn("unlisted-segments", text, where)
    return regions


def _read_ids(path: Path, image: Annotation, ledger: Ledger) -> npt.NDArray[np.uint32]:
    """The id of every pixel, ``(H, W)``.

    Raises
    ------
    Refusal : the PNG cannot be read, is of another size than its picture, or is too large.
    """
    try:
        size = read_header(path).size_hw
        if image.size_hw is not None and size != image.size_hw:
            stated = f"{image.size_hw[1]} x {image.size_hw[0]}"
            raise Refusal("size-mismatch", f"{path.name} is {size[1]} x {size[0]}, its picture {stated}")
        if size[0] * size[1] > FREE_PIXELS:
            raise Refusal("too-many-pixels", f"{path.name} has {size[0] * size[1]} pixels, more than are read here")
        pixels = read_image(path)
    except DataError as error:
        raise Refusal("unreadable", error.found) from None
    if pixels.dtype.kind != "u":
        raise Refusal("unreadable", f"{path.name} does not hold whole numbers")
    ledger.allow_pixels(PIXELS_PER_CHARACTER * path.stat().st_size)
    ids: npt.NDArray[np.uint32] = pixels[..., 0].astype(np.uint32)
    for channel in range(1, pixels.shape[2]):
        ids |= pixels[..., channel].astype(np.uint32) << np.uint32(8 * channel)
    return ids


FORMAT = Format("coco-panoptic", "COCO panoptic", sniff, read, write)
