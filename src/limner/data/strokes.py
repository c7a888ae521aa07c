"""Which pixel centres lie at most so far from a line drawn through points.

A centre p is near the piece from a to b, with d = b - a and q = p - a, when

    |q|^2 <= r^2               for q.d <= 0        (before a)
    |p - b|^2 <= r^2           for q.d >= |d|^2    (behind b)
    (q x d)^2 <= r^2 |d|^2     else                (beside)

computed in float64 in this order, which is exact for points on whole pixels or halves of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from limner.core.annotation import PointsXY
from limner.data.scanline import Floats, Integers, Mask, Window, check_coordinates

_AT_ONCE = 1 << 18


def stroke_window(points_xy: PointsXY, radius: float, bounds: Window) -> Window:
    """The pixels of `bounds` whose centres may be at most `radius` from a line.

    Raises
    ------
    ValueError : a coordinate is not finite or beyond `limner.data.scanline.LARGEST`.
    """
    check_coordinates(points_xy)
    left, top = np.floor(points_xy.min(axis=0) - radius - 0.5).astype(np.int64)
    right, bottom = np.ceil(points_xy.max(axis=0) + radius + 0.5).astype(np.int64)
    return Window(int(top), int(left), int(bottom), int(right)).cut(bounds)


def stroke(points_xy: PointsXY, radius: float, window: Window) -> Mask:
    """The centres of a window that are at most `radius` from a line.

    Parameters
    ----------
    points_xy : ``(N, 2)`` float64, N >= 1; a single point makes a disc.
    radius : half the width of the line, > 0.
    window : its rows and columns.

    Returns
    -------
    ``(h, w)`` bool, as large as the window.
    """
    mask = np.zeros(window.size_hw, bool)
    starts = points_xy[:-1] if len(points_xy) > 1 else points_xy
    ends = points_xy[1:] if len(points_xy) > 1 else points_xy
    flat = mask.reshape(-1)
    for piece, row in _rows(starts[:, 1], ends[:, 1], radius, window):
        first, last = _reach(starts[piece], ends[piece], row + 0.5, radius, window)
        for part in _parts(last - first):
            item, step = _counted(last[part] - first[part])
            column = first[part][item] + step
            of, at = piece[part][item], row[part][item]
            near = _is_near(starts[of], ends[of], column + 0.5, at + 0.5, radius)
            flat[((at - window.top) * mask.shape[1] + column - window.left)[near]] = True
    return mask


def _rows(one: Floats, other: Floats, radius: float, window: Window) -> Iterator[tuple[Integers, Integers]]:
    """Pieces of the line with each row that they may reach, in portions."""
    low, high = np.minimum(one, other) - radius, np.maximum(one, other) + radius
    first = np.clip(np.floor(low - 0.5), window.top, window.bottom).astype(np.int64)
    last = np.clip(np.ceil(high + 0.5), window.top, window.bottom).astype(np.int64)
    for part in _parts(last - first):
        item, step = _counted(last[part] - first[part])
        yield item + part.start, first[part][item] + step


def _reach(starts: PointsXY, ends: PointsXY, y: Floats, radius: float, window: Window) -> tuple[Integers, Integers]:
    """Columns that a piece may reach in a row: where it is within `radius` of the row, and `radius` more to both sides."""
    rise = ends[:, 1] - starts[:, 1]
    is_flat = rise == 0
    safe = np.where(is_flat, 1.0, rise)
    shares = np.stack([y - radius - starts[:, 1], y + radius - starts[:, 1]]) / safe
    shares = np.clip(np.where(is_flat, np.array([[0.0], [1.0]]), shares), 0.0, 1.0)
    x = starts[:, 0] + shares * (ends[:, 0] - starts[:, 0])
    first = np.clip(np.floor(x.min(axis=0) - radius - 1), window.left, window.right).astype(np.int64)
    last = np.clip(np.ceil(x.max(axis=0) + radius + 1), window.left, window.right).astype(np.int64)
    return first, np.maximum(last, first)


def _is_near(starts: PointsXY, ends: PointsXY, x: Floats, y: Floats, radius: float) -> Mask:
    dx, dy = ends[:, 0] - starts[:, 0], ends[:, 1] - starts[:, 1]
    qx, qy = x - starts[:, 0], y - starts[:, 1]
    along, length = qx * dx + qy * dy, dx * dx + dy * dy
    px, py = x - ends[:, 0], y - ends[:, 1]
    across = qx * dy - qy * dx
    limit = radius * radius
    beside = across * across <= limit * length
    before, behind = qx * qx + qy * qy <= limit, px * px + py * py <= limit
    return np.asarray(np.where(along <= 0, before, np.where(along >= length, behind, beside)))


def _counted(counts: Integers) -> tuple[Integers, Integers]:
    """For counts (2, 0, 3): items 0 0 2 2 2 with steps 0 1 0 1 2."""
    item = np.repeat(np.arange(len(counts)), counts)
    return item, np.arange(len(item)) - np.repeat(np.cumsum(counts) - counts, counts)


def _parts(counts: Integers) -> Iterator[slice]:
    """Slices of the counts with sums of about `_AT_ONCE`; a single larger count stands alone."""
    done = np.concatenate([[0], np.cumsum(counts)])
    start = 0
    while start < len(counts):
        stop = max(start + 1, int(np.searchsorted(done, done[start] + _AT_ONCE, side="right")) - 1)
        yield slice(start, stop)
        start = stop
