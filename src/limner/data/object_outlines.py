"""Object ids to outlines: a polygon for each object that is one piece without holes, its pixels for the others.

The objects are put beside each other on a canvas with a gap of one pixel around each, so that those that touch in the picture do
not touch there, and all outlines are found at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Bitmap, Polygon
from limner.core.objects import Instances
from limner.data.polygons import polygons_of_mask

CANVAS_PIXELS = 2**24  # of one canvas, unless a single object is larger
Boxes = npt.NDArray[np.int64]


def shapes_of_objects(
    ids: Instances, boxes: Boxes, *, canvas_pixels: int = CANVAS_PIXELS
) -> Iterator[tuple[int, Polygon | Bitmap]]:
    """Each object that shows, by rising id, with its shape in the coordinates of the picture.

    Parameters
    ----------
    ids : ``(H, W)`` from 0; 0 = no object.
    boxes : ``(M, 4)`` left, top, right and bottom of the objects 1 to M; right = left for one without pixels.
    canvas_pixels : memory is bounded by this many pixels, or the largest object's box.

    Yields
    ------
    Id and shape: a `Polygon` of one ring along the borders of pixels when the object's pixels hang together by their sides and
    enclose nothing, else a `Bitmap`.
    """
    shown = np.flatnonzero(boxes[:, 2] > boxes[:, 0])
    room = np.cumsum((boxes[shown, 2] - boxes[shown, 0] + 1) * (boxes[shown, 3] - boxes[shown, 1] + 1))
    start = 0
    while start < len(shown):
        before = int(room[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(room, before + canvas_pixels, side="right")))
        yield from _batch(ids, boxes, shown[start:stop].tolist())
        start = stop


def _batch(ids: Instances, boxes: Boxes, chosen: Sequence[int]) -> Iterator[tuple[int, Polygon | Bitmap]]:
    corners, size_hw = _places(boxes[chosen])
    canvas, cell = np.zeros(size_hw, np.bool_), np.zeros(size_hw, np.int32)
    for place, (index, (column, row)) in enumerate(zip(chosen, corners, strict=True)):
        left, top, right, bottom = boxes[index].tolist()
        height, width = bottom - top, right - left
        canvas[row : row + height, column : column + width] = ids[top:bottom, left:right] == index + 1
        cell[row : row + height, column : column + width] = place
    found = polygons_of_mask(canvas)
    rings: list[list[npt.NDArray[np.float64]]] = [[] for _ in chosen]
    for ring in found.rings:
        rings[_owner(cell, ring)].append(ring)
    has_hole = {_owner(cell, hole) for hole in found.holes}
    for place, (index, (column, row)) in enumerate(zip(chosen, corners, strict=True)):
        left, top, right, bottom = boxes[index].tolist()
        if place in has_hole or len(rings[place]) != 1:
            mask = np.ascontiguousarray(canvas[row : row + bottom - top, column : column + right - left])
            yield index + 1, Bitmap(left, top, mask)
        else:
            yield index + 1, Polygon((rings[place][0] + np.array([left - column, top - row], np.float64),))


def _owner(cell: npt.NDArray[np.int32], ring: npt.NDArray[np.float64]) -> int:
    """The place whose cell a ring lies in: its first corner is an upper left one, of an object or of a hole in it."""
    x, y = ring[0]
    return int(cell[int(y), int(x)])


def _places(boxes: Boxes) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Column and row of each box on shelves of a canvas, none touching another, and the size of the canvas."""
    widths, heights = boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1
    shelf = max(int(widths.max()), math.isqrt(int((widths * heights).sum())) + 1)
    corners = [(0, 0)] * len(boxes)
    column = row = deepest = 0
    for place in np.argsort(-heights, kind="stable").tolist():
        if column + int(widths[place]) > shelf:
            column, row, deepest = 0, row + deepest, 0
        corners[place] = (column, row)
        column, deepest = column + int(widths[place]), max(deepest, int(heights[place]))
    return corners, (row + deepest, shelf)
