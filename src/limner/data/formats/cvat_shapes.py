"""Shapes of CVAT XML and back: numbers are text, boxes and ellipses turn about their centres, masks are runs along rows.

docs.cvat.ai/docs/dataset_management/formats/format-cvat.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from limner.core.annotation import Bitmap, Box, Ellipse, Points, PointsXY, Polygon, Polyline, Shape
from limner.data.extents import turn
from limner.data.formats import geometry
from limner.data.formats.cover import cover
from limner.data.formats.fields import size_of, whole
from limner.data.formats.geometry import Notes, Refusal
from limner.data.formats.runs import any_size, bitmap_of_runs, counts_of, runs_of_bitmap
from limner.data.formats.single_points import single_points

Attributes = Mapping[str, str]
REASONS = {
    "tag": "a tag, which is about the whole picture; it is kept with the picture",
    "skeleton": "a skeleton of points, which has no area",
    "cuboid": "a cuboid, which is no area of the picture",
}


def shape_of(tag: str, attributes: Attributes, notes: Notes, *, take: Callable[[int], None] = any_size) -> Shape:
    """The shape that an element of a picture draws.

    Parameters
    ----------
    tag : of the element.
    attributes : of the element.
    notes : hears what was put right.
    take : is asked before the pixels of a mask are made, and may refuse.

    Raises
    ------
    Refusal : tags, skeletons, cuboids and what is unknown; numbers that cannot be used.
    """
    match tag:
        case "box":
            return _box(attributes, notes)
        case "polygon":
            return geometry.polygon([_points(attributes)], notes)
        case "polyline":
            return geometry.polyline(_points(attributes), notes)
        case "points":
            return single_points(_points(attributes))
        case "ellipse":
            cx, cy, rx, ry = (_number(attributes, name) for name in ("cx", "cy", "rx", "ry"))
            return geometry.ellipse(cx, cy, rx, ry, notes, _rotation(attributes))
        case "mask":
            return _mask(attributes, take)
    raise Refusal(
        tag if tag in REASONS else "unknown-shape", REASONS.get(tag, f"an element {tag[:40]!r}, which is not known")
    )


def _number(attributes: Attributes, name: str) -> float:
    return geometry.number(attributes.get(name), name)


def _rotation(attributes: Attributes) -> float:
    return geometry.number(attributes.get("rotation") or "0", "rotation")


def _points(attributes: Attributes) -> PointsXY:
    """The points of ``x,y;x,y;...``."""
    text = attributes.get("points", "").strip().strip(";")
    pairs = [pair.split(",") for pair in text.split(";")] if text else []
    if any(len(pair) != 2 for pair in pairs):
        raise Refusal("ragged", "points are not pairs x,y with semicolons between them")
    return geometry.points([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def _box(attributes: Attributes, notes: Notes) -> Box:
    left, top, right, bottom = (_number(attributes, name) for name in ("xtl", "ytl", "xbr", "ybr"))
    box = geometry.box(left, top, right - left, bottom - top, notes)
    angle = _rotation(attributes)
    if angle == 0:
        return box
    cosine, sine = turn(angle)
    x = box.x + box.width / 2 - box.width / 2 * cosine + box.height / 2 * sine
    y = box.y + box.height / 2 - box.width / 2 * sine - box.height / 2 * cosine
    return geometry.box(x, y, box.width, box.height, notes, angle)


def _mask(attributes: Attributes, take: Callable[[int], None]) -> Bitmap:
    left, top = whole(attributes.get("left")), whole(attributes.get("top"))
    size_hw = size_of(attributes.get("height"), attributes.get("width"))
    if left is None or top is None or size_hw is None or max(abs(left), abs(top)) > geometry.LARGEST:
        raise Refusal("bad-runs", "left, top, width and height of the mask are not all whole numbers in range")
    runs = attributes.get("rle", "").strip().strip(",")
    counts = counts_of(runs.split(",") if runs else [], size_hw[0] * size_hw[1])
    bitmap = bitmap_of_runs(counts, size_hw, by_column=False, take=take)
    return dataclasses.replace(bitmap, x=bitmap.x + left, y=bitmap.y + top)


def element_parts(shape: Shape, size_hw: tuple[int, int] | None) -> tuple[str, dict[str, str]]:
    """The tag and the geometric attributes for a shape; areas with holes or of several parts become masks.

    Raises
    ------
    Refusal : a mask is needed, and the size of the picture is not known or nothing of it is covered.
    """
    match shape:
        case Box():
            return "box", _box_attributes(shape)
        case Polygon(rings, ()) if len(rings) == 1:
            return "polygon", {"points": _text(rings[0])}
        case Polyline(points_xy):
            return "polyline", {"points": _text(points_xy)}
        case Points(points_xy):
            return "points", {"points": _text(points_xy)}
        case Ellipse(cx, cy, rx, ry, angle):
            named = {"cx": cx, "cy": cy, "rx": rx, "ry": ry} | ({"rotation": angle} if angle else {})
            return "ellipse", {name: decimal(value) for name, value in named.items()}
    if size_hw is None:
        raise Refusal("no-size", "the size of its picture is not known, and a mask needs it")
    bitmap = cover(shape, size_hw)
    if bitmap is None:
        raise Refusal("no-area", "the region covers no pixel of the picture")
    height, width = bitmap.mask.shape
    runs = runs_of_bitmap(Bitmap(0, 0, bitmap.mask), (height, width), by_column=False)
    box = {"left": bitmap.x, "top": bitmap.y, "width": width, "height": height}
    return "mask", {"rle": ", ".join(map(str, runs)), **{name: str(value) for name, value in box.items()}}


def _box_attributes(box: Box) -> dict[str, str]:
    x, y = box.x, box.y
    if box.angle:
        cosine, sine = turn(box.angle)
        x += box.width / 2 * cosine - box.height / 2 * sine - box.width / 2
        y += box.width / 2 * sine + box.height / 2 * cosine - box.height / 2
    named = {"xtl": x, "ytl": y, "xbr": x + box.width, "ybr": y + box.height} | (
        {"rotation": box.angle} if box.angle else {}
    )
    return {name: decimal(value) for name, value in named.items()}


def _text(points_xy: PointsXY) -> str:
    return ";".join(f"{decimal(x)},{decimal(y)}" for x, y in np.asarray(points_xy).tolist())


def decimal(value: float) -> str:
    """The shortest decimal that is read as the same number.

    >>> decimal(3.0), decimal(0.1), decimal(1e-7)
    ('3', '0.1', '0.0000001')
    """
    return np.format_float_positional(value, trim="-")
