"""What other tools would have printed for the same decided classes: the same pixels, other averages, other empty rules.

Each entry of `CONVENTIONS` follows from the confusion tables of the pictures, rows = truth. Where a tool knows only object
and background, the object is the union of all classes but the background. Scores of networks are not looked at: a tool that
takes its metric from scores before the decision prints something else again.

The five systems are those of docs/how-to/from-the-teaching-systems.md; the constant in their smoothed Dice is not
published, 1e-15 and 1 are usual.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.metrics.counts import confusion_table

Tables = npt.NDArray[np.int64]  # (N, K, K): picture, true class, predicted class
Numbers = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Convention:
    """One number that a tool prints.

    Parameters
    ----------
    tool : whose.
    call : what is called there, or the formula.
    empty : what becomes of a class that neither truth nor prediction shows.
    source : where that stands.
    compute : from ``(N, K, K)`` tables to the number; NaN where the tool gives NaN.
    """

    tool: str
    call: str
    empty: str
    source: str
    compute: Callable[[Tables], float]


def scores(
    pred: Iterable[Labels],
    target: Iterable[Labels],
    *,
    num_classes: int,
    valid: Iterable[npt.NDArray[np.bool_]] | None = None,
) -> dict[str, float]:
    """Every number of `CONVENTIONS` for the same pictures.

    Parameters
    ----------
    pred, target : one ``(H, W)`` array of class ids per picture.
    num_classes : K >= 2, the background is 0.
    valid : one ``(H, W)`` bool array per picture; other pixels count nowhere. None: all are valid.

    Raises
    ------
    ShapeError, DataError : as in `limner.metrics.counts.confusion_table`.

    Examples
    --------
    >>> empty, full = np.zeros((2, 3), int), np.ones((2, 3), int)
    >>> found = scores([empty, full], [empty, full], num_classes=2)
    >>> found["scikit-learn jaccard_score of each picture"], found["smp iou_score macro-imagewise"]
    (0.5, 1.0)
    """
    known = iter(valid) if valid is not None else None
    tables = [
        confusion_table(p, t, valid=next(known) if known is not None else None, num_classes=num_classes)
        for p, t in zip(pred, target, strict=True)
    ]
    stacked = np.array(tables, np.int64).reshape(-1, num_classes, num_classes)
    return {name: convention.compute(stacked) for name, convention in CONVENTIONS.items()}


def rows(tables: Tables) -> tuple[dict[str, Any], ...]:
    """A row for each convention with ``tool call value empty source``; of ``(N, K, K)`` tables."""
    return tuple(
        {"tool": c.tool, "call": c.call, "value": c.compute(tables), "empty": c.empty, "source": c.source}
        for c in CONVENTIONS.values()
    )


def smoothed_dice(tables: Tables, *, smooth: float) -> float:
    """Mean over pictures of ``(2 TP + s) / (2 TP + FP + FN + s)``: 1 where nothing is shown and nothing predicted."""
    tp, fp, fn, _ = _object(tables)
    return _mean((2 * tp + smooth) / (2 * tp + fp + fn + smooth))


def dice_of_0_255(tables: Tables, *, white: int = 255) -> float:
    """Dice of all pixels with true masks of 0 and `white` against predictions of 0 and 1: up to 1.99, which nothing checks."""
    tp, fp, fn, _ = (part.sum() for part in _object(tables))
    return float(_ratio(2 * white * tp, white * (tp + fn) + tp + fp))


def _object(tables: Tables) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """TP, FP, FN, TN ``(N,)`` of the union of all classes but the background."""
    whole = tables.astype(np.float64)
    return whole[:, 1:, 1:].sum((1, 2)), whole[:, 0, 1:].sum(1), whole[:, 1:, 0].sum(1), whole[:, 0, 0]


def _classes(tables: Tables) -> tuple[Numbers, Numbers, Numbers]:
    """TP, FP, FN ``(N, K)`` of each class against the rest."""
    whole = tables.astype(np.float64)
    tp = np.diagonal(whole, axis1=1, axis2=2)
    return tp, whole.sum(1) - tp, whole.sum(2) - tp


def _two_classes(tables: Tables) -> Tables:
    """The ``(N, 2, 2)`` tables of background and object."""
    tp, fp, fn, tn = _object(tables)
    return np.stack([np.stack([tn, fp], -1), np.stack([fn, tp], -1)], -2).astype(np.int64)


def _of_all(tables: Tables) -> Tables:
    return np.asarray(tables.sum(0, keepdims=True))


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike, *, empty: float = math.nan) -> Numbers:
    """`part` over `whole`, and `empty` for 0 / 0."""
    a, b = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.asarray(np.divide(a, b, out=np.full(b.shape, empty), where=b > 0))


def _mean(values: Numbers) -> float:
    """The mean of what is not NaN; NaN where there is nothing."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def _class_iou(tables: Tables, *, empty: float = math.nan) -> Numbers:
    tp, fp, fn = _classes(tables)
    return _ratio(tp, tp + fp + fn, empty=empty)


