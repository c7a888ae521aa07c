"""Shapes of Label Studio and back: percent of the picture's sides, boxes turned about their upper left corner.

The fields: labelstud.io/guide/export, "Units of image annotations"; labelstud.io/tags (RectangleLabels, PolygonLabels, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from limner.core.annotation import Bitmap, Box, Ellipse, Points, Polygon, Polyline, Shape
from limner.data.formats import geometry
from limner.data.formats.cover import cover
from limner.data.formats.foreign import shown
from limner.data.formats.geometry import Notes, Refusal
from limner.data.formats.label_studio_rle import decode_brush, encode_brush
from limner.data.formats.relative import shares
from limner.data.formats.runs import any_size
from limner.data.formats.single_points import single_points

Value = Mapping[str, Any]
GEOMETRY = frozenset(
    {"x", "y", "width", "height", "rotation", "radiusX", "radiusY", "points", "closed", "format", "rle"}
)
KINDS = ("polygon", "rectangle", "ellipse", "brush", "keypoint")


def kind_of(kind: str, value: Value) -> str:
    """One of `KINDS` by the name of the tool, else by the keys; empty when nothing is drawn.

    Examples
    --------
    >>> kind_of("polygonlabels", {}), kind_of("labels", {"x": 1, "y": 2, "width": 3, "height": 4}), kind_of("choices", {})
    ('polygon', 'rectangle', '')
    """
    name = kind.removesuffix("labels")
    if name in KINDS:
        return name
    if name:
        return ""
    if "rle" in value:
        return "brush"
    if "points" in value:
        return "polygon"
    if "radiusX" in value:
        return "ellipse"
    if "x" in value and "y" in value:
        return "rectangle" if "height" in value else "keypoint"
    return ""


def shape_of(
    kind: str,
    value: Value,
    size_hw: tuple[int, int] | None,
    notes: Notes,
    *,
    take: Callable[[int], None] = any_size,
) -> Shape:
    """The shape of a result.

    Parameters
    ----------
    kind : one of `KINDS`.
    value : its numbers, in percent.
    size_hw : of the picture; None = the shape is in shares of its sides from 0 to 1.
    notes : hears what was put right.
    take : is asked before the pixels of a mask are made, and may refuse.

    Raises
    ------
    Refusal : numbers that cannot be used; a mask without the size of its picture.
    """
    height, width = size_hw or (1, 1)

    def pixels(name: str, side: int) -> float:
        return geometry.number(value.get(name), name, notes) * side / 100

    match kind:
        case "polygon":
            points = geometry.pairs(value.get("points"), notes) * np.array([width, height], np.float64) / 100
            if value.get("closed") is False:
                return geometry.polyline(points, notes)
            return geometry.polygon([points], notes)
        case "rectangle":
            x, y, w, h = pixels("x", width), pixels("y", height), pixels("width", width), pixels("height", height)
            return geometry.box(x, y, w, h, notes, _rotation(value))
        case "ellipse":
            cx, cy, rx, ry = (
                pixels("x", width),
                pixels("y", height),
                pixels("radiusX", width),
                pixels("radiusY", height),
            )
            return geometry.ellipse(cx, cy, rx, ry, notes, _rotation(value))
        case "keypoint":
            return single_points(np.array([[pixels("x", width), pixels("y", height)]]))
    if value.get("format", "rle") != "rle":
        raise Refusal("unknown-shape", f"a brush mask in the format {shown(value.get('format'))}; rle is read")
    if size_hw is None:
        raise Refusal("no-size", "a brush mask without the size of its picture (original_width, original_height)")
    return decode_brush(value.get("rle"), size_hw, take=take)


def _rotation(value: Value) -> float:
    stated = value.get("rotation")
    return 0.0 if stated is None else geometry.number(stated, "rotation")


def values_of(shape: Shape, size_hw: tuple[int, int]) -> list[tuple[str, dict[str, Any]]]:
    """Kind and value of a shape; one for each point, and one for all else.

    Areas with holes or of several parts become brush masks.

    Raises
    ------
    Refusal : a mask without pixels in the picture, or too large.
    """
    match shape:
        case Polygon(rings, ()) if len(rings) == 1:
            return [("polygon", {"points": shares(rings[0], size_hw, whole=100).tolist(), "closed": True})]
        case Polyline(points_xy):
            return [("polygon", {"points": shares(points_xy, size_hw, whole=100).tolist(), "closed": False})]
        case Points(points_xy):
            spots = shares(points_xy, size_hw, whole=100).tolist()
            return [("keypoint", {"x": x, "y": y, "width": 0.5}) for x, y in spots]
        case Box(x, y, width, height, angle):
            (x, y), (width, height) = shares(np.array([[x, y], [width, height]]), size_hw, whole=100).tolist()
            return [("rectangle", {"x": x, "y": y, "width": width, "height": height, "rotation": angle})]
        case Ellipse(cx, cy, rx, ry, angle):
            (cx, cy), (rx, ry) = shares(np.array([[cx, cy], [rx, ry]]), size_hw, whole=100).tolist()
            return [("ellipse", {"x": cx, "y": cy, "radiusX": rx, "radiusY": ry, "rotation": angle})]
        case Polygon() | Bitmap():
            bitmap = cover(shape, size_hw)
            if bitmap is None:
                raise Refusal("no-area", "the region covers no pixel of the picture")
            return [("brush", {"format": "rle", "rle": encode_brush(bitmap, size_hw)})]
