import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from limner.core.errors import ShapeError
from limner.metrics.boundary import band_width, boundary_band, boundary_iou, count_band
from limner.metrics.counts import Counts


def oracle_band(mask, width):
    """The mask minus what `width` erosions by 3 x 3 leave of it; the picture's border erodes, too."""
    return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width, border_value=0)


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14)), st.integers(1, 4))
def test_the_band_is_what_erosions_take_away(mask, width):
    assert np.array_equal(boundary_band(mask, width=width), oracle_band(mask, width))


def test_width_by_hand():
    assert band_width((300, 400)) == 10  # a diagonal of 500
    assert band_width((3, 4)) == 1
    assert band_width((1000, 1000)) == 28  # 28.28


def test_agrees_with_the_formula():
    random = np.random.default_rng(1)
    for _ in range(10):
        pred, target = (ndimage.gaussian_filter(random.random((90, 140)), 6) > 0.5 for _ in range(2))
        a, b = oracle_band(pred, 3), oracle_band(target, 3)  # 2 % of 166.4 is 3.3
        assert boundary_iou(pred, target) == pytest.approx((a & b).sum() / (a | b).sum())
        assert count_band(pred, target).total == pred.size


def test_it_sees_what_iou_hardly_sees():
    target, pred = np.zeros((200, 300), bool), np.zeros((200, 300), bool)
    target[20:180, 20:280] = True
    pred[24:176, 24:276] = True  # 4 pixels too small all around; the bands are 7 wide
    iou = (pred & target).sum() / (pred | target).sum()
    assert iou > 0.91 and 0.2 < boundary_iou(pred, target) < 0.3


@pytest.mark.parametrize(("shown", "predicted"), [(True, False), (False, True), (False, False)])
def test_empty_cases(shown, predicted):
    mask = np.zeros((5, 7), bool)
    mask[1:4, 2:5] = True
    found = boundary_iou(mask & predicted, mask & shown)
    assert found == 0 if shown or predicted else math.isnan(found)


def test_unknown_pixels_are_taken_out_of_both():
    random = np.random.default_rng(5)
    pred, target, valid = (random.random((31, 44)) < p for p in (0.8, 0.8, 0.9))
    assert boundary_iou(pred, target, valid=valid) == boundary_iou(pred & valid, target & valid)
    assert boundary_iou(pred, target, valid=valid) != boundary_iou(pred, target)


def test_counts_by_hand():
    target, pred = np.zeros((5, 7), bool), np.zeros((5, 7), bool)
    target[0:4, 0:4] = True  # its band is the ring of 12 around 2 x 2
    pred[0:4, 0:5] = True  # its band is the ring of 14 around 2 x 3
    # of the truth's ring the right column (rows 1, 2) lies inside the prediction's inner 2 x 3
    assert count_band(pred, target) == Counts(tp=10, fp=4, fn=2, tn=35 - 16)
    assert boundary_iou(pred, target) == 10 / 16


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError):
        count_band(np.ones((2, 3), bool), np.ones((3, 2), bool))
