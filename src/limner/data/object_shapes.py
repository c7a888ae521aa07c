"""The shape of every object of a picture at once: area, box, pieces, convexity, what it touches.

Ids become runs of equal values in the rows, which are few; all but the convex hulls is counted over runs, for all objects together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.objects import Objects
from limner.data.areas import Numbers, join, neighbours, runs_of

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ObjectShapes:
    """What is known of each of the M objects of one picture that have pixels, in the order of their ids.

    Parameters
    ----------
    classes : ``(M,)`` int32 class ids.
    areas : ``(M,)`` int64 pixels, at least 1.
    boxes : ``(M, 4)`` int64: first row, first column, and the row and column after the last.
    pieces : ``(M,)`` int64 connected pieces; corners connect.
    touching : ``(M,)`` bool, a side or corner of a pixel is shared with another object of the same class.
    at_border : ``(M,)`` bool, a pixel lies on the border of the picture, which may cut it.
    convexity : ``(M,)`` float64 in (0, 1]: `areas` by the pixels whose centres lie in the convex hull of all centres.
    """

    classes: npt.NDArray[np.int32]
    areas: Numbers
    boxes: Numbers
    pieces: Numbers
    touching: Flags
    at_border: Flags
    convexity: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def diameters(self) -> npt.NDArray[np.float64]:
        """``(M,)`` diameter in pixels of the circle of the same area."""
        return np.asarray(np.sqrt(self.areas * (4 / np.pi)))

    @property
    def sides(self) -> Numbers:
        """``(M,)`` longer side of the bounding box in pixels."""
        return np.asarray(np.maximum(self.boxes[:, 2] - self.boxes[:, 0], self.boxes[:, 3] - self.boxes[:, 1]))

    def of_class(self, index: int) -> ObjectShapes:
        """Those of one class."""
        kept = self.classes == index
        return ObjectShapes(
            self.classes[kept], self.areas[kept], self.boxes[kept], self.pieces[kept], self.touching[kept],
            self.at_border[kept], self.convexity[kept],
        )  # fmt: skip


def shapes_of(objects: Objects) -> ObjectShapes:
    """Measure the objects of one picture; hidden ones, which have no pixel, are left out.

    Examples
    --------
    >>> two = Objects(np.array([[1, 0, 0, 2], [1, 1, 0, 2]], np.int32), np.array([1, 1], np.int32))
    >>> found = shapes_of(two)
    >>> found.areas.tolist(), found.boxes.tolist(), found.touching.tolist()
    ([3, 2], [[0, 0, 2, 2], [0, 3, 2, 4]], [False, False])
    """
    height, width = objects.ids.shape
    if not objects.ids.any():
        none, no = np.zeros(0, np.int64), np.zeros(0, bool)
        return ObjectShapes(none.astype(np.int32), none, np.zeros((0, 4), np.int64), none, no, no, np.zeros(0))
    starts, lengths, ids = runs_of(objects.ids)
    kept = np.flatnonzero(ids)
    starts, lengths, ids = starts[kept], lengths[kept], ids[kept]
    order = np.argsort(ids, kind="stable")  # within an object the runs stay in the order of the rows
    heads = np.flatnonzero(np.diff(ids[order], prepend=0))
    shown = ids[order][heads]
    row, left = starts[order] // width, starts[order] % width
    right = left + lengths[order]
    boxes = np.stack(
        [row[heads], np.minimum.reduceat(left, heads), np.maximum.reduceat(row, heads) + 1,
         np.maximum.reduceat(right, heads)], axis=1,
    )  # fmt: skip
    classes = objects.classes[shown - 1]
    areas = np.add.reduceat(lengths[order], heads)
    pieces, touching = _connected(starts, lengths, ids, objects.classes, width)
    at_border = (boxes[:, :2] == 0).any(1) | (boxes[:, 2:] == [height, width]).any(1)
    in_hull = _pixels_in_hulls(row, left, right - 1, np.append(heads, len(row)))
    return ObjectShapes(
        classes, areas, boxes, pieces[shown], touching[shown], at_border, np.minimum(1.0, areas / in_hull)
    )  # fmt: skip


def _connected(
    starts: Numbers, lengths: Numbers, ids: Numbers, classes: npt.NDArray[np.int32], width: int
) -> tuple[Numbers, Flags]:
    """By id (from 0, which is none): connected pieces, and whether it touches another object of its class."""
    upper, lower = neighbours(starts, lengths, width)
    same = ids[upper] == ids[lower]
    areas = join(len(starts), upper[same], lower[same])
    pieces = np.bincount(ids[np.unique(areas)], minlength=len(classes) + 1)
    beside = _beside(starts, lengths, width)
    one = np.concatenate([ids[upper[~same]], ids[beside]])
    other = np.concatenate([ids[lower[~same]], ids[beside + 1]])
    alike = classes[one - 1] == classes[other - 1]
    touching = np.zeros(len(classes) + 1, bool)
    touching[one[alike]] = touching[other[alike]] = True
    return pieces, touching


def _beside(starts: Numbers, lengths: Numbers, width: int) -> Numbers:
    """The runs that the next one follows in the same row, without a pixel between them."""
    return np.flatnonzero((starts[1:] == starts[:-1] + lengths[:-1]) & (starts[1:] % width != 0))


def touching_pairs(ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Pairs of ids above 0 that share a side or corner of a pixel in ``(H, W)``: ``(P, 2)``, the lower first, rising, none twice.

    Examples
    --------
    >>> touching_pairs(np.array([[3, 3, 0, 2], [1, 0, 2, 0]], np.int32)).tolist()
    [[1, 3], [2, 3]]
    """
    starts, lengths, values = runs_of(ids)
    kept = np.flatnonzero(values)
    starts, lengths, values = starts[kept], lengths[kept], values[kept]
    upper, lower = neighbours(starts, lengths, ids.shape[1])
    beside = _beside(starts, lengths, ids.shape[1])
    one = np.concatenate([values[upper], values[beside]]).astype(np.int64)
    other = np.concatenate([values[lower], values[beside + 1]]).astype(np.int64)
    differ = one != other
    pairs = np.stack([np.minimum(one, other)[differ], np.maximum(one, other)[differ]], axis=1)
    return np.asarray(np.unique(pairs, axis=0))


