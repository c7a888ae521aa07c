"""How well objects were found and told apart, from one matching at IoU 0.5.

    tp  true objects with a partner whose IoU is high enough      fn  the other true ones      fp  the other predicted ones
    f1 = 2 tp / (2 tp + fp + fn)     precision = tp / (tp + fp)     recall = tp / (tp + fn)     tp_share = tp / (tp + fp + fn)

What each answers where something is missing ("true", "predicted": there are such objects that count):

    true  predicted    f1   tp_share   precision   recall   mean matched IoU   AJI   count error   relative count error
    no    no           NaN  NaN        NaN         NaN      NaN                NaN   0             NaN
    no    yes          0    0          0           NaN      NaN                0     predicted     NaN
    yes   no           0    0          NaN         0        NaN                0     true          1
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from limner.metrics.coco_ap import IOUS
from limner.metrics.matching import CLOSE, Mask, Matches, Overlaps, match

KINDS = ("matched", "missed", "spurious", "merged", "split")


@dataclass(frozen=True)
class ObjectCounts:
    """Objects of one class at one IoU; counts of pictures add up.

    Parameters
    ----------
    tp, fp, fn : found, false and missed objects.
    iou : sum of the IoU of the found ones.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    iou: float = 0.0

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.iou + other.iou)

    @property
    def precision(self) -> float:
        """Share of the predicted objects that are right, in [0, 1]; NaN when none is predicted."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Share of the true objects that were found, in [0, 1]; NaN when there is none."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), in [0, 1]; NaN when there is no object at all, 0 when only one side has some."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def tp_share(self) -> float:
        """TP / (TP + FP + FN), in [0, 1]; NaN when there is no object at all, 0 when only one side has some."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the found objects, in [0, 1]; NaN when none is found."""
        return _ratio(self.iou, self.tp)


@dataclass(frozen=True)
class Findings:
    """The objects of a table with what became of each; everything about objects but AP follows from it.

    Parameters
    ----------
    overlaps : of one class, of one or several pictures.
    """

    overlaps: Overlaps

    @cached_property
    def matches(self) -> Matches:
        """At IoU 0.5."""
        return match(self.overlaps)

    @cached_property
    def covers(self) -> tuple[Mask, Mask]:
        """Of each pair: the predicted object holds more than half of the true one; and the other way."""
        table = self.overlaps
        real = ~table.true.is_crowd[table.pairs[:, 1]]
        return (
            real & (2 * table.shared > table.true.areas[table.pairs[:, 1]]),
            real & (2 * table.shared > table.pred.areas[table.pairs[:, 0]]),
        )

    @cached_property
    def merges(self) -> Mask:
        """``(Mp,)`` predicted objects that hold more than half of each of two or more true ones."""
        return np.asarray(np.bincount(self.overlaps.pairs[self.covers[0], 0], minlength=len(self.overlaps.pred)) > 1)

    @cached_property
    def splits(self) -> Mask:
        """``(Mt,)`` true objects that hold more than half of each of two or more predicted ones."""
        return np.asarray(np.bincount(self.overlaps.pairs[self.covers[1], 1], minlength=len(self.overlaps.true)) > 1)

    def counts(
        self, iou: float = 0.5, *, strict: bool = False, pred: Mask | None = None, true: Mask | None = None
    ) -> ObjectCounts:
        """Found, false and missed objects.

        Parameters
        ----------
        iou : at least 0.5; a found object has at least this IoU, or more than it where `strict`.
        pred, true : ``(M,)`` which objects of each side to count; None: all. A found object counts by its true side.
        """
        table, found = self.overlaps, self.matches
        good = found.iou > iou if strict else found.iou >= iou - CLOSE
        good &= found.pred_of_true >= 0
        unmatched = np.ones(len(table.pred), np.bool_)
        unmatched[found.pred_of_true[good]] = False
        asked = ~table.true.is_crowd if true is None else ~table.true.is_crowd & true
        false = unmatched & ~table.excused & (True if pred is None else pred)
        return ObjectCounts(
            int((good & asked).sum()), int(false.sum()), int((~good & asked).sum()), float(found.iou[good & asked].sum())
        )  # fmt: skip

    def kinds(self) -> tuple[list[str], list[str]]:
        """What each predicted and each true object is, of `KINDS`; empty for one that does not count.

        An object without a partner is ``merged`` where one predicted object holds more than half of it and of another true one,
        else ``split`` where it, or the true object that holds most of it, is in pieces, else ``missed`` or ``spurious``.
        """
        table, found = self.overlaps, self.matches
        p, t = table.pairs.T
        in_merge = np.zeros(len(table.true), np.bool_)
        in_merge[t[self.covers[0] & self.merges[p]]] = True
        piece = np.zeros(len(table.pred), np.bool_)
        piece[p[self.covers[1] & self.splits[t]]] = True
        of_true = (
            (table.true.is_crowd, ""),
            (found.pred_of_true >= 0, "matched"),
            (in_merge, "merged"),
            (self.splits, "split"),
        )
        of_pred = (found.true_of_pred >= 0, "matched"), (table.excused, ""), (self.merges, "merged"), (piece, "split")
        return _first(of_pred, "spurious"), _first(of_true, "missed")

    def best_iou(self) -> tuple[list[float], list[float]]:
        """The highest IoU of each predicted and each true object with any other; 0 where it shares no pixel."""
        values = np.zeros(len(self.overlaps.pred)), np.zeros(len(self.overlaps.true))
        for side, column in zip(values, self.overlaps.pairs.T, strict=True):
            np.maximum.at(side, column, self.overlaps.iou)
        return values[0].tolist(), values[1].tolist()


