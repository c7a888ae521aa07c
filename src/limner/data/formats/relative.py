"""Coordinates as shares of a picture's width and height (YOLO: 0 to 1; Label Studio: percent), and their pixels.

Formats whose files may lack the size of a picture leave coordinates as shares from 0 to 1 and mark the annotation with
``attributes["normalized"] = True``, until the picture is known. Angles are those on the picture, never on a square.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from limner.core.annotation import Annotation, Bitmap, Box, Ellipse, Points, PointsXY, Polygon, Polyline, Shape

NORMALIZED = "normalized"


def is_normalized(annotation: Annotation) -> bool:
    """The coordinates are shares of the picture's sides."""
    return annotation.attributes.get(NORMALIZED) is True


def to_pixels(annotation: Annotation, size_hw: tuple[int, int]) -> Annotation:
    """The annotation in pixels of a picture of `size_hw`; itself when it is in pixels already."""
    if not is_normalized(annotation):
        return annotation
    attributes = {name: value for name, value in annotation.attributes.items() if name != NORMALIZED}
    regions = tuple(
        dataclasses.replace(region, shape=scaled(region.shape, size_hw[1], size_hw[0])) for region in annotation.regions
    )
    return dataclasses.replace(annotation, regions=regions, size_hw=size_hw, attributes=attributes)


def scaled(shape: Shape, width: float, height: float) -> Shape:
    """A shape in shares as one in pixels of a picture of `width` and `height`; masks are pixels anyway."""
    factors = np.array([width, height], np.float64)
    match shape:
        case Polygon(rings, holes):
            return Polygon(tuple(ring * factors for ring in rings), tuple(hole * factors for hole in holes))
        case Polyline(points_xy):
            return Polyline(points_xy * factors)
        case Points(points_xy):
            return Points(points_xy * factors)
        case Box(x, y, box_width, box_height, angle):
            return Box(x * width, y * height, box_width * width, box_height * height, angle)
        case Ellipse(cx, cy, rx, ry, angle):
            return Ellipse(cx * width, cy * height, rx * width, ry * height, angle)
        case Bitmap():
            return shape


def shares(points_xy: PointsXY, size_hw: tuple[int, int], *, whole: float = 1.0) -> PointsXY:
    """Pixels as shares that become the same pixels again, or at a few places the numbers just below them.

    Parameters
    ----------
    points_xy : ``(N, 2)`` pixels.
    size_hw : of the picture.
    whole : what the full side is called: 1, or 100 for percent.

    Notes
    -----
    Reading back multiplies by the side and divides by `whole`, which for a few of a hundred numbers no share undoes to the last
    bit. Then the result shall lie below: a centre on a border belongs to the area on its right or below, and still does.
    """
    sides = np.array([size_hw[1], size_hw[0]], np.float64)
    result: PointsXY = points_xy * whole / sides
    for _ in range(2):
        result = np.where(result * sides / whole > points_xy, np.nextafter(result, -np.inf), result)
    return result
