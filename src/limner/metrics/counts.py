"""Pixels counted once: the confusion table, and the four numbers of one class against the rest.

    truth \\ predicted    class    other
    class                 tp       fn
    other                 fp       tn

Counts add up: the tiles of a picture, or the pictures of a set, give the same sums as the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError, ShapeError

Table = npt.NDArray[np.int64]

CHUNK = 1 << 16  # pixels counted at a time: numpy widens them to 64 bit, which should stay in the processor's cache


@dataclass(frozen=True)
class Counts:
    """Pixels of one class against the rest.

    Parameters
    ----------
    tp : pixels of the class that were predicted as the class.
    fp : pixels predicted as the class that are something else.
    fn : pixels of the class that were predicted as something else.
    tn : all other valid pixels.

    Examples
    --------
    >>> Counts(1, 2, 3, 4) + Counts(10, 0, 0, 1)
    Counts(tp=11, fp=2, fn=3, tn=5)
    """

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def predicted(self) -> int:
        """Pixels where the class was predicted."""
        return self.tp + self.fp

    @property
    def true(self) -> int:
        """Pixels where the class is."""
        return self.tp + self.fn

    @property
    def total(self) -> int:
        """All valid pixels."""
        return self.tp + self.fp + self.fn + self.tn


def confusion_table(
    pred: npt.NDArray[np.integer],
    target: npt.NDArray[np.integer],
    *,
    valid: npt.NDArray[np.bool_] | None = None,
    num_classes: int,
) -> Table:
    """How many valid pixels of each true class were predicted as each class.

    Parameters
    ----------
    pred, target : class ids, any integer type, any number of axes, the same shape.
    valid : bool, the same shape; False pixels are not counted, and their ids may be anything. None: all are valid.
    num_classes : K >= 1; ids of valid pixels are 0 to K - 1.

    Returns
    -------
    ``(K, K)`` int64: row = true class, column = predicted class; all 0 when no pixel is valid.

    Raises
    ------
    ShapeError : the arrays differ in shape.
    DataError : a valid pixel has an id outside 0 to K - 1.

    Examples
    --------
    >>> confusion_table(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]), num_classes=2)
    array([[2, 1],
           [0, 1]])
    """
    _check_shapes(pred, target, valid)
    if valid is not None and not valid.all():
        pred, target = pred[valid], target[valid]
    _check_ids(pred, "prediction", num_classes)
    _check_ids(target, "labels", num_classes)
    flat_pred, flat_target = pred.ravel(), target.ravel()
    if num_classes == 2:
        return _two_by_two(_as_mask(flat_pred), _as_mask(flat_target))
    width = num_classes**2
    kind: Any = np.uint8 if width <= 2**8 else np.uint16 if width <= 2**16 else np.int64
    table, step = np.zeros(width, np.int64), max(CHUNK, width)
    for start in range(0, flat_pred.size, step):
        pairs = flat_target[start : start + step].astype(kind)
        pairs *= kind(num_classes)
        pairs += flat_pred[start : start + step].astype(kind, copy=False)
        table += np.bincount(pairs, minlength=width)
    return table.reshape(num_classes, num_classes)


def _two_by_two(pred: npt.NDArray[np.bool_], target: npt.NDArray[np.bool_]) -> Table:
    """The table of two classes: three counts of yes/no arrays, many pixels an instruction."""
    hits = np.count_nonzero(pred & target)
    predicted, true = np.count_nonzero(pred), np.count_nonzero(target)
    return np.array([[pred.size - predicted - true + hits, predicted - hits], [true - hits, hits]], np.int64)


def _as_mask(ids: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Ids that are all 0 or 1 as yes/no; bytes are only looked at in another way, not copied."""
    return ids.view(np.bool_) if ids.dtype.itemsize == 1 else ids.astype(np.bool_)


def split_table(table: Table) -> tuple[Counts, ...]:
    """One `Counts` per class id of a ``(K, K)`` table, each class against the rest."""
    tp = table.diagonal()
    fp, fn = table.sum(0) - tp, table.sum(1) - tp
    tn = table.sum() - tp - fp - fn
    return tuple(Counts(int(a), int(b), int(c), int(d)) for a, b, c, d in zip(tp, fp, fn, tn, strict=True))


def count_foreground(table: Table) -> Counts:
    """Counts of all classes but id 0 taken as one mask, from a ``(K, K)`` table; one class for another is a hit."""
    return Counts(int(table[1:, 1:].sum()), int(table[0, 1:].sum()), int(table[1:, 0].sum()), int(table[0, 0]))


def count_classes(
    pred: npt.NDArray[np.integer],
    target: npt.NDArray[np.integer],
    *,
    valid: npt.NDArray[np.bool_] | None = None,
    num_classes: int,
) -> tuple[Counts, ...]:
    """One `Counts` per class id, from one pass over the pixels; arguments and errors as in `confusion_table`."""
    return split_table(confusion_table(pred, target, valid=valid, num_classes=num_classes))


def count_mask(
    pred_mask: npt.NDArray[np.bool_], target_mask: npt.NDArray[np.bool_], *, valid: npt.NDArray[np.bool_] | None = None
) -> Counts:
    """Counts of one yes/no mask against another.

    Parameters
    ----------
    pred_mask, target_mask : bool, any number of axes, the same shape.
    valid : bool, the same shape; False pixels are not counted. None: all are valid.

    Raises
    ------
    ShapeError : the arrays differ in shape.
    """
    _check_shapes(pred_mask, target_mask, valid)
    pred_mask, target_mask = pred_mask.astype(bool, copy=False), target_mask.astype(bool, copy=False)
    if valid is not None:
        pred_mask, target_mask = pred_mask[valid], target_mask[valid]
    table = _two_by_two(pred_mask.ravel(), target_mask.ravel())
    return Counts(int(table[1, 1]), int(table[0, 1]), int(table[1, 0]), int(table[0, 0]))


def _check_ids(ids: npt.NDArray[np.integer], kind: str, num_classes: int) -> None:
    if not ids.size or (ids.dtype == np.bool_ and num_classes > 1):
        return
    highest, lowest = int(ids.max()), int(ids.min()) if ids.dtype.kind == "i" else 0
    if highest >= num_classes or lowest < 0:
        raise DataError(
            f"class id {highest if highest >= num_classes else lowest} in the {kind}",
            expected=f"ids 0 to {num_classes - 1}",
            fix="check that prediction and labels use the same classes in the same order",
        )  # fmt: skip


def _check_shapes(
    pred: npt.NDArray[np.generic], target: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_] | None
) -> None:
    if pred.shape != target.shape:
        raise ShapeError(
            f"prediction of shape {pred.shape} for labels of shape {target.shape}", expected="the same shape",
            fix="bring the prediction back to the size of the picture before scoring",
        )  # fmt: skip
    if valid is not None and valid.shape != target.shape:
        raise ShapeError(f"valid mask {valid.shape} for labels of shape {target.shape}", expected="the same shape")