def _class_dice(tables: Tables, *, empty: float = math.nan) -> Numbers:
    tp, fp, fn = _classes(tables)
    return _ratio(2 * tp, 2 * tp + fp + fn, empty=empty)


def _sklearn(numerator: Callable[..., Numbers], denominator: Callable[..., Numbers]) -> Callable[[Tables], float]:
    """Of each picture, 0 where undefined, then the mean."""

    def compute(tables: Tables) -> float:
        tp, fp, fn, _ = _object(tables)
        return _mean(_ratio(numerator(tp, fp, fn), denominator(tp, fp, fn), empty=0.0))

    return compute


def _pooled_f1(tables: Tables) -> float:
    tp, fp, fn, _ = _object(_of_all(tables))
    return float(_ratio(2 * tp, 2 * tp + fp + fn, empty=0.0)[0])


def _monai(tables: Tables, *, background: bool, ignore_empty: bool, iou: bool = False) -> float:
    """Each picture's mean over its classes that are not NaN, then the mean over pictures that have one; 0 without any."""
    values = (_class_iou if iou else _class_dice)(tables, empty=1.0)
    if ignore_empty:
        values = np.where(tables.sum(2) > 0, values, np.nan)
    means = [_mean(row) for row in values[:, 0 if background else 1 :]]
    known = [mean for mean in means if not math.isnan(mean)]
    return math.fsum(known) / len(known) if known else 0.0


def _nnunet(values: Numbers) -> float:
    """Mean over pictures of each class, NaN left out; then the plain mean over the classes, so one NaN makes it NaN."""
    means = [_mean(column) for column in values[:, 1:].T]
    return math.nan if any(map(math.isnan, means)) else math.fsum(means) / len(means)


def _smp(tables: Tables, *, reduction: str) -> float:
    """``segmentation_models_pytorch.metrics.iou_score``: binary for two classes, else all classes."""
    tp, fp, fn = _classes(tables)
    if tables.shape[1] == 2:
        tp, fp, fn = tp[:, 1:], fp[:, 1:], fn[:, 1:]
    if reduction == "micro":
        return float(_ratio(tp.sum(), (tp + fp + fn).sum()))
    if reduction == "micro-imagewise":
        return _mean(_ratio(tp.sum(1), (tp + fp + fn).sum(1), empty=1.0))
    if reduction == "macro":
        return _mean(_ratio(tp.sum(0), (tp + fp + fn).sum(0), empty=1.0))
    return _mean(_ratio(tp, tp + fp + fn, empty=1.0))


def _keras_on_scores(tables: Tables) -> float:
    """``MeanIoU`` turns what it gets into whole numbers: scores below 1 become 0, and all is background."""
    table = np.zeros_like(_of_all(tables))
    table[0, :, 0] = _of_all(tables)[0].sum(1)
    return _mean(_class_iou(table)[0])


def _without_perfect(tables: Tables) -> float:
    means = np.array([_mean(row) for row in _class_iou(tables)])
    return _mean(means[means < 1])


