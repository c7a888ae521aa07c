"""Pictures of any unit and any number of channels come to 0..255 and to working scale."""

import cv2
import numpy as np
import pytest

from limner.data.preprocess import match_channels, prepare, resize_image, to_byte_range

OWN_RANGE = {"normalization": "percentile", "intensity_range": (0.0, 255.0)}
rng = np.random.default_rng(0)


def test_colour_in_fractions_becomes_gray_in_fractions():
    image = rng.random((13, 19, 3)).astype(np.float32)
    expected = 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]
    gray = match_channels(image, 1)
    assert gray.dtype == np.float32 and np.allclose(gray[..., 0], expected, atol=1e-6)
    whole = (image * 255).astype(np.uint8)
    assert np.abs(match_channels(whole, 1)[..., 0] - whole @ [0.299, 0.587, 0.114]).max() <= 0.5 + 1e-6
    assert len(np.unique(prepare(image, channels=1, scale=1.0, **OWN_RANGE))) > 200


@pytest.mark.parametrize("unit", [1e-38, 3e-9, 1.0, 1e30])
def test_the_unit_of_a_picture_does_not_matter(unit):
    image = rng.random((23, 31, 1))
    expected = to_byte_range(image.astype(np.float32), **OWN_RANGE)
    found = to_byte_range((image * unit).astype(np.float32), **OWN_RANGE)
    assert found.dtype == np.float32 and expected.max() == 255 and expected.min() == 0
    assert np.abs(found - expected).max() < 0.01


def test_a_constant_picture_is_black_and_few_bright_pixels_on_nothing_are_white():
    for value in (0, 7.3, 3e-9):
        assert not to_byte_range(np.full((9, 11, 1), value, np.float32), **OWN_RANGE).any()
    image = np.zeros((60, 70, 1), np.float32)
    image[5, 7] = 2e-9
    assert to_byte_range(image, **OWN_RANGE).ravel()[[5 * 70 + 7, 0]].tolist() == [255, 0]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7, 16])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("target", [(13, 22), (60, 75), (9, 80), (1, 1)])
def test_every_channel_is_resized_as_if_it_were_alone(channels, dtype, target):
    image = rng.integers(0, 256, (37, 53, channels)).astype(dtype)
    found = resize_image(image, target)
    assert found.shape == (*target, channels) and found.dtype == dtype
    kind = cv2.INTER_AREA if target[0] * target[1] < 37 * 53 else cv2.INTER_LINEAR
    for channel in range(channels):
        alone = cv2.resize(np.ascontiguousarray(image[..., channel]), target[::-1], interpolation=kind)
        assert np.abs(found[..., channel].astype(float) - alone).max() <= (1 if dtype == np.uint8 else 1e-3)


@pytest.mark.parametrize("channels", [5, 7, 513])
def test_pictures_of_many_channels_are_prepared(channels):
    image = rng.integers(0, 60000, (23, 31, channels)).astype(np.uint16)
    found = prepare(image, channels=channels, scale=0.37, **OWN_RANGE)
    assert found.shape == (9, 11, channels)
    low, high = np.percentile(image, (0.5, 99.9))
    assert abs(float(found.mean()) - float(np.clip((image - low) / (high - low) * 255, 0, 255).mean())) < 3
