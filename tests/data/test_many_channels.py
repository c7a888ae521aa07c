"""OpenCV functions on any number of channels: each channel as if it were alone, in its place."""

import cv2
import numpy as np
import pytest

from limner.data.many_channels import MOST_AT_ONCE, four_at_a_time, resize_channels


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 8, 9, 600])
def test_groups_of_channels_are_put_together_in_order(channels):
    pixels = np.random.default_rng(0).random((7, 5, channels)).astype(np.float32)
    seen = []

    def turned(part):
        assert part.flags.c_contiguous
        seen.append(part.shape[2])
        return part.swapaxes(0, 1)[:4].squeeze()

    found = four_at_a_time(pixels, turned)
    assert np.array_equal(found, pixels.swapaxes(0, 1)[:4])
    assert sum(seen) == channels and max(seen) <= MOST_AT_ONCE


@pytest.mark.parametrize("interpolation", [cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
def test_a_view_of_many_channels_is_resized(interpolation):
    pixels = np.random.default_rng(1).integers(0, 65536, (6, 9, 11), dtype=np.uint16).transpose(1, 2, 0)
    found = resize_channels(pixels, (4, 7), interpolation)
    assert found.shape == (4, 7, 6) and found.dtype == np.uint16
    alone = cv2.resize(np.ascontiguousarray(pixels[..., 5]), (7, 4), interpolation=interpolation)
    assert np.abs(found[..., 5].astype(int) - alone).max() <= 1
