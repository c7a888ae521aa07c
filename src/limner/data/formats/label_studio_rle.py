"""Brush masks of Label Studio: the bytes of an RGBA picture, row by row, packed into a stream of bits. The mask is the alpha.

The stream is that of the ``rle-pack`` package of thi.ng (README of @thi.ng/rle-pack), highest bit first: in 32 bits the number of
bytes of the picture, in 5 the word size less 1 (7: bytes), in four times 4 the length of a count less 1 (2, 3, 7, 15); then pieces:
1 bit whether one word is repeated, 2 bits which of the four lengths the count has, the count less 1, and the repeated word or as
many words as the count says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Bitmap
from limner.data.formats.geometry import Refusal
from limner.data.formats.runs import Counts, any_size, bitmap_of_spans, runs_of_bitmap

COUNT_BITS = (3, 4, 8, 16)
CHANNELS = 4


class _Bits:
    """Numbers out of a stream of bits."""

    def __init__(self, data: bytes) -> None:
        self._data = data + bytes(8)  # so that no read runs over the end; `read` notices instead
        self._size = 8 * len(data)
        self._at = 0

    def read(self, count: int) -> int:
        """The next `count` bits, at most 32."""
        byte, offset = divmod(self._at, 8)
        self._skip(count)
        return int.from_bytes(self._data[byte : byte + 5], "big") >> (40 - offset - count) & ((1 << count) - 1)

    def words(self, count: int) -> npt.NDArray[np.uint8]:
        """The next `count` bytes, which may begin within a byte of the stream."""
        byte, offset = divmod(self._at, 8)
        self._skip(8 * count)
        raw = np.frombuffer(self._data, np.uint8, count + 1, byte).astype(np.uint16)
        return (raw[:-1] << offset | raw[1:] >> (8 - offset)).astype(np.uint8)

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > self._size:
            raise Refusal("bad-runs", "the brush mask ends before all its pixels are there")


def decode_brush(values: Any, size_hw: tuple[int, int], *, take: Callable[[int], None] = any_size) -> Bitmap:
    """The mask of a brush, cropped to what is painted.

    Parameters
    ----------
    values : the bytes of the stream, a list of whole numbers from 0 to 255.
    size_hw : of the picture.
    take : is asked before the pixels are made, and may refuse.

    Raises
    ------
    Refusal : no such list, another size, a stream that ends early or goes on, nothing painted, or too large.
    """
    if not isinstance(values, list) or not all(type(value) is int and 0 <= value < 256 for value in values):
        raise Refusal("bad-runs", "a brush mask is a list of whole numbers from 0 to 255")
    bits = _Bits(bytes(values))
    total, expected = bits.read(32), CHANNELS * size_hw[0] * size_hw[1]
    if total != expected:
        raise Refusal(
            "size-mismatch",
            f"the brush mask has {total} values; a picture of {size_hw[1]} x {size_hw[0]} has {expected}",
        )
    if bits.read(5) + 1 != 8:
        raise Refusal("bad-runs", "the brush mask is not made of bytes")
    starts, stops = _spans(bits, total)
    return bitmap_of_spans(starts, stops, size_hw, by_column=False, take=take)


def _spans(bits: _Bits, total: int) -> tuple[Counts, Counts]:
    """Where alpha is above 0: first pixel and pixel after the last of each piece."""
    lengths = [bits.read(4) + 1 for _ in range(4)]
    starts, stops = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    done = 0
    while done < total:
        is_repeated = bits.read(1)
        following = done + bits.read(lengths[bits.read(2)]) + 1
        if following > total:
            raise Refusal("bad-runs", "the brush mask goes on after its last pixel")
        if is_repeated:
            if bits.read(8):  # value k is the alpha of pixel k // 4 when k % 4 is 3
                starts.append(np.array([done // CHANNELS]))
                stops.append(np.array([following // CHANNELS]))
        else:
            words = bits.words(following - done)
            painted = np.flatnonzero(words[(3 - done) % CHANNELS :: CHANNELS]) + done // CHANNELS
            starts.append(painted)
            stops.append(painted + 1)
        done = following
    return np.concatenate(starts), np.concatenate(stops)


def encode_brush(bitmap: Bitmap, size_hw: tuple[int, int]) -> list[int]:
    """The stream of a mask: painted pixels white and opaque, the others transparent; pixels outside the picture are cut off.

    Raises
    ------
    Refusal : the picture has more pixels than the stream can count.
    """
    total = CHANNELS * size_hw[0] * size_hw[1]
    if total >= 2**32:
        raise Refusal("too-many-pixels", f"a brush mask for {size_hw[1]} x {size_hw[0]} pixels; 2^30 are the most")
    parts = [f"{total:032b}", f"{7:05b}", *(f"{length - 1:04b}" for length in COUNT_BITS)]
    for index, count in enumerate(runs_of_bitmap(bitmap, size_hw, by_column=False)):
        parts += _pieces(CHANNELS * count, 255 if index % 2 else 0)
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _pieces(count: int, value: int) -> Sequence[str]:
    """The bits that say `value`, `count` times."""
    pieces = []
    while count:
        part = min(count, 1 << COUNT_BITS[-1])
        kind = next(index for index, length in enumerate(COUNT_BITS) if part <= 1 << length)
        pieces.append(f"1{kind:02b}{part - 1:0{COUNT_BITS[kind]}b}{value:08b}")
        count -= part
    return pieces
