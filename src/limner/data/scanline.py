"""Which pixel centres lie inside a closed line, exactly, row by row.

An edge crosses the row of centres y = r + 1/2 when one of its ends lies above or on it and the other below it, and passes it at

    x = xa + (r + 1/2 - ya) / (yb - ya) * (xb - xa).

The winding number of a centre is the sum, over the crossings at or left of it, of +1 for edges that run down and -1 for those that
run up (Foley et al., Computer Graphics: Principles and Practice, section 3.6). A crossing exactly on a centre counts as left of it,
an end exactly on a row as above it: so of two areas that share an edge exactly one holds a centre on that edge. Where the float x
is too close to a centre to be trusted, whole-number arithmetic decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from limner.core.annotation import PointsXY

Fill = Literal["nonzero", "evenodd"]
Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

LARGEST = 2.0**40  # beyond, floats are too coarse for the x above to be off by less than a pixel
_CROSSINGS_AT_ONCE = 1 << 20
_EPS = float(np.finfo(np.float64).eps)
_GRID, _GRID_LARGEST = 256.0, 2.0**16  # on multiples of 1/256 up to here, floats compute a side exactly


@dataclass(frozen=True)
class Window:
    """Rows `top` to `bottom` and columns `left` to `right`, the last ones excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width; 0 when there is nothing inside."""
        return max(0, self.bottom - self.top), max(0, self.right - self.left)

    @property
    def is_empty(self) -> bool:
        """It holds no pixel."""
        return 0 in self.size_hw

    def cut(self, other: Window) -> Window:
        """What lies in both."""
        return Window(
            max(self.top, other.top), max(self.left, other.left),
            min(self.bottom, other.bottom), min(self.right, other.right),
        )  # fmt: skip

    def join(self, other: Window) -> Window:
        """The smallest window around both."""
        return Window(
            min(self.top, other.top), min(self.left, other.left),
            max(self.bottom, other.bottom), max(self.right, other.right),
        )  # fmt: skip

    def inside(self, outer: Window) -> tuple[slice, slice]:
        """The window as slices of an array that covers `outer`."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )


def check_coordinates(points_xy: PointsXY) -> None:
    """Refuse coordinates that no pixel can be told for.

    Raises
    ------
    ValueError : a coordinate is not finite or beyond `LARGEST`.
    """
    if not np.abs(points_xy).max(initial=0.0) <= LARGEST:
        worst = float(np.abs(points_xy).max())
        raise ValueError(f"a coordinate is {worst:g}; finite ones up to {LARGEST:g} are expected")


def window_of(points_xy: PointsXY, bounds: Window) -> Window:
    """The pixels of `bounds` whose centres may lie inside a closed line.

    Raises
    ------
    ValueError : a coordinate is not finite or beyond `LARGEST`.
    """
    if not len(points_xy):
        return Window(bounds.top, bounds.left, bounds.top, bounds.left)
    check_coordinates(points_xy)
    low, high = points_xy.min(axis=0), points_xy.max(axis=0)
    left, top = np.ceil(low - 0.5).astype(np.int64)
    right, bottom = np.ceil(high - 0.5).astype(np.int64)
    return Window(int(top), int(left), int(bottom), int(right)).cut(bounds)


def fill_ring(points_xy: PointsXY, window: Window, fill: Fill) -> Mask:
    """The centres of a window that lie inside a closed line.

    Parameters
    ----------
    points_xy : ``(N, 2)`` float64, finite, up to `LARGEST`; open or closed.
    window : may lie anywhere.
    fill : ``nonzero``: the winding number is not 0; ``evenodd``: the number of crossings to the left is odd.

    Returns
    -------
    ``(h, w)`` bool, as large as the window; False everywhere when N < 3.
    """
    height, width = window.size_hw
    changes = np.zeros((height, width + 1), np.uint8)  # one column more: areas may reach beyond the right border
    for top, keys, winding, parity in _rows(points_xy, window):
        inside = winding != 0 if fill == "nonzero" else parity
        before = np.zeros_like(inside)
        before[1:] = inside[:-1]
        changes.reshape(-1)[top * (width + 1) + keys[inside != before]] = 1
    np.bitwise_xor.accumulate(changes, axis=1, out=changes)
    return changes[:, :width].view(np.bool_)


def count_ambiguous(points_xy: PointsXY, size_hw: tuple[int, int]) -> int:
    """How many pixels the two fill rules differ by, for one closed line; no pixels are made."""
    window = window_of(points_xy, Window(0, 0, *size_hw))
    total = 0
    for _, keys, winding, parity in _rows(points_xy, window):
        differs = (winding != 0) & ~parity
        # every row ends with winding 0, so that the next crossing after one that opens is in the same row
        total += int(np.diff(keys, append=keys[-1:])[differs].sum())
    return total


def num_crossings(points_xy: PointsXY, window: Window) -> int:
    """How many crossings of edges with rows a fill has to look at: what it costs."""
    first, last = _edges(points_xy, window)[2:]
    return int((last - first).sum())


def _rows(points_xy: PointsXY, window: Window) -> Iterator[tuple[int, Integers, Integers, Mask]]:
    """Bands of rows: the first row, then places in it (row times width + 1, plus column) where the winding changes.

    With each place the winding number from there on, and whether the number of crossings up to there is odd. Bands bound the
    memory: a line may cross every row thousands of times.
    """
    if window.is_empty or len(points_xy) < 3:
        return
    low, high, first, last = _edges(points_xy, window)
    height, width = window.size_hw
    for top, bottom in _bands(first, last, height):
        part = np.clip(last, top, bottom) - np.clip(first, top, bottom)
        edge = np.repeat(np.arange(len(part)), part)
        if not len(edge):
            continue
        row = np.arange(len(edge)) + np.repeat(np.clip(first, top, bottom) - (np.cumsum(part) - part), part)
        column = _columns(low[:, edge], high[:, edge], row + window.top, window.left, window.right)
        key = (row - top) * (width + 1) + column
        yield top, *_sum_up(key, low[2, edge] > 0, (bottom - top) * (width + 1))


