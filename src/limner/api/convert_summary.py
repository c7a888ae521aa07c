"""What ``convert`` says about the data that it read: the counts of its JSON document."""

from __future__ import annotations

from collections import Counter
from typing import Any

from limner.core.annotation import Points, Problem
from limner.data.annotated_findings import unanswered
from limner.data.annotated_set import Annotated
from limner.data.dataset import Dataset
from limner.data.findings import counted, shortened


def annotation_summary(found: Annotated) -> dict[str, Any]:
    """What annotation files hold; files that cannot be read stand with the refused objects."""
    images = [entry.annotation for entry in found.entries]
    bare = unanswered(found)
    text = f"{counted(len(bare), 'picture')} that nobody has annotated yet, or that were skipped: {shortened(bare)}"
    left = [Problem("not-annotated", text, str(found.files[0]))] if bare else []
    regions = [region for entry in found.entries for region in entry.annotation.regions]
    return {
        "format": found.format,
        "images": len(images),
        "images_without_objects": sum(not image.regions for image in images if image.is_annotated),
        "objects": len(regions),
        "classes": dict(Counter(region.label for region in regions)),
        "shapes": dict(Counter(region.kind for region in regions)),
        "points_without_area": sum(isinstance(region.shape, Points) for region in regions),
        "missing_images": [entry.annotation.image for entry in found.missing],
        "warnings": [problem.as_dict() for problem in (*found.undecided, *found.doubts, *found.all_warnings, *left)],
        "refused": [problem.as_dict() for problem in found.all_refused],
    }


def mask_summary(dataset: Dataset) -> dict[str, Any]:
    """What masks hold."""
    space = dataset.label_space
    shown = dict.fromkeys(space.foreground_names, 0)
    empty = 0
    for item in dataset.items:
        fact = dataset.facts[item.name]
        present = [index for index, number in fact.pixels.items() if index > 0 and number]
        empty += not present
        for index in present:
            is_counted = index in space.thing_ids and fact.things is not None
            shown[space.names[index]] += fact.objects[index].count if is_counted and index in fact.objects else 1
    num_objects = sum(shown[name] for name in space.things) if space.things else None
    warnings = [
        {"code": finding.code, "message": finding.message, "file": next(iter(finding.files), ""), "where": ""}
        for finding in dataset.findings
        if finding.level in ("warning", "fixed")
    ]
    return {
        "format": dataset.format,
        "images": len(dataset.items),
        "images_without_objects": empty,
        "objects": num_objects,
        "classes": shown,
        "shapes": {"mask": len(dataset.items) if num_objects is None else num_objects},
        "missing_images": [],
        "warnings": warnings,
        "refused": [],
    }
