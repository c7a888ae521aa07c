import math

import numpy as np
import pytest

from limner.core.annotation import Bitmap, Box, Ellipse, Points, Polygon, Polyline
from limner.data.formats import geometry
from limner.data.formats.geometry import Notes, Refusal, fit
from limner.data.rasterize import rasterize
from tests.make_vectors import ring


def codes(notes: Notes) -> list[str]:
    return [note.code for note in notes]


def refused(call, *arguments) -> str:
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    assert caught.value.message and len(caught.value.message) < 200
    return caught.value.code


@pytest.mark.parametrize(
    ("value", "expected"), [(3, 3.0), (-2.5, -2.5), (" 12.50 ", 12.5), ("-1e2", -100.0), (".5", 0.5), ("7.", 7.0)]
)
def test_numbers(value, expected):
    notes: Notes = []
    assert geometry.number(value, "x", notes) == expected
    assert codes(notes) == (["number-as-text"] if isinstance(value, str) else [])


@pytest.mark.parametrize(
    "value",
    [True, False, None, "", "nan", "inf", "1,5", "1_0", "0x10", "١", "1e", "one", [1], {}, b"1", 1j, "9" * 10_000],
)
def test_what_is_no_number(value):
    assert refused(geometry.number, value, "x") == "not-a-number"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1e400", 10**400])
def test_numbers_that_are_not_finite(value):
    assert refused(geometry.number, value, "x") == "not-finite"


def test_points():
    notes: Notes = []
    assert geometry.points([1, 2.5, "3"], [4, "5", 6], notes).tolist() == [[1, 4], [2.5, 5], [3, 6]]
    assert codes(notes) == ["number-as-text"] and "1 more" in notes[0].message
    assert geometry.points([], []).shape == (0, 2)
    assert refused(geometry.points, [1, 2], [1]) == "ragged"
    assert refused(geometry.points, [1, None], [1, 2]) == "not-a-number"
    assert refused(geometry.points, [1, True], [1, 2]) == "not-a-number"
    assert refused(geometry.points, [1, math.nan], [1, 2]) == "not-finite"
    assert refused(geometry.points, [10**400, 2], [1, 2]) == "not-finite"
    for bad in (None, "12", 5, {"0": 1}):
        assert refused(geometry.points, bad, [1]) == "not-a-list"


def test_pairs():
    assert geometry.pairs([[1, 2], (3, 4)]).tolist() == [[1, 2], [3, 4]]
    assert geometry.pairs([1, 2, 3, 4]).tolist() == [[1, 2], [3, 4]]
    assert geometry.pairs([]).shape == (0, 2)
    assert refused(geometry.pairs, [1, 2, 3]) == "ragged"
    assert refused(geometry.pairs, [[1, 2], [3]]) == "ragged"
    assert refused(geometry.pairs, [[1, 2], 3]) == "ragged"
    assert refused(geometry.pairs, "12") == "not-a-list"
    assert refused(geometry.pairs, [[1, [2]]]) == "not-a-number"


def test_rings_are_opened_and_repeats_dropped():
    notes: Notes = []
    square = ring(0, 0, 4, 0, 4, 3, 0, 3)
    assert np.array_equal(geometry.ring(ring(0, 0, 4, 0, 4, 3, 0, 3, 0, 0), notes), square)
    assert notes == []  # closed or open is a matter of taste
    assert np.array_equal(geometry.ring(ring(0, 0, 0, 0, 4, 0, 4, 3, 4, 3, 0, 3, 0, 0, 0, 0), notes), square)
    assert codes(notes) == ["repeated-points"]


@pytest.mark.parametrize(
    ("points_xy", "code"),
    [
        (np.zeros((0, 2)), "too-few-points"), (ring(1, 2), "too-few-points"), (ring(1, 2, 3, 4, 1, 2), "too-few-points"),
        (ring(1, 2, 3, 4, 1, 2, 3, 4), "too-few-points"), (ring(0, 0, 3, 3, 7, 7), "no-area"),
        (ring(0, 0, 5, 0, 5, 5, 5, 0), "no-area"), (ring(0, 0, 1e8, 0, 5, 5), "too-large"),
        (ring(0, 0, np.nan, 0, 5, 5), "not-finite"),
    ],
)  # fmt: skip
def test_rings_that_are_refused(points_xy, code):
    assert refused(geometry.ring, points_xy, []) == code


def test_polygons_keep_their_good_rings():
    notes: Notes = []
    good, bad = ring(0, 0, 4, 0, 4, 3), ring(1, 1, 2, 2)
    polygon = geometry.polygon([bad, good], notes, holes=[bad, good * 0.5])
    assert polygon == Polygon((good,), (good * 0.5,))
    assert codes(notes) == ["part-left-out", "hole-left-out"]
    assert refused(geometry.polygon, [bad, bad], []) == "too-few-points"
    assert refused(geometry.polygon, [], []) == "no-points"
    bow = ring(1, 1, 9, 7, 9, 1, 1, 7)
    assert geometry.polygon([bow], []) == Polygon((bow,))


def test_lines():
    notes: Notes = []
    assert geometry.polyline(ring(1, 1, 1, 1, 4, 2, 1, 1), notes) == Polyline(ring(1, 1, 4, 2, 1, 1))
    assert codes(notes) == ["repeated-points"]
    assert refused(geometry.polyline, ring(1, 1, 1, 1), []) == "too-few-points"
    assert refused(geometry.polyline, np.zeros((0, 2)), []) == "too-few-points"


