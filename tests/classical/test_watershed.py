"""Watershed: one number per object, borders included, lines on the steepest step."""

import numpy as np
import pytest

from limner.classical.gray import smooth
from limner.classical.watershed import cores, watershed_mask, watershed_regions
from tests.contracts.test_classical import disc


def test_touching_discs_are_told_apart():
    left, right = disc(center=(44, 45), radius=16), disc(center=(44, 73), radius=16)
    assert (left & right).any()  # they overlap
    gray = np.where(left | right, 200, 0).astype(np.float32)
    regions = watershed_regions(gray, core=0.6, smoothing=0)
    assert regions.dtype == np.int32 and regions.max() == 2 and regions[44, 40] != regions[44, 78]
    assert np.array_equal(regions > 0, left | right)
    assert np.array_equal(watershed_mask(gray, core=0.6, smoothing=0), left | right)
    assert watershed_regions(gray).max() == 1 and ((watershed_mask(gray, smoothing=0)) != (left | right)).sum() <= 2
    for number, truth in ((regions[44, 40], left & ~right), (regions[44, 78], right & ~left)):
        assert (regions[truth] == number).mean() > 0.95


def test_objects_at_the_border_keep_their_outermost_pixels():
    gray = np.zeros((30, 41), np.float32)
    gray[:9, :13], gray[20:, 30:] = 180, 220
    regions = watershed_regions(gray, smoothing=0)
    assert np.array_equal(regions > 0, gray > 0) and regions[0, 0] != regions[-1, -1] and regions.max() == 2


def test_the_line_lies_on_the_step_also_where_the_threshold_does_not():
    # a dim object beside a bright one: the threshold lies above part of the dim object's ramp
    gray = np.zeros((40, 60), np.float32)
    gray[10:30, 20:40] = 255
    gray[10:30, 17:20] = [90, 100, 110]
    assert np.array_equal(watershed_regions(gray, smoothing=0, margin=8) > 0, gray > 200)


def test_cores_are_deep_and_every_region_has_one():
    mask = np.zeros((20, 40), bool)
    mask[2:13, 3:14], mask[15:18, 30:33], mask[4, 25] = True, True, True
    found = cores(mask, share=0.6)
    assert found[7, 8] and found[16, 31] and found[4, 25] and not (found & ~mask).any()
    assert found[2:13, 3:14].sum() == 25  # depth 4 of 6 or more
    assert np.array_equal(cores(mask, share=0.6, most=1.0), mask)
    assert cores(np.ones((3, 4), bool), share=0.5).all() and not cores(np.zeros((3, 4), bool), share=0.5).any()


@pytest.mark.parametrize("size", [(1, 2), (2, 2), (1, 9), (3, 5)])
def test_tiny_pictures(size):
    gray = np.zeros(size, np.float32)
    gray[-1, -1] = 255
    assert watershed_regions(gray, smoothing=0).tolist() == (gray > 0).astype(int).tolist()


def test_scikit_image_floods_to_the_same_lines():
    segmentation = pytest.importorskip("skimage.segmentation")
    filters = pytest.importorskip("skimage.filters")
    rng = np.random.default_rng(0)
    truth = disc((70, 90), (32, 30), 15) | disc((70, 90), (40, 68), 12)
    gray = np.clip(np.where(truth, 190, 60) + rng.normal(0, 8, truth.shape), 0, 255).astype(np.float32)
    soft = smooth(gray, 1.0)
    inside = cores(truth, share=0.3)
    markers = np.where(inside, 2, cores(~truth, share=0.3, most=8.0)).astype(np.int32)
    theirs = segmentation.watershed(filters.sobel(soft), markers) == 2
    assert (watershed_mask(gray) != theirs).mean() < 0.02 and (watershed_mask(gray) != truth).mean() < 0.02
