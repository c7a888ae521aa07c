"""Objects against objects: one sparse table of shared pixels for each picture, and which object is which.

    iou(p, t) = shared / (area(p) + area(t) - shared)        all areas in valid pixels

Tables of pictures are put together with ``+``: objects of different pictures share no pixel. Only pairs of one class are kept; for
objects without regard to their classes, give all of them class 1.

What is not counted:

    an object without a pixel                                nowhere
    a true object of which more than half is not valid       nowhere; its other pixels count as not valid, too
    a true crowd (several objects drawn as one)              it is neither found nor missed
    a predicted object of which more than half is not valid  it is no false alarm, but may match
    or lies on crowds of its class
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError, ShapeError
from limner.core.objects import Objects

Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CHUNK = 1 << 22  # pixels looked at together
CLOSE = 1e-9  # an IoU so little below a threshold reaches it: 7 / 10 is not below 0.7, however both are rounded


@dataclass(frozen=True)
class Side:
    """The predicted, or the true, objects of a table.

    Parameters
    ----------
    numbers : ``(M,)`` id of each object in its picture, from 1.
    pictures : ``(M,)`` which picture of the table it is in, from 0.
    classes : ``(M,)`` class ids.
    areas : ``(M,)`` valid pixels.
    hidden : ``(M,)`` pixels that are not valid.
    scores : ``(M,)`` float64; 1 where none are known.
    is_crowd : ``(M,)`` bool; several true objects drawn as one. False for all predicted ones.
    """

    numbers: Integers
    pictures: Integers
    classes: Integers
    areas: Integers
    hidden: Integers
    scores: Floats
    is_crowd: Mask

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, kept: Mask) -> Side:
        """The objects where `kept` is True."""
        return Side(*(getattr(self, field.name)[kept] for field in fields(self)))


@dataclass(frozen=True)
class Overlaps:
    """Which predicted object shares how many pixels with which true one of its class.

    Parameters
    ----------
    pred, true : the objects of both sides.
    pairs : ``(P, 2)`` int64, places in `pred` and `true`, sorted; only pairs that share a pixel.
    shared : ``(P,)`` int64 pixels, above 0.
    num_pictures : how many pictures it is of; those without an object count, too.
    """

    pred: Side
    true: Side
    pairs: Integers
    shared: Integers
    num_pictures: int = 1

    def __add__(self, other: Overlaps) -> Overlaps:
        return join([self, other])

    @cached_property
    def iou(self) -> Floats:
        """``(P,)`` IoU of each pair, in (0, 1]."""
        union = self.pred.areas[self.pairs[:, 0]] + self.true.areas[self.pairs[:, 1]] - self.shared
        return np.asarray(self.shared / union, np.float64)

    @cached_property
    def excused(self) -> Mask:
        """``(M,)`` predicted objects that are no false alarms: more than half is not valid or on crowds of their class."""
        on_crowd = self.true.is_crowd[self.pairs[:, 1]]
        pixels = self.pred.hidden.astype(np.float64)
        pixels += np.bincount(self.pairs[on_crowd, 0], self.shared[on_crowd], len(self.pred))
        return np.asarray(2 * pixels > self.pred.areas + self.pred.hidden, np.bool_)

    def classes(self) -> tuple[int, ...]:
        """Ids of the classes of which either side has an object, rising."""
        return tuple(np.union1d(self.pred.classes, self.true.classes).tolist())

    def of_class(self, class_id: int) -> Overlaps:
        """The objects of one class."""
        return self.restrict(self.pred.classes == class_id, self.true.classes == class_id)

    def restrict(self, pred_kept: Mask, true_kept: Mask) -> Overlaps:
        """A table of some objects of both sides, and the pairs between them."""
        if pred_kept.all() and true_kept.all():
            return self
        kept = pred_kept[self.pairs[:, 0]] & true_kept[self.pairs[:, 1]]
        places = [(np.cumsum(side) - 1)[self.pairs[kept, i]] for i, side in enumerate((pred_kept, true_kept))]
        pairs = np.stack(places, axis=1).astype(np.int64).reshape(-1, 2)
        return Overlaps(
            self.pred.take(pred_kept), self.true.take(true_kept), pairs, self.shared[kept], self.num_pictures
        )


@dataclass(frozen=True)
class Matches:
    """Which object is which.

    Parameters
    ----------
    true_of_pred : ``(Mp,)`` place of the true object of each predicted one; -1 = none.
    pred_of_true : ``(Mt,)`` the other way.
    iou : ``(Mt,)`` of each matched true object; 0 = none.
    """

    true_of_pred: Integers
    pred_of_true: Integers
    iou: Floats


def count_overlaps(
    pred: Objects, target: Objects, *, valid: Mask | None = None, crowds: Mask | None = None
) -> Overlaps:
    """The table of one picture.

    Parameters
    ----------
    pred, target : predicted and true objects of one picture.
    valid : ``(H, W)`` bool; False pixels belong to nobody. None: all are valid.
    crowds : ``(M,)`` bool, which true objects are crowds. None: none is.

    Returns
    -------
    `Overlaps`; without pairs where a side is empty.

    Raises
    ------
    ShapeError : the pictures differ in size.
    DataError : `crowds` is not one for each true object.

    Notes
    -----
    Ids change rarely along a row, so runs of equal pairs of ids are counted instead of pixels.
    """
    if pred.ids.shape != target.ids.shape or (valid is not None and valid.shape != target.ids.shape):
        raise ShapeError(
            f"predicted objects {pred.ids.shape}, true objects {target.ids.shape}, valid "
            f"{None if valid is None else valid.shape}", expected="the same shape",
            fix="bring the prediction back to the size of the picture before scoring",
        )  # fmt: skip
    is_crowd = np.zeros(len(target), np.bool_) if crowds is None else np.asarray(crowds, np.bool_)
    if len(is_crowd) != len(target):
        raise DataError(f"{len(is_crowd)} crowd marks", expected=f"one for each of {len(target)} true objects")
    parts = list(_runs(pred.ids, target.ids, valid))
    p, t, known, length = (np.concatenate(column) for column in zip(*parts, strict=True))
    true_area = _sums(t, length, len(target))
    lost = 2 * _sums(t[~known], length[~known], len(target)) > true_area
    lost[0] = False  # no object: what is valid of it stays
    known = known & ~lost[t]
    pred_seen, true_seen = (_sums(i[known], length[known], len(o))[1:] for i, o in ((p, pred), (t, target)))
    pred_area = _sums(p, length, len(pred))[1:]
    scores = np.ones(len(pred)) if pred.scores is None else pred.scores.astype(np.float64)
    pred_side = _side(pred, pred_seen, pred_area - pred_seen, scores, np.zeros(len(pred), np.bool_))
    true_side = _side(target, true_seen, true_area[1:] - true_seen, np.ones(len(target)), is_crowd)
    both = known & (p > 0) & (t > 0)
    keys, inverse = np.unique((p[both].astype(np.int64) - 1) * max(1, len(target)) + t[both] - 1, return_inverse=True)
    shared = _sums(inverse, length[both], len(keys) - 1)
    pairs = np.stack([keys // max(1, len(target)), keys % max(1, len(target))], axis=1)
    same = pred_side.classes[pairs[:, 0]] == true_side.classes[pairs[:, 1]]
    table = Overlaps(pred_side, true_side, pairs[same], shared[same])
    return table.restrict(pred_area > 0, (true_area[1:] > 0) & ~lost[1:])


def join(parts: Sequence[Overlaps]) -> Overlaps:
    """The table of several pictures, in the order of `parts`; an empty one of no parts."""
    if not parts:
        side = _side(Objects.none((0, 0)), _NONE, _NONE, np.ones(0), np.zeros(0, np.bool_))
        return Overlaps(side, side, np.zeros((0, 2), np.int64), _NONE, 0)
    sides: list[list[Side]] = [[], []]
    pairs, before, pictures = [], np.zeros(2, np.int64), 0
    for part in parts:
        pairs.append(part.pairs + before)
        for found, side in zip(sides, (part.pred, part.true), strict=True):
            found.append(Side(side.numbers, side.pictures + pictures, side.classes, side.areas, side.hidden, side.scores,
                              side.is_crowd))  # fmt: skip
        before += (len(part.pred), len(part.true))
        pictures += part.num_pictures
    joined = [
        Side(*(np.concatenate([getattr(side, field.name) for side in found]) for field in fields(Side)))
        for found in sides
    ]
    return Overlaps(
        joined[0], joined[1], np.concatenate(pairs), np.concatenate([part.shared for part in parts]), pictures
    )


def match(overlaps: Overlaps, *, iou: float = 0.5) -> Matches:
    """Pairs of objects with at least this IoU, each object in one pair at most; crowds match nothing.

    Parameters
    ----------
    iou : in (0, 1].

    Returns
    -------
    `Matches`. Above 0.5 an object has one partner at most, so there is nothing to choose; at exactly 0.5 any choice gives the same
    number of pairs. The pairs are taken by falling IoU; of equal ones that of the true object with the lower place, then of the
    predicted one. Below 0.5 this is not always the largest number of pairs.

    Examples
    --------
    >>> one = Objects(np.array([[1, 1, 1, 0]], np.int32), np.array([1], np.int32))
    >>> other = Objects(np.array([[0, 1, 1, 2]], np.int32), np.array([1, 1], np.int32))
    >>> match(count_overlaps(one, other)).iou.round(3).tolist()
    [0.667, 0.0]
    """
    if not 0 < iou <= 1:
        raise DataError(f"an IoU of {iou}", expected="above 0 and at most 1")
    values, pairs = overlaps.iou, overlaps.pairs
    kept = (values >= iou - CLOSE) & ~overlaps.true.is_crowd[pairs[:, 1]]
    values, pairs = values[kept], pairs[kept]
    order = np.lexsort((pairs[:, 0], pairs[:, 1], -values))
    values, pairs = values[order], pairs[order]
    found = Matches(
        np.full(len(overlaps.pred), -1, np.int64), np.full(len(overlaps.true), -1, np.int64), np.zeros(len(overlaps.true))
    )  # fmt: skip
    alone = (np.bincount(pairs[:, 0], minlength=1)[pairs[:, 0]] == 1) & (
        np.bincount(pairs[:, 1], minlength=1)[pairs[:, 1]] == 1
    )
    found.true_of_pred[pairs[alone, 0]] = pairs[alone, 1]
    found.pred_of_true[pairs[alone, 1]] = pairs[alone, 0]
    found.iou[pairs[alone, 1]] = values[alone]
    for (p, t), value in zip(pairs[~alone].tolist(), values[~alone].tolist(), strict=True):
        if found.true_of_pred[p] < 0 and found.pred_of_true[t] < 0:
            found.true_of_pred[p], found.pred_of_true[t], found.iou[t] = t, p, value
    return found


_NONE = np.zeros(0, np.int64)


def _runs(
    pred: npt.NDArray[np.int32], true: npt.NDArray[np.int32], valid: Mask | None
) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Mask, Integers]]:
    """Runs of pixels with the same ids: predicted id, true id, valid, length; at least one part, without pixels of no object."""
    height, width = pred.shape
    step = max(1, CHUNK // max(1, width))
    for top in range(0, max(1, height), step):
        p, t = pred[top : top + step].ravel(), true[top : top + step].ravel()
        changes = (p[1:] != p[:-1]) | (t[1:] != t[:-1])
        known = np.ones(p.shape, np.bool_) if valid is None else valid[top : top + step].ravel()
        if valid is not None:
            changes |= known[1:] != known[:-1]
        starts = np.concatenate([np.zeros(min(1, p.size), np.int64), np.flatnonzero(changes) + 1])
        length = np.diff(starts, append=p.size)
        p, t, known = p[starts], t[starts], known[starts]
        kept = (p > 0) | (t > 0)
        yield p[kept], t[kept], known[kept], length[kept]


def _sums(ids: npt.NDArray[np.integer], length: Integers, highest: int) -> Integers:
    """``(highest + 1,)`` pixels of each id."""
    return np.bincount(ids, length, highest + 1).astype(np.int64)


def _side(objects: Objects, areas: Integers, hidden: Integers, scores: Floats, is_crowd: Mask) -> Side:
    number = len(objects)
    return Side(
        np.arange(1, number + 1), np.zeros(number, np.int64), objects.classes.astype(np.int64), areas, hidden, scores, is_crowd
    )  # fmt: skip