def _sum_up(key: Integers, is_down: Mask, num_places: int) -> tuple[Integers, Integers, Mask]:
    """Different places in order, with winding and parity after each; counted when places are fewer than crossings, else sorted."""
    if num_places <= len(key):
        number = np.bincount(key, minlength=num_places)
        change = 2 * np.bincount(key[is_down], minlength=num_places) - number
        keys = np.flatnonzero(number)
        return keys, np.cumsum(change)[keys], (np.cumsum(number)[keys] & 1) == 1
    packed = key * 2 + is_down
    packed.sort()
    keys = packed >> 1
    is_last = np.ones(len(keys), bool)
    is_last[:-1] = keys[1:] != keys[:-1]
    winding = np.cumsum((packed & 1) * 2 - 1)[is_last]
    return keys[is_last], winding, (np.flatnonzero(is_last) & 1) == 0


def _edges(points_xy: PointsXY, window: Window) -> tuple[Floats, Floats, Integers, Integers]:
    """Edges that cross rows of the window: upper ends ``(x, y, +1 down or -1 up)``, lower ends, first row, row after the last.

    Both directions of an edge give the same numbers, so that areas on both its sides agree about every pixel. Rows count from the
    top of the window.
    """
    following = np.roll(points_xy, -1, axis=0)
    is_down = points_xy[:, 1] < following[:, 1]
    low = np.where(is_down[:, None], points_xy, following)
    high = np.where(is_down[:, None], following, points_xy)
    rows = np.clip(np.ceil(np.stack([low[:, 1], high[:, 1]]) - 0.5), window.top, window.bottom).astype(np.int64)
    rows -= window.top
    keep = rows[1] > rows[0]
    sign = np.where(is_down, 1.0, -1.0)
    upper = np.stack([low[keep, 0], low[keep, 1], sign[keep]])
    lower = np.stack([high[keep, 0], high[keep, 1]])
    return upper, lower, rows[0, keep], rows[1, keep]


def _bands(first: Integers, last: Integers, height: int) -> list[tuple[int, int]]:
    """Runs of rows with about `_CROSSINGS_AT_ONCE` crossings each."""
    if int((last - first).sum()) <= _CROSSINGS_AT_ONCE:
        return [(0, height)]
    change = np.bincount(first, minlength=height + 1) - np.bincount(last, minlength=height + 1)
    up_to = np.cumsum(np.cumsum(change[:height]))
    band = up_to // _CROSSINGS_AT_ONCE
    cuts = [0, *(np.flatnonzero(np.diff(band)) + 1).tolist(), height]
    return list(pairwise(cuts))


def _columns(low: Floats, high: Floats, row: Integers, left: int, right: int) -> Integers:
    """The first column whose centre is at or right of each crossing, from the left of the window, at most its width."""
    y = row + 0.5
    share = (y - low[1]) / (high[1] - low[1])
    x = low[0] + share * (high[0] - low[0]) - 0.5
    nearest = np.rint(x)
    # the rounding of the two lines above is below 8 eps times the coordinates; twice that is doubted
    is_doubtful = np.abs(x - nearest) <= 16 * _EPS * (np.abs(low[0]) + np.abs(high[0]) + 1)
    is_doubtful &= (nearest >= left) & (nearest < right) & (low[0] != high[0])
    result = np.ceil(x)
    doubtful = np.flatnonzero(is_doubtful)
    if len(doubtful):
        at = nearest[doubtful]
        is_left = _is_left_of_or_on(low[:2, doubtful], high[:, doubtful], at + 0.5, y[doubtful])
        result[doubtful] = np.where(is_left, at, at + 1)
    return np.asarray(np.clip(result, left, right) - left, np.int64)


def _is_left_of_or_on(
    low: Floats, high: Floats,
    x: Floats, y: Floats,
) -> Mask:  # fmt: skip
    """Whether edges pass left of centres or through them, exactly: the sign of ``(yc - ya) (xb - xa) - (xc - xa) (yb - ya)``."""
    side = (y - low[1]) * (high[0] - low[0]) - (x - low[0]) * (high[1] - low[1])
    result = side <= 0
    ends = np.concatenate([low, high])
    is_exact = (np.abs(ends) <= _GRID_LARGEST).all(axis=0) & (ends * _GRID == np.rint(ends * _GRID)).all(axis=0)
    for i in np.flatnonzero(~is_exact).tolist():
        ax, ay, bx, by = ends[:, i].tolist()
        result[i] = _exact_side(ax, ay, bx, by, float(x[i]), float(y[i])) <= 0
    return np.asarray(result)


def _exact_side(xa: float, ya: float, xb: float, yb: float, x: float, y: float) -> int:
    """The same sign in whole numbers: floats are whole numbers over powers of two."""
    ratios = [value.as_integer_ratio() for value in (xa, ya, xb, yb, x, y)]
    scale = max(below for _, below in ratios)
    ax, ay, bx, by, cx, cy = (above * (scale // below) for above, below in ratios)
    return (cy - ay) * (bx - ax) - (cx - ax) * (by - ay)
