"""GrabCut from seeds: OpenCV's own call as the reference, noise that a threshold cannot remove, and pictures of any channels."""

import cv2
import numpy as np
import pytest

from limner.classical.grabcut import grabcut_mask, three_channels
from limner.classical.gray import to_channels, to_gray
from limner.classical.seeds import make_seeds
from limner.classical.threshold import otsu_mask
from tests.contracts.test_classical import dice, disc


def noisy(truth, seed=0, deviation=40.0):
    rng = np.random.default_rng(seed)
    image = np.where(truth[..., None], (150, 120, 90), (90, 90, 100)) + rng.normal(0, deviation, (*truth.shape, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def test_noise_that_a_threshold_cannot_remove():
    truth = disc()
    image = noisy(truth)
    cut = grabcut_mask(to_gray(image), to_channels(image))
    assert dice(cut, truth) > 0.97 > 0.92 > dice(otsu_mask(to_gray(image)), truth)


def test_it_is_opencvs_answer_from_these_seeds():
    truth = disc((61, 83), (29, 40), 17)
    image = noisy(truth, 1)
    gray = to_gray(image)
    seeds = make_seeds(gray, sure=0.3)
    marks = np.full(truth.shape, 2, np.uint8)
    marks[seeds.side], marks[seeds.sure_object], marks[seeds.sure_background] = 3, 1, 0
    cv2.setRNGSeed(0)
    picture = np.rint(to_channels(image)).astype(np.uint8)
    cv2.grabCut(picture, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    found = grabcut_mask(gray, to_channels(image), sure=0.3, smoothing=0)
    assert np.array_equal(found, np.isin(marks, (1, 3)))
    assert found[seeds.sure_object].all() and not found[seeds.sure_background].any()


def test_the_answer_does_not_depend_on_what_was_drawn_before():
    image = noisy(disc((61, 83), (29, 40), 17), 2)
    first = grabcut_mask(to_gray(image), to_channels(image))
    cv2.setRNGSeed(99)
    cv2.randu(np.zeros((3, 5)), 0, 1)
    assert np.array_equal(grabcut_mask(to_gray(image), to_channels(image)), first)


def test_three_channels_of_any_number():
    rng = np.random.default_rng(0)
    base = rng.uniform(0, 255, (5, 7, 3)).astype(np.float32)
    assert np.array_equal(three_channels(base), np.rint(base))
    assert np.array_equal(three_channels(base[..., :1]), np.rint(np.repeat(base[..., :1], 3, axis=2)))
    assert np.array_equal(three_channels(base[..., :2])[..., 2], np.rint(base[..., :2].mean(axis=2)))
    six = np.concatenate([base, base], axis=2)  # no more than three directions: distances stay in proportion
    found = three_channels(six).astype(np.float64)
    ours, theirs = (np.linalg.norm(v[0, 0] - v.reshape(-1, v.shape[2]), axis=1) for v in (found, six))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9999
    assert not three_channels(np.full((2, 3, 4), 9, np.float32)).any()


@pytest.mark.parametrize("size", [(1, 2), (2, 3), (1, 40), (2, 2)])
def test_tiny_pictures(size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    assert grabcut_mask(to_gray(image), to_channels(image)).shape == size
