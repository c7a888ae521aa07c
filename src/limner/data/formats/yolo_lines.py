"""One line of YOLO labels: the numbers after the class index as a polygon or box in shares of the picture."""

from __future__ import annotations

import numpy as np

from limner.core.annotation import Box, PointsXY, Shape
from limner.data.formats import geometry
from limner.data.formats.geometry import Note, Notes, Refusal

ROUNDING = 1e-6  # beyond the picture by so much is no mistake of anybody
LONGEST_LINE = 2**22


def shape_of(words: list[str], notes: Notes) -> Shape:
    """The polygon or box of a line without its class index.

    Raises
    ------
    Refusal : too few numbers, an odd one, one that is none, or nothing left within the picture.
    """
    numbers = _numbers(words)
    if len(numbers) == 4:
        cx, cy, width, height = numbers.tolist()
        return _box(cx, cy, width, height, notes)
    if len(numbers) % 2 or len(numbers) < 6:
        raise Refusal(
            "ragged",
            f"the line has {len(numbers)} numbers after the class; 4 are a box, and 6, 8, 10, ... a polygon "
            "(one more at the end would be the confidence of a prediction)",
        )
    return geometry.polygon([_clipped(numbers.reshape(-1, 2), notes)], notes)


def _numbers(words: list[str]) -> PointsXY:
    try:
        numbers = np.array([float(word) for word in words], np.float64)
        if np.isfinite(numbers).all() and not any("_" in word for word in words):
            return numbers
    except ValueError:
        pass
    return np.array([geometry.number(word, f"number {place}") for place, word in enumerate(words, start=2)])


def _box(cx: float, cy: float, width: float, height: float, notes: Notes) -> Box:
    """A box from its centre and sides; as it is where it lies within the picture."""
    if width <= 0 or height <= 0:
        raise Refusal("no-area", f"the box is {width:g} wide and {height:g} high; sides above 0 are expected")
    ends = np.array([[cx - width / 2, cy - height / 2], [cx + width / 2, cy + height / 2]])
    inside = _clipped(ends, notes)
    if (inside == ends).all():
        return geometry.box(float(ends[0, 0]), float(ends[0, 1]), width, height, notes)
    sides = (inside[1] - inside[0]).tolist()
    return geometry.box(float(inside[0, 0]), float(inside[0, 1]), sides[0], sides[1], notes)


def _clipped(points_xy: PointsXY, notes: Notes) -> PointsXY:
    """Coordinates moved to 0 and 1 where they lie beyond."""
    if np.maximum(-points_xy, points_xy - 1).max() > ROUNDING:
        notes.append(Note("out-of-bounds", "coordinates outside 0 to 1 are moved to the edge of the picture"))
    return np.clip(points_xy, 0, 1)
