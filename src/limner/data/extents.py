"""How far shapes reach: corners of turned boxes, extents, and the sine and cosine of degrees, exact for quarter turns."""

from __future__ import annotations

import math

import numpy as np

from limner.core.annotation import Bitmap, Box, Ellipse, PointsXY, Polygon, Shape


def turn(angle: float) -> tuple[float, float]:
    """Cosine and sine of an angle in degrees; exact for quarter turns.

    >>> turn(90), turn(-180), turn(360)
    ((0.0, 1.0), (-1.0, 0.0), (1.0, 0.0))
    """
    angle = math.fmod(angle, 360.0)
    if angle % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(angle // 90) % 4]
    radians = math.radians(angle)
    return math.cos(radians), math.sin(radians)


def corners(box: Box) -> PointsXY:
    """The corners of a box, ``(4, 2)`` float64, from (x, y) clockwise on the screen.

    >>> corners(Box(1.0, 2.0, 3.0, 1.0, angle=90.0)).tolist()
    [[1.0, 2.0], [1.0, 5.0], [0.0, 5.0], [0.0, 2.0]]
    """
    cosine, sine = turn(box.angle)
    x = [0.0, box.width * cosine, box.width * cosine - box.height * sine, -box.height * sine]
    y = [0.0, box.width * sine, box.width * sine + box.height * cosine, box.height * cosine]
    return np.stack([np.array(x) + box.x, np.array(y) + box.y], axis=1)


def extent(shape: Shape) -> tuple[float, float, float, float]:
    """Smallest and largest x and y that a shape reaches, as ``(x0, y0, x1, y1)``; lines count without their width.

    Raises
    ------
    ValueError : a polygon without rings, or no points.
    """
    match shape:
        case Ellipse():
            cosine, sine = turn(shape.angle)
            dx, dy = math.hypot(shape.rx * cosine, shape.ry * sine), math.hypot(shape.rx * sine, shape.ry * cosine)
            return shape.cx - dx, shape.cy - dy, shape.cx + dx, shape.cy + dy
        case Bitmap():
            height, width = shape.mask.shape
            return float(shape.x), float(shape.y), float(shape.x + width), float(shape.y + height)
        case Polygon():
            points_xy = np.concatenate(shape.rings) if shape.rings else np.zeros((0, 2))
        case Box():
            points_xy = corners(shape)
        case _:
            points_xy = shape.points_xy
    if not len(points_xy):
        raise ValueError("a shape without points reaches nowhere")
    (x0, y0), (x1, y1) = points_xy.min(axis=0).tolist(), points_xy.max(axis=0).tolist()
    return x0, y0, x1, y1
