import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from limner.core.annotation import Bitmap, Box, Ellipse, Points, Polygon, Polyline
from limner.data import scanline, strokes
from limner.data.crossings import has_area, is_self_crossing
from limner.data.extents import extent
from limner.data.rasterize import crossing_pixels, is_closed_area, pixels_of, rasterize
from tests import make_vectors
from tests.make_vectors import ring, runs
from tests.oracles.pixels import oracle

STAR = ring(5, 0, 8, 9, 0, 3, 10, 3, 2, 9)
SIZE = (7, 5)  # rows, columns
ONE = np.array([1.0, 0.0])


def integer_windings(corners: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Winding numbers and numbers of edges of all centres, along rays upwards, in whole numbers.

    Corners count in eighths of a pixel; a pixel is divided by 2**24, so that centres can be moved off borders, to the right by
    2**8 and down by 1: less than any distance between a centre and a border, and no slope is above 2**8.
    """
    fine = corners.astype(np.int64) * 2**21
    y, x = np.meshgrid(np.arange(size_hw[0]), np.arange(size_hw[1]), indexing="ij")
    x, y = x.reshape(-1, 1) * 2**24 + 2**23 + 2**8, y.reshape(-1, 1) * 2**24 + 2**23 + 1
    a, b = fine, np.roll(fine, -1, axis=0)
    side = (x - a[:, 0]) * (b[:, 1] - a[:, 1]) - (y - a[:, 1]) * (b[:, 0] - a[:, 0])
    is_above = ((a[:, 0] < x) != (b[:, 0] < x)) & (np.where(a[:, 0] < b[:, 0], side, -side) < 0)
    turns = (is_above * np.sign(b[:, 0] - a[:, 0])).sum(axis=1)
    return turns.reshape(size_hw), is_above.sum(axis=1).reshape(size_hw)


def test_ten_thousand_polygons_agree_bit_for_bit():
    rng = np.random.default_rng(1)
    for _ in range(10_000):
        count = int(rng.integers(3, 9))
        # every third coordinate or so is that of a centre or of a corner of a pixel: ties abound
        step = int(rng.choice([1, 4, 8]))
        eighths = rng.integers(-16 // step, 72 // step, (count, 2)) * step
        turns, edges = integer_windings(eighths, SIZE)
        polygon = Polygon((eighths / 8,))
        assert np.array_equal(rasterize(polygon, SIZE), turns != 0), eighths
        assert np.array_equal(rasterize(polygon, SIZE, fill="evenodd"), edges % 2 == 1), eighths


def test_floats_agree_with_matplotlib():
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:23, :31] + 0.5
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    for _ in range(300):
        corners = rng.uniform(-5, 36, (int(rng.integers(3, 30)), 2))
        closed = Outline(np.concatenate([corners, corners[:1]]), closed=True)
        expected = closed.contains_points(centres).reshape(23, 31)
        assert np.array_equal(rasterize(Polygon((corners,)), (23, 31), fill="evenodd"), expected)


def test_vectors_are_those_of_the_oracle():
    """The file is made by `python -m tests.make_vectors`."""
    text = make_vectors.PATH.read_text()
    assert text == make_vectors.document()
    assert len(text) < 200_000


@pytest.mark.parametrize("case", list(make_vectors.cases()), ids=lambda case: case[0])
def test_vectors(case):
    name, shape, size_hw, fill, line_width = case
    expected = next(c for c in VECTORS if c["name"] == name)
    mask = rasterize(shape, size_hw, fill=fill, line_width=line_width)
    assert [runs(row) for row in mask] == expected["rows"]


VECTORS = json.loads(make_vectors.PATH.read_text()) if make_vectors.PATH.exists() else []


@given(st.integers(0, 2**32 - 1))
def test_areas_that_share_edges_share_no_pixel_and_lose_none(seed):
    """A fan of triangles around a centre of a pixel, its rim on a grid of halves: every pixel belongs to exactly one."""
    rng = np.random.default_rng(seed)
    rim = np.array([(x, 0.5) for x in range(0, 9)] + [(9, y) for y in range(1, 8)] + [(0, 7.5)]) * 1.0
    hub = rng.integers(2, 13, 2) / 2 + (0, 1)
    count = sum(
        rasterize(Polygon((np.array([hub, a, b]),)), (9, 10)).astype(int)
        for a, b in zip(rim, np.roll(rim, -1, axis=0), strict=True)
    )
    whole = rasterize(Polygon((rim,)), (9, 10))
    assert np.array_equal(count, whole.astype(int))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3, 1 / 3])
def test_close_to_centres_fractions_decide(scale):
    """Edges along lines through centres, but with ends that floats cannot hold exactly."""
    rng = np.random.default_rng(3)
    for _ in range(60):
        start, step = rng.integers(-3, 4, 2) + 0.5, rng.integers(1, 4, 2)
        along = (rng.integers(1, 9, 3) * scale)[:, None] * step
        corners = np.concatenate([start + along, start + along[:1] * [1, -1]])
        assert np.array_equal(rasterize(Polygon((corners,)), SIZE), oracle(Polygon((corners,)), SIZE)[0])


def test_the_picture_cuts_exactly_and_costs_nothing():
    far = ring(-1e9, -1e9, 1e9, -1e9 + 1, 1e9, 1e9, -1e9 + 5, 1e9)
    assert rasterize(Polygon((far,)), SIZE).all()
    assert pixels_of(Polygon((STAR,)), (10**6, 10**6)).mask.shape == (9, 10)
    moved = Polygon((STAR - (3.0, 4.0),))
    assert np.array_equal(rasterize(moved, (4, 5)), rasterize(Polygon((STAR,)), (9, 10))[4:8, 3:8])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.0**41])
def test_what_is_not_finite_is_an_error(bad):
    for shape in (Polygon((ring(0, 0, 4, bad, 3, 3),)), Polyline(ring(0, 0, bad, 2)), Ellipse(bad, 1, 2, 3)):
        with pytest.raises(ValueError, match="finite"):
            rasterize(shape, SIZE)


def test_bands_of_rows_change_nothing(monkeypatch):
    rng = np.random.default_rng(4)
    shapes = [Polygon((rng.uniform(-5, 40, (200, 2)),)), Polyline(rng.uniform(-5, 40, (50, 2)))]
    whole = [rasterize(shape, (37, 29), line_width=2.5) for shape in shapes]
    monkeypatch.setattr(scanline, "_CROSSINGS_AT_ONCE", 100)
    monkeypatch.setattr(strokes, "_AT_ONCE", 7)
    for shape, expected in zip(shapes, whole, strict=True):
        assert np.array_equal(rasterize(shape, (37, 29), line_width=2.5), expected)


def test_holes_are_cut_and_rings_united():
    polygon = Polygon((ring(0, 0, 4, 0, 4, 4, 0, 4), ring(3, 1, 5, 1, 5, 3, 3, 3)), (ring(1, 1, 4, 1, 4, 2, 1, 2),))
    expected = np.zeros((6, 7), bool)
    expected[0:4, 0:4] = expected[1:3, 3:5] = True
    expected[1, 1:4] = False
    assert np.array_equal(rasterize(polygon, (6, 7)), expected)


def test_points_lines_and_masks():
    points = Points(ring(0, 0, 4.99, 6.99, 5, 2, 2, 7, -0.01, 3))
    assert np.argwhere(rasterize(points, SIZE)).tolist() == [[0, 0], [6, 4]]
    assert not rasterize(Points(ring(-1, 2)), SIZE).any()
    level = rasterize(Polyline(ring(1.5, 2.5, 3.5, 2.5)), SIZE)
    assert np.argwhere(level).tolist() == [[2, 1], [2, 2], [2, 3]]
    assert rasterize(Polyline(ring(1.1, 2.1, 1.2, 2.2)), SIZE).sum() == 1  # too short to be near a centre
    assert rasterize(Polyline(ring(-9, 2, -7, 2)), SIZE).sum() == 0
    pasted = rasterize(Bitmap(3, -1, np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1]], bool)), SIZE)
    assert np.argwhere(pasted).tolist() == [[0, 3], [1, 4]]
    assert rasterize(Bitmap(9, 9, np.ones((2, 2), bool)), SIZE).sum() == 0


def test_a_long_line_is_connected():
    """A line of width 1 leaves no gap: its pixels are one patch."""
    import cv2

    rng = np.random.default_rng(5)
    for _ in range(50):
        mask = rasterize(Polyline(rng.uniform(2, [61, 40], (2, 2))), (42, 63))
        assert cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] == 2


def test_lines_meant_as_areas():
    square = ring(0, 0, 10, 0, 10, 10, 0, 10)
    closed = Polyline(np.concatenate([square, [(0.0, 1.0)]]))  # 1 apart on a length of 39: 2.6 %
    open_line = Polyline(np.concatenate([square, [(0.0, 1.3)]]))  # 1.3 on 38.7: 3.4 %
    assert is_closed_area(closed) and not is_closed_area(open_line)
    assert rasterize(closed, (12, 13)).sum() == 100
    assert rasterize(open_line, (12, 13)).sum() < 100
    assert not is_closed_area(Polyline(ring(1, 1, 6, 4, 1, 1)))  # there and back
    assert not is_closed_area(Polyline(ring(1, 1, 1, 1)))


def test_crossing_pixels():
    size = (10, 11)
    for polygon in (Polygon((STAR,)), Polygon((STAR, STAR + ONE), (STAR * 0.5,))):
        differ = rasterize(polygon, size) != rasterize(polygon, size, fill="evenodd")
        assert crossing_pixels(polygon, size) == differ.sum() > 0
    assert crossing_pixels(Polygon((ring(0, 0, 9, 0, 5, 7),)), size) == 0
    assert crossing_pixels(Box(0, 0, 3, 3), size) == 0
    assert crossing_pixels(Polyline(np.concatenate([STAR, STAR[:1]])), size) == crossing_pixels(Polygon((STAR,)), size)
    assert crossing_pixels(Polygon((STAR * 1e8,)), size) == 0  # the picture lies where it does not cross


def test_pentagram_has_its_middle_by_the_nonzero_rule_alone():
    assert rasterize(Polygon((STAR,)), (9, 11))[4, 5]
    assert not rasterize(Polygon((STAR,)), (9, 11), fill="evenodd")[4, 5]


@given(st.integers(0, 2**32 - 1))
def test_self_crossing_is_what_every_pair_of_edges_says(seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 7, (int(rng.integers(3, 8)), 2)).astype(float)

    def side(a, b, c):
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    edges = list(zip(corners, np.roll(corners, -1, axis=0), strict=True))
    expected = any(
        side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for i, (a, b) in enumerate(edges)
        for c, d in edges[:i]
    )
    assert is_self_crossing(corners) == expected


def test_self_crossing_of_long_lines_is_bounded():
    angle = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    circle = np.stack([500 + 400 * np.cos(angle), 500 + 400 * np.sin(angle)], axis=1)
    assert not is_self_crossing(circle)
    hair = np.stack([np.tile([0.0, 1000.0], 5000), np.arange(10_000.0)], axis=1)  # every edge overlaps every other in x
    assert not is_self_crossing(np.concatenate([hair, [(-1.0, 1e4), (-1.0, 0.0)]]))
    rng = np.random.default_rng(6)
    assert is_self_crossing(rng.uniform(0, 100, (5000, 2)))


def test_area():
    assert has_area(ring(1, 1, 9, 7, 9, 1, 1, 7))  # a bow tie, whose signed area is 0
    assert not has_area(ring(0, 0, 5, 0, 5, 5, 5, 0))  # there and back
    assert not has_area(ring(0, 0, 3, 3, 7, 7))
    assert not has_area(ring(0, 0, 4, 0, 4, 3, 4, 0, 8, 0, 2, 0))
    assert has_area(ring(0, 0, 4, 0, 4, 1e-3))


def test_extents():
    assert extent(Box(1, 2, 3, 4)) == (1, 2, 4, 6)
    assert extent(Ellipse(5, 6, 2, 1, 90)) == (4, 4, 6, 8)
    assert extent(Bitmap(-2, 3, np.ones((2, 5), bool))) == (-2, 3, 3, 5)
    assert extent(Polygon((STAR, STAR + 3))) == (0, 0, 13, 12)
    assert extent(Points(ring(3, 4))) == (3, 4, 3, 4)
    with pytest.raises(ValueError, match="nowhere"):
        extent(Polygon(()))
