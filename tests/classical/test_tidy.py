"""Parts that are kept and holes that are filled: by hand, and scipy as a second opinion."""

import numpy as np
import pytest

from limner.classical.tidy import fill_holes, tidy
from limner.core.errors import RecipeError


def mask(text):
    return np.array([[letter == "#" for letter in row] for row in text.split()])


PARTS = mask(
    """
    ##...#
    ##..#.
    ......
    ###...
    #.#..#
    ###...
    """
)


def test_parts_by_hand():
    # 4, 2 (joined by a corner), 8 with a hole, 1
    assert tidy(PARTS) is PARTS
    assert tidy(PARTS, keep="largest").sum() == 8 and tidy(PARTS, keep="largest")[3, 0]
    assert tidy(PARTS, smallest=2 / 36).sum() == 14 and not tidy(PARTS, smallest=2 / 36)[4, 5]
    assert tidy(PARTS, smallest=2.1 / 36).sum() == 12
    assert not tidy(PARTS, smallest=1.0).any()
    assert tidy(PARTS, fill=True).sum() == 16 and tidy(PARTS, fill=True, smallest=9 / 36).sum() == 9
    assert not tidy(np.zeros((5, 7), bool), keep="largest", smallest=0.1, fill=True).any()
    with pytest.raises(RecipeError, match="'biggest'"):
        tidy(PARTS, keep="biggest")


def test_the_topmost_of_equal_parts():
    row = mask("##.##.#")
    assert tidy(row, keep="largest").tolist() == mask("##.....").tolist()


@pytest.mark.parametrize("seed", range(4))
def test_scipy_fills_the_same_holes(seed):
    ndimage = pytest.importorskip("scipy.ndimage")
    found = np.random.default_rng(seed).random((23, 31)) < 0.45 + 0.1 * seed
    assert np.array_equal(fill_holes(found), ndimage.binary_fill_holes(found))


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1)])
def test_tiny_masks_have_no_holes(size):
    for value in (True, False):
        assert np.array_equal(fill_holes(np.full(size, value)), np.full(size, value))
