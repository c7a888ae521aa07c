"""Write COCO: polygons where a shape is one, run-length masks where it has holes or is no polygon, nothing for lines and points.

What was read from COCO and not changed since is written as it was, unknown keys and all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from limner.core.annotation import Annotation, AnnotationSet, Polygon, Problem, Region, Shape
from limner.core.files import write_text
from limner.data.formats.coco_categories import things_and_stuff, written_categories
from limner.data.formats.coco_outline import shape_of, shoelace
from limner.data.formats.coco_rle import encode_rle
from limner.data.formats.cover import cover, has_area, outline
from limner.data.formats.fields import identifier, is_true, name_of
from limner.data.formats.geometry import Refusal
from limner.data.formats.joining import joined
from limner.data.formats.json_text import to_json
from limner.data.formats.ledger import Ledger
from limner.data.formats.numbering import Numbering
from limner.data.formats.subsets import subsets_of

AS_MASK = (
    "the region has holes, or is no polygon; it is written as a run-length mask with iscrowd 0, which COCO allows: "
    "it is one object, not a crowd"
)
Own = Mapping[str, Any]


def write_dataset(annotations: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``annotations.json``, or ``annotations_<subset>.json`` for each of several subsets."""
    problems: list[Problem] = []
    parts = subsets_of(annotations.images)
    for subset, images in parts.items():
        path = folder / (f"annotations_{subset}.json" if subset and len(parts) > 1 else "annotations.json")
        ledger = Ledger(str(path))
        write_text(path, to_json(document_of(annotations, images, ledger)))
        problems += [*ledger.warnings, *ledger.refused]
    return tuple(problems)


def document_of(annotations: AnnotationSet, images: Iterable[Annotation], ledger: Ledger) -> dict[str, Any]:
    """The COCO document of some pictures of a set."""
    is_own = annotations.format == "coco"
    own = annotations.record if is_own and isinstance(annotations.record, dict) else None
    kept = [image for image in images if has_size(image, is_own, ledger)]
    declared = _declared(own)
    regions = [region for image in kept for region in image.regions]
    labels = [region.label for region in regions if not _has_own_class(region, declared)]
    classes = annotations.classes if own is None else ()
    stated = things_and_stuff(annotations.record)
    stated = {} if all(stated.values()) else stated  # things alone are what COCO is made of
    categories, ids = written_categories((own or {}).get("categories"), classes, labels, stated=stated)
    image_ids = Numbering(own_record(image.record, is_own).get("id") for image in kept)
    object_ids = Numbering(own_record(region.record, is_own).get("id") for region in regions)
    has_crowds = any(region.is_crowd for region in regions)
    image_records: list[dict[str, Any]] = []
    object_records: list[tuple[int, dict[str, Any]]] = []
    for image in kept:
        image_record = _image_record(image, image_ids, is_own)
        image_records.append(image_record)
        ordered = sorted(image.regions, key=lambda region: region.order)  # of several classes the later is on top
        for region in ordered if is_own else joined(ordered, image.size_hw):
            with ledger.record(place_of(image, region)):
                old = own_record(region.record, is_own)
                record = _object_record(region, image.size_hw, old, ledger)
                record["image_id"] = _same(old.get("image_id"), image_record["id"])
                if not _has_own_class(region, declared):
                    record["category_id"] = _category_id(region, ids)
                record |= _marks(region, old, has_crowds)
                record["id"] = object_ids.give(old.get("id"))
                object_records.append((_place(region) if old else len(regions), record))
    start = {"info": {"description": "written by Limner"}, "licenses": []} if own is None else own
    ending = {"categories": categories} if categories or "categories" in start else {}
    objects = [record for _, record in sorted(object_records, key=lambda entry: entry[0])]
    return {**start, "images": image_records, "annotations": objects, **ending}


def _place(region: Region) -> int:
    """The index that a region had among the annotations of its file."""
    index = region.where.rpartition("/")[2]
    return int(index) if index.isdecimal() else 0


def own_record(record: Any, is_own: bool) -> Own:
    """What was read in this format; empty for what comes from elsewhere."""
    return record if is_own and isinstance(record, dict) else {}


def place_of(image: Annotation, region: Region) -> str:
    """Where a region is, for messages about writing."""
    return f"{image.image}, {region.where}" if region.where else image.image


def has_size(image: Annotation, is_own: bool, ledger: Ledger) -> bool:
    """The size of a picture is known, or need not be because its record is there; else it is refused by name."""
    if image.size_hw is not None or own_record(image.record, is_own):
        return True
    text = f"{image.image}: its size is not known, and COCO states it; its {len(image.regions)} regions are left out"
    ledger.refuse("no-size", text, image.where)
    return False


def _same(old: Any, new: Any) -> Any:
    """The old way of writing an id or number when it means the new one."""
    return old if identifier(old) == identifier(new) else new


