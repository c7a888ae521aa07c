"""Patches from several pictures: windows tile the patch, labels come from the picture that shows."""

import numpy as np
import pytest

from limner.core.recipe_parts import AugmentationPart
from limner.training.augment import draw
from limner.training.mixing import Piece, Window, draw_windows, lay_down


def windows(seed, patch_hw=(64, 96), **shares):
    return draw_windows(np.random.default_rng(seed), AugmentationPart(**shares), patch_hw)


@pytest.mark.parametrize("patch_hw", [(64, 96), (5, 7), (2, 2)])
def test_a_mosaic_tiles_its_patch(patch_hw):
    crossings = set()
    for seed in range(100):
        found = windows(seed, patch_hw, mosaic=1.0)
        times = np.zeros(patch_hw, int)
        for window in found:
            times[window.slices] += 1
            assert min(window.size_hw) >= 1
        assert len(found) == 4 and (times == 1).all()
        crossings.add((found[3].top, found[3].left))
    assert all(0.2 * patch_hw[0] <= y <= 0.8 * patch_hw[0] for y, _ in crossings) and (
        len(crossings) > 20 or patch_hw != (64, 96)
    )


@pytest.mark.parametrize("patch_hw", [(64, 96), (5, 7)])
def test_a_cut_rectangle_lies_inside(patch_hw):
    areas, touched = [], np.zeros(patch_hw, int)
    for seed in range(300):
        whole, other = windows(seed, patch_hw, cutmix=1.0)
        assert whole == Window(0, 0, *patch_hw)
        assert other.top >= 0 and other.left >= 0
        assert other.top + other.height <= patch_hw[0] and other.left + other.width <= patch_hw[1]
        touched[other.slices] += 1
        areas.append(other.height * other.width / np.prod(patch_hw))
    assert min(areas) >= 0.02 and max(areas) <= 0.6 and (touched > 0).mean() > 0.97


def test_shares():
    kinds = [len(windows(seed, mosaic=0.3, cutmix=0.2)) for seed in range(2000)]
    assert abs(kinds.count(4) / 2000 - 0.3) < 0.04 and abs(kinds.count(2) / 2000 - 0.2) < 0.04
    assert all(len(windows(seed)) == 1 for seed in range(20))
    assert len(windows(0, (1, 64), mosaic=1.0)) == 1  # nothing to divide


def test_each_window_shows_its_own_picture():
    still = AugmentationPart(flip_x=False, flip_y=False, rotation_degrees=0, scale_min=1, scale_max=1)
    places = windows(4, (40, 50), mosaic=1.0)
    pieces, expected, truth = [], np.zeros((40, 50, 2)), np.zeros((40, 50))
    for number, window in enumerate(places):
        image = (np.arange(60 * 80 * 2).reshape(60, 80, 2) % 50 + 50 * number).astype(np.uint8)
        labels = (np.arange(60 * 80).reshape(60, 80) % 7 + 10 * number).astype(np.uint8)
        variation = draw(
            np.random.default_rng(0), still, center_xy=(40, 30), size_hw=(60, 80), patch_hw=window.size_hw, channels=2
        )
        pieces.append(Piece(image, labels, variation, window))
        x, y = (int(-v) for v in variation.matrix[:, 2].round())
        seen = (slice(y, y + window.height), slice(x, x + window.width))
        expected[window.slices], truth[window.slices] = image[seen], labels[seen]
    image, labels = lay_down(pieces, (40, 50))
    assert image.dtype == labels.dtype == np.uint8
    assert np.array_equal(labels, truth) or np.abs(image - expected).max() <= 1
    assert np.array_equal(labels // 10, truth // 10) and np.array_equal(image // 50, expected // 50)
