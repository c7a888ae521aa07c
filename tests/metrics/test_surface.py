import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from limner.core.errors import ShapeError
from limner.metrics.surface import assd, hausdorff, hd95, summed, surface_dice, surface_distances, total_sums


def edge(mask):
    return mask & ~ndimage.binary_erosion(mask, border_value=0)


def oracle(pred, target, spacing=(1, 1)):
    """Distances of both directions, from scipy's transform of the whole picture."""
    a, b = edge(pred), edge(target)
    to_target = ndimage.distance_transform_edt(~b, sampling=spacing)[a]
    return to_target, ndimage.distance_transform_edt(~a, sampling=spacing)[b]


def shifted():
    """A block of 3 x 4 and the same one row lower and two columns to the right, in 9 x 11."""
    target, pred = np.zeros((9, 11), bool), np.zeros((9, 11), bool)
    target[2:5, 2:6] = True
    pred[3:6, 4:8] = True
    return pred, target


def test_by_hand():
    target, pred = np.zeros((5, 7), bool), np.zeros((5, 7), bool)
    target[1, 1] = target[1, 2] = True
    pred[1, 2] = pred[4, 6] = True  # on the mark, and 5 away: 3 rows, 4 columns
    found = surface_distances(pred, target)
    assert sorted(found.pred_to_target) == [0, 5] and sorted(found.target_to_pred) == [0, 1]
    assert hausdorff(found) == 5 and hd95(found) == pytest.approx(4.75)
    assert assd(found) == pytest.approx(6 / 4)
    assert surface_dice(found, tolerance=1) == 3 / 4 and surface_dice(found, tolerance=0) == 2 / 4
    assert surface_dice(found, tolerance=5) == 1


def test_the_larger_direction_counts_not_both_pooled():
    target, pred = np.zeros((4, 60), bool), np.zeros((4, 60), bool)
    target[1] = True
    pred[1, :20] = True
    found = surface_distances(pred, target)
    assert hd95(found) == pytest.approx(np.percentile(np.r_[np.zeros(20), np.arange(1, 41)], 95))
    assert hd95(found) > np.percentile(np.r_[found.pred_to_target, found.target_to_pred], 95)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.25, 0.25), (0.5, 2.0)])
def test_agrees_with_scipy(spacing):
    random = np.random.default_rng(4)
    for _ in range(20):
        pred, target = (ndimage.gaussian_filter(random.random((23, 37)), 2) > 0.5 for _ in range(2))
        a, b = oracle(pred, target, spacing)
        found = surface_distances(pred, target, spacing=spacing)
        assert hd95(found) == pytest.approx(max(np.percentile(a, 95), np.percentile(b, 95)))
        assert hausdorff(found) == pytest.approx(max(a.max(), b.max()))
        assert assd(found) == pytest.approx(np.r_[a, b].mean())
        assert surface_dice(found, tolerance=0.6) == pytest.approx((np.r_[a, b] <= 0.6 + 1e-9).mean())


def test_spacing_of_height_and_width_are_not_mixed_up():
    target, pred = np.zeros((5, 7), bool), np.zeros((5, 7), bool)
    target[1, 1] = pred[3, 1] = True
    assert hausdorff(surface_distances(pred, target, spacing=(3.0, 0.1))) == pytest.approx(6)


@pytest.mark.parametrize(("shown", "predicted"), [(True, False), (False, True), (False, False)])
def test_empty_cases(shown, predicted):
    mask = np.zeros((5, 7), bool)
    mask[1:4, 2:5] = True
    empty = np.zeros((5, 7), bool)
    found = surface_distances(mask if predicted else empty, mask if shown else empty)
    assert all(math.isnan(value) for value in (hd95(found), hausdorff(found), assd(found)))
    dice = surface_dice(found, tolerance=3)
    assert dice == 0 if shown or predicted else math.isnan(dice)


def test_unknown_pixels_are_taken_out_of_both():
    pred, target = shifted()
    valid = np.ones((9, 11), bool)
    valid[:, 5:] = False
    found = surface_distances(pred, target, valid=valid)
    a, b = oracle(pred & valid, target & valid)
    assert sorted(found.pred_to_target) == pytest.approx(sorted(a)) and assd(found) == pytest.approx(np.r_[a, b].mean())
    whole = np.ones((4, 6), bool)
    right = np.zeros((4, 6), bool)
    right[:, :4] = True
    assert hausdorff(surface_distances(whole, right, valid=right)) == 0, "they differ only where nothing is known"


def test_the_place_in_the_picture_does_not_matter():
    pred, target = shifted()
    wide = [np.pad(mask, ((20, 3), (0, 31))) for mask in (pred, target)]
    assert hd95(surface_distances(*wide)) == hd95(surface_distances(pred, target))


def test_a_tolerance_that_is_a_distance_accepts_it():
    target, pred = np.zeros((5, 7), bool), np.zeros((5, 7), bool)
    target[1, 1] = pred[2, 2] = True
    found = surface_distances(pred, target, spacing=(0.1, 0.1))
    assert surface_dice(found, tolerance=0.1 * 2**0.5) == 1


def test_sums_of_pictures_add_up():
    pred, target = shifted()
    one, other = surface_distances(pred, target), surface_distances(target, target)
    both = np.r_[one.pred_to_target, one.target_to_pred, other.pred_to_target, other.target_to_pred]
    total = total_sums([summed(one, tolerance=1), summed(other, tolerance=1)])
    assert total.assd == pytest.approx(both.mean()) and total.surface_dice == pytest.approx((both <= 1).mean())
    missed = summed(surface_distances(np.zeros_like(pred), target), tolerance=1)
    assert (total + missed).assd == total.assd and (total + missed).surface_dice < total.surface_dice


masks = hnp.arrays(np.bool_, (6, 9))


@given(masks, masks)
def test_prediction_and_truth_may_change_places(pred, target):
    one, other = surface_distances(pred, target), surface_distances(target, pred)
    for metric in (hd95, hausdorff, assd):
        assert metric(one) == pytest.approx(metric(other), nan_ok=True)
    assert surface_dice(one, tolerance=1) == pytest.approx(surface_dice(other, tolerance=1), nan_ok=True)
    if pred.any() and target.any():
        assert 0 <= assd(one) <= hausdorff(one) and hd95(one) <= hausdorff(one)


@given(masks, st.floats(0, 10))
def test_a_mask_is_at_no_distance_from_itself(mask, tolerance):
    found = surface_distances(mask, mask)
    if mask.any():
        assert (hausdorff(found), assd(found), surface_dice(found, tolerance=tolerance)) == (0, 0, 1)


def test_wrong_arguments_are_refused():
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(3, 2\)"):
        surface_distances(np.ones((2, 3), bool), np.ones((3, 2), bool))
    with pytest.raises(ValueError, match="tolerance"):
        surface_dice(surface_distances(np.ones((2, 3), bool), np.ones((2, 3), bool)), tolerance=-1)
