"""Write COCO results: predictions, which name pictures and classes by the ids of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limner.core.annotation import AnnotationSet, Problem
from limner.core.files import write_text
from limner.data.formats.coco_categories import written_categories
from limner.data.formats.coco_outline import shape_of
from limner.data.formats.coco_write import outline_record, own_record, place_of
from limner.data.formats.geometry import Refusal
from limner.data.formats.json_text import to_json
from limner.data.formats.ledger import Ledger
from limner.data.formats.numbering import Numbering


def write_results(annotations: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``results.json``; pictures without an id of their own are numbered in their order, classes likewise."""
    path = folder / "results.json"
    ledger = Ledger(str(path))
    is_own = annotations.format == "coco-results"
    labels = [region.label for image in annotations.images for region in image.regions]
    _, ids = written_categories(None, annotations.classes, labels)
    has_ids = annotations.format.startswith("coco")
    image_ids = Numbering(own_record(image.record, has_ids).get("id") for image in annotations.images)
    results = []
    for image in annotations.images:
        image_id = image_ids.give(own_record(image.record, has_ids).get("id"))
        for region in image.regions:
            with ledger.record(place_of(image, region)):
                own = own_record(region.record, is_own)
                record: dict[str, Any] = dict(own)
                if not own:
                    record = {"image_id": image_id, "category_id": ids.get(region.label), "category_name": region.label}
                if not own or _shape(own) != region.shape:
                    if image.size_hw is None:
                        raise Refusal("no-size", "the size of its picture is not known, and an outline needs it")
                    record |= outline_record(region.shape, image.size_hw)
                if not own:
                    record["score"] = 1.0 if region.score is None else region.score
                results.append(record)
    write_text(path, to_json(results))
    return (*ledger.warnings, *ledger.refused)


def _shape(own: Any) -> object:
    try:
        return shape_of(own, None, [])
    except Refusal:
        return None
