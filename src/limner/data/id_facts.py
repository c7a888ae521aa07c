"""What a file of object numbers holds, counted once: mask values under each object, and whether numbers look like objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.data.areas import join, neighbours, runs_of
from limner.data.raw_ids import NO_REMARKS, RawIds, Remarks

ONE_AREA = 0.9  # share of an object's pixels in its largest area
_MOST_NUMBERS = 100_000
_LEAST_RUN = 3  # pixels, on average; of a file with shorter runs the numbers are not looked at

Values = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class IdFacts:
    """The objects of one picture without their pixels.

    Parameters
    ----------
    count : how many.
    votes : ``(V, 3)`` int64: object, mask value and the pixels that they share; object 0 are pixels of no object.
    remarks : see `RawIds`.
    """

    count: int
    votes: npt.NDArray[np.int64] = field(repr=False, compare=False)
    remarks: Remarks = NO_REMARKS


def count_ids(found: RawIds | DataError | None, values: Values) -> IdFacts | DataError | None:
    """The facts of the objects over mask values ``(H, W)`` of the same picture; errors and None stay."""
    if not isinstance(found, RawIds):
        return found
    _, lengths, numbers, under = runs_of_both(found.ids, values)
    votes = np.stack(shared_pixels(numbers, under, lengths), axis=1)
    return IdFacts(int(found.ids.max(initial=0)), votes, found.remarks)


def runs_of_both(ids: Values, labels: Values) -> tuple[Numbers, Numbers, Values, Values]:
    """Runs in the rows of two maps ``(H, W)`` in which both keep their value: starts over all rows, lengths, and both values."""
    one, other = ids.ravel(), labels.ravel()
    is_start = np.ones(one.shape, bool)
    np.not_equal(one[1:], one[:-1], out=is_start[1:])
    is_start[1:] |= other[1:] != other[:-1]
    is_start[:: ids.shape[1]] = True
    starts = np.flatnonzero(is_start)
    return starts, np.diff(starts, append=one.size), one[starts], other[starts]


def shared_pixels(ids: Values, labels: Values, lengths: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """The different pairs of two values in runs, and the pixels of each pair."""
    values, under = np.unique(labels, return_inverse=True)  # places, since values may have more than 32 bits
    pairs, place = np.unique(ids.astype(np.int64) << 32 | under, return_inverse=True)
    return (
        pairs >> 32,
        values.astype(np.int64)[pairs & 0xFFFFFFFF],
        np.bincount(place, weights=lengths).astype(np.int64),
    )


def shape_of_numbers(grid: Values, num_values: int) -> tuple[float, bool]:
    """`MaskStats.solid` and `MaskStats.is_in_order` of mask values ``(H, W)``."""
    if not 3 <= num_values <= _MOST_NUMBERS:
        return 0.0, False
    starts, lengths, heads = runs_of(grid)
    if len(starts) * _LEAST_RUN > grid.size:
        return 0.0, False
    kept = np.flatnonzero(heads)
    starts, lengths, heads = starts[kept], lengths[kept], heads[kept]
    values, place = np.unique(heads, return_inverse=True)
    one, other = neighbours(starts, lengths, grid.shape[1])
    same = place[one] == place[other]
    sizes = np.bincount(join(len(starts), one[same], other[same]), weights=lengths, minlength=len(starts))
    largest = np.zeros(len(values))
    np.maximum.at(largest, place, sizes)  # an area's size is kept at its first run
    whole = largest >= ONE_AREA * np.bincount(place, weights=lengths)
    return float(whole.mean()), _in_order(starts, place, grid.shape)


def _in_order(starts: npt.NDArray[np.int64], place: npt.NDArray[np.int64], shape: tuple[int, ...]) -> bool:
    """The values, given as places in their rising table, rise in the order of their first pixels, by rows or by columns."""
    for key in (starts, starts % shape[1] * shape[0] + starts // shape[1]):
        first = np.full(int(place.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, place, key)
        if (np.diff(first) > 0).all():
            return True
    return False
