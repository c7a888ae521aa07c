"""Shapes put into the words of a format that knows fewer: parts, outlines, pixel borders; what changes is said.

A circle of radius r as a polygon of n corners is nowhere further than ``r (1 - cos(pi / n))`` from the circle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from limner.core.annotation import Bitmap, Box, Ellipse, Points, PointsXY, Polygon, Polyline, Region, Shape
from limner.data.extents import corners, turn
from limner.data.formats.ledger import Ledger
from limner.data.polygons import polygons_of_mask, without_holes
from limner.data.rasterize import is_closed_area, rasterize

MOST_PIXELS = 2**26  # of one mask that is written
LARGEST_GAP = 0.05  # pixels between an ellipse and its polygon
FEWEST_CORNERS, MOST_CORNERS = 72, 720


@dataclass(frozen=True)
class Abilities:
    """The shapes that a format can hold.

    Parameters
    ----------
    words : what the format is called.
    masks : pixels; then polygons with holes become pixels, else their holes are joined to the outline.
    turned_boxes : boxes with an angle.
    ellipses : none, circles alone, upright ones, or all.
    lines, points : open lines, and points.
    many_points : several points in one object.
    group : how several objects of the format are said to be parts of one.
    """

    words: str
    masks: bool = False
    turned_boxes: bool = False
    ellipses: Literal["none", "circles", "upright", "all"] = "none"
    lines: bool = True
    points: bool = True
    many_points: bool = False
    group: str = "a group"


def simple_shapes(region: Region, able: Abilities, ledger: Ledger, where: str) -> tuple[Shape, ...]:
    """The shape of a region as one or several that the format can hold; none when it can hold nothing of the kind.

    Parameters
    ----------
    region : what is written.
    able : the format.
    ledger : hears what is lost or changed.
    where : place for its messages.
    """
    shape: Shape = region.shape
    if isinstance(shape, Polygon) and shape.holes and able.masks:
        shape = _pixels(shape, able, ledger, where)
    if isinstance(shape, Bitmap) and not able.masks:
        ledger.warn(
            "mask-as-polygon", f"{able.words} has no masks; written as a polygon along the pixel borders", where
        )
        shape = polygon_of(shape)
    match shape:
        case Polygon():
            return _parts(shape, able, ledger, where)
        case Box() if shape.angle and not able.turned_boxes:
            ledger.warn("turned-box", f"{able.words} has no turned boxes; written as a polygon of four corners", where)
            return (Polygon((corners(shape),)),)
        case Ellipse() if not _has_ellipse(shape, able):
            ledger.warn("ellipse-as-polygon", f"{able.words} has no such ellipses; written as a polygon", where)
            return (Polygon((outline_of_ellipse(shape),)),)
        case Points(points_xy):
            return _points(points_xy, able, ledger, where)
        case Polyline(points_xy) if not able.lines:
            if is_closed_area(shape):
                ledger.warn(
                    "line-as-polygon", f"{able.words} has no lines; a closed one is written as a polygon", where
                )
                return (Polygon((points_xy,)),)
            ledger.warn("no-area", f"{able.words} has no open lines; left out", where)
            return ()
    return (shape,)


def _parts(polygon: Polygon, able: Abilities, ledger: Ledger, where: str) -> tuple[Shape, ...]:
    """Polygons of one ring each."""
    rings = polygon.rings
    if polygon.holes:
        try:
            rings = without_holes(polygon).rings
            text = f"{able.words} has no holes; each is joined to the outline by a line there and back"
            ledger.warn("holes-joined", text, where)
        except ValueError:  # a hole so thin that it has no inside
            ledger.warn("holes-filled", f"{able.words} has no holes; the holes are filled", where)
    if len(rings) > 1:
        ledger.warn("parts-split", f"{able.words} has no objects of several parts; they share {able.group}", where)
    return tuple(Polygon((ring,)) for ring in rings)


def _points(points_xy: PointsXY, able: Abilities, ledger: Ledger, where: str) -> tuple[Shape, ...]:
    if not able.points:
        ledger.warn("no-area", f"{able.words} has no points; left out", where)
        return ()
    if len(points_xy) == 1 or able.many_points:
        return (Points(points_xy),)
    ledger.warn("parts-split", f"{able.words} has no objects of several parts; they share {able.group}", where)
    return tuple(Points(points_xy[i : i + 1]) for i in range(len(points_xy)))


def _has_ellipse(ellipse: Ellipse, able: Abilities) -> bool:
    is_circle = ellipse.rx == ellipse.ry
    if able.ellipses == "circles":
        return is_circle
    return able.ellipses == "all" or (able.ellipses == "upright" and (is_circle or ellipse.angle == 0))


def _pixels(shape: Polygon, able: Abilities, ledger: Ledger, where: str) -> Polygon | Bitmap:
    """A polygon with holes as pixels, drawn in its own bounding box; as it is when that is too large or covers none."""
    points_xy = np.concatenate(shape.rings)
    low, high = np.floor(points_xy.min(axis=0)), np.ceil(points_xy.max(axis=0))
    width, height = (int(side) for side in high - low)
    if width * height > MOST_PIXELS:
        return shape
    moved = Polygon(tuple(ring - low for ring in shape.rings), tuple(hole - low for hole in shape.holes))
    mask = rasterize(moved, (height, width))
    if not mask.any():
        return shape
    ledger.warn("holes-as-mask", f"{able.words} has no holes in polygons; written as a mask of pixels", where)
    return Bitmap(int(low[0]), int(low[1]), mask)


def polygon_of(bitmap: Bitmap) -> Polygon:
    """The polygon whose lines are the borders of the pixels, in coordinates of the picture."""
    corner = np.array([bitmap.x, bitmap.y], np.float64)
    found = polygons_of_mask(bitmap.mask)
    return Polygon(tuple(ring + corner for ring in found.rings), tuple(hole + corner for hole in found.holes))


def outline_of_ellipse(ellipse: Ellipse) -> PointsXY:
    """A polygon inscribed in the ellipse, ``(N, 2)``, nowhere further from it than `LARGEST_GAP` up to 720 corners.

    Examples
    --------
    >>> outline_of_ellipse(Ellipse(5, 7, 4, 2, 90)).max(axis=0).round(6).tolist()
    [7.0, 11.0]
    """
    radius = max(ellipse.rx, ellipse.ry)
    needed = math.pi / math.acos(1 - LARGEST_GAP / radius) if radius > LARGEST_GAP else 0
    count = 4 * math.ceil(min(max(needed, FEWEST_CORNERS), MOST_CORNERS) / 4)
    steps = 2 * math.pi * np.arange(count) / count
    cosine, sine = turn(ellipse.angle)
    along, across = ellipse.rx * np.cos(steps), ellipse.ry * np.sin(steps)
    return np.stack([ellipse.cx + along * cosine - across * sine, ellipse.cy + along * sine + across * cosine], axis=1)


def rounded(value: float) -> int | float:
    """A coordinate as VIA and labelme write them: at most three decimals, whole numbers without a point.

    Examples
    --------
    >>> rounded(3.0), rounded(2.12345), rounded(-0.0001)
    (3, 2.123, 0)
    """
    near = round(float(value), 3)
    return int(near) if near.is_integer() else near


def rounded_size(value: float) -> int | float:
    """A length likewise; one that would vanish stays as it is."""
    return rounded(value) or float(value)
