"""Values, areas and objects of a mask file, against counting pixel by pixel."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from limner.data.areas import area_sizes
from limner.data.declared import Declared
from limner.data.mask_survey import ABOVE_HALF, Objects, count_mask, count_objects, objects_by_class, survey_mask
from limner.data.mask_values import decide_reading
from limner.data.masks import RawMask
from tests.make_data import gray, rgb, save, soft


def grid(seed, size_hw=(23, 37), values=5):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, values, (size_hw[0] // 4 + 1, size_hw[1] // 5 + 1))
    out = np.kron(coarse, np.ones((4, 5), int))[: size_hw[0], : size_hw[1]]
    out[rng.random(size_hw) < 0.05] = values
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("size_hw", [(23, 37), (1, 7), (9, 1), (5, 7)])
def test_counts_against_pixel_by_pixel(tmp_path, dtype, size_hw):
    ids = (grid(1, size_hw) * (70000 if np.dtype(dtype).itemsize > 2 else 40)).astype(dtype)
    stats = count_mask(RawMask(ids, "gray"), tmp_path / "m.png")
    values, counts = np.unique(ids, return_counts=True)
    inside = dict.fromkeys(values.tolist(), 0)
    for y in range(size_hw[0]):
        for x in range(size_hw[1]):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            near = [ids[p] for p in around if 0 <= p[0] < size_hw[0] and 0 <= p[1] < size_hw[1]]
            inside[int(ids[y, x])] += all(value == ids[y, x] for value in near)
    assert stats.values == tuple(values.tolist()) and stats.counts == tuple(counts.tolist())
    assert stats.flat == tuple(inside.values()) and stats.num_values == len(values) and stats.size_hw == size_hw


def test_of_very_many_values_the_commonest_are_kept(tmp_path):
    values = np.arange(90 * 60).reshape(90, 60).astype(np.int32)
    values[:, :10] = 77777
    stats = count_mask(RawMask(values, "colour"), tmp_path / "m.png")
    assert stats.num_values == 90 * 50 + 1 and len(stats.values) == 4096
    assert stats.values[-1] == 77777 and stats.counts[-1] == 900


def test_objects_against_scipy(tmp_path):
    ids = grid(3)
    path = save(tmp_path / "m.png", gray(ids))
    stats = survey_mask(path)
    found = count_objects(ids, stats)
    for value in range(1, 6):
        pieces, count = ndimage.label(ids == value, structure=np.ones((3, 3)))
        sizes = np.bincount(pieces.ravel())[1:]
        assert found[value] == Objects(count, int((sizes < 16).sum()))
    reading, _ = decide_reading([path], Declared())
    assert objects_by_class(reading, stats, found) == {value: found[value] for value in range(1, 6)}


def test_objects_of_numbers_soft_edges_and_colours(tmp_path):
    numbers = np.zeros((60, 90), np.uint16)
    for i in range(70):
        y, x = divmod(i, 14)
        numbers[y * 12 + 2 : y * 12 + (10 if i % 7 else 4), x * 6 + 1 : x * 6 + 5] = i + 1
    for picture, expected in (
        (Image.fromarray(numbers), {1: Objects(70, 10)}),
        (soft(np.kron(np.eye(3, dtype=int), np.ones((20, 20), int))), {1: Objects(1, 0)}),
        (rgb(np.kron(np.array([[0, 1, 0, 2, 0, 1]]), np.ones((9, 7), int))), {1: Objects(2, 0), 2: Objects(1, 0)}),
        (gray(np.zeros((9, 7))), {}),
    ):
        path = save(tmp_path / "m.png", picture)
        stats = survey_mask(path)
        reading, _ = decide_reading([path], Declared())
        raw = np.array(Image.open(path))
        values = raw.astype(np.int32) @ [65536, 256, 1] if raw.ndim == 3 else raw
        found = count_objects(values, stats)
        assert objects_by_class(reading, stats, found) == expected
        assert (ABOVE_HALF in found) == (len(stats.values) > 16)


@pytest.mark.parametrize("size_hw", [(1, 9), (9, 1), (5, 7), (40, 61)])
@pytest.mark.parametrize("values", [2, 4])
def test_areas_of_random_grids_against_scipy(size_hw, values):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        ids = rng.integers(0, values, size_hw) * (rng.random(size_hw) < rng.uniform(0.3, 1))
        found = area_sizes(ids)
        assert found.keys() == set(np.unique(ids).tolist()) - {0}
        for value, sizes in found.items():
            pieces, _ = ndimage.label(ids == value, structure=np.ones((3, 3)))
            assert sorted(sizes.tolist()) == sorted(np.bincount(pieces.ravel())[1:].tolist())


def test_areas_of_shapes_that_join_late():
    """A spiral and a comb: runs of one area meet only many rows later."""
    comb = np.zeros((30, 41), int)
    comb[:-1, ::2], comb[-1] = 1, 1
    assert area_sizes(comb)[1].tolist() == [29 * 21 + 41]
    snake = np.zeros((31, 40), int)
    snake[::2] = 3
    snake[1::4, -1], snake[3::4, 0] = 3, 3
    assert area_sizes(snake)[3].tolist() == [16 * 40 + 15]
    assert area_sizes(np.zeros((5, 7), np.uint8)) == {}
