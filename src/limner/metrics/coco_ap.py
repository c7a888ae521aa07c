"""Average precision by the rule of COCO: how well scores sort true objects before false ones, at several IoUs.

For each class and IoU, the predicted objects of all pictures are taken by falling score. Each matches the free true object of its
picture with the highest IoU, if that is high enough; a crowd is never used up, and what matches it does not count. Precision over
recall is made to fall, read at 101 recalls from 0 to 1, and averaged (Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48; the
details follow the published evaluation of COCO, and the numbers agree with it).

    IoU with a crowd = shared / area of the prediction
    sizes in pixels: small up to 32 x 32, medium 32 x 32 to 96 x 96, large from 96 x 96; both ends belong to them
    a true object of another size is neither found nor missed, and what matches it does not count; nor does a prediction of
    another size that matches nothing
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from limner.metrics.matching import Floats, Integers, Mask, Overlaps

IOUS: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALLS = np.linspace(0, 1, 101)
SIZES: dict[str, tuple[float, float]] = {
    "all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10),
}  # fmt: skip

DEFINITIONS: dict[str, str] = {
    name: f"COCO average precision of objects at IoU {at}: mean precision at 101 recalls, predictions by falling score (equal or "
    "no scores: by picture and id), all of them and not the best 100 of a picture; undefined, skipped and counted where the truth "
    "has no object; pooled is the value of COCO, over the objects of all pictures."
    for name, at in (("ap", "0.50 to 0.95 in steps of 0.05, averaged"), ("ap50", "0.50"), ("ap75", "0.75"))
}


def average_precision(
    overlaps: Overlaps, *, ious: Sequence[float] = IOUS, size: str = "all", max_detections: int | None = None
) -> float:
    """Mean over classes and IoUs of the average precision.

    Parameters
    ----------
    overlaps : of all pictures together; see `limner.metrics.matching.join`. Their order and that of the predicted objects decide
        between equal scores.
    ious : thresholds that an IoU has to reach.
    size : of the objects that count, see `SIZES`.
    max_detections : of each class and picture only so many with the highest scores are looked at; None: all. COCO takes 100.

    Returns
    -------
    In [0, 1]; 1 is best. Classes without a true object of that size are left out; NaN when there is no other. 0 when there are true
    objects and no predicted ones.
    """
    values = [
        _of_class(overlaps.of_class(int(k)), ious, SIZES[size], max_detections)
        for k in np.unique(overlaps.true.classes)
    ]
    defined = [value for found in values for value in found if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def average_precisions(overlaps: Overlaps) -> dict[str, float]:
    """``ap``, ``ap50`` and ``ap75`` of all sizes, from one matching for each IoU; over the classes, as `average_precision`."""
    rows = [_of_class(overlaps.of_class(int(k)), IOUS, SIZES["all"], None) for k in np.unique(overlaps.true.classes)]
    table = np.array([row for row in rows if not math.isnan(row[0])])
    if not len(table):
        return {"ap": math.nan, "ap50": math.nan, "ap75": math.nan}
    return {"ap": float(table.mean()), "ap50": float(table[:, 0].mean()), "ap75": float(table[:, 5].mean())}


def _of_class(overlaps: Overlaps, ious: Sequence[float], limits: tuple[float, float], most: int | None) -> list[float]:
    """The average precision at each IoU of objects of one class; NaN without a true one that counts."""
    pred, true = overlaps.pred, overlaps.true
    ignored = true.is_crowd | _outside(true.areas, limits)
    number = int((~ignored).sum())
    if not number:
        return [math.nan] * len(ious)
    order = np.argsort(-pred.scores, kind="stable")
    order = order[_rank_in_picture(pred.pictures[order]) < (len(pred) if most is None else most)]
    rank = np.full(len(pred), -1, np.int64)
    rank[order] = np.arange(len(order))
    looked_at = rank[overlaps.pairs[:, 0]] >= 0
    pairs, shared = overlaps.pairs[looked_at], overlaps.shared[looked_at]
    iou = np.where(true.is_crowd[pairs[:, 1]], shared / pred.areas[pairs[:, 0]], overlaps.iou[looked_at])
    ranks = rank[pairs[:, 0]]
    by_rank = np.lexsort((pairs[:, 1], ignored[pairs[:, 1]], ranks))
    candidates = ranks[by_rank], pairs[by_rank, 1], iou[by_rank]
    excused = (_outside(pred.areas, limits) | (2 * pred.hidden > pred.areas + pred.hidden))[order]
    found = []
    for threshold in ious:
        partner = _match(*candidates, len(order), true.is_crowd, ignored, min(threshold, 1 - 1e-10))
        hit = partner >= 0
        skipped = np.where(hit, ignored[partner], excused)
        found.append(_mean_precision(hit & ~skipped, ~hit & ~skipped, number))
    return found


def _match(
    ranks: Integers, trues: Integers, iou: Floats, num_pred: int, is_crowd: Mask, ignored: Mask, threshold: float
) -> Integers:
    """The true object of each predicted one, by rank; -1 = none. Pairs stand by rank, those that are ignored last."""
    kept = iou >= threshold
    ranks, trues, iou = ranks[kept], trues[kept], iou[kept]
    partner = np.full(num_pred, -1, np.int64)
    often = np.bincount(trues, minlength=len(is_crowd))
    alone = (np.bincount(ranks, minlength=num_pred)[ranks] == 1) & (is_crowd[trues] | (often[trues] == 1))
    partner[ranks[alone]] = trues[alone]
    used: set[int] = set()
    best, best_iou, before = -1, 0.0, -1
    for rank, true, value in zip(ranks[~alone].tolist(), trues[~alone].tolist(), iou[~alone].tolist(), strict=True):
        if rank != before:
            used |= {best} if best >= 0 and not is_crowd[best] else set()
            best, best_iou, before = -1, threshold, rank
        if true in used or value < best_iou or (best >= 0 and not ignored[best] and ignored[true]):
            continue
        best, best_iou = true, value
        partner[rank] = true
    return partner


def _mean_precision(hit: Mask, wrong: Mask, number: int) -> float:
    """Mean of the falling precision at the recalls of COCO; 0 where a recall is never reached."""
    hits, alarms = np.cumsum(hit), np.cumsum(wrong)
    precision = hits / np.maximum(hits + alarms, 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / number, RECALLS, side="left")
    return float(np.concatenate([precision, [0.0]])[np.minimum(places, len(precision))].mean())


def _rank_in_picture(pictures: Integers) -> Integers:
    """``(M,)`` how many objects of the same picture stand before each."""
    order = np.argsort(pictures, kind="stable")
    grouped = pictures[order]
    first = np.searchsorted(grouped, grouped, side="left")
    rank = np.empty(len(pictures), np.int64)
    rank[order] = np.arange(len(pictures)) - first
    return rank


def _outside(areas: Integers, limits: tuple[float, float]) -> Mask:
    return np.asarray((areas < limits[0]) | (areas > limits[1]), np.bool_)