def test_boxes():
    notes: Notes = []
    assert geometry.box(5, 6, -3, 2, notes) == Box(2, 6, 3, 2)
    assert geometry.box(5, 6, 3, -2, notes) == Box(5, 4, 3, 2)
    assert codes(notes) == ["negative-size"] * 2
    assert geometry.box(5, 6, 3, 2, notes, angle=30) == Box(5, 6, 3, 2, 30)
    for sides in ((0, 2), (2, 0)):
        assert refused(geometry.box, 5, 6, *sides, []) == "no-area"
    assert refused(geometry.box, math.nan, 6, 1, 1, []) == "not-finite"
    assert refused(geometry.box, 5, 6, 1e8, 1, []) == "too-large"
    assert refused(geometry.box, 5, 6, None, 1, []) == "not-a-number"


def test_turned_boxes_keep_their_pixels_when_turned_round():
    """From (9, 4) by -5 along an axis turned by 30 degrees: the same pixels as between the two ends."""
    turned = geometry.box(9.0, 8.0, -5.0, 3.0, [], angle=30.0)
    cosine, sine = math.cos(math.radians(30)), math.sin(math.radians(30))
    ends = [(0, 0), (-5, 0), (-5, 3), (0, 3)]
    corners = np.array([(9 + u * cosine - v * sine, 8 + u * sine + v * cosine) for u, v in ends])
    assert np.array_equal(rasterize(turned, (14, 13)), rasterize(Polygon((corners,)), (14, 13)))
    assert turned.width == 5 and turned.height == 3


def test_ellipses():
    notes: Notes = []
    assert geometry.ellipse(5, 6, -3, 2, notes, angle=10) == Ellipse(5, 6, 3, 2, 10)
    assert codes(notes) == ["negative-size"]
    assert refused(geometry.ellipse, 5, 6, 0, 2, []) == "no-area"
    assert refused(geometry.ellipse, 5, 6, 1, math.inf, []) == "not-finite"


SIZE = (20, 30)  # rows, columns


@pytest.mark.parametrize(
    "shape",
    [
        Polygon((ring(-9, 2, 0, 5, -9, 8),)), Polygon((ring(30, 2, 35, 5, 33, 8),)), Box(4, 20, 3, 3), Box(-5, -5, 5, 5),
        Ellipse(40, 5, 3, 3), Polyline(ring(-9, 2, -1, 5)), Points(ring(31, 2, -1, 5)), Bitmap(30, 0, np.ones((3, 3), bool)),
    ],
)  # fmt: skip
def test_outside(shape):
    assert refused(fit, shape, SIZE, []) == "outside"


@pytest.mark.parametrize(
    "shape",
    [
        Polygon((ring(-9.3, 2, 7, 5, -9, 8),)), Box(25, 15, 9, 9), Box(25, 15, 9, 9, 20), Ellipse(0, 5, 3, 2),
        Polyline(ring(-9, 2, 11, 5)), Points(ring(31, 2, 10, 5)), Bitmap(-1, 18, np.indices((3, 4)).sum(axis=0) % 2 == 0),
    ],
)  # fmt: skip
def test_cut_at_the_border_without_changing_a_pixel(shape):
    notes: Notes = []
    cut = fit(shape, SIZE, notes)
    assert codes(notes) == ["out-of-bounds"]
    assert np.array_equal(rasterize(cut, SIZE), rasterize(shape, SIZE))
    again: Notes = []
    if isinstance(shape, Points | Bitmap) or (isinstance(shape, Box) and not shape.angle):
        assert fit(cut, SIZE, again) == cut and not again


def test_inside_nothing_is_said():
    for shape in (
        Polygon((ring(0, 0, 30, 0, 30, 20, 0, 20),)),
        Box(0, 0, 30, 20),
        Points(ring(0, 0)),
        Polyline(ring(0, 0, 30, 0)),
    ):
        notes: Notes = []
        assert fit(shape, SIZE, notes) is shape and not notes


def test_self_crossing_is_noted_with_its_pixels():
    notes: Notes = []
    star = Polygon((ring(5, 0, 8, 9, 0, 3, 10, 3, 2, 9),))
    fit(star, SIZE, notes)
    differ = (rasterize(star, SIZE) != rasterize(star, SIZE, fill="evenodd")).sum()
    assert codes(notes) == ["self-crossing"] and f" {differ} pixels" in notes[0].message
    notes.clear()
    fit(Polygon((star.rings[0] * 1e5,)), (10**6, 10**6), notes)  # counted row by row: no picture is made
    assert codes(notes) == ["self-crossing"]
    zigzag = np.stack([np.tile([0.0, 9e5], 2000), np.random.default_rng(1).uniform(0, 1e6, 4000)], axis=1)
    notes.clear()
    fit(Polygon((zigzag,)), (10**6, 10**6), notes)  # too much to count
    assert codes(notes) == ["self-crossing"] and "pixel" not in notes[0].message


def test_pictures_without_pixels():
    assert refused(fit, Box(0, 0, 1, 1), (0, 5), []) == "no-picture"
