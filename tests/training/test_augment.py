"""Image and labels are moved by one matrix; intensities change the image alone."""

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.recipe_parts import AugmentationPart
from limner.training.augment import draw, warp
from limner.training.intensity import change_intensity

STILL = AugmentationPart(
    flip_x=False, flip_y=False, rotation_degrees=0, scale_min=1, scale_max=1, brightness=0, contrast=0, gamma=0, noise=0
)


def blocks(size_hw=(48, 64)):
    """Labels of a few large areas without symmetry."""
    out = np.zeros(size_hw, np.uint8)
    out[4:20, 6:50] = 1
    out[24:44, 10:22] = 2
    out[30:36, 40:60] = 3
    return out


def drawn(part, *, seed=0, size_hw=(48, 64), patch_hw=(48, 64), center_xy=None, channels=3):
    center = center_xy or (size_hw[1] / 2, size_hw[0] / 2)
    return draw(
        np.random.default_rng(seed), part, center_xy=center, size_hw=size_hw, patch_hw=patch_hw, channels=channels
    )


NEW = {"perspective": 0.1, "elastic": 0.5, "grid": 0.5, "jpeg": 0.5, "low_resolution": 0.5}


def test_a_seed_means_what_it_always_meant():
    """Numbers recorded when perspective, elastic, grid, jpeg and low resolution did not exist yet."""
    old = AugmentationPart(color=0.2, blur=0.6, noise=0.05, invert=True)
    for part in (old, dataclasses.replace(old, **NEW)):
        found = drawn(part, seed=5, center_xy=(20.0, 30.0), patch_hw=(32, 40))
        matrix = [[0.4354682, 1.14285062, -22.70572312], [-1.14285062, 0.4354682, 24.93927515]]
        assert np.allclose(found.matrix, matrix, atol=1e-7)
        gains = (1.1996704460260286, 1.060947644635195, 0.8938040806679296)
        assert np.allclose((found.gain, found.offset, found.gamma), (0.945083923252, -46.381930222, 0.76281070345))
        assert np.allclose(found.channel_gain, gains) and found.seed == 1713023724
        assert (found.noise, found.blur, found.invert) == (0.0, 0.0, False)


@pytest.mark.parametrize("seed", range(8))
def test_one_new_variation_does_not_move_the_old_ones(seed):
    alone, together = drawn(AugmentationPart(), seed=seed), drawn(AugmentationPart(**NEW), seed=seed)
    for name in ("gain", "offset", "gamma", "channel_gain", "noise", "blur", "invert", "seed"):
        assert getattr(alone, name) == getattr(together, name)
    assert np.array_equal(alone.matrix, together.matrix)
    assert (alone.deformation, alone.shrink, alone.jpeg) == (None, 1.0, 0)


def test_shares_are_of_all_patches_and_exact_ones_stay_exact():
    part = AugmentationPart(exact_share=0.4, elastic=0.3, grid=0.6, jpeg=0.25, low_resolution=0.15, perspective=0.1)
    found = [drawn(part, seed=seed) for seed in range(2000)]
    exact = [v for v in found if np.array_equal(v.matrix, v.matrix.round())]
    assert 0.36 < len(exact) / 2000 < 0.44 and all(v.deformation is None for v in exact)
    bent = [v.deformation for v in found if v.deformation is not None]
    assert len(bent) == 2000 - len(exact) and all(each.perspective is not None for each in bent)
    assert 0.26 < np.mean([v.deformation is not None and v.deformation.elastic is not None for v in found]) < 0.34
    assert all(each.grid is not None for each in bent)  # 0.6 of all are all that are not exact
    assert 0.21 < np.mean([v.jpeg > 0 for v in found]) < 0.29
    assert 0.11 < np.mean([v.shrink > 1 for v in found]) < 0.19
    assert {30, 90} <= {v.jpeg for v in found} <= {0, *range(30, 91)}
    assert all(v.shrink == 1 or 2 <= v.shrink <= 5 for v in found)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), patch=st.sampled_from([(32, 32), (64, 32), (48, 64)]))
def test_labels_go_where_the_image_goes(seed, patch):
    labels = blocks()
    image = np.repeat(labels[..., None] * 60, 3, axis=2)
    variation = drawn(AugmentationPart(), seed=seed, patch_hw=patch, center_xy=(20.0, 30.0))
    moved, target = warp(variation, image, labels, patch)
    assert moved.shape == (*patch, 3) and target.shape == patch and set(np.unique(target)) <= {0, 1, 2, 3}
    square = np.ones((5, 5), np.uint8)  # inside areas the interpolated image is exactly the label
    flat = cv2.dilate(target, square) == cv2.erode(target, square)
    flat[:2], flat[-2:], flat[:, :2], flat[:, -2:] = False, False, False, False
    assert flat.mean() > 0.1
    assert np.abs(moved[..., 1].astype(int) - 60 * target)[flat].max(initial=0) <= 1


def test_the_identity_returns_the_picture():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    variation = drawn(STILL)
    moved, target = warp(variation, image, blocks(), (48, 64))
    assert np.array_equal(moved, image) and np.array_equal(target, blocks())
    assert np.array_equal(change_intensity(variation, moved), image.astype(np.float32))


