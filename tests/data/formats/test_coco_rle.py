from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from limner.core.annotation import Bitmap
from limner.data.formats.coco_rle import decode_rle, encode_rle, pack_counts, unpack_counts
from limner.data.formats.geometry import Refusal

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 7)))


def pasted(bitmap: Bitmap, size_hw: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(size_hw, bool)
    height, width = bitmap.mask.shape
    whole[bitmap.y : bitmap.y + height, bitmap.x : bitmap.x + width] = bitmap.mask
    return whole


# Worked out by hand: numbers in groups of five bits, the lowest first; +32 when another follows; from the fourth on differences.
#   2 -> '2';  40 = 8 + 32 * 1 -> chr(48 + 8 + 32) chr(48 + 1) = 'X1';  3 -> '3';  50 - 40 = 10 -> ':';
#   1 - 3 = -2 -> lowest five bits 30, sign bit set, nothing but sign left -> chr(48 + 30) = 'N'
#   16 alone would look negative (its highest bit is the sign), so a group of 0 follows: chr(48 + 16 + 32) '0' = '`0'
@pytest.mark.parametrize(
    ("counts", "text"), [([2, 40, 3, 50, 1], "2X13:N"), ([16, 1], "`01"), ([0, 6], "06"), ([5, 2, 2, 2, 5], "52203")]
)
def test_packed_strings_worked_out_by_hand(counts, text):
    assert pack_counts(counts) == text
    assert unpack_counts(text) == counts


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=20))
def test_unpacking_undoes_packing(counts):
    assert unpack_counts(pack_counts(counts)) == counts


@given(MASKS)
def test_decoding_undoes_encoding(mask):
    record = encode_rle(Bitmap(0, 0, mask), mask.shape)
    assert record["size"] == list(mask.shape)
    if mask.any():
        np.testing.assert_array_equal(pasted(decode_rle(record, None), mask.shape), mask)
        plain = {"size": record["size"], "counts": unpack_counts(record["counts"])}
        np.testing.assert_array_equal(pasted(decode_rle(plain, mask.shape), mask.shape), mask)


@given(MASKS)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside pycocotools
def test_masks_and_strings_are_those_of_the_coco_api(mask):
    api = pytest.importorskip("pycocotools.mask")
    theirs = api.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encode_rle(Bitmap(0, 0, mask), mask.shape)["counts"] == theirs["counts"].decode()
    ours = encode_rle(Bitmap(0, 0, mask), mask.shape)
    np.testing.assert_array_equal(api.decode({"size": ours["size"], "counts": ours["counts"].encode()}), mask)


def test_counts_go_down_the_columns():
    # 2 rows, 3 columns: skip one, then two: the lower pixel of column 0 and the upper of column 1
    bitmap = decode_rle({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3))
    np.testing.assert_array_equal(pasted(bitmap, (2, 3)), [[0, 1, 0], [1, 0, 0]])


def test_without_a_size_that_of_the_picture_holds():
    np.testing.assert_array_equal(pasted(decode_rle({"counts": "12"}, (3, 1)), (3, 1)), [[0], [1], [1]])


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"size": [2, 3], "counts": [1, 2]}, "bad-runs"),  # wrong sum
        ({"size": [2, 3], "counts": [8, -2]}, "bad-runs"),
        ({"size": [2, 3], "counts": "1~"}, "bad-runs"),  # a character of no meaning
        ({"size": [2, 3], "counts": "6\u00e9"}, "bad-runs"),
        ({"size": [2, 3], "counts": "`"}, "bad-runs"),  # ends within a number
        ({"size": [2, 3], "counts": "oooooooooooooooo0"}, "bad-runs"),  # a number without end
        ({"size": [2, 3], "counts": ""}, "bad-runs"),
        ({"size": [2, 3], "counts": None}, "bad-runs"),
        ({"size": [2, 3], "counts": [[1], 5]}, "bad-runs"),
        ({"size": [2, 3], "counts": [6]}, "empty-mask"),
        ({"size": [3, 2], "counts": [1, 5]}, "size-mismatch"),
        ({"size": "big", "counts": [1, 5]}, "bad-runs"),
        ({"size": [0, 6], "counts": [6]}, "bad-runs"),
        ({"size": [-2, -3], "counts": [1, 5]}, "bad-runs"),
    ],
)
def test_damaged_masks_are_refused(record, code):
    with pytest.raises(Refusal) as caught:
        decode_rle(record, (2, 3))
    assert caught.value.code == code


def test_a_huge_stated_size_is_refused_before_any_pixel_is_made():
    for size in ([100_000, 100_000], [2**24, 2**24]):
        with pytest.raises(Refusal) as caught:
            decode_rle({"size": size, "counts": [0, size[0] * size[1]]}, None)
        assert caught.value.code == "too-many-pixels"
