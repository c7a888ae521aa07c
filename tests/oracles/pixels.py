"""Which pixels a shape covers, in exact fractions, pixel by pixel.

The winding number is counted along a ray upwards, while the code under test goes along rows. No centre lies on a border, because it
is moved to the right by 2**-400 and down by its square: that is the rule for ties, put into numbers.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np

from limner.core.annotation import Bitmap, Box, Ellipse, Points, Polygon, Polyline

NUDGE = Fraction(1, 2**400)


def oracle(shape, size_hw, *, fill="nonzero", line_width=1.0) -> tuple[np.ndarray, float]:
    """The mask, and where sines are involved how far the nearest centre is from being decided otherwise; else infinity."""
    margin = math.inf
    if isinstance(shape, Polygon):
        inside = _areas([_fractions(r) for r in shape.rings], [_fractions(h) for h in shape.holes], fill)
    elif isinstance(shape, Box):
        ring = _box(shape)
        inside = _areas([ring], [], fill)
        margin = _margin(ring, size_hw) if shape.angle % 90 else margin
    elif isinstance(shape, Ellipse):
        value, turned = _ellipse(shape), bool(shape.angle % 180)
        margin = min(abs(float(value(*_centre(y, x))) - 1) for y, x in np.ndindex(size_hw)) if turned else margin
        inside = lambda x, y: value(x, y) <= 1  # noqa: E731
    elif isinstance(shape, Polyline):
        inside = _line(_fractions(shape.points_xy), fill, Fraction(max(line_width, 1.0)) / 2)
    elif isinstance(shape, Points):
        pixels = {(math.floor(x), math.floor(y)) for x, y in shape.points_xy}
        inside = lambda x, y: (math.floor(x), math.floor(y)) in pixels  # noqa: E731
    else:
        assert isinstance(shape, Bitmap)
        height, width = shape.mask.shape

        def inside(x, y):
            column, row = math.floor(x) - shape.x, math.floor(y) - shape.y
            return 0 <= row < height and 0 <= column < width and shape.mask[row, column]

    mask = np.array([inside(*_centre(y, x)) for y, x in np.ndindex(size_hw)], bool).reshape(size_hw)
    if isinstance(shape, Polyline) and not mask.any():
        first = Points(shape.points_xy[:1])
        mask = mask if _is_closed(_fractions(shape.points_xy)) else oracle(first, size_hw)[0]
    return mask, margin


def _centre(row, column):
    return Fraction(2 * column + 1, 2), Fraction(2 * row + 1, 2)


def _fractions(points_xy):
    return [(Fraction(float(x)), Fraction(float(y))) for x, y in points_xy]


def winding(ring, x, y) -> tuple[int, int]:
    """Winding number and number of edges above a point, counted along the ray from it towards smaller y."""
    x, y = x + NUDGE, y + NUDGE * NUDGE
    turns = edges = 0
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        if (ax < x) != (bx < x) and ay + (x - ax) * (by - ay) / (bx - ax) < y:
            turns += 1 if ax < bx else -1
            edges += 1
    return turns, edges


def _areas(rings, holes, fill):
    def filled(ring, x, y):
        turns, edges = winding(ring, x, y)
        return turns != 0 if fill == "nonzero" else edges % 2 == 1

    return lambda x, y: any(filled(r, x, y) for r in rings) and not any(filled(h, x, y) for h in holes)


def _box(box):
    angle = math.radians(box.angle)
    quarter = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}.get(box.angle % 360)
    cosine, sine = map(Fraction, quarter or (math.cos(angle), math.sin(angle)))
    x, y, w, h = (Fraction(float(v)) for v in (box.x, box.y, box.width, box.height))
    return [(x + u * cosine - v * sine, y + u * sine + v * cosine) for u, v in ((0, 0), (w, 0), (w, h), (0, h))]


def _margin(ring, size_hw):
    def to_line(x, y, a, b):
        dx, dy = float(b[0] - a[0]), float(b[1] - a[1])
        return abs((x - float(a[0])) * dy - (y - float(a[1])) * dx) / math.hypot(dx, dy)

    edges = list(zip(ring, ring[1:] + ring[:1], strict=True))
    return min(to_line(c + 0.5, r + 0.5, a, b) for r, c in np.ndindex(size_hw) for a, b in edges)


def _ellipse(shape):
    angle = math.radians(shape.angle)
    quarter = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}.get(shape.angle % 360)
    cosine, sine = map(Fraction, quarter or (math.cos(angle), math.sin(angle)))
    cx, cy, rx, ry = (Fraction(float(v)) for v in (shape.cx, shape.cy, shape.rx, shape.ry))

    def value(x, y):
        u, v = (x - cx) * cosine + (y - cy) * sine, (y - cy) * cosine - (x - cx) * sine
        return (u / rx) ** 2 + (v / ry) ** 2

    return value


def _is_closed(line):
    """Ends at most 3 % of the length apart, and the points not all on one line."""
    length = sum(math.dist(a, b) for a, b in pairwise(line))
    (ax, ay), (bx, by) = line[0], max(line, key=lambda p: math.dist(p, line[0]))
    is_straight = all((x - ax) * (by - ay) == (y - ay) * (bx - ax) for x, y in line)
    return math.dist(line[0], line[-1]) <= 0.03 * length and not is_straight


def _line(line, fill, radius):
    if _is_closed(line):
        return _areas([line], [], fill)

    def square_distance(x, y, a, b):
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = dx * dx + dy * dy
        share = 0 if length == 0 else min(max(((x - a[0]) * dx + (y - a[1]) * dy) / length, 0), 1)
        return (x - a[0] - share * dx) ** 2 + (y - a[1] - share * dy) ** 2

    pieces = list(pairwise(line))
    return lambda x, y: any(square_distance(x, y, a, b) <= radius**2 for a, b in pieces)
