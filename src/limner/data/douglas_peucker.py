"""Fewer corners: closed lines simplified so that no dropped corner lies further than a tolerance from what remains.

Douglas and Peucker 1973, doi:10.3138/FM57-6770-U75U-7727: keep the corner that lies farthest from the line between two kept ones,
and look at both halves again, until all are near enough. Here every round looks at all pieces of all rings at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from limner.core.annotation import PointsXY

Integers = npt.NDArray[np.int64]


def simplify_rings(rings: Sequence[PointsXY], tolerance: float) -> list[PointsXY]:
    """Closed lines with corners left out; each keeps its first corner, its order, and at least three corners.

    Parameters
    ----------
    rings : each ``(N, 2)``, N >= 3, not repeating its first point and not on one line.
    tolerance : >= 0, in the unit of the points; every dropped corner is that near to the piece that replaces it.
    """
    if not rings:
        return []
    # each ring with its first point once more at its end, one behind the other
    points_xy = np.concatenate([np.concatenate([ring, ring[:1]]) for ring in rings])
    lengths = np.array([len(ring) + 1 for ring in rings])
    ends = np.cumsum(lengths) - 1
    starts = ends - lengths + 1
    keep = np.zeros(len(points_xy), bool)
    keep[starts] = True
    opposite, _ = _farthest(points_xy, starts, ends, starts, starts)
    keep[opposite] = True
    first, last = np.concatenate([starts, opposite]), np.concatenate([opposite, ends])
    is_first = True
    while len(first):
        far, distance = _farthest(points_xy, first, last, first, last)
        split = distance > tolerance
        if is_first:  # the corner farthest from the chord, on either side, always makes a triangle
            side = np.argmax(distance.reshape(2, -1), axis=0)
            split[side * len(rings) + np.arange(len(rings))] = True
            is_first = False
        keep[far[split]] = True
        first, last, far = first[split], last[split], far[split]
        first, last = np.concatenate([first, far]), np.concatenate([far, last])
        is_open = last - first > 1
        first, last = first[is_open], last[is_open]
    keep[ends] = False
    return [points_xy[start:end][keep[start:end]] for start, end in zip(starts, ends, strict=True)]


def _farthest(
    points_xy: PointsXY, first: Integers, last: Integers, one: Integers, other: Integers
) -> tuple[Integers, npt.NDArray[np.float64]]:
    """For each piece from `first` to `last` the point between them farthest from the line from `one` to `other`, and how far.

    Of a piece without points between the first point, at distance -1.
    """
    counts = last - first - 1
    index, distance = first.copy(), np.full(len(first), -1.0)
    used = np.flatnonzero(counts > 0)
    if not len(used):
        return index, distance
    part = counts[used]
    begins = np.cumsum(part) - part
    piece = np.repeat(used, part)
    at = np.arange(len(piece)) - np.repeat(begins, part) + first[piece] + 1
    far = _distance(points_xy[at], points_xy[one[piece]], points_xy[other[piece]])
    distance[used] = np.maximum.reduceat(far, begins)
    is_farthest = far == distance[piece]
    index[used] = np.minimum.reduceat(np.where(is_farthest, at, len(points_xy)), begins)
    return index, distance


def _distance(points_xy: PointsXY, starts: PointsXY, ends: PointsXY) -> npt.NDArray[np.float64]:
    """From points to pieces of lines; to the start of those without length."""
    along, arm = ends - starts, points_xy - starts
    length = (along**2).sum(axis=1)
    share = np.clip((arm * along).sum(axis=1) / np.where(length > 0, length, 1.0), 0.0, 1.0)
    gap = arm - share[:, None] * along
    return np.asarray(np.hypot(gap[:, 0], gap[:, 1]))
