from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from limner.core.annotation import Bitmap
from limner.data.formats.geometry import Refusal
from limner.data.formats.runs import bitmap_of_runs, counts_of, runs_of_bitmap

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 5)))


def pasted(bitmap: Bitmap, size_hw: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(size_hw, bool)
    height, width = bitmap.mask.shape
    whole[bitmap.y : bitmap.y + height, bitmap.x : bitmap.x + width] = bitmap.mask
    return whole


def naive_counts(mask: np.ndarray, by_column: bool) -> list[int]:
    """Counted pixel by pixel."""
    counts, current = [0], False
    for value in mask.ravel(order="F" if by_column else "C"):
        if value != current:
            counts.append(0)
            current = value
        counts[-1] += 1
    return counts


@given(MASKS, st.booleans())
def test_masks_are_the_same_after_counting_and_unpacking(mask, by_column):
    counts = naive_counts(mask, by_column)
    assert runs_of_bitmap(Bitmap(0, 0, mask), mask.shape, by_column=by_column) == counts
    if not mask.any():
        return
    bitmap = bitmap_of_runs(counts_of(counts, mask.size), mask.shape, by_column=by_column)
    np.testing.assert_array_equal(pasted(bitmap, mask.shape), mask)
    assert bitmap.mask.any(axis=0)[[0, -1]].all() and bitmap.mask.any(axis=1)[[0, -1]].all(), "it is cropped"


@given(MASKS, st.integers(-4, 9), st.integers(-4, 9), st.booleans())
def test_a_mask_anywhere_on_a_picture_counts_as_the_part_inside(mask, x, y, by_column):
    size_hw = (6, 8)
    whole = np.zeros((30, 30), bool)
    whole[10 + y : 10 + y + mask.shape[0], 10 + x : 10 + x + mask.shape[1]] = mask
    inside = whole[10:16, 10:18]
    assert runs_of_bitmap(Bitmap(x, y, mask), size_hw, by_column=by_column) == naive_counts(inside, by_column)


def test_empty_runs_join_their_neighbours():
    # rows of 3: pixels 1, 2 and 3 (the first of row 1) painted in three runs with nothing between them
    bitmap = bitmap_of_runs(counts_of([1, 1, 0, 1, 0, 1, 2], 6), (2, 3), by_column=False)
    np.testing.assert_array_equal(pasted(bitmap, (2, 3)), [[0, 1, 1], [1, 0, 0]])


def test_numbers_may_be_text_or_have_an_empty_fraction():
    assert counts_of(["2", " 3", 1.0], 6).tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, -1, 6], "from 0 on"),
        ([1, None, 5], "whole"),
        ([1.5, 4.5], "whole"),
        ([3, 4], "add up to 7"),
        ([2], "add up to 2"),
        ([True, 5], "whole"),
        ([10**30], "add up to 1"),
    ],
)
def test_counts_that_cannot_be_meant_are_refused(values, words):
    with pytest.raises(Refusal, match=words) as caught:
        counts_of(values, 6)
    assert caught.value.code == "bad-runs"


def test_a_mask_without_pixels_is_refused():
    with pytest.raises(Refusal, match="no pixel") as caught:
        bitmap_of_runs(counts_of([6], 6), (2, 3), by_column=True)
    assert caught.value.code == "empty-mask"


def test_a_huge_size_costs_nothing_before_it_is_refused():
    side = 2**24
    counts = counts_of([0, side * side], side * side)
    with pytest.raises(Refusal, match="lines of") as caught:
        bitmap_of_runs(counts, (side, side), by_column=True)
    assert caught.value.code == "too-many-pixels"


def test_a_small_object_on_a_huge_picture_costs_what_it_covers():
    side = 2**24
    taken = []
    counts = counts_of([5 * side + 3, 4, side * side - 5 * side - 7], side * side)
    bitmap = bitmap_of_runs(counts, (side, side), by_column=True, take=taken.append)
    assert (bitmap.x, bitmap.y, bitmap.mask.shape, taken) == (5, 3, (4, 1), [4])
    wide = counts_of(
        [3, 1, (side - 1) * side - 1, 1, side - 4], side * side
    )  # one pixel in the first and in the last column
    assert bitmap_of_runs(wide, (side, side), by_column=True).mask.shape == (1, side)
