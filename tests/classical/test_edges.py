"""Edges lie where the brightness jumps, are followed where they fade, and enclose regions."""

import cv2
import numpy as np
import pytest

from limner.classical.edges import canny_edges, canny_mask, gradient, regions_between, sobel_edges, sobel_mask


def square(size=(30, 44), rows=(8, 21), columns=(10, 30), value=200.0):
    gray = np.zeros(size, np.float32)
    gray[rows[0] : rows[1], columns[0] : columns[1]] = value
    return gray


def test_gradient_by_hand():
    gray = np.array([[0, 0, 5, 5]] * 3, np.float32)
    along_x, along_y = gradient(gray)
    assert along_x[1].tolist() == [0, 20, 20, 0] and not along_y.any()
    along_x, along_y = gradient(np.array([[1, 2, 4], [1, 3, 9], [2, 8, 0]], np.float32))
    assert along_x[1, 1] == (4 - 1) + 2 * (9 - 1) + (0 - 2) and along_y[1, 1] == (2 - 1) + 2 * (8 - 2) + (0 - 4)


def test_edges_lie_on_both_sides_of_a_step_or_on_one():
    gray = square()
    distance = np.minimum(
        cv2.distanceTransform((gray > 0).astype(np.uint8), cv2.DIST_C, 3)
        + cv2.distanceTransform((gray == 0).astype(np.uint8), cv2.DIST_C, 3),
        9,
    )
    thick, thin = sobel_edges(gray), canny_edges(gray)
    assert set(distance[thick]) == {1} and set(distance[thin]) == {1}
    assert 0 < thin.sum() < 0.7 * thick.sum()


def test_canny_follows_a_fading_edge_and_sobel_loses_it():
    gray = np.zeros((40, 60), np.float32)
    gray[:, 30:] = np.linspace(40, 250, 40, dtype=np.float32)[:, None]
    found = canny_edges(gray, low_share=0.3).any(axis=1)
    assert found.sum() > sobel_edges(gray).any(axis=1).sum() + 5


def test_gaps_up_to_twice_the_radius_are_bridged():
    gray = square()
    edges = canny_edges(gray)
    for gap, bridge, found in ((4, 2, True), (4, 1, False), (11, 2, False)):
        broken = edges.copy()
        broken[:12, 17 : 17 + gap] = False
        mask = regions_between(broken, gray, bridge=bridge)
        assert np.array_equal(mask, gray > 0) == found and mask[15, 20] == found


@pytest.mark.parametrize("method", [sobel_mask, canny_mask])
def test_sharp_regions_are_exact(method):
    gray = square()
    assert np.array_equal(method(gray, smoothing=0), gray > 0)
    assert np.array_equal(method(200 - gray, smoothing=0), gray > 0)
    two = np.maximum(gray, square(rows=(23, 30), columns=(33, 44), value=150))  # the second one lies in the corner
    assert np.array_equal(method(two, smoothing=0), two > 0)


def test_a_hole_is_background():
    gray = square(size=(60, 80), rows=(10, 50), columns=(10, 70))
    gray[24:38, 30:50] = 0
    for method in (sobel_mask, canny_mask):
        assert np.array_equal(method(gray, smoothing=0), gray > 0)


@pytest.mark.parametrize("method", [sobel_mask, canny_mask])
def test_objects_that_are_nothing_but_edge_are_found(method):
    gray = square(rows=(8, 12), columns=(10, 14))
    assert np.array_equal(method(gray, smoothing=0), gray > 0)
    assert np.array_equal(regions_between(np.ones_like(gray, bool), gray), gray > 0)
    gray[:, 31:] += 10  # a second piece, which is background as well
    edges = gray == 200
    edges[:, 31] = True
    assert np.array_equal(regions_between(edges, gray), gray >= 200)


def test_without_edges_there_is_no_region():
    gray = square()
    assert not regions_between(np.zeros_like(gray, bool), gray).any()
    assert not canny_edges(np.zeros((5, 7), np.float32)).any() and not sobel_edges(np.zeros((5, 7), np.float32)).any()


def test_scikit_image_has_the_same_gradient_and_edges():
    feature, filters = pytest.importorskip("skimage.feature"), pytest.importorskip("skimage.filters")
    rng = np.random.default_rng(0)
    gray = cv2.GaussianBlur(rng.uniform(0, 255, (47, 61)).astype(np.float32), (0, 0), 3.0)
    along_x, along_y = gradient(gray)
    # theirs is a mean of differences over both directions: a fourth of the sum, and 1 / sqrt(2)
    theirs = filters.sobel(gray.astype(np.float64))[1:-1, 1:-1]
    assert np.hypot(along_x, along_y)[1:-1, 1:-1] / (4 * np.sqrt(2)) == pytest.approx(theirs, rel=1e-3, abs=1e-3)
    gray = square((60, 80), (15, 44), (20, 61)) + square((60, 80), (30, 50), (50, 72), 40)
    soft = cv2.GaussianBlur(gray, (0, 0), 1.5, borderType=cv2.BORDER_REPLICATE)
    ours = canny_edges(soft)
    theirs = feature.canny(gray.astype(np.float64), sigma=1.5, low_threshold=5, high_threshold=12)
    near = cv2.dilate(theirs.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert ours.sum() > 100 and (ours & near).sum() > 0.97 * ours.sum()
