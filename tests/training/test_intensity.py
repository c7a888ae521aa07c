"""What a file and a sensor do to a patch."""

import cv2
import numpy as np
import pytest

from limner.training.augment import Variation
from limner.training.intensity import blur_matrix, change_intensity, compress, low_resolution_matrix, lower_resolution


def patch(size_hw=(40, 56), channels=3, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, channels), dtype=np.uint8)
    image = cv2.resize(coarse, size_hw[::-1], interpolation=cv2.INTER_CUBIC).reshape(*size_hw, channels)
    return (image + rng.normal(0, 5, image.shape)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_compression_is_worse_at_low_quality_and_leaves_the_mean(channels):
    image = patch(channels=channels)
    inside = np.clip(image, 0, 255)
    losses = []
    for quality in (90, 60, 30):
        stored = compress(image, quality)
        assert stored.shape == image.shape and stored.dtype == np.float32
        assert stored.min() >= 0 and stored.max() <= 255 and np.array_equal(stored, stored.round())
        assert np.allclose(stored.mean(axis=(0, 1)), inside.mean(axis=(0, 1)), atol=2)
        losses.append(np.abs(stored - inside).mean())
    assert losses == sorted(losses) and 0.5 < losses[0] < losses[2] - 1


def test_compression_keeps_red_red():
    image = np.zeros((16, 24, 3), np.float32)
    image[..., 0], image[..., 2] = 200, 40
    assert np.abs(compress(image, 90) - image).max() < 6


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 7])
def test_low_resolution_takes_the_fine_and_leaves_the_coarse(channels):
    size_hw = (60, 90)
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    fine = np.where((x + y) % 2, 200.0, 50.0)
    coarse = 120 + 80 * np.sin(x / 25) * np.cos(y / 30)
    image = np.repeat((fine - 125 + coarse)[..., None], channels, axis=2).astype(np.float32)
    low = lower_resolution(image, 3.0)
    assert low.shape == image.shape and np.abs(low - low[..., :1]).max() < 1e-3
    for shrink in (2.7, 4.1):  # no whole number of pixels
        assert lower_resolution(image[:53, :87], shrink).shape == (53, 87, channels)
    assert np.abs(low[4:-4, 4:-4, 0] - coarse[4:-4, 4:-4]).mean() < 4 < np.abs(image[..., 0] - coarse).mean()


@pytest.mark.parametrize("shrink", [2.0, 2.7, 5.0])
def test_low_resolution_averages_what_a_large_pixel_covers(shrink):
    """Noise of one pixel falls by the factor: the mean of s x s values varies by 1 / s."""
    noise = np.random.default_rng(0).normal(100, 20, (120, 170, 1)).astype(np.float32)
    low = lower_resolution(noise, shrink)
    assert abs(low.mean() - noise.mean()) < 0.5
    assert 0.6 * 20 / shrink < low.std() < 1.05 * 20 / shrink


@pytest.mark.parametrize("channels", [1, 3, 5, 7, 513])
def test_all_changes_take_any_number_of_channels(channels):
    """Every channel as if it were alone; contrast is about the mean of all, so all have the same here."""
    image = np.repeat(patch((21, 34), 1), channels, axis=2)
    variation = Variation(np.eye(2, 3), 1.2, 5.0, 1.1, (), 0.0, 0.9, False, 0, shrink=2.7)
    found, alone = change_intensity(variation, image), change_intensity(variation, image[..., :1])
    assert found.shape == image.shape and np.abs(found - alone).max() < 0.02


@pytest.mark.parametrize("size_hw", [(40, 56), (5, 7), (3, 64)])
def test_matrices_do_what_the_functions_do(size_hw):
    image = patch(size_hw, 2)
    for strength in (0.4, 0.9, 1.5):
        expected = cv2.GaussianBlur(image, (0, 0), strength)
        along_y, along_x = (blur_matrix(side, strength) for side in size_hw)
        assert np.allclose(np.einsum("yh,xw,hwc->yxc", along_y, along_x, image), expected, atol=1e-2)
        assert np.allclose(along_y.sum(1), 1, atol=1e-5)
    for shrink in (2.0, 3.3, 5.0):
        along_y, along_x = (low_resolution_matrix(side, shrink) for side in size_hw)
        found = np.einsum("yh,xw,hwc->yxc", along_y, along_x, image)
        assert np.allclose(found, lower_resolution(image, shrink), atol=1e-2)
