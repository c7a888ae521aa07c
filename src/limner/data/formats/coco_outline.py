"""The outline of one COCO object: rings, a run-length mask, or a box where there is neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from limner.core.annotation import Box, PointsXY, Polygon, Shape
from limner.data.formats import geometry
from limner.data.formats.coco_rle import decode_rle
from limner.data.formats.foreign import shown
from limner.data.formats.geometry import Note, Notes, Refusal
from limner.data.formats.runs import any_size


def shape_of(
    record: Mapping[str, Any],
    size_hw: tuple[int, int] | None,
    notes: Notes,
    *,
    take: Callable[[int], None] = any_size,
) -> Shape:
    """Where an object is.

    Parameters
    ----------
    record : an entry of ``annotations`` or of a list of results.
    size_hw : of its picture, when the file states it.
    notes : hears what was put right.
    take : is asked before the pixels of a mask are made, and may refuse.

    Raises
    ------
    Refusal : there is no outline and no box, or none that can be used.
    """
    segmentation = record.get("segmentation")
    if isinstance(segmentation, list) and len(segmentation) == 1 and isinstance(segmentation[0], dict):
        segmentation = segmentation[0]
    if isinstance(segmentation, dict):
        return decode_rle(segmentation, size_hw, take=take)
    if segmentation is None or segmentation == []:
        return _box(record, notes)
    if not isinstance(segmentation, list):
        raise Refusal(
            "bad-outline", f"the segmentation is {shown(segmentation)}; rings or a run-length mask are expected"
        )
    return _polygon(segmentation, notes)


def _box(record: Mapping[str, Any], notes: Notes) -> Box:
    values = record.get("bbox")
    if not isinstance(values, list) or len(values) != 4:
        raise Refusal("no-outline", "there is neither a segmentation nor a bbox of four numbers")
    words = ("x", "y", "width", "height")
    x, y, width, height = (geometry.number(value, what, notes) for value, what in zip(values, words, strict=True))
    return geometry.box(x, y, width, height, notes)


def _polygon(segmentation: list[Any], notes: Notes) -> Polygon:
    """The rings that can be used; those that cannot are noted, and refused together when none is left."""
    if not isinstance(segmentation[0], list):  # one ring without a list around it, as VIA wrote before 2.0.10
        return Polygon((_ring(segmentation, notes),))
    rings: list[PointsXY] = []
    refusals: list[tuple[int, Refusal]] = []
    for index, values in enumerate(segmentation):
        try:
            rings.append(_ring(values, notes))
        except Refusal as refusal:
            refusals.append((index, refusal))
    if not rings:
        raise refusals[0][1]
    notes += [Note("part-left-out", f"ring {index} is left out: {refusal.message}") for index, refusal in refusals]
    return Polygon(tuple(rings))


def _ring(values: Any, notes: Notes) -> PointsXY:
    return geometry.ring(geometry.pairs(values, notes), notes)


def shoelace(polygon: Polygon) -> float:
    """Sum of the areas of the rings, each from its corners (the shoelace formula); holes are not looked at."""
    total = 0.0
    for ring in polygon.rings:
        x, y = (ring - ring[0]).T  # near the origin, where products lose no digits
        total += abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    return total
