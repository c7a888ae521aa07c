"""Otsu by trying every cut, several thresholds by trying every pair, and scikit-image as a second opinion."""

import itertools

import numpy as np
import pytest

from limner.classical.gray import to_gray
from limner.classical.threshold import (
    adaptive_mask,
    multi_otsu_mask,
    multi_otsu_thresholds,
    otsu_mask,
    otsu_threshold,
)


def between(values, cuts):
    """Variance between the classes that rising thresholds make; a value equal to one belongs below."""
    total, parts = 0.0, np.searchsorted(np.array(cuts), values, side="left")
    for k in range(len(cuts) + 1):
        chosen = values[parts == k]
        if chosen.size:
            total += chosen.size / values.size * (chosen.mean() - values.mean()) ** 2
    return total


@pytest.mark.parametrize("seed", range(5))
def test_no_cut_is_better_than_otsus(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(60, 20, 40), rng.normal(150, 30, 17)]).round(seed % 3)
    found = otsu_threshold(values)
    best = max(between(values, [cut]) for cut in np.unique(values)[:-1])
    assert found in values and between(values, [found]) == pytest.approx(best)


def test_otsu_by_hand():
    assert otsu_threshold(np.array([0, 0, 1, 10])) == 1
    assert otsu_threshold(np.array([[5.0, 5.0]])) == 5
    assert otsu_threshold(np.array([-3.5])) == -3.5
    assert otsu_threshold(np.array([7, 3])) == 3


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_no_cuts_are_better_than_those_of_several_thresholds(classes, seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.integers(0, 60, 20), rng.integers(90, 140, 15), rng.integers(180, 256, 9)])
    gray = values.astype(np.float32).reshape(4, 11)
    found = multi_otsu_thresholds(gray, classes=classes)
    best = max(between(gray.ravel(), c) for c in itertools.combinations(np.unique(gray)[:-1], classes - 1))
    assert len(found) == classes - 1 and list(found) == sorted(found) and set(found) <= set(gray.ravel().tolist())
    assert between(gray.ravel(), found) == pytest.approx(best)


def test_fewer_values_than_classes():
    assert multi_otsu_thresholds(np.zeros((2, 3), np.float32)) == ()
    assert multi_otsu_thresholds(np.array([[0, 255, 0]], np.float32), classes=4) == (0.0,)
    assert not multi_otsu_mask(np.zeros((2, 3), np.float32)).any()


@pytest.mark.parametrize("seed", range(3))
def test_scikit_image_says_the_same(seed):
    filters = pytest.importorskip("skimage.filters")
    rng = np.random.default_rng(seed)
    levels = np.concatenate([rng.normal(40, 12, 3000), rng.normal(110, 15, 2000), rng.normal(200, 14, 1000)])
    image = np.clip(levels, 0, 255).astype(np.uint8).reshape(60, 100)
    assert otsu_threshold(image) == filters.threshold_otsu(image)
    gray = image.astype(np.float32)
    for classes in (3, 4):
        theirs = np.digitize(image, filters.threshold_multiotsu(image, classes=classes), right=True)
        ours = np.searchsorted(np.array(multi_otsu_thresholds(gray, classes=classes)), gray, side="left")
        assert (ours != theirs).mean() < 0.002  # bins that are empty or hold one pixel may fall to either class


def test_three_classes_find_dim_and_bright_objects():
    gray = np.zeros((40, 60), np.float32)
    gray[5:15, 5:20], gray[20:33, 30:50] = 60, 255
    truth = gray > 0
    assert np.array_equal(multi_otsu_mask(gray, smoothing=0), truth)
    assert not otsu_mask(gray, smoothing=0)[10, 10]  # one threshold misses the dim one
    assert np.array_equal(multi_otsu_mask(gray, smoothing=0, polarity="dark"), gray < 255)


def test_a_middle_background_has_objects_on_both_sides():
    gray = np.full((40, 60), 120, np.float32)
    gray[5:15, 5:20], gray[20:33, 30:50] = 0, 255
    assert np.array_equal(multi_otsu_mask(gray, smoothing=0), gray != 120)


def test_adaptive_follows_uneven_light():
    y, x = np.indices((120, 160))
    truth = (y % 40 < 12) & (x % 40 < 12)
    gray = to_gray((x * 1.2 + 40 * truth + np.random.default_rng(0).normal(0, 3, x.shape))[..., None])
    wrong = (otsu_mask(gray, polarity="bright") != truth).mean()
    assert wrong > 0.3 > 0.04 > (adaptive_mask(gray, window=61, polarity="bright") != truth).mean()


def test_adaptive_window_and_offset():
    row = np.array([[0, 0, 0, 90, 0, 0, 0, 255, 0, 0, 0]], np.float32)
    # windows of 3: means around the two peaks 30 and 85; the standard deviation of the row is 75
    assert adaptive_mask(row, window=3, offset=0.0, smoothing=0).tolist()[0] == [
        False, False, False, True, False, False, False, True, False, False, False,
    ]  # fmt: skip
    assert np.flatnonzero(adaptive_mask(row, window=3, offset=1.0, smoothing=0)).tolist() == [7]  # 60 < 75 < 170
    assert not adaptive_mask(row, window=3, offset=3.0, smoothing=0).any()


@pytest.mark.parametrize("window", [5, 11])
@pytest.mark.parametrize("offset", [0.0, 0.4])
def test_scikit_image_has_the_same_local_means(window, offset):
    filters = pytest.importorskip("skimage.filters")
    gray = np.random.default_rng(window).uniform(0, 255, (23, 31)).astype(np.float32)
    theirs = filters.threshold_local(
        gray.astype(np.float64), window, method="mean", mode="nearest", offset=-offset * float(gray.std())
    )
    ours = adaptive_mask(gray, window=window, offset=offset, polarity="bright", smoothing=0)
    assert np.array_equal(ours, gray > theirs)
