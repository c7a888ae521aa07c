"""Shapes in the words of poorer formats: pixels stay, and what changes is said."""

import math

import numpy as np
import pytest
from hypothesis import given

from limner.core.annotation import Bitmap, Box, Ellipse, Points, Polygon, Polyline, Region
from limner.data.formats.ledger import Ledger
from limner.data.formats.simplify import Abilities, outline_of_ellipse, polygon_of, rounded_size, simple_shapes
from limner.data.rasterize import rasterize
from tests.data.formats import drawn
from tests.data.formats.drawn import SIZE, square

POOR = Abilities("Poor", lines=False, points=False)


def simple(shape, able=POOR):
    ledger = Ledger("f")
    shapes = simple_shapes(Region("a", shape), able, ledger, "here")
    return shapes, [p.code for p in ledger.warnings]


def united(shapes):
    return np.any([rasterize(shape, SIZE) for shape in shapes], axis=0)


@given(drawn.bitmaps)
def test_masks_as_polygons_are_the_same_pixels(bitmap):
    assert np.array_equal(rasterize(polygon_of(bitmap), SIZE), rasterize(bitmap, SIZE))
    shapes, codes = simple(bitmap)
    assert np.array_equal(united(shapes), rasterize(bitmap, SIZE)) and codes[0] == "mask-as-polygon"
    assert all(isinstance(shape, Polygon) and len(shape.rings) == 1 and not shape.holes for shape in shapes)


def test_holes_are_joined_to_the_outline_or_become_pixels():
    frame = Polygon(
        square(2.25, 3, 20).shape.rings, (square(4, 5, 3).shape.rings[0], square(12, 8, 5.5).shape.rings[0])
    )
    (joined,), codes = simple(frame)
    assert codes == ["holes-joined"] and not joined.holes and len(joined.rings) == 1
    assert np.array_equal(rasterize(joined, SIZE), rasterize(frame, SIZE))
    (mask,), codes = simple(frame, Abilities("x", masks=True))
    assert codes == ["holes-as-mask"] and isinstance(mask, Bitmap) and (mask.x, mask.y) == (2, 3)
    assert np.array_equal(rasterize(mask, SIZE), rasterize(frame, SIZE))


@pytest.mark.parametrize("ellipse", [Ellipse(20, 15, 12, 5, 30), Ellipse(20, 15, 0.01, 3), Ellipse(1e3, 1e3, 900, 900)])
def test_the_polygon_of_an_ellipse_lies_on_it_and_nowhere_far_inside(ellipse):
    corners = outline_of_ellipse(ellipse)
    turn = math.radians(ellipse.angle)
    moved = (corners - [ellipse.cx, ellipse.cy]) @ np.array(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    )
    assert ((moved / [ellipse.rx, ellipse.ry]) ** 2).sum(axis=1) == pytest.approx(1)
    middles = (corners + np.roll(corners, -1, axis=0)) / 2
    if ellipse.rx == ellipse.ry:
        assert (ellipse.rx - np.hypot(*(middles - [ellipse.cx, ellipse.cy]).T)).max() <= 0.05
    x, y = corners.T
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    assert area == pytest.approx(math.pi * ellipse.rx * ellipse.ry, rel=2e-3)


@pytest.mark.parametrize(
    ("shape", "able", "kinds", "codes"),
    [
        (Box(1, 2, 3, 4), POOR, [Box], []),
        (Box(1, 2, 3, 4, 20), POOR, [Polygon], ["turned-box"]),
        (Box(1, 2, 3, 4, 20), Abilities("x", turned_boxes=True), [Box], []),
        (Ellipse(1, 2, 3, 3), Abilities("x", ellipses="circles"), [Ellipse], []),
        (Ellipse(1, 2, 3, 4), Abilities("x", ellipses="circles"), [Polygon], ["ellipse-as-polygon"]),
        (Ellipse(1, 2, 3, 4), Abilities("x", ellipses="upright"), [Ellipse], []),
        (Ellipse(1, 2, 3, 4, 9), Abilities("x", ellipses="upright"), [Polygon], ["ellipse-as-polygon"]),
        (Ellipse(1, 2, 3, 3, 9), Abilities("x", ellipses="upright"), [Ellipse], []),
        (Ellipse(1, 2, 3, 4, 9), Abilities("x", ellipses="all"), [Ellipse], []),
        (Polyline(np.array([(0.0, 0), (9, 5)])), POOR, [], ["no-area"]),
        (Polyline(np.array([(0.0, 0), (9, 0), (9, 5), (0, 0)])), POOR, [Polygon], ["line-as-polygon"]),
        (Points(np.array([(0.0, 0)])), POOR, [], ["no-area"]),
        (Points(np.array([(0.0, 0), (1, 1)])), Abilities("x"), [Points, Points], ["parts-split"]),
        (Points(np.array([(0.0, 0), (1, 1)])), Abilities("x", many_points=True), [Points], []),
    ],
)
def test_what_each_format_can_hold(shape, able, kinds, codes):
    shapes, said = simple(shape, able)
    assert [type(one) for one in shapes] == kinds and said == codes


def test_a_length_never_vanishes():
    assert rounded_size(0.0001) == 0.0001 and rounded_size(2.00049) == 2