def test_a_patch_is_cut_around_its_centre_and_stays_inside():
    labels = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    image = labels[..., None].astype(np.float32)
    cut, target = warp(drawn(STILL, patch_hw=(16, 32), center_xy=(30, 20)), image, labels, (16, 32))
    assert np.array_equal(target, labels[12:28, 14:46]) and np.array_equal(cut[..., 0], target)
    _corner, target = warp(drawn(STILL, patch_hw=(16, 32), center_xy=(63, 47)), image, labels, (16, 32))
    assert np.array_equal(target, labels[32:48, 32:64])
    beyond, target = warp(drawn(STILL, size_hw=(8, 10), patch_hw=(32, 32)), image[:8, :10], labels[:8, :10], (32, 32))
    assert beyond.shape == (32, 32, 1) and target.shape == (32, 32)
    assert np.array_equal(target[12:20, 11:21], labels[:8, :10])


@pytest.mark.parametrize(("part", "axis"), [("flip_x", 1), ("flip_y", 0)])
def test_mirrored_copies_are_mirrored(part, axis):
    flipping = dataclasses.replace(STILL, **{part: True})
    labels = blocks()
    seen = set()
    for seed in range(12):
        image, target = warp(drawn(flipping, seed=seed), labels[..., None] * 50, labels, (48, 64))
        assert np.array_equal(image[..., 0], target * 50)
        if np.array_equal(target, labels):
            seen.add("plain")
        elif np.array_equal(target, np.flip(labels, axis)):
            seen.add("mirrored")
        else:
            seen.add("neither")
    assert seen == {"plain", "mirrored"}


def test_exact_patches_are_turned_by_right_angles_without_resampling():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, (48, 48), dtype=np.uint8)
    turned = [np.rot90(image, k) for k in range(4)]
    known = [np.ascontiguousarray(picture) for each in turned for picture in (each, each[:, ::-1])]
    found = set()
    for seed in range(60):
        variation = drawn(AugmentationPart(exact_share=1.0), seed=seed, size_hw=(48, 48), patch_hw=(48, 48))
        moved, target = warp(variation, image, labels, (48, 48))
        matches = [number for number, picture in enumerate(known) if np.array_equal(moved, picture)]
        assert len(matches) == 1
        number = matches[0]
        expected = np.rot90(labels, number // 2)
        assert np.array_equal(target, expected[:, ::-1] if number % 2 else expected)
        found.add(number)
    assert found == set(range(8))


def test_zoom_lies_in_its_range_and_draws_both_ways():
    part = AugmentationPart(scale_min=0.5, scale_max=2.0, exact_share=0.0)
    zooms = [np.sqrt(abs(np.linalg.det(drawn(part, seed=seed).matrix[:, :2]))) for seed in range(200)]
    assert 0.5 <= min(zooms) < 0.6 and 1.8 < max(zooms) <= 2.0
    assert 0.9 < np.exp(np.mean(np.log(zooms))) < 1.1  # even in the logarithm


def test_intensity_follows_its_formula():
    patch = np.array([[[10, 20, 30], [110, 120, 130]]], np.uint8)
    still = drawn(STILL)
    changed = dataclasses.replace(still, gain=2.0, offset=5.0)
    assert np.allclose(change_intensity(changed, patch), (patch.astype(float) - 70) * 2 + 75)
    changed = dataclasses.replace(still, gamma=2.0)
    assert np.allclose(change_intensity(changed, patch), 255 * (patch / 255.0) ** 2, atol=1e-3)
    changed = dataclasses.replace(still, channel_gain=(1.0, 0.5, 2.0))
    assert np.allclose(change_intensity(changed, patch), patch * [1.0, 0.5, 2.0])
    assert np.array_equal(change_intensity(dataclasses.replace(still, invert=True), patch), 255.0 - patch)


def test_noise_and_blur_leave_the_mean_and_are_seeded():
    patch = np.full((64, 64, 1), 100, np.uint8)
    noisy = change_intensity(dataclasses.replace(drawn(STILL), noise=10.0, seed=1), patch)
    assert noisy.shape == patch.shape and 9 < noisy.std() < 11 and abs(noisy.mean() - 100) < 1
    assert np.array_equal(noisy, change_intensity(dataclasses.replace(drawn(STILL), noise=10.0, seed=1), patch))
    assert not np.array_equal(noisy, change_intensity(dataclasses.replace(drawn(STILL), noise=10.0, seed=2), patch))
    spot = np.zeros((33, 33, 1), np.uint8)
    spot[16, 16] = 255
    soft = change_intensity(dataclasses.replace(drawn(STILL), blur=1.0), spot)
    assert soft.shape == spot.shape and abs(soft.sum() - 255) < 1 and soft.max() < 60


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_any_number_of_channels(channels):
    image = np.random.default_rng(0).integers(0, 256, (48, 64, channels), dtype=np.uint8)
    part = AugmentationPart(color=0.3, blur=1.0)
    variation = drawn(part, seed=3, channels=channels)
    moved, _ = warp(variation, image, blocks(), (32, 32))
    out = change_intensity(variation, moved)
    assert out.shape == (32, 32, channels) and out.dtype == np.float32 and np.isfinite(out).all()


@pytest.mark.parametrize(("degrees", "turned"), [(60.0, False), (89.0, False), (90.0, True), (180.0, True)])
def test_exact_patches_turn_no_further_than_the_recipe_allows(degrees, turned):
    part = AugmentationPart(exact_share=1.0, rotation_degrees=degrees, flip_x=False, flip_y=False)
    matrices = [drawn(part, seed=seed, size_hw=(48, 48), patch_hw=(48, 48)).matrix[:, :2] for seed in range(80)]
    assert any(not np.array_equal(matrix, np.eye(2)) for matrix in matrices) == turned
