from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from limner.core.annotation import Bitmap
from limner.data.formats.geometry import Refusal
from limner.data.formats.label_studio_rle import decode_brush, encode_brush
from limner.data.formats.ledger import Ledger

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 7)))


def stream(*parts: tuple[int, int]) -> list[int]:
    """Bytes of a stream of (value, number of bits), padded with zeros."""
    text = "".join(f"{value:0{bits}b}" for value, bits in parts)
    text += "0" * (-len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]


def header(count: int, word: int = 8, sizes: tuple[int, ...] = (3, 4, 8, 16)) -> list[tuple[int, int]]:
    return [(count, 32), (word - 1, 5), *((size - 1, 4) for size in sizes)]


def pasted(bitmap: Bitmap, size_hw: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(size_hw, bool)
    height, width = bitmap.mask.shape
    whole[bitmap.y : bitmap.y + height, bitmap.x : bitmap.x + width] = bitmap.mask
    return whole


def naive(values: list[int]) -> list[int]:
    """All values of a stream, bit by bit, from the description of the format."""
    text = "".join(f"{value:08b}" for value in values)
    at = 0

    def read(bits: int) -> int:
        nonlocal at
        at += bits
        return int(text[at - bits : at], 2)

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    found: list[int] = []
    while len(found) < total:
        is_run = read(1)
        count = read(sizes[read(2)]) + 1
        found += [read(word)] * count if is_run else [read(word) for _ in range(count)]
    return found


def test_a_stream_put_together_by_hand():
    # a picture of 3 x 2: 24 values. A run of 9 zeros; 6 single values, of which the 3rd (value 11, alpha of pixel 2) is 200 and the
    # last (value 14) no alpha; a run of 9 times 255, which holds the alphas 15, 19 and 23 of pixels 3, 4, 5
    singles = [(0, 8), (9, 8), (200, 8), (7, 8), (7, 8), (7, 8)]
    values = stream(
        *header(24), (1, 1), (1, 2), (8, 4), (0, 8), (0, 1), (0, 2), (5, 3), *singles, (1, 1), (2, 2), (8, 8), (255, 8)
    )
    np.testing.assert_array_equal(pasted(decode_brush(values, (2, 3)), (2, 3)), [[0, 0, 1], [1, 1, 1]])
    assert naive(values)[3::4] == [0, 0, 200, 255, 255, 255]


def test_an_encoded_mask_written_out():
    # 1 x 3: a pixel of background, one painted, one of background: three runs of 4, whose count less 1 is 3, in the shortest size
    bits = [
        *header(12),
        (1, 1),
        (0, 2),
        (3, 3),
        (0, 8),
        (1, 1),
        (0, 2),
        (3, 3),
        (255, 8),
        (1, 1),
        (0, 2),
        (3, 3),
        (0, 8),
    ]
    assert encode_brush(Bitmap(1, 0, np.ones((1, 1), bool)), (1, 3)) == stream(*bits)


@given(MASKS)
def test_decoding_undoes_encoding(mask):
    values = encode_brush(Bitmap(0, 0, mask), mask.shape)
    assert naive(values) == np.repeat(mask.ravel() * 255, 4).tolist()
    if mask.any():
        np.testing.assert_array_equal(pasted(decode_brush(values, mask.shape), mask.shape), mask)


def test_long_runs_are_several_pieces():
    mask = np.zeros((300, 217), bool)
    mask[20:290, 3:] = True
    mask[250, 7] = False
    values = encode_brush(Bitmap(0, 0, mask), mask.shape)
    np.testing.assert_array_equal(pasted(decode_brush(values, mask.shape), mask.shape), mask)


@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from([0, 1, 255]), min_size=1, max_size=9)), max_size=12),
    st.integers(1, 3),
)
def test_runs_and_single_values_in_any_order(pieces, width):
    """Streams as other encoders might write them: pieces begin and end within a pixel."""
    values = [v for is_run, several in pieces for v in ([several[0]] * len(several) if is_run else several)]
    values += [0] * (-len(values) % (4 * width))
    if not values:
        return
    parts = header(len(values))
    done = 0
    for is_run, several in pieces:
        parts += [(int(is_run), 1), (1, 2), (len(several) - 1, 4)]
        parts += [(several[0], 8)] if is_run else [(v, 8) for v in several]
        done += len(several)
    if done < len(values):
        parts += [(1, 1), (2, 2), (len(values) - done - 1, 8), (0, 8)]
    size_hw = (len(values) // (4 * width), width)
    expected = (np.array(values).reshape(*size_hw, 4)[..., 3] > 0) if values else None
    if expected.any():
        np.testing.assert_array_equal(pasted(decode_brush(stream(*parts), size_hw), size_hw), expected)
    else:
        with pytest.raises(Refusal, match="no pixel"):
            decode_brush(stream(*parts), size_hw)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (None, "bad-runs"),
        ("rle", "bad-runs"),
        ([], "bad-runs"),
        ([0, 0, 0], "bad-runs"),
        ([256], "bad-runs"),
        ([-1], "bad-runs"),
        ([1.0], "bad-runs"),
        ([True], "bad-runs"),
        (stream(*header(20)), "size-mismatch"),
        (stream(*header(24)), "bad-runs"),
        (stream(*header(24, word=4), (1, 1), (2, 2), (23, 8), (1, 4)), "bad-runs"),
        (stream(*header(24), (1, 1), (2, 2), (24, 8), (255, 8)), "bad-runs"),  # one value too many
        (stream(*header(24), (0, 1), (2, 2), (23, 8), (255, 8)), "bad-runs"),  # 24 values promised, one there
        (stream(*header(24), (1, 1), (2, 2), (23, 8), (0, 8)), "empty-mask"),
        (stream((2**32 - 1, 32), (7, 5), (2, 4), (3, 4), (7, 4), (15, 4)), "size-mismatch"),
    ],
)
def test_damaged_streams_are_refused(values, code):
    with pytest.raises(Refusal) as caught:
        decode_brush(values, (2, 3))
    assert caught.value.code == code


def test_a_huge_picture_costs_nothing_before_it_is_refused():
    size_hw = (2**15, 2**14)  # 2^31 values; runs of 65536 fill it with 32768 short pieces
    piece = f"1{3:02b}{65535:016b}{255:08b}"
    text = f"{2**31:032b}{7:05b}" + "0010001101111111" + piece * 2**15
    text += "0" * (-len(text) % 8)
    values = list(int(text, 2).to_bytes(len(text) // 8, "big"))
    with pytest.raises(Refusal) as caught:
        decode_brush(values, size_hw, take=Ledger("a.json").take_pixels)
    assert caught.value.code == "too-many-pixels"
