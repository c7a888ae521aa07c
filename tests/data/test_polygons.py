import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from limner.core.annotation import Polygon
from limner.data.polygons import polygons_of_mask, without_holes
from limner.data.rasterize import rasterize

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 12)))
NESTED = np.zeros((13, 15), bool)  # a ring in a ring in a ring, and a second object in the outermost hole
NESTED[1:12, 1:14] = True
NESTED[2:11, 2:13] = False
NESTED[3:10, 3:9] = True
NESTED[4:9, 4:8] = False
NESTED[6, 5:7] = True
NESTED[4:6, 10:12] = True


@given(MASKS)
def test_there_and_back(mask):
    polygon = polygons_of_mask(mask)
    assert np.array_equal(rasterize(polygon, mask.shape), mask)
    assert np.array_equal(rasterize(polygon, mask.shape, fill="evenodd"), mask)


@given(MASKS)
def test_there_and_back_without_holes(mask):
    polygon = without_holes(polygons_of_mask(mask))
    assert not polygon.holes
    assert np.array_equal(rasterize(polygon, mask.shape), mask)


@given(MASKS)
def test_one_ring_for_each_object_and_one_hole_for_each_hole(mask):
    polygon = polygons_of_mask(mask)
    assert len(polygon.rings) == cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    outside = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    assert len(polygon.holes) == cv2.connectedComponents(outside, connectivity=8)[0] - 2
    for points_xy in polygon.rings:
        assert points_xy.dtype == np.float64 and np.array_equal(points_xy, np.rint(points_xy))
        step = np.roll(points_xy, -1, axis=0) - points_xy
        assert ((step == 0).sum(axis=1) == 1).all()  # level and upright pieces in turn, none without length
        assert (step[0::2, 1] == 0).all() and (step[1::2, 0] == 0).all()


def test_ring_of_a_pixel_runs_clockwise():
    mask = np.zeros((4, 6), bool)
    mask[1, 3] = True
    assert [p.tolist() for p in polygons_of_mask(mask).rings] == [[[3, 1], [4, 1], [4, 2], [3, 2]]]


@pytest.mark.parametrize("mask", [np.zeros((0, 0), bool), np.zeros((0, 5), bool), np.zeros((5, 7), bool)])
def test_nothing(mask):
    assert polygons_of_mask(mask) == Polygon(())


def test_full_and_checkerboard():
    full = polygons_of_mask(np.ones((5, 7), bool))
    assert [p.tolist() for p in full.rings] == [[[0, 0], [7, 0], [7, 5], [0, 5]]] and not full.holes
    board = np.indices((5, 7)).sum(axis=0) % 2 == 0
    polygon = polygons_of_mask(board)
    assert len(polygon.rings) == 18 and not polygon.holes  # pixels that touch in a corner are apart
    assert np.array_equal(rasterize(polygon, board.shape), board)


def test_objects_in_holes():
    polygon = polygons_of_mask(NESTED)
    assert (len(polygon.rings), len(polygon.holes)) == (4, 2)
    assert np.array_equal(rasterize(polygon, NESTED.shape), NESTED)
    assert np.array_equal(rasterize(without_holes(polygon), NESTED.shape), NESTED)


def test_noise_is_there_and_back():
    rng = np.random.default_rng(1)
    for share in (0.1, 0.45, 0.6, 0.9):
        mask = rng.random((53, 71)) < share
        polygon = polygons_of_mask(mask)
        assert np.array_equal(rasterize(polygon, mask.shape), mask)
        assert np.array_equal(rasterize(without_holes(polygon), mask.shape), mask)


def distance_to_ring(points_xy, ring):
    ends = np.roll(ring, -1, axis=0)
    along, arm = ends - ring, points_xy[:, None] - ring
    share = np.clip((arm * along).sum(-1) / (along**2).sum(-1), 0, 1)
    return np.hypot(*np.moveaxis(arm - share[..., None] * along, -1, 0)).min(axis=1)


@given(arrays(bool, st.tuples(st.integers(2, 14), st.integers(2, 17))), st.sampled_from([0.4, 0.75, 1.5, 50.0]))
def test_simpler_rings_stay_near(mask, tolerance):
    exact, simple = polygons_of_mask(mask), polygons_of_mask(mask, tolerance=tolerance)
    assert len(simple.rings) == len(exact.rings)
    for full, few in zip(exact.rings, simple.rings, strict=True):
        assert 3 <= len(few) <= len(full)
        assert distance_to_ring(full, few).max() <= tolerance + 1e-9
        assert {tuple(p) for p in few.tolist()} <= {tuple(p) for p in full.tolist()}


def test_a_disc_needs_few_corners():
    y, x = np.mgrid[:101, :121]
    disc = (x - 60) ** 2 + (y - 50) ** 2 <= 40**2
    simple = polygons_of_mask(disc, tolerance=1.0)
    assert len(polygons_of_mask(disc).rings[0]) > 150 and len(simple.rings[0]) < 40
    back = rasterize(simple, disc.shape)
    assert 2 * (back & disc).sum() / (back.sum() + disc.sum()) > 0.98


@pytest.mark.parametrize(
    ("mask", "tolerance"),
    [
        (np.ones((2, 3, 4), bool), 0.0),
        (np.ones((3, 4), bool), -1.0),
        (np.ones((3, 4), bool), np.nan),
    ],
)
def test_wrong_arguments(mask, tolerance):
    with pytest.raises(ValueError, match="expected"):
        polygons_of_mask(mask, tolerance=tolerance)


def test_numbers_other_than_zero_count():
    mask = np.zeros((5, 7), np.uint8)
    mask[1:3, 2:5] = 255
    assert polygons_of_mask(mask) == polygons_of_mask(mask > 0) != Polygon(())
