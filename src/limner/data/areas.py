"""Connected areas of equal values, of all values at once: rows become runs, touching runs of two rows are joined.

Runs are few in masks, so that this takes a fraction of labelling the pixels of one class after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]


def runs_of(grid: Values) -> tuple[Numbers, Numbers, Values]:
    """Runs of equal values in the rows of ``(H, W)``: their starts, counted over all rows, their lengths, and their values."""
    line = grid.ravel()
    is_start = np.empty(line.shape, bool)
    np.not_equal(line[1:], line[:-1], out=is_start[1:])
    is_start[:: grid.shape[1]] = True
    starts = np.flatnonzero(is_start)
    return starts, np.diff(starts, append=line.size), line[starts]


def boxes_of(grid: Values) -> dict[int, tuple[int, int, int, int]]:
    """First row, first column, and the row and column after the last, of each value but 0 in ``(H, W)``, by rising value.

    Examples
    --------
    >>> boxes_of(np.array([[0, 7, 7], [3, 0, 7]]))
    {3: (1, 0, 2, 1), 7: (0, 1, 2, 3)}
    """
    starts, lengths, values = runs_of(grid)
    kept = np.flatnonzero(values)
    kept = kept[np.argsort(values[kept], kind="stable")]
    if not len(kept):
        return {}
    starts, lengths, values = starts[kept], lengths[kept], values[kept]
    heads = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    row, left = starts // grid.shape[1], starts % grid.shape[1]
    columns = [
        row[heads], np.minimum.reduceat(left, heads), np.maximum.reduceat(row, heads) + 1,
        np.maximum.reduceat(left + lengths, heads),
    ]  # fmt: skip
    boxes = np.stack(columns, axis=1).tolist()
    return {int(value): (a, b, c, d) for value, (a, b, c, d) in zip(values[heads].tolist(), boxes, strict=True)}


def area_sizes(grid: Values) -> dict[int, Numbers]:
    """Pixels of each connected area (corners connect) of each value but 0 in ``(H, W)``; empty when all is 0.

    Examples
    --------
    >>> {v: n.tolist() for v, n in area_sizes(np.array([[1, 0, 2], [0, 1, 2], [2, 0, 0]])).items()}
    {1: [2], 2: [2, 1]}
    """
    starts, lengths, values = runs_of(grid)
    kept = np.flatnonzero(values)
    starts, lengths, values = starts[kept], lengths[kept], values[kept]
    one, other = neighbours(starts, lengths, grid.shape[1])
    same = values[one] == values[other]
    areas = join(len(starts), one[same], other[same])
    sizes = np.bincount(areas, weights=lengths).astype(np.int64)
    firsts = np.unique(areas)  # an area bears the number of its first run
    by_value: dict[int, Numbers] = {}
    for value in np.unique(values).tolist():
        by_value[int(value)] = sizes[firsts[values[firsts] == value]]
    return by_value


def neighbours(starts: Numbers, lengths: Numbers, width: int) -> tuple[Numbers, Numbers]:
    """Pairs of runs that touch from one row to the next, corners included, whatever their values; the upper one first.

    Parameters
    ----------
    starts, lengths : of runs that do not overlap, rising; see `runs_of`.
    width : pixels of a row.
    """
    row = starts // width * width
    low = np.maximum(starts + width - 1, row + width)  # the part of the next row that the run touches
    high = np.minimum(starts + lengths + width + 1, row + 2 * width)
    first = np.searchsorted(starts + lengths, low, side="right")
    last = np.searchsorted(starts, high, side="left")
    count = np.maximum(last - first, 0)
    one = np.repeat(np.arange(len(starts)), count)
    place = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
    return one, first[one] + place


def join(count: int, one: Numbers, other: Numbers) -> Numbers:
    """The least number that each of `count` numbers is joined with, directly or over others.

    Parameters
    ----------
    count : how many numbers, from 0.
    one, other : pairs that are joined.
    """
    least = np.arange(count)
    while len(one):
        a, b = least[one], least[other]
        apart = a != b
        one, other, a, b = one[apart], other[apart], a[apart], b[apart]
        np.minimum.at(least, np.maximum(a, b), np.minimum(a, b))
        while True:  # let every number point to the end of its chain
            shorter = least[least]
            if np.array_equal(shorter, least):
                break
            least = shorter
    return least
