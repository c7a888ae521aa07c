"""Masks back to polygons along the borders of pixels, such that filling the polygons gives the mask again.

Corners are the grid points where the border turns. Sorted by rows they pair up to the level pieces of the border, sorted by columns
to the upright ones; following both in turn walks round every ring (O'Rourke 1988, "Uniqueness of orthogonal
connect-the-dots"). Pieces run with the object on their right hand, so outlines run clockwise on the screen and holes the other way.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.annotation import PointsXY, Polygon
from limner.data.douglas_peucker import simplify_rings

Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

# by upper left + 2 upper right + 4 lower left + 8 lower right pixel of a grid point: how many corners lie there
_NUM_CORNERS = np.array([0, 1, 1, 0, 1, 0, 2, 1, 1, 2, 0, 1, 0, 1, 1, 0], np.uint8)
_RISING, _LOWER_RIGHT = (
    6,
    8,
)  # two pixels that touch in a corner, the upper right and the lower left; and the bit of the last
_MOST_DISTANCES = 1 << 24  # computed at most to find short bridges


def polygons_of_mask(mask: Mask, *, tolerance: float = 0.0) -> Polygon:
    """The outlines of a mask.

    Parameters
    ----------
    mask : ``(H, W)`` bool; of numbers those other than 0 count. Pixels that touch in a corner only are apart, and
        what they enclose is no hole.
    tolerance : in pixels; corners that far from the simplified line are dropped (Douglas and Peucker 1973), no ring below a
        triangle. At 0 nothing is dropped.

    Returns
    -------
    One ring for each object, one hole for each hole, whole-number corners, such that at tolerance 0
    ``rasterize(polygons_of_mask(mask), mask.shape)`` is `mask` again, by either fill rule. Holes are cut out of all rings; so where
    an object lies inside a hole of another, its outline is joined to that of the hole by a line there and back, and not cut out.
    Nothing for an empty mask.

    Raises
    ------
    ValueError : the mask has not two axes, or the tolerance is negative or not finite.
    """
    mask = np.asarray(mask, np.bool_)
    if mask.ndim != 2:
        raise ValueError(f"a mask of {mask.shape}; (H, W) is expected")
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"a tolerance of {tolerance}; a number from 0 is expected")
    corners, starts = _trace(mask)
    if not len(starts):
        return Polygon(())
    rings = np.split(corners, starts[1:])
    is_outline = _signed_areas(corners, starts) > 0
    inner = _objects_in_holes(mask, corners[starts].astype(np.int64), is_outline)
    if tolerance > 0:
        rings = simplify_rings(rings, tolerance)
    outlines = tuple(rings[i] for i in np.flatnonzero(is_outline))
    holes = tuple(
        _bridged(rings[i], [rings[k] for k in inner.get(i, ())]) for i in np.flatnonzero(~is_outline).tolist()
    )
    return Polygon(outlines, holes)


def _trace(mask: Mask) -> tuple[PointsXY, Integers]:
    """Corners of all rings one behind the other, and where each ring begins; by their uppermost left piece."""
    height, width = mask.shape
    padded = np.zeros((height + 2, width + 2), np.uint8)
    padded[1:-1, 1:-1] = mask
    code = padded[:-1, :-1] | padded[:-1, 1:] << 1 | padded[1:, :-1] << 2 | padded[1:, 1:] << 3
    del padded
    flat = code.reshape(-1)
    places = np.flatnonzero(_NUM_CORNERS[flat])
    if not len(places):
        return np.zeros((0, 2)), np.zeros(0, np.int64)
    corner_code = flat[places]
    count = _NUM_CORNERS[corner_code]
    places, corner_code = np.repeat(places, count), np.repeat(corner_code, count)
    y, x = np.divmod(places, width + 1)
    is_second = np.zeros(len(places), bool)
    is_second[1:] = places[1:] == places[:-1]
    # corners 2k and 2k + 1 bound a level piece; in each column, likewise, those that follow each other an upright one. Of two
    # corners at one point the first takes the piece to the left. It also takes the upper one, unless the pixels rise
    upright = np.argsort((x * (height + 1) + y) * 2 + (is_second ^ (corner_code == _RISING)), kind="stable")
    partner = np.empty(len(places), np.int64)
    partner[upright[0::2]], partner[upright[1::2]] = upright[1::2], upright[0::2]
    # a piece runs to the right when the object is below it
    runs_right = corner_code[0::2] >= _LOWER_RIGHT
    left = np.arange(0, len(places), 2)
    tail, head = np.where(runs_right, left, left + 1), np.where(runs_right, left + 1, left)
    order, starts = _walk(partner[head] >> 1)
    ordered = np.stack([tail[order], head[order]], axis=1).reshape(-1)
    return np.stack([x[ordered], y[ordered]], axis=1).astype(np.float64), 2 * starts


def _walk(following: Integers) -> tuple[Integers, Integers]:
    """Cycles of a permutation, one after the other, each from its smallest member; and where each begins."""
    order = np.empty(len(following), np.int64)
    starts: list[int] = []
    is_done = bytearray(len(following))
    successor, into = following.data, order.data
    count = 0
    for first in range(len(following)):
        if is_done[first]:
            continue
        starts.append(count)
        at = first
        while not is_done[at]:
            is_done[at] = 1
            into[count] = at
            count += 1
            at = successor[at]
    return order, np.array(starts, np.int64)


def _signed_areas(corners: PointsXY, starts: Integers) -> npt.NDArray[np.float64]:
    """Area inside each ring: positive when it runs clockwise on the screen."""
    following = np.roll(corners, -1, axis=0)
    following[np.append(starts[1:], len(corners)) - 1] = corners[starts]
    terms = corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]
    return np.asarray(np.add.reduceat(terms, starts) / 2)


def _objects_in_holes(mask: Mask, first: Integers, is_outline: Mask) -> dict[int, list[int]]:
    """For each hole that has objects inside, by the index of its ring, the rings of those objects.

    A hole is a patch of background. The pixel below the first corner of its ring and left of it belongs to the hole; and the same
    pixel at the ring of an object belongs to the patch around that object.
    """
    if is_outline.sum() < 2 or is_outline.all():
        return {}
    padded = np.ones((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    padded[1:-1, 1:-1] = ~mask
    _, patches = cv2.connectedComponents(padded, connectivity=8)
    patch = patches[first[:, 1] + 1, first[:, 0]]
    hole_of = dict(zip(patch[~is_outline].tolist(), np.flatnonzero(~is_outline).tolist(), strict=True))
    inner: dict[int, list[int]] = {}
    for index, around in zip(np.flatnonzero(is_outline).tolist(), patch[is_outline].tolist(), strict=True):
        if around in hole_of:
            inner.setdefault(hole_of[around], []).append(index)
    return inner


def _bridged(ring: PointsXY, others: Sequence[PointsXY]) -> PointsXY:
    """A ring with others joined to it by lines there and back, which cancel in the winding number and in the parity alike."""
    if not others:
        return ring
    is_cheap = len(ring) * len(others) <= _MOST_DISTANCES
    at = [int(((ring - other[0]) ** 2).sum(axis=1).argmin()) if is_cheap else 0 for other in others]
    pieces: list[PointsXY] = []
    done = 0
    for i in np.argsort(at, kind="stable").tolist():
        pieces += [ring[done : at[i] + 1], others[i], others[i][:1], ring[at[i] : at[i] + 1]]
        done = at[i] + 1
    return np.concatenate([*pieces, ring[done:]])


def without_holes(polygon: Polygon) -> Polygon:
    """The same area in rings alone, for formats that know no holes: each is joined to the rings around it by a line there and back.

    The pixels are the same, by the non-zero rule, for rings that do not cross themselves or each other; such as those of
    `polygons_of_mask`. Holes that lie in no ring are left out.
    """
    rings = list(polygon.rings)
    for hole in sorted(polygon.holes, key=lambda ring: -abs(float(_signed_areas(ring, np.zeros(1, np.int64))[0]))):
        inside = _inner_point(hole)
        turns = _winding(hole, inside)
        for i, ring in enumerate(rings):
            around = _winding(ring, inside)
            if around:
                rings[i] = _bridged(ring, [hole[::-1] if around * turns > 0 else hole])
    return Polygon(tuple(rings))


def _inner_point(ring: PointsXY) -> tuple[float, float]:
    """A point inside a ring: the middle of the widest part of the row halfway between its two uppermost heights."""
    heights = np.unique(ring[:, 1])
    y = float(heights[:2].mean())
    x = np.sort(_crossings(ring, y)[0])
    widths = x[1::2] - x[0::2]
    widest = int(widths.argmax())
    return float(x[2 * widest] + widths[widest] / 2), y


def _winding(ring: PointsXY, point: tuple[float, float]) -> int:
    """How often a ring runs round a point that does not lie on it."""
    x, sign = _crossings(ring, point[1])
    return int(sign[x < point[0]].sum())


def _crossings(ring: PointsXY, y: float) -> tuple[npt.NDArray[np.float64], Integers]:
    """Where the edges of a ring cross a row, and whether they run down or up there."""
    following = np.roll(ring, -1, axis=0)
    crosses = (ring[:, 1] <= y) != (following[:, 1] <= y)
    a, b = ring[crosses], following[crosses]
    x = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    return x, np.where(b[:, 1] > a[:, 1], 1, -1)
