"""Regions stay connected, have a mean of their own, stop half-way down a flank and never give a seed back."""

import numpy as np

from limner.classical.region_growing import grow_regions, nearest_seed, region_growing_mask, region_growing_regions
from tests.contracts.test_classical import disc


def seeded(shape, **places):
    seeds = np.zeros(shape, np.int32)
    for name, place in places.items():
        seeds[place] = int(name[1:])
    return seeds


def test_only_connected_pixels_join():
    gray = np.array([[90, 91, 5, 90, 91], [92, 90, 5, 92, 90], [91, 92, 5, 90, 92]], np.float32)
    found = grow_regions(gray, seeded(gray.shape, s1=(0, 0)))
    assert found.tolist() == [[1, 1, 0, 0, 0]] * 3
    assert found.dtype == np.int32


def test_every_region_has_its_own_mean():
    gray = np.zeros((20, 50), np.float32)
    gray[4:16, 4:18], gray[4:16, 30:44] = 40, 240
    gray[4:16, 2:4], gray[4:16, 28:30] = 30, 90  # flanks: 30 is nearer to 40 than to the rest, 90 is not near 240
    seeds = np.where(gray == 40, 1, 0) + np.where(gray == 240, 2, 0)
    found = grow_regions(gray, seeds.astype(np.int32))
    assert (found[4:16, 2:18] == 1).all() and (found[4:16, 30:44] == 2).all() and (found > 0).sum() == 12 * 30


def test_means_follow_the_region():
    # 1 starts at 100, the rest has a mean of 39: 75 joins, 66 does not; then the means are 87.5 and 34.5, and 66 joins
    gray = np.array([[100, 75, 66, 30, 30, 30, 30, 30, 30, 30]], np.float32)
    assert grow_regions(gray, seeded((1, 10), s1=(0, 0))).tolist() == [[1, 1, 1, 0, 0, 0, 0, 0, 0, 0]]


def test_a_pixel_goes_to_the_nearest_seed():
    gray = np.array([[0, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0]], np.float32)
    assert grow_regions(gray, seeded((1, 12), s7=(0, 1), s3=(0, 6))).tolist() == [[0, 7, 7, 7, 3, 3, 3, 3, 0, 0, 0, 0]]
    seeds = seeded((9, 14), s1=(2, 3), s2=(7, 11), s3=(2, 4))  # 1 and 3 touch
    y, x = np.indices(seeds.shape)
    distances = np.stack([np.hypot(y - 2, x - 3), np.hypot(y - 7, x - 11), np.hypot(y - 2, x - 4)])
    wrong = nearest_seed(seeds) != distances.argmin(axis=0) + 1
    assert not (wrong & (np.sort(distances, axis=0)[1] - distances.min(axis=0) > 0.15)).any()


def test_seeds_stay_and_nothing_grows_from_none():
    gray = np.array([[0, 100, 0, 50]], np.float32)
    seeds = np.array([[2, 0, 0, 1]], np.int32)
    found = grow_regions(gray, seeds)
    assert found[0, 0] == 2 and found[0, 3] == 1 and seeds.tolist() == [[2, 0, 0, 1]]
    assert not grow_regions(gray, np.zeros_like(seeds)).any()
    assert grow_regions(gray, np.ones_like(seeds)).all()


def test_a_blurred_object_is_taken_half_way_down_its_flank():
    x = np.arange(80, dtype=np.float32)
    gray = np.tile(255 / (1 + np.exp((np.abs(x - 40) - 15) / 2)), (30, 1)).astype(np.float32)
    found = region_growing_mask(gray, smoothing=0)
    assert np.array_equal(found, np.tile(np.abs(x - 40) <= 14, (30, 1))) or np.array_equal(
        found, np.tile(np.abs(x - 40) <= 15, (30, 1))
    )


def test_objects_have_numbers():
    gray = np.where(disc(center=(30, 30), radius=12), 120, 0) + np.where(disc(center=(60, 90), radius=15), 250, 0)
    regions = region_growing_regions(gray.astype(np.float32))
    assert sorted(np.unique(regions)) == [0, 1, 2] and regions[30, 30] != regions[60, 90]
    assert ((regions > 0) != (gray > 0)).sum() < 20
