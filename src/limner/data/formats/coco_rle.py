"""Run-length masks of COCO: counts down the columns of the picture, plain or packed into characters.

Packed counts: from the fourth on, the difference to the count two places before is kept; each number is cut into groups of five
bits, the lowest first, with a sixth bit that says "more follows"; the highest bit of the last group is the sign; each group is the
character with code 48 + group. The layout is that of ``rleToString`` in the COCO API (github.com/cocodataset/cocoapi,
common/maskApi.c; Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from limner.core.annotation import Bitmap
from limner.data.formats.fields import size_of
from limner.data.formats.geometry import Refusal
from limner.data.formats.runs import any_size, bitmap_of_runs, counts_of, runs_of_bitmap

MOST_GROUPS = 10  # characters of one number: 50 bits, more than any picture has pixels
_FIRST, _MORE, _BITS, _SIGN = 48, 32, 5, 16


def unpack_counts(text: str) -> list[int]:
    """The counts of a packed string; they may be negative when the string is damaged.

    Raises
    ------
    Refusal : characters that no packer writes, or a number that never ends.

    Examples
    --------
    >>> unpack_counts("06")
    [0, 6]
    >>> unpack_counts("52203")
    [5, 2, 2, 2, 5]
    """
    try:
        groups = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _FIRST
    except UnicodeEncodeError:
        raise Refusal("bad-runs", "the packed run lengths hold characters outside ASCII") from None
    if not len(groups):
        return []
    if groups.min() < 0 or groups.max() > 63:
        raise Refusal("bad-runs", "the packed run lengths hold a character that has no meaning in them")
    last = np.flatnonzero(groups & _MORE == 0)
    if not len(last) or last[-1] != len(groups) - 1:
        raise Refusal("bad-runs", "the packed run lengths end within a number")
    first = np.append(0, last[:-1] + 1)
    sizes = last - first + 1
    if sizes.max() > MOST_GROUPS:
        raise Refusal("bad-runs", f"a packed run length of {sizes.max()} characters")
    shifts = _BITS * (np.arange(len(groups)) - np.repeat(first, sizes))
    values = np.add.reduceat((groups & (_MORE - 1)) << shifts, first)
    values -= np.where(groups[last] & _SIGN, 1 << (_BITS * sizes), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])  # the first count stands alone
    counts: list[int] = values.tolist()
    return counts


def pack_counts(counts: Sequence[int]) -> str:
    """The packed string of `counts`.

    Examples
    --------
    >>> pack_counts([5, 2, 2, 2, 5]), pack_counts([0, 100])
    ('52203', '0T3')
    """
    characters = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            group, value = value & (_MORE - 1), value >> _BITS
            more = value != (-1 if group & _SIGN else 0)
            characters.append(chr(_FIRST + group + (_MORE if more else 0)))
            if not more:
                break
    return "".join(characters)


def decode_rle(
    record: Mapping[str, Any], size_hw: tuple[int, int] | None, *, take: Callable[[int], None] = any_size
) -> Bitmap:
    """The mask of ``{"size": [height, width], "counts": ...}``, cropped to what is painted.

    Parameters
    ----------
    record : `counts` a list or a packed string; without `size` that of the picture holds.
    size_hw : of the picture, when it is known.
    take : is asked before the pixels are made, and may refuse.

    Raises
    ------
    Refusal : no size, another size than the picture's, counts that do not fit it, nothing painted, or too large.
    """
    stated = record.get("size")
    size = size_of(*stated) if isinstance(stated, list) and len(stated) == 2 else None
    if size is None and (stated is not None or size_hw is None):
        raise Refusal("bad-runs", f"a run-length mask of size {str(stated)[:40]}; [height, width] is needed")
    if size is not None and size_hw is not None and size != size_hw:
        raise Refusal(
            "size-mismatch", f"the run-length mask is {size[1]} x {size[0]}, the picture is {size_hw[1]} x {size_hw[0]}"
        )
    real = size or size_hw
    assert real is not None
    counts = record.get("counts")
    if isinstance(counts, str):
        counts = unpack_counts(counts)
    if not isinstance(counts, list):
        raise Refusal("bad-runs", "a run-length mask without counts")
    return bitmap_of_runs(counts_of(counts, real[0] * real[1]), real, by_column=True, take=take)


def encode_rle(bitmap: Bitmap, size_hw: tuple[int, int]) -> dict[str, Any]:
    """``{"size", "counts"}`` with packed counts; pixels outside the picture are cut off."""
    counts = runs_of_bitmap(bitmap, size_hw, by_column=True)
    return {"size": list(size_hw), "counts": pack_counts(counts)}