def _pixels_in_hulls(row: Numbers, left: Numbers, right: Numbers, bounds: Numbers) -> npt.NDArray[np.float64]:
    """Pixels whose centres lie in the convex hull of the centres of each object, ``(M,)``.

    The corners of the hull are whole numbers, so that Pick's theorem counts the points with whole coordinates inside and on it:
    ``A + B / 2 + 1`` with the area A and B points on the border (Pick 1899, Sitzungsberichte des Lotos 19, 311-319).

    Parameters
    ----------
    row, left, right : of each run, its first and last column; the runs of an object one after the other.
    bounds : ``(M + 1,)`` where the runs of each object begin, and the end of the last.
    """
    ends = np.stack([left, row, right, row], axis=1).reshape(-1, 1, 2).astype(np.int32)
    hulls = [cv2.convexHull(ends[2 * a : 2 * b])[:, 0] for a, b in pairwise(bounds.tolist())]
    counts = np.array([len(hull) for hull in hulls])
    points = np.concatenate(hulls).astype(np.int64)
    last = np.cumsum(counts) - 1
    following = np.arange(1, len(points) + 1)
    following[last] = last - counts + 1
    x, y = points.T
    heads = last - counts + 1
    twice = np.abs(np.add.reduceat(x * y[following] - x[following] * y, heads))
    border = np.add.reduceat(np.gcd(np.abs(x[following] - x), np.abs(y[following] - y)), heads)
    return np.asarray((twice + border) / 2 + 1)
