"""Shapes and questions of VIA 3, as its projects hold them.

Source: data format 3.1.1, https://gitlab.com/vgg/via/-/blob/master/via-3.x.y/CodeDoc.md
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from limner.core.annotation import Box, Ellipse, Points, PointsXY, Polygon, Polyline, Shape
from limner.data.formats.fields import whole
from limner.data.formats.foreign import as_dict, entries, plain, shown
from limner.data.formats.geometry import Notes, Refusal, box, ellipse, pairs, polygon, polyline
from limner.data.formats.simplify import rounded, rounded_size
from limner.data.formats.single_points import single_points
from limner.data.formats.via_regions import Question

KINDS = {1: "text", 2: "checkbox", 3: "radio", 4: "dropdown", 5: "image"}
COORDINATES = {
    1: 2,
    2: 4,
    3: 3,
    4: 4,
    5: 4,
    8: 8,
    9: 6,
}  # by shape; polylines (6) and polygons (7) have any even number


@dataclass(frozen=True)
class Via3File:
    """The rest of a project, as `AnnotationSet.record`.

    Parameters
    ----------
    document : all but files, views and metadata.
    questions : by name.
    names : of the attributes, by id.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Via3File:
        """The rest of `document`, and what its ``attribute`` asks."""
        rest = {key: value for key, value in document.items() if key not in ("file", "view", "metadata")}
        questions, names = {}, {}
        for key, definition in entries(document.get("attribute")):
            options = {option: plain(text) for option, text in entries(as_dict(definition).get("options"))}
            kind = KINDS.get(whole(as_dict(definition).get("type")) or 0, "text")
            names[key] = plain(as_dict(definition).get("aname")) or key
            questions[names[key]] = Question(kind, options)
        return cls(rest, questions, names)

    def answers(self, av: Any) -> dict[str, Any]:
        """Answers by the name of the attribute, readable: text, or for checkboxes the list of what is ticked."""
        found: dict[str, Any] = {}
        for key, value in as_dict(av).items():
            name, text = self.names.get(key, key), plain(value)
            question = self.questions.get(name, Question("text"))
            if question.kind == "checkbox":
                found[name] = [question.name_of(option) for option in text.split(",") if option.strip()]
            else:
                found[name] = question.name_of(text)
        return found


def read_xy(xy: Any, notes: Notes) -> Shape:
    """The shape in ``[shape id, coordinate, ...]``.

    Raises
    ------
    Refusal : not a list, a shape that is not known, or numbers that cannot be used.
    """
    if not isinstance(xy, list) or not xy:
        raise Refusal("no-shape", f"xy is {shown(xy)}; a list that begins with the id of a shape is expected")
    kind, count = whole(xy[0]), len(xy) - 1
    if kind is None or not 1 <= kind <= 9:
        raise Refusal("unknown-shape", f"the shape is {shown(xy[0])}; 1 to 9 is expected")
    if count != COORDINATES.get(kind, count):
        raise Refusal("ragged", f"{count} numbers for shape {kind}; {COORDINATES[kind]} are expected")
    if kind == 3:
        cx, cy, r, _ = pairs([*xy[1:], 0], notes).ravel().tolist()  # a fourth number makes pairs of the three
        return ellipse(cx, cy, r, r, notes)
    points_xy = pairs(xy[1:], notes)
    match kind:
        case 1:
            return single_points(points_xy)
        case 2:
            (x, y), (width, height) = points_xy.tolist()
            return box(x, y, width, height, notes)
        case 4:
            (cx, cy), (rx, ry) = points_xy.tolist()
            return ellipse(cx, cy, rx, ry, notes)
        case 5 | 6:
            return polyline(points_xy, notes)
        case 7:
            return polygon([points_xy], notes)
        case 8:
            (x0, y0), (x1, y1) = points_xy.min(axis=0).tolist(), points_xy.max(axis=0).tolist()
            return box(x0, y0, x1 - x0, y1 - y0, notes)
    cx, cy, r = circle_through(points_xy)
    return ellipse(cx, cy, r, r, notes)


def circle_through(points_xy: PointsXY) -> tuple[float, float, float]:
    """Centre and radius of the circle through three points ``(3, 2)``.

    The centre is as far from the first point as from the two others, which is a linear system in its coordinates.

    Raises
    ------
    Refusal : the points lie on a line.

    Examples
    --------
    >>> circle_through(np.array([[50.0, 30.0], [58.0, 38.0], [50.0, 46.0]]))
    (50.0, 38.0, 8.0)
    """
    sides = points_xy[1:] - points_xy[0]
    (ax, ay), (bx, by) = sides.tolist()
    twice_area = ax * by - ay * bx
    scale = float(np.abs(sides).max(initial=0.0))
    if abs(twice_area) <= 1e-9 * scale * scale:
        raise Refusal("no-area", "the three points of the circle lie on a line; an area is expected")
    a, b = ax * ax + ay * ay, bx * bx + by * by
    dx, dy = (a * by - b * ay) / (2 * twice_area), (b * ax - a * bx) / (2 * twice_area)
    return float(points_xy[0, 0]) + dx, float(points_xy[0, 1]) + dy, math.hypot(dx, dy)


def xy_of(shape: Shape) -> list[int | float]:
    """A simple shape as VIA 3 writes it; coordinates have at most three decimals.

    Examples
    --------
    >>> xy_of(Box(1.5, 2, 3, 4)), xy_of(Polyline(np.array([[0.0, 1.0], [2.0, 3.0]])))
    ([2, 1.5, 2, 3, 4], [5, 0, 1, 2, 3])
    """
    match shape:
        case Points(points_xy):
            return [1, *_flat(points_xy)]
        case Box(x, y, width, height):
            return [2, rounded(x), rounded(y), rounded_size(width), rounded_size(height)]
        case Ellipse(cx, cy, rx, ry):
            start = [rounded(cx), rounded(cy), rounded_size(rx)]
            return [3, *start] if rx == ry else [4, *start, rounded_size(ry)]
        case Polyline(points_xy):
            return [5 if len(points_xy) == 2 else 6, *_flat(points_xy)]
        case Polygon(rings):
            return [7, *_flat(rings[0])]
    raise AssertionError(f"{type(shape).__name__} is no shape of VIA 3")


def _flat(points_xy: PointsXY) -> list[int | float]:
    return [rounded(value) for value in points_xy.ravel().tolist()]
