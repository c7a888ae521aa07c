"""From coarse to fine: what the method sees, and how an outline is refined."""

import numpy as np
import pytest

from limner.classical.pyramid import refine, segment_pyramid
from limner.classical.threshold import otsu_mask
from tests.contracts.test_classical import disc


def test_the_method_sees_the_coarsest_copy_alone():
    seen = []

    def record(gray):
        seen.append(gray.shape)
        return gray > 100

    gray = np.zeros((201, 334), np.float32)
    for levels, size in ((0, (201, 334)), (1, (101, 167)), (2, (51, 84)), (9, (51, 84))):
        assert segment_pyramid(gray, record, levels=levels).shape == gray.shape
        assert seen.pop() == size and not seen


@pytest.mark.parametrize("levels", [1, 2])
def test_sharp_outlines_come_back_to_the_pixel(levels):
    truth = disc((190, 260), (90, 150), 45)
    gray = np.where(truth, 200, 50).astype(np.float32)
    found = segment_pyramid(gray, otsu_mask, levels=levels)
    assert (found != truth).sum() <= 4
    nearest = np.kron(otsu_mask(gray[::4, ::4]), np.ones((4, 4), bool))[:190, :260]
    assert (nearest != truth).sum() > 100  # without refining


def test_only_pixels_near_the_outline_change():
    gray = np.zeros((40, 60), np.float32)
    gray[:, 31:] = 100
    gray[5, 5] = 100  # far from the outline: noise stays what the coarse copy said
    coarse = np.zeros((20, 30), bool)
    coarse[:, 15:] = True
    found = refine(coarse, gray)
    assert np.array_equal(found, np.arange(60)[None].repeat(40, 0) >= 31)


def test_an_object_too_small_for_a_mean_stays():
    gray = np.zeros((40, 60), np.float32)
    gray[20:22, 30:32] = 80
    coarse = np.zeros((20, 30), bool)
    coarse[10, 15] = True
    assert np.array_equal(refine(coarse, gray), gray > 0)
