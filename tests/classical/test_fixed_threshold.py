"""A fixed threshold means the same number in every picture; the best one by trying all."""

import numpy as np
import pytest

from limner.classical import METHODS
from limner.classical.fixed_threshold import fitting_thresholds, fixed_threshold_mask
from limner.classical.gray import to_unit
from limner.core.sample import Sample


def sample(name, values, truth, valid=None):
    return Sample(name, np.asarray(values)[..., None], np.asarray(truth, np.uint8), valid)


def noisy(seed, low=60, high=120, size=(17, 23)):
    rng = np.random.default_rng(seed)
    truth = np.zeros(size, bool)
    truth[3:11, 5 : 14 + seed] = True
    values = np.clip(np.where(truth, high, low) + rng.normal(0, 15, size), 0, 255).astype(np.uint8)
    return sample(f"{seed}.png", values, truth)


def mean_dice(samples, threshold, *, is_bright):
    scores = []
    for each in samples:
        known = np.ones(each.size_hw, bool) if each.valid is None else each.valid
        above = to_unit(each.image) > threshold
        found, truth = (above if is_bright else ~above)[known], (each.labels > 0)[known]
        scores.append(2 * (found & truth).sum() / (found.sum() + truth.sum()))
    return float(np.mean(scores))


def test_units_of_every_depth():
    values = np.array([[0, 51, 255]], np.uint8)[..., None]
    assert to_unit(values)[0] == pytest.approx([0, 0.2, 1])
    assert np.array_equal(to_unit(values.astype(np.uint16) * 257), to_unit(values))
    assert to_unit(np.array([[[-900.0], [40.0]]], np.float32)).tolist() == [[-900, 40]]
    colors = np.array([[[255, 0, 0], [0, 0, 255], [100, 50, 0]]], np.uint8)
    assert to_unit(colors, plane="red-green")[0] == pytest.approx([1, 0, 50 / 255])
    assert to_unit(colors, plane="blue-yellow")[0] == pytest.approx([-0.5, 1, -75 / 255])
    assert to_unit(colors, plane="saturation")[0] == pytest.approx([1, 1, 1])
    assert to_unit(colors // 2 + 100, plane="saturation")[0] == pytest.approx([127 / 227, 127 / 227, 50 / 150])


def test_what_is_larger_is_the_bright_side():
    row = np.array([[0.1, 0.2, 0.9, 0.2, 0.1]], np.float32)
    assert fixed_threshold_mask(row, threshold=0.2, smoothing=0)[0].tolist() == [False, False, True, False, False]
    assert fixed_threshold_mask(row, threshold=0.15, smoothing=0, polarity="dark")[0].tolist() == [
        True,
        *[False] * 3,
        True,
    ]
    assert not fixed_threshold_mask(row, threshold=2.0).any() and not fixed_threshold_mask(row, threshold=-1).any()


def test_no_picture_is_stretched():
    dim = np.array([[10, 20, 30, 20, 10]], np.uint8)[..., None]
    assert not METHODS["threshold"].segment(Sample("a", dim)).labels.any()
    assert METHODS["otsu"].segment(Sample("a", dim)).labels.any()


@pytest.mark.parametrize("is_bright", [True, False])
def test_no_threshold_is_better_than_the_proposed_one(is_bright):
    samples = [noisy(0), noisy(1, 70, 150), noisy(2, 40, 100)] if is_bright else [noisy(3, 150, 90), noisy(1, 120, 70)]
    valid = np.ones(samples[0].size_hw, bool)
    valid[:6] = False
    samples[0] = Sample("0.png", samples[0].image, samples[0].labels, valid)
    (found,) = fitting_thresholds(samples, {"polarity": "bright" if is_bright else "dark"})
    best = max(mean_dice(samples, level / 510, is_bright=is_bright) for level in range(-1, 512))
    assert mean_dice(samples, found, is_bright=is_bright) == pytest.approx(best, abs=1e-9)
    assert fitting_thresholds(samples, {})[0 if is_bright else 1] == found


def test_what_shows_nothing_proposes_nothing():
    empty = sample("a", np.array([[1, 2, 3]], np.uint8), np.zeros((1, 3)))
    flat = sample("b", np.full((2, 3), 7, np.uint8), [[0, 1, 1], [0, 0, 0]])
    assert fitting_thresholds([empty], {}) == fitting_thresholds([flat], {}) == fitting_thresholds([], {}) == ()
    four = Sample("c", np.random.default_rng(0).integers(0, 255, (5, 7, 4)).astype(np.uint8), np.ones((5, 7), np.uint8))
    assert fitting_thresholds([four], {"plane": "red"}) == () and len(fitting_thresholds([four], {})) == 2


def test_floating_point_of_any_range_and_many_values():
    rng = np.random.default_rng(5)
    truth = np.zeros((60, 90), bool)
    truth[20:45, 30:60] = True
    values = (np.where(truth, 60.0, -700.0) + rng.normal(0, 30, truth.shape)).astype(np.float32)
    bright, dark = fitting_thresholds([sample("a", values, truth)], {})
    assert -600 < bright < 0
    assert mean_dice([sample("a", values, truth)], bright, is_bright=True) == 1
    assert mean_dice([sample("a", values, truth)], dark, is_bright=False) == pytest.approx(
        2 * 750 / (5400 + 750), abs=0.01
    )
