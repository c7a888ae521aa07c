"""Shapes of LabelMe JSON: points with a word that says what they mean.

Source: labelme 5.7 and 7.0, https://github.com/wkentaro/labelme, read as documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limner.core.annotation import Bitmap, Box, Ellipse, Points, PointsXY, Polygon, Polyline, Shape
from limner.data.formats import embedded
from limner.data.formats.foreign import shown
from limner.data.formats.geometry import LARGEST, Note, Notes, Refusal, box, ellipse, pairs, polygon, polyline
from limner.data.formats.ledger import Ledger
from limner.data.formats.simplify import rounded
from limner.data.formats.single_points import single_points


def read_shape(raw: Mapping[str, Any], ledger: Ledger, notes: Notes) -> Shape:
    """The shape of one record.

    Raises
    ------
    Refusal : a kind that is not known, another number of points than it needs, or points that cannot be used.
    """
    kind = raw.get("shape_type") or "polygon"
    points_xy = pairs(raw.get("points"), notes)
    match kind:
        case "polygon" | "oriented_rectangle" | "rotation" | "quadrilateral":
            return polygon([points_xy], notes)
        case "rectangle":
            return _rectangle(points_xy, notes)
        case "circle":
            (cx, cy), (x, y) = _several(points_xy, 2, kind)
            radius = float(((x - cx) ** 2 + (y - cy) ** 2) ** 0.5)
            return ellipse(float(cx), float(cy), radius, radius, notes)
        case "line" | "linestrip":
            return polyline(points_xy, notes)
        case "point" | "points":
            return single_points(points_xy)
        case "mask":
            return _mask(raw.get("mask"), _several(points_xy, 2, kind), ledger, notes)
    known = "polygon, rectangle, circle, line, linestrip, point, points or mask"
    raise Refusal("unknown-shape", f"the shape_type is {shown(kind)}; {known} is expected")


def _several(points_xy: PointsXY, count: int, kind: str) -> PointsXY:
    if len(points_xy) != count:
        raise Refusal("wrong-points", f"a {kind} of {len(points_xy)} points; {count} are expected")
    return points_xy


def _rectangle(points_xy: PointsXY, notes: Notes) -> Shape:
    """Two opposite corners, in any order; newer files have all four, which may be turned."""
    if len(points_xy) == 4 and any(len(set(points_xy[:, axis].tolist())) != 2 for axis in (0, 1)):
        return polygon([points_xy], notes)
    if len(points_xy) not in (2, 4):
        raise Refusal("wrong-points", f"a rectangle of {len(points_xy)} points; 2 opposite corners are expected")
    (x0, y0), (x1, y1) = points_xy.min(axis=0).tolist(), points_xy.max(axis=0).tolist()
    return box(x0, y0, x1 - x0, y1 - y0, notes)


def _mask(data: Any, corners_xy: PointsXY, ledger: Ledger, notes: Notes) -> Bitmap:
    if not isinstance(data, str) or not data:
        raise Refusal("no-mask", f"mask is {shown(data)}; a PNG in base64 is expected")
    if abs(corners_xy).max() > LARGEST:
        raise Refusal("too-large", f"a corner lies at {abs(corners_xy).max():g}; at most {LARGEST:g} is expected")
    mask = embedded.mask_of_png(embedded.decoded(data, "the mask"), ledger)
    (left, top), (right, bottom) = corners_xy.round().astype(int).tolist()
    stated = (bottom - top + 1, right - left + 1)  # both corners are pixels of the mask
    if stated != mask.shape:
        text = f"the mask has {mask.shape[1]} x {mask.shape[0]} pixels and its box {stated[1]} x {stated[0]}; the mask counts"
        notes.append(Note("mask-size", text))
    return Bitmap(left, top, mask)


def shape_record(shape: Shape) -> dict[str, Any]:
    """``points``, ``shape_type`` and ``mask`` of a simple shape; coordinates have at most three decimals.

    Examples
    --------
    >>> shape_record(Ellipse(5, 6, 2, 2))
    {'points': [[5, 6], [7, 6]], 'shape_type': 'circle', 'mask': None}
    """
    match shape:
        case Box(x, y, width, height):
            return _record("rectangle", [(x, y), (x + width, y + height)])
        case Ellipse(cx, cy, rx):
            return _record("circle", [(cx, cy), (cx + rx, cy)])
        case Points(points_xy):
            return _record("point" if len(points_xy) == 1 else "points", points_xy.tolist())
        case Polyline(points_xy):
            return _record("linestrip", points_xy.tolist())
        case Polygon(rings):
            return _record("polygon", rings[0].tolist())
        case Bitmap(x, y, mask):
            corners = [(x, y), (x + mask.shape[1] - 1, y + mask.shape[0] - 1)]
            return {**_record("mask", corners), "mask": embedded.encoded(embedded.png_of_mask(mask))}


def _record(kind: str, points: Any) -> dict[str, Any]:
    return {"points": [[rounded(x), rounded(y)] for x, y in points], "shape_type": kind, "mask": None}