def _declared(own: Own | None) -> Mapping[str, str] | None:
    """Id to name as the file that was read declares them; empty when it declares none, None when no one file was read."""
    if own is None:
        return None
    records = own.get("categories")
    listed = [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
    names = {identifier(record.get("id")): name_of(record.get("name")) for record in reversed(listed)}
    return {key: name or key for key, name in names.items() if key is not None}


def _has_own_class(region: Region, declared: Mapping[str, str] | None) -> bool:
    """The ``category_id`` that was read means the label still."""
    if declared is None or not isinstance(region.record, dict):
        return False
    key = identifier(region.record.get("category_id"))
    label = (declared.get(key) if declared else key) if key is not None else None
    return (label or "") == region.label


def _category_id(region: Region, ids: Mapping[str, Any]) -> Any:
    if region.label not in ids:
        raise Refusal("no-class", "the region has no class, and COCO needs one")
    return ids[region.label]


def _image_record(image: Annotation, ids: Numbering, is_own: bool) -> dict[str, Any]:
    own = own_record(image.record, is_own)
    record: dict[str, Any] = dict(own)
    record["id"] = ids.give(own.get("id"))
    if image.size_hw is not None:
        height, width = image.size_hw
        record |= {"width": _same(own.get("width"), width), "height": _same(own.get("height"), height)}
    if (name_of(own.get("file_name")) or identifier(own.get("id"))) != image.image:
        record["file_name"] = image.image
    return record


def _object_record(region: Region, size_hw: tuple[int, int] | None, own: Own, ledger: Ledger) -> dict[str, Any]:
    """The record of one region without ids: as it was read, or with an outline made anew."""
    record: dict[str, Any] = {"id": None, "image_id": None, "category_id": None}
    if own:
        record = dict(own)
        if _is_unchanged(own, region.shape, size_hw):
            return record
    if size_hw is None:
        raise Refusal("no-size", "the size of its picture is not known, and an outline needs it")
    record |= outline_record(region.shape, size_hw)
    if isinstance(record["segmentation"], dict):
        ledger.warn("as-mask", AS_MASK, region.where)
    if region.attributes and not own:
        record["attributes"] = dict(region.attributes)
    if region.score is not None and not own:
        record["score"] = region.score
    return record


def _marks(region: Region, own: Own, has_crowds: bool) -> dict[str, Any]:
    """``iscrowd`` and ``ignore`` where they differ from what was read.

    A mark that was overruled for the whole file (see `limner.data.formats.coco`) stays in the file.
    """
    is_ignored = region.is_ignored and not is_true(own.get("ignore"))
    wanted, stated = region.is_crowd or is_ignored, is_true(own.get("iscrowd"))
    marks: dict[str, Any] = {"ignore": 1} if is_ignored else {}
    if not own or (wanted != stated and not (stated and not has_crowds)):
        marks["iscrowd"] = int(wanted)
    return marks


def _is_unchanged(own: Own, shape: Shape, size_hw: tuple[int, int] | None) -> bool:
    try:
        return shape_of(own, size_hw, []) == shape
    except Refusal:
        return False


def outline_record(shape: Shape, size_hw: tuple[int, int]) -> dict[str, Any]:
    """``segmentation``, ``area`` and ``bbox`` of a shape.

    The area of a polygon is that between its corners; where rings overlap or cross, and for masks, it is the number of pixels.

    Raises
    ------
    Refusal : lines and points, which have no area, and masks without pixels in the picture.
    """
    if not has_area(shape):
        raise Refusal("no-area", "a line or point, which has no area; COCO holds areas alone")
    polygon = outline(shape)
    if polygon is None:
        pixels = cover(shape, size_hw)
        if pixels is None:
            raise Refusal("no-area", "the region covers no pixel of the picture")
        height, width = pixels.mask.shape
        return {
            "segmentation": encode_rle(pixels, size_hw), "area": int(pixels.mask.sum()),
            "bbox": [pixels.x, pixels.y, width, height],
        }  # fmt: skip
    points = np.concatenate(polygon.rings)
    low, high = points.min(axis=0), points.max(axis=0)
    return {
        "segmentation": [[plain(value) for value in ring.ravel().tolist()] for ring in polygon.rings],
        "area": plain(_area(polygon, size_hw)),
        "bbox": [plain(float(value)) for value in (*low, *(high - low))],
    }


def _area(polygon: Polygon, size_hw: tuple[int, int]) -> float:
    """The area between the corners; the number of pixels where that tells another story than half the border could."""
    exact = shoelace(polygon)
    try:
        pixels = cover(polygon, size_hw)
    except Refusal:  # too large to be counted
        return exact
    count = 0 if pixels is None else int(pixels.mask.sum())
    border = sum(float(np.hypot(*(ring - np.roll(ring, 1, axis=0)).T).sum()) for ring in polygon.rings)
    return exact if abs(exact - count) <= 0.75 * border + 1 or count == 0 else float(count)


def plain(value: float) -> float | int:
    """A whole number without its fraction."""
    return int(value) if math.isfinite(value) and value.is_integer() else value