SKLEARN = "scikit-learn, zero_division='warn': 0 with a warning"
TORCHMETRICS = (
    "torchmetrics 1.9, functional/segmentation; in earlier versions an absent class was 0 (issues 2558, 2866)"
)
MONAI = "MONAI 1.6, metrics/meandice.py and metrics/utils.py"
SMP = "segmentation_models_pytorch 0.6, metrics/functional.py: zero_division=1.0"
KERAS = "Keras 3, metrics/iou_metrics.py"
NNUNET = "nnU-Net v2, nnunetv2/evaluation/evaluate_predictions.py (issue 2976)"
MMSEG = "MMSegmentation 1.x, mmseg/evaluation/metrics/iou_metric.py"
SYSTEMS = "docs/how-to/from-the-teaching-systems.md"
AS_0, AS_1, LEFT_OUT = "counts as 0", "counts as 1", "left out without being counted"

CONVENTIONS: dict[str, Convention] = {
    "scikit-learn f1_score": Convention("scikit-learn", "f1_score(truth, pred) of all pixels", AS_0, SKLEARN, _pooled_f1),
    "scikit-learn jaccard_score of each picture": Convention(
        "scikit-learn", "mean of jaccard_score(truth, pred) of each picture", AS_0, SKLEARN,
        _sklearn(lambda tp, fp, fn: tp, lambda tp, fp, fn: tp + fp + fn),
    ),
    "scikit-learn jaccard_score macro": Convention(
        "scikit-learn", "jaccard_score(truth, pred, average='macro') of all pixels", LEFT_OUT, SKLEARN,
        lambda tables: _mean(_class_iou(_of_all(tables))[0]),
    ),
    "torchmetrics MeanIoU": Convention(
        "torchmetrics", "MeanIoU(num_classes=K)", LEFT_OUT + "; -1 with per_class=True", TORCHMETRICS,
        lambda tables: _mean(_class_iou(tables).ravel()),
    ),
    "torchmetrics MeanIoU without background": Convention(
        "torchmetrics", "MeanIoU(num_classes=K, include_background=False)", LEFT_OUT, TORCHMETRICS,
        lambda tables: _mean(_class_iou(tables)[:, 1:].ravel()),
    ),
    "torchmetrics DiceScore macro": Convention(
        "torchmetrics", "DiceScore(num_classes=K, average='macro')", LEFT_OUT, TORCHMETRICS,
        lambda tables: _mean(np.array([_mean(row) for row in _class_dice(tables)])),
    ),
    "MONAI DiceMetric": Convention(
        "MONAI", "DiceMetric()", "left out, and so are its false alarms; 0 where nothing is left", MONAI,
        lambda tables: _monai(tables, background=True, ignore_empty=True),
    ),
    "MONAI DiceMetric without background": Convention(
        "MONAI", "DiceMetric(include_background=False)", "left out, and so are its false alarms; 0 where nothing is left", MONAI,
        lambda tables: _monai(tables, background=False, ignore_empty=True),
    ),
    "MONAI DiceMetric with empty pictures": Convention(
        "MONAI", "DiceMetric(include_background=False, ignore_empty=False)", AS_1, MONAI,
        lambda tables: _monai(tables, background=False, ignore_empty=False),
    ),
    "MONAI MeanIoU without background": Convention(
        "MONAI", "MeanIoU(include_background=False)", "left out, and so are its false alarms; 0 where nothing is left", MONAI,
        lambda tables: _monai(tables, background=False, ignore_empty=True, iou=True),
    ),
    "nnU-Net foreground_mean Dice": Convention(
        "nnU-Net", "summary.json foreground_mean.Dice", "NaN per picture, left out; a class on no picture makes all NaN", NNUNET,
        lambda tables: _nnunet(_class_dice(tables)),
    ),
    "nnU-Net foreground_mean IoU": Convention(
        "nnU-Net", "summary.json foreground_mean.IoU", "NaN per picture, left out; a class on no picture makes all NaN", NNUNET,
        lambda tables: _nnunet(_class_iou(tables)),
    ),
    "smp iou_score micro": Convention(
        "segmentation_models_pytorch", "iou_score(..., reduction='micro')", "NaN where there is none at all", SMP,
        lambda tables: _smp(tables, reduction="micro"),
    ),
    "smp iou_score macro": Convention(
        "segmentation_models_pytorch", "iou_score(..., reduction='macro')", AS_1, SMP,
        lambda tables: _smp(tables, reduction="macro"),
    ),
    "smp iou_score micro-imagewise": Convention(
        "segmentation_models_pytorch", "iou_score(..., reduction='micro-imagewise')", AS_1, SMP,
        lambda tables: _smp(tables, reduction="micro-imagewise"),
    ),
    "smp iou_score macro-imagewise": Convention(
        "segmentation_models_pytorch", "iou_score(..., reduction='macro-imagewise')", AS_1, SMP,
        lambda tables: _smp(tables, reduction="macro-imagewise"),
    ),
    "Keras MeanIoU": Convention(
        "Keras", "MeanIoU(num_classes=K) on class ids", LEFT_OUT, KERAS, lambda tables: _mean(_class_iou(_of_all(tables))[0])
    ),
    "Keras MeanIoU on scores": Convention(
        "Keras", "MeanIoU(num_classes=K) on sigmoid scores", "scores below 1 count as background", KERAS, _keras_on_scores
    ),
    "MMSegmentation mIoU": Convention(
        "MMSegmentation", "IoUMetric mIoU / 100", LEFT_OUT, MMSEG, lambda tables: _mean(_class_iou(_of_all(tables))[0])
    ),
    "MMSegmentation mDice": Convention(
        "MMSegmentation", "IoUMetric mDice / 100", LEFT_OUT, MMSEG, lambda tables: _mean(_class_dice(_of_all(tables))[0])
    ),
    "A f1": Convention(
        "system A", "mean over pictures of the F1 score", AS_0, SYSTEMS,
        _sklearn(lambda tp, fp, fn: 2 * tp, lambda tp, fp, fn: 2 * tp + fp + fn),
    ),
    "A jaccard": Convention(
        "system A", "mean over pictures of the Jaccard index", AS_0, SYSTEMS,
        _sklearn(lambda tp, fp, fn: tp, lambda tp, fp, fn: tp + fp + fn),
    ),
    "A recall": Convention(
        "system A", "mean over pictures of recall", AS_0, SYSTEMS, _sklearn(lambda tp, fp, fn: tp, lambda tp, fp, fn: tp + fn)
    ),
    "A precision": Convention(
        "system A", "mean over pictures of precision", AS_0, SYSTEMS,
        _sklearn(lambda tp, fp, fn: tp, lambda tp, fp, fn: tp + fp),
    ),
    "smoothed Dice 1e-15": Convention(
        "systems A, B, D, E", "mean over pictures of (2 I + s) / (A + B + s), s = 1e-15", AS_1, SYSTEMS,
        lambda tables: smoothed_dice(tables, smooth=1e-15),
    ),
    "smoothed Dice 1": Convention(
        "systems A, B, D, E", "mean over pictures of (2 I + s) / (A + B + s), s = 1", AS_1, SYSTEMS,
        lambda tables: smoothed_dice(tables, smooth=1.0),
    ),
    "B Dice of 0/255": Convention(
        "system B", "Dice of all pixels, true masks of 0 and 255", "not defined; its values may exceed 1", SYSTEMS, dice_of_0_255
    ),
    "C mean IoU": Convention(
        "system C", "mean over pictures of the mean IoU of their classes", LEFT_OUT, SYSTEMS,
        lambda tables: _mean(np.array([_mean(row) for row in _class_iou(tables)])),
    ),
    "C mean IoU without perfect pictures": Convention(
        "system C", "the same without pictures of IoU 1.0", "a picture without objects, rightly left alone, is dropped", SYSTEMS,
        _without_perfect,
    ),
    "D mean IoU": Convention(
        "system D", "Keras MeanIoU(num_classes=2) on decided masks", LEFT_OUT, SYSTEMS,
        lambda tables: _mean(_class_iou(_two_classes(_of_all(tables)))[0]),
    ),
}  # fmt: skip
