"""Predictions against truth, picture by picture, into one `Report` and its two files."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError, ShapeError
from limner.core.files import write_json, write_text
from limner.core.labels import LabelSpace
from limner.core.report import Report, Row, Score
from limner.metrics.counts import Counts, confusion_table, count_foreground, split_table
from limner.metrics.overlap import DEFINITIONS, METRICS, dice
from limner.metrics.summary import summarize

LabelArray = npt.NDArray[np.integer]
Valid = npt.NDArray[np.bool_]
Pair = tuple[str, LabelArray | None, LabelArray, Valid | None]

FOREGROUND, MACRO = "foreground", "macro"


class Scorer:
    """Adds pictures up, then reports; holds four counts per class and picture, no pixels.

    Parameters
    ----------
    label_space : the classes; id 0 is the background.
    """

    def __init__(self, label_space: LabelSpace) -> None:
        self.label_space = label_space
        self._names = _class_keys(label_space)
        self._images: dict[str, dict[str, Counts]] = {}

    def add(self, name: str, pred_labels: LabelArray, target_labels: LabelArray, valid: Valid | None = None) -> None:
        """Count one picture.

        Parameters
        ----------
        name : the picture's name, not added before.
        pred_labels, target_labels : ``(H, W)`` class ids at the picture's own size.
        valid : ``(H, W)`` bool, False where the truth is not known; None: all valid.

        Raises
        ------
        ShapeError : the arrays differ in shape.
        DataError : an id that is no class, or a name that was added before.
        """
        if name in self._images:
            raise DataError(f"the picture {name} was scored twice", expected="each picture once", where=name)
        try:
            table = confusion_table(pred_labels, target_labels, valid=valid, num_classes=len(self.label_space))
        except (ShapeError, DataError) as error:
            raise type(error)(error.found, expected=error.expected, where=name, fix=error.fix) from None
        counts = dict(zip(self._names, split_table(table), strict=True))
        counts[FOREGROUND] = count_foreground(table)  # with two classes it equals the class, whatever its name
        self._images[name] = counts

    def picture_dice(self) -> tuple[float, ...]:
        """Dice of all foreground classes as one mask, a value per picture in the order of adding; NaN where undefined."""
        return tuple(dice(counts[FOREGROUND]) for counts in self._images.values())

    def foreground_dice(self) -> float:
        """Mean of `picture_dice` over the pictures where it is defined; NaN when it is defined nowhere."""
        return _mean(self.picture_dice())

    def macro_dice(self) -> float:
        """Mean over the foreground classes of their mean Dice over pictures; NaN when it is defined nowhere."""
        return _mean([_mean([dice(counts[name]) for counts in self._images.values()]) for name in self._names[1:]])

    def predicted_classes(self) -> tuple[str, ...]:
        """Foreground classes that were predicted for at least one valid pixel."""
        return tuple(name for name in self._names[1:] if self._pooled(name).predicted)

    def silent_classes(self) -> tuple[str, ...]:
        """Foreground classes that the truth shows and no prediction does."""
        pooled = {name: self._pooled(name) for name in self._names[1:]}
        return tuple(name for name, counts in pooled.items() if counts.true and not counts.predicted)

    def report(
        self,
        *,
        model: str,
        data: str,
        split: str,
        threshold: float | None,
        split_checksum: str,
        seconds: float,
        missing: Sequence[str] = (),
    ) -> Report:
        """Everything counted so far; arguments are the fields of `Report` of the same names."""
        names = tuple(dict.fromkeys((*self._names, FOREGROUND)))
        rows = tuple(_row(image, name, counts[name]) for image, counts in self._images.items() for name in names)
        totals = {name: self._pooled(name) for name in names}
        scores: dict[str, dict[str, Score]] = {}
        for metric, function in METRICS.items():
            pooled = {name: function(totals[name]) for name in names}
            values = {name: [row.metrics[metric] for row in rows[i :: len(names)]] for i, name in enumerate(names)}
            pooled[MACRO] = _mean([pooled[name] for name in self._names[1:]])
            values[MACRO] = [_mean(each) for each in zip(*(values[name] for name in self._names[1:]), strict=True)]
            scores[metric] = {name: summarize(values[name], pooled[name]) for name in values}
        empty = {name: [counts[name] for counts in self._images.values() if not counts[name].true] for name in names}
        return Report(
            model=model, data=data, split=split, samples=len(self._images), threshold=threshold, scores=scores,
            empty_cases={
                name: {"n": len(found), "false_positive_pixels": sum(counts.fp for counts in found)}
                for name, found in empty.items()
            },
            definitions={metric: DEFINITIONS[metric] for metric in METRICS}, split_checksum=split_checksum,
            seconds=seconds, rows=rows, missing=tuple(missing),
        )  # fmt: skip

    def _pooled(self, name: str) -> Counts:
        return reduce(add, (counts[name] for counts in self._images.values()), Counts(0, 0, 0, 0))


def evaluate_pairs(
    pairs: Iterable[Pair],
    label_space: LabelSpace,
    *,
    model: str,
    data: str,
    split: str,
    threshold: float | None = None,
    split_checksum: str = "",
) -> Report:
    """Score pairs of prediction and truth, one at a time.

    Parameters
    ----------
    pairs : ``(name, pred, target, valid)`` as in `Scorer.add`; ``pred`` None: no prediction was found, which counts as
        all background and is named in ``Report.missing``.
    label_space, model, data, split, threshold, split_checksum : as in `Report`.

    Raises
    ------
    ShapeError, DataError : as in `Scorer.add`.
    """
    started, scorer, missing = time.perf_counter(), Scorer(label_space), []
    for name, pred, target, valid in pairs:
        if pred is None:
            missing.append(name)
        scorer.add(name, np.zeros_like(target) if pred is None else pred, target, valid)
    return scorer.report(
        model=model, data=data, split=split, threshold=threshold, split_checksum=split_checksum,
        seconds=time.perf_counter() - started, missing=missing,
    )  # fmt: skip


def write_report_files(report: Report, folder: Path) -> None:
    """Write ``summary.json`` and ``per_image.csv``; undefined is null in the one and empty in the other.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "class", "tp", "fp", "fn", "tn", *METRICS])
    for row in report.rows:
        numbers = ["" if math.isnan(row.metrics[metric]) else repr(row.metrics[metric]) for metric in METRICS]
        writer.writerow([row.image, row.class_name, row.tp, row.fp, row.fn, row.tn, *numbers])
    write_text(folder / "per_image.csv", text.getvalue())
    write_json(folder / "summary.json", report.summary())


def _row(image: str, name: str, counts: Counts) -> Row:
    metrics = {metric: function(counts) for metric, function in METRICS.items()}
    return Row(image, name, counts.tp, counts.fp, counts.fn, counts.tn, metrics)


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def _class_keys(label_space: LabelSpace) -> tuple[str, ...]:
    """The class names, made different from the two summary rows where they would stand for something else."""
    reserved = {MACRO} if len(label_space) == 2 and label_space.names[1] == FOREGROUND else {MACRO, FOREGROUND}
    return tuple(f"{name} (class)" if name in reserved else name for name in label_space.names)