def object_metrics(findings: Findings) -> dict[str, float]:
    """Every metric of objects but AP and PQ by name, of one class; NaN where undefined (see the table above)."""
    by_iou = [findings.counts(iou) for iou in IOUS]
    half, three_quarters, nine_tenths = by_iou[0], by_iou[5], by_iou[8]
    predicted, true = half.tp + half.fp, half.tp + half.fn
    return {
        "f1_at_iou": half.f1, "f1_at_iou75": three_quarters.f1, "f1_at_iou90": nine_tenths.f1,
        "mean_f1_at_iou": _mean([counts.f1 for counts in by_iou]),
        "object_precision": half.precision, "object_recall": half.recall,
        "tp_share_at_iou": half.tp_share, "tp_share_at_iou75": three_quarters.tp_share,
        "tp_share_at_iou90": nine_tenths.tp_share, "mean_tp_share_at_iou": _mean([counts.tp_share for counts in by_iou]),
        "mean_matched_iou": half.mean_iou, "aji": aggregated_jaccard(findings),
        "count_error": float(abs(predicted - true)), "relative_count_error": _ratio(abs(predicted - true), true),
    }  # fmt: skip


def f1_at_iou(overlaps: Overlaps, *, iou: float = 0.5) -> float:
    """F1 of objects, all classes together; an object of another class is no match.

    Parameters
    ----------
    overlaps : of one or several pictures.
    iou : at least 0.5.

    Returns
    -------
    In [0, 1]; 1 is best. NaN when there is no object at all; 0 when only one side has some.
    """
    return Findings(overlaps).counts(iou).f1


def tp_share_at_iou(overlaps: Overlaps, *, iou: float = 0.5) -> float:
    """TP / (TP + FP + FN) of objects, all classes together: what microscopy calls AP, which it is not.

    Arguments and empty cases as of `f1_at_iou`.

    References
    ----------
    Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7; Schmidt et al. 2018, arXiv:1806.03535.
    """
    return Findings(overlaps).counts(iou).tp_share


def aggregated_jaccard(findings: Findings) -> float:
    """Aggregated Jaccard index: shared pixels of all objects over the pixels of their unions and of what is left over.

    Each true object is laid against the predicted one with the highest IoU (of equal ones, the first), which may serve several;
    predicted objects that serve none are left over.

    Returns
    -------
    In [0, 1]; 1 is best. NaN when there is no object at all; 0 when only one side has some.

    References
    ----------
    Kumar et al. 2017, doi:10.1109/TMI.2017.2677499.
    """
    table = findings.overlaps
    real = ~table.true.is_crowd[table.pairs[:, 1]]
    pairs, shared, iou = table.pairs[real], table.shared[real], table.iou[real]
    order = np.lexsort((pairs[:, 0], -iou, pairs[:, 1]))
    trues, first = np.unique(pairs[order, 1], return_index=True)
    best = order[first]
    partner = pairs[best, 0]
    used, met = np.zeros(len(table.pred), np.bool_), table.true.is_crowd.copy()
    used[partner], met[trues] = True, True
    inside = int(shared[best].sum())
    union = int((table.pred.areas[partner] + table.true.areas[trues] - shared[best]).sum())
    left_over = int(table.true.areas[~met].sum()) + int(table.pred.areas[~used & ~table.excused].sum())
    return _ratio(inside, union + left_over)


def _first(cases: tuple[tuple[Mask, str], ...], otherwise: str) -> list[str]:
    """For each object the word of the first case that holds."""
    found: list[str] = np.select([mask for mask, _ in cases], [word for _, word in cases], otherwise).tolist()
    return found


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)  # all are defined, or none


_EMPTY = "undefined, skipped and counted where neither truth nor prediction has an object, 0 where only one has"
_POOLED = "pooled is over the objects of all pictures"
_AT = {"": "0.5", "75": "0.75", "90": "0.9"}

DEFINITIONS: dict[str, str] = {
    **{
        f"f1_at_iou{end}": f"2 TP / (2 TP + FP + FN) of objects per picture, matched one to one at IoU {at} or more; "
        f"{_EMPTY}; {_POOLED}."
        for end, at in _AT.items()
    },
    "mean_f1_at_iou": f"Mean of F1 of objects over IoU 0.50 to 0.95 in steps of 0.05, per picture; {_EMPTY}; {_POOLED}.",
    "object_precision": "TP / (TP + FP) of objects per picture at IoU 0.5 or more; "
    f"undefined, skipped and counted where no object is predicted; {_POOLED}.",
    "object_recall": "TP / (TP + FN) of objects per picture at IoU 0.5 or more; "
    f"undefined, skipped and counted where the truth has no object; {_POOLED}.",
    **{
        f"tp_share_at_iou{end}": f"TP / (TP + FP + FN) of objects per picture at IoU {at} or more, which microscopy calls AP; "
        f"{_EMPTY}; {_POOLED}."
        for end, at in _AT.items()
    },
    "mean_tp_share_at_iou": "Mean of TP / (TP + FP + FN) of objects over IoU 0.50 to 0.95 in steps of 0.05, per picture; "
    f"{_EMPTY}; {_POOLED}.",
    "mean_matched_iou": "Mean IoU of the objects that match at IoU 0.5 or more, per picture; "
    "undefined, skipped and counted where none matches; pooled is over the objects of all pictures.",
    "aji": "Aggregated Jaccard index per picture: each true object against the predicted one of the highest IoU, their shared "
    f"pixels over their unions and all that is left over; {_EMPTY}; {_POOLED}.",
    "count_error": "How far the number of predicted objects is from the true one, per picture, 0 where neither has an object; "
    "pooled is that of the sums over all pictures, where too many and too few cancel.",
    "relative_count_error": "That number over the number of true objects, per picture; "
    "undefined, skipped and counted where the truth has no object; pooled is that of the sums over all pictures.",
}  # fmt: skip
