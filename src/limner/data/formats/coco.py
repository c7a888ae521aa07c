"""COCO data sets (polygons, run-length masks, boxes, crowds) and COCO results, which are predictions.

The format: cocodataset.org/#format-data; Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

import numpy as np

from limner.core.annotation import Annotation, AnnotationSet, Box, Polygon, Region, Shape
from limner.data.formats.coco_categories import Categories, read_categories
from limner.data.formats.coco_outline import shape_of, shoelace
from limner.data.formats.coco_results_write import write_results
from limner.data.formats.coco_write import write_dataset
from limner.data.formats.fields import identifier, is_true, name_of, size_of, whole
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.geometry import Refusal, number
from limner.data.formats.ledger import Ledger

CROWDED = 0.9  # a share of crowds above which the mark means nothing: CVAT sets it on every run-length mask
NOT_SETS = frozenset({"images", "annotations"})


def sniff(content: Content) -> bool:
    """A document with ``images`` and ``annotations``, none of which has segments in a picture."""
    document = content.json
    if not isinstance(document, dict):
        return False
    images, annotations = document.get("images"), document.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        return False
    return not any(isinstance(record, dict) and "segments_info" in record for record in annotations)


def sniff_results(content: Content) -> bool:
    """A list of objects that name a picture and a category."""
    records = content.json
    if not isinstance(records, list) or not records or not isinstance(records[0], dict):
        return False
    keys = records[0].keys()
    return (
        "image_id" in keys and bool({"category_id", "category_name"} & keys) and bool({"bbox", "segmentation"} & keys)
    )


def read(content: Content) -> AnnotationSet:
    """All objects of a data set; see `sniff`."""
    document = content.json
    if not sniff(content):
        raise wrong(content, "not a COCO data set", "a document with images and annotations")
    ledger = Ledger.of(content)
    records = document["annotations"]
    used = {identifier(record.get("category_id")) for record in records if isinstance(record, dict)}
    categories = read_categories(document.get("categories"), {key for key in used if key}, ledger)
    images = read_images(document["images"], ledger)
    index_of: dict[str, int] = {}
    for index, image in enumerate(images):
        index_of.setdefault(identifier((image.record or {}).get("id")) or "", index)
    regions: list[list[Region]] = [[] for _ in images]
    for number_, record in enumerate(records):
        where = f"annotations/{number_}"
        with ledger.record(where) as notes:
            if not isinstance(record, dict):
                raise Refusal("bad-record", "an annotation that is not an object with keys")
            key = identifier(record.get("image_id"))
            if key is None or key not in index_of:
                raise Refusal(
                    "unknown-image", f"it belongs to the picture {str(key)[:40]}, which the file does not list"
                )
            index = index_of[key]
            shape = shape_of(record, images[index].size_hw, notes, take=ledger.take_pixels)
            regions[index].append(_region(record, shape, categories, ledger, where))
    _tell_of_ids(records, ledger)
    filled = tuple(
        dataclasses.replace(image, regions=tuple(found)) for image, found in zip(images, regions, strict=True)
    )
    return AnnotationSet(
        "coco", _without_false_crowds(filled, ledger), categories.classes, warnings=ledger.warnings,
        refused=ledger.refused, record={key: value for key, value in document.items() if key not in NOT_SETS},
    )  # fmt: skip


def read_images(records: list[Any], ledger: Ledger) -> list[Annotation]:
    """The pictures of a data set, without regions; each keeps its record."""
    images: list[Annotation] = []
    seen: set[str] = set()
    for index, record in enumerate(records):
        where = f"images/{index}"
        if not isinstance(record, dict):
            ledger.warn("bad-image", "an entry that is not an object with keys is passed over", where)
            continue
        key = identifier(record.get("id"))
        if key is None:
            ledger.warn("bad-image", "a picture without an id; no object can belong to it", where)
        elif key in seen:
            text = f"the picture id {key[:40]} occurs twice; its objects go to the first"
            ledger.warn("duplicate-id", text, where)
        seen.add(key or "")
        name = name_of(record.get("file_name"))
        if not name:
            ledger.warn("bad-image", "a picture without a file_name; its id is taken", where)
        size_hw = size_of(record.get("height"), record.get("width"))
        images.append(Annotation(name or key or "", size_hw=size_hw, record=record, where=where))
    return images


def _region(record: dict[str, Any], shape: Shape, categories: Categories, ledger: Ledger, where: str) -> Region:
    """One object with its class and marks."""
    label = categories.label(record.get("category_id"))
    if label is None:
        text = f"the category {str(record.get('category_id'))[:40]} is not declared; the object has no class"
        ledger.warn("unknown-category", text, where)
    if isinstance(shape, Box):
        ledger.warn("box", "the object has a box and no mask", where)
    elif isinstance(shape, Polygon) and _is_area_of_box(record, shape):
        text = "the area in the file is that of the box around the polygon; it is counted anew, as always"
        ledger.warn("area", text, where)
    attributes = record.get("attributes")
    return Region(
        label or "", shape, is_crowd=whole(record.get("iscrowd")) == 1 or record.get("iscrowd") is True,
        is_ignored=is_true(record.get("ignore")), attributes=attributes if isinstance(attributes, dict) else {},
        record=record, where=where,
    )  # fmt: skip


def _is_area_of_box(record: dict[str, Any], polygon: Polygon) -> bool:
    """The stated area is that of the box around the polygon, and the polygon is clearly smaller."""
    stated, points = record.get("area"), np.concatenate(polygon.rings)
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return False
    around = float(np.prod(points.max(axis=0) - points.min(axis=0)))
    return shoelace(polygon) < 0.99 * around and math.isclose(stated, around, rel_tol=0.005)


def _tell_of_ids(records: list[Any], ledger: Ledger) -> None:
    counts = Counter(identifier(record.get("id")) for record in records if isinstance(record, dict))
    counts.pop(None, None)
    twice = [key for key, count in counts.items() if count > 1 and key is not None]
    if twice:
        shown = ", ".join(key[:40] for key in twice[:5])
        ledger.warn(
            "duplicate-id", f"{len(twice)} ids of objects occur more than once: {shown}; all are kept", "annotations"
        )


def _without_false_crowds(images: tuple[Annotation, ...], ledger: Ledger) -> tuple[Annotation, ...]:
    """The pictures; where nearly all objects are marked as crowds, they are objects."""
    regions = [region for image in images for region in image.regions]
    crowds = [region for region in regions if region.is_crowd]
    if not crowds:
        return images
    if len(crowds) < CROWDED * len(regions):
        text = (
            f"{len(crowds)} of {len(regions)} objects are marked as crowds (iscrowd) and kept as such; "
            "CVAT marks every mask so, though it is one object"
        )
        ledger.warn("crowd", text, crowds[0].where)
        return images
    text = f"{len(crowds)} of {len(regions)} objects are marked as crowds (iscrowd), as CVAT does; they are taken as objects"
    ledger.warn("crowd", text, crowds[0].where)
    return tuple(
        dataclasses.replace(image, regions=tuple(dataclasses.replace(r, is_crowd=False) for r in image.regions))
        for image in images
    )


def read_results(content: Content) -> AnnotationSet:
    """Predictions; the file has no names of pictures, so each is called by its id."""
    if not isinstance(content.json, list):
        raise wrong(content, "not a list of COCO results", "a list of objects with image_id and score")
    ledger = Ledger.of(content)
    found: dict[str, list[Region]] = {}
    for index, record in enumerate(content.json):
        with ledger.record(str(index)) as notes:
            if not isinstance(record, dict):
                raise Refusal("bad-record", "a result that is not an object with keys")
            key = identifier(record.get("image_id"))
            if key is None:
                raise Refusal("unknown-image", "a result without image_id")
            shape = shape_of(record, None, notes, take=ledger.take_pixels)
            label = name_of(record.get("category_name")) or identifier(record.get("category_id")) or ""
            stated = record.get("score")
            score = None if stated is None else number(stated, "score")
            found.setdefault(key, []).append(Region(label, shape, score=score, record=record, where=str(index)))
    boxes = sum(isinstance(region.shape, Box) for regions in found.values() for region in regions)
    if boxes:
        ledger.warn("box", f"{boxes} results have a box and no mask")
    ledger.warn("no-names", "results name pictures by id and categories by id or name; the data set has the rest")
    images = tuple(Annotation(key, tuple(regions), record={"id": key}) for key, regions in found.items())
    return AnnotationSet("coco-results", images, warnings=ledger.warnings, refused=ledger.refused)


FORMAT = Format("coco", "COCO", sniff, read, write_dataset)
RESULTS = Format("coco-results", "COCO results (predictions)", sniff_results, read_results, write_results)
