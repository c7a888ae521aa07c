"""Overlap of prediction and truth, from counts; what cannot be measured is NaN, never a made-up 0 or 1.

    dice = 2 tp / (2 tp + fp + fn)      iou = tp / (tp + fp + fn)      dice = 2 iou / (1 + iou)

What each function answers where something is missing ("shown": by the truth; "predicted": by the prediction):

    shown  predicted    dice   iou   precision   recall   volumetric similarity
    no     no           NaN    NaN   NaN         NaN      NaN
    no     yes          0      0     0           NaN      0
    yes    no           0      0     NaN         0        0
"""

from __future__ import annotations

import math
from collections.abc import Callable

from limner.metrics.counts import Counts


def dice(counts: Counts) -> float:
    """Twice the shared pixels over the sum of both areas.

    Returns
    -------
    In [0, 1]; 1 is best. NaN when neither truth nor prediction shows the class; 0 when only one does.

    References
    ----------
    Dice 1945, doi:10.2307/1932409. For one yes/no map it is the F1 score.

    Examples
    --------
    >>> dice(Counts(tp=3, fp=1, fn=1, tn=0))
    0.75
    """
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def iou(counts: Counts) -> float:
    """Shared pixels over the pixels of either (Jaccard index).

    Returns
    -------
    In [0, 1]; 1 is best. NaN when neither truth nor prediction shows the class; 0 when only one does.

    References
    ----------
    Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x.
    """
    return _ratio(counts.tp, counts.tp + counts.fp + counts.fn)


def precision(counts: Counts) -> float:
    """Share of the predicted pixels that are right.

    Returns
    -------
    In [0, 1]; 1 is best. NaN when nothing is predicted.
    """
    return _ratio(counts.tp, counts.predicted)


def recall(counts: Counts) -> float:
    """Share of the true pixels that were found (sensitivity).

    Returns
    -------
    In [0, 1]; 1 is best. NaN when the truth does not show the class.
    """
    return _ratio(counts.tp, counts.true)


def accuracy(counts: Counts) -> float:
    """Share of all valid pixels that are right about this class; high whenever the class is small.

    Returns
    -------
    In [0, 1]; 1 is best. NaN when no pixel is valid.
    """
    return _ratio(counts.tp + counts.tn, counts.total)


def specificity(counts: Counts) -> float:
    """Share of the pixels outside the class that were left out; high whenever the class is small.

    Returns
    -------
    In [0, 1]; 1 is best. NaN when the class fills the picture.
    """
    return _ratio(counts.tn, counts.tn + counts.fp)


def volumetric_similarity(counts: Counts) -> float:
    """How alike the two areas are in size, wherever they lie: 1 - |fn - fp| / (2 tp + fp + fn).

    Returns
    -------
    In [0, 1]; 1 is best, even without a shared pixel. NaN when neither truth nor prediction shows the class; 0 when
    only one does.

    References
    ----------
    Taha and Hanbury 2015, doi:10.1186/s12880-015-0068-x.
    """
    total = 2 * counts.tp + counts.fp + counts.fn
    return _ratio(total - abs(counts.fn - counts.fp), total)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


METRICS: dict[str, Callable[[Counts], float]] = {
    "dice": dice, "iou": iou, "precision": precision, "recall": recall, "accuracy": accuracy,
}  # fmt: skip

MORE_METRICS: dict[str, Callable[[Counts], float]] = {
    "specificity": specificity, "volumetric_similarity": volumetric_similarity,
}  # fmt: skip

DEFINITIONS: dict[str, str] = {
    "dice": "2 TP / (2 TP + FP + FN) per picture at native size; "
    "undefined, skipped and counted where neither truth nor prediction shows the class, 0 where only one does.",
    "iou": "TP / (TP + FP + FN) per picture at native size; "
    "undefined, skipped and counted where neither truth nor prediction shows the class, 0 where only one does.",
    "precision": "TP / (TP + FP) per picture, the share of the predicted pixels that are right; "
    "undefined, skipped and counted where nothing is predicted.",
    "recall": "TP / (TP + FN) per picture, the share of the true pixels that were found; "
    "undefined, skipped and counted where the truth does not show the class.",
    "accuracy": "(TP + TN) / all valid pixels per picture, the class against the rest; "
    "undefined, skipped and counted where no pixel is valid.",
    "specificity": "TN / (TN + FP) per picture, the share of the pixels outside the class that were left out; "
    "undefined, skipped and counted where the class fills the picture.",
    "volumetric_similarity": "1 - |FN - FP| / (2 TP + FP + FN) per picture, how alike the two areas are in size wherever they lie; "
    "undefined, skipped and counted where neither truth nor prediction shows the class, 0 where only one does.",
}
