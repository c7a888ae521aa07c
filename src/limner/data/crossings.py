"""Whether a closed line crosses itself.

Two edges cross properly when the ends of each lie strictly on different sides of the other. Candidates are found by a sweep
along x: only edges whose extents overlap are compared.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.annotation import PointsXY
from limner.data.scanline import count_ambiguous

_AT_ONCE = 1 << 18
_MOST_PAIRS, _MOST_PAIRS_EACH = 1 << 16, 256  # edges compared at most: so many, and so many more for each edge
_SIDE = 128  # of the grid for lines with more that overlap

Indices = npt.NDArray[np.intp]


def is_self_crossing(points_xy: PointsXY) -> bool:
    """Whether two edges of a closed line cross, other than neighbours.

    Touching in a point or running along each other is no crossing. The cost is bounded: of lines with very many overlapping edges
    it is asked instead whether the two fill rules differ on a grid of 128 x 128, which misses tiny crossings.

    Parameters
    ----------
    points_xy : ``(N, 2)`` float64, not repeating its first point; with N < 4 nothing can cross.
    """
    if len(points_xy) < 4:
        return False
    ends = np.roll(points_xy, -1, axis=0)
    low, high = np.minimum(points_xy, ends), np.maximum(points_xy, ends)
    order = np.argsort(low[:, 0], kind="stable")
    # edges sorted by their left end: those that overlap an edge in x and come after it are a run behind it
    stops = np.searchsorted(low[order, 0], high[order, 0], side="right")
    counts = np.maximum(stops - np.arange(len(order)) - 1, 0)
    if int(counts.sum()) > _MOST_PAIRS + _MOST_PAIRS_EACH * len(order):
        return _differs_on_a_grid(points_xy)
    done = np.concatenate([[0], np.cumsum(counts)])
    start = 0
    while start < len(order):
        stop = max(start + 1, int(np.searchsorted(done, done[start] + _AT_ONCE, side="right")) - 1)
        first, second = _pairs(start, stop, counts, order)
        overlap = (low[first, 1] < high[second, 1]) & (low[second, 1] < high[first, 1])
        if _any_cross(points_xy, ends, first[overlap], second[overlap]):
            return True
        start = stop
    return False


def _pairs(start: int, stop: int, counts: Indices, order: Indices) -> tuple[Indices, Indices]:
    part = counts[start:stop]
    first = np.repeat(np.arange(start, stop), part)
    step = np.arange(len(first)) - np.repeat(np.cumsum(part) - part, part)
    return order[first], order[first + 1 + step]


def _any_cross(starts: PointsXY, ends: PointsXY, first: Indices, second: Indices) -> bool:
    a, b, c, d = starts[first], ends[first], starts[second], ends[second]
    one, two = _side(a, b, c), _side(a, b, d)
    three, four = _side(c, d, a), _side(c, d, b)
    return bool(((one * two < 0) & (three * four < 0)).any())


def _side(a: PointsXY, b: PointsXY, c: PointsXY) -> npt.NDArray[np.float64]:
    """The sign of the side of the line through a and b on which c lies; neighbours share a point, whose sign is exactly 0."""
    along, across = b - a, c - a
    return np.asarray(np.sign(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]))


def _differs_on_a_grid(points_xy: PointsXY) -> bool:
    low = points_xy.min(axis=0)
    extent = float((points_xy.max(axis=0) - low).max())
    return extent > 0 and count_ambiguous((points_xy - low) * (_SIDE / extent), (_SIDE, _SIDE)) > 0


def has_area(points_xy: PointsXY) -> bool:
    """Whether a closed line bounds an area: not when it lies on a line or runs back on itself all the way.

    The signed area decides unless it is zero, as it also is for a bow tie. Then points on the line between their neighbours are
    taken out until none is left; a line without area vanishes.
    """
    if not len(points_xy):
        return False
    shifted = points_xy - points_xy[0]
    following = np.roll(shifted, -1, axis=0)
    terms = shifted[:, 0] * following[:, 1] - shifted[:, 1] * following[:, 0]
    scale = float(np.abs(shifted).max()) ** 2
    if abs(float(terms.sum())) > 1e-9 * scale:
        return True
    kept: list[tuple[float, float]] = []
    corners = [(float(x), float(y)) for x, y in shifted]
    for corner in corners + corners[:2]:
        while len(kept) >= 2 and abs(_twice_area(kept[-2], kept[-1], corner)) <= 1e-12 * scale:
            kept.pop()
        if not kept or kept[-1] != corner:
            kept.append(corner)
    return len(set(kept)) > 2


def _twice_area(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
