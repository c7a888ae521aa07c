"""Predictions against truth, picture by picture, into one `Report` and its two files."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError, ShapeError
from limner.core.files import write_json, write_text
from limner.core.labels import LabelSpace
from limner.core.objects import Objects
from limner.core.report import ObjectRow, Report, Row, Score
from limner.evaluation.measure import CALIBRATION, SURFACE, Measured, Plan, measure_surface, pool
from limner.evaluation.object_scorer import ObjectScorer
from limner.metrics import compat as conventions
from limner.metrics.calibration import reliability
from limner.metrics.counts import Counts, Table, confusion_table, count_foreground, split_table
from limner.metrics.distance import Spacing
from limner.metrics.object_table import OBJECT_TABLE
from limner.metrics.overlap import dice
from limner.metrics.summary import summarize_columns, unit_numbers
from limner.metrics.table import define

LabelArray = npt.NDArray[np.integer]
ScoreArray = npt.NDArray[np.float32]
Valid = npt.NDArray[np.bool_]
Pair = tuple[str, LabelArray | None, LabelArray, Valid | None]

FOREGROUND, MACRO = "foreground", "macro"


class Scorer:
    """Adds pictures up, then reports; holds a few numbers per class and picture, no pixels.

    Parameters
    ----------
    label_space : the classes; id 0 is the background.
    metrics : ``overlap`` (counts of pixels, fast) or ``all`` (boundaries and calibration as well).
    spacing : height and width of a pixel in mm; None: lengths are in pixels.
    tolerance : of surface Dice, in pixels or mm; None: 2 pixels, or twice the longer side of a pixel.
    compat : also say what other tools would have printed.
    """

    def __init__(
        self,
        label_space: LabelSpace,
        *,
        metrics: str = "overlap",
        spacing: Spacing | None = None,
        tolerance: float | None = None,
        compat: bool = False,
    ) -> None:
        self.label_space = label_space
        self.plan = Plan(metrics, spacing, tolerance)
        self._names = _class_keys(label_space)
        self._images: dict[str, dict[str, Measured]] = {}
        self._groups: list[str] = []
        self._confusion: Table = np.zeros((len(label_space), len(label_space)), np.int64)
        self._tables: list[Table] | None = [] if compat else None
        self._objects = ObjectScorer(label_space, self._names)

    def add(
        self,
        name: str,
        pred_labels: LabelArray,
        target_labels: LabelArray,
        valid: Valid | None = None,
        *,
        scores: ScoreArray | None = None,
        group: str = "",
        pred_objects: Objects | None = None,
        target_objects: Objects | None = None,
        told_apart: Collection[int] | None = None,
    ) -> None:
        """Measure one picture.

        Parameters
        ----------
        name : the picture's name, not added before.
        pred_labels, target_labels : ``(H, W)`` class ids at the picture's own size.
        valid : ``(H, W)`` bool, False where the truth is not known; None: all valid.
        scores : ``(K, H, W)`` after sigmoid (one map for two classes) or softmax; calibration needs them, else None.
        group : pictures of one group are drawn together for the intervals; empty: it stands for itself.
        target_objects : the true objects; None: the picture is not measured as objects.
        pred_objects : the predicted ones; None: the connected regions (8 neighbours) of each class of things in `pred_labels`.
        told_apart : class ids of which the model tells objects apart; of other things its connected regions are taken. None: all.

        Raises
        ------
        ShapeError : the arrays differ in shape.
        DataError : an id that is no class, a score outside 0 to 1, or a name that was added before.
        """
        if name in self._images:
            raise DataError(f"the picture {name} was scored twice", expected="each picture once", where=name)
        try:
            table = confusion_table(pred_labels, target_labels, valid=valid, num_classes=len(self.label_space))
            measured = self._measure(table, pred_labels, target_labels, valid, scores)
            if target_objects is not None:
                self._objects.add(
                    name, pred_objects, target_objects, pred_labels, target_labels, valid, told_apart=told_apart
                )
        except (ShapeError, DataError) as error:
            raise type(error)(error.found, expected=error.expected, where=name, fix=error.fix) from None
        self._images[name] = measured
        self._groups.append(group)
        self._confusion += table
        if self._tables is not None:
            self._tables.append(table)

    def _measure(
        self, table: Table, pred: LabelArray, target: LabelArray, valid: Valid | None, scores: ScoreArray | None
    ) -> dict[str, Measured]:
        counts = dict(zip(self._names, split_table(table), strict=True))
        if self.plan.extent == "overlap":
            measured = {name: Measured(found) for name, found in counts.items()}
            return measured | {FOREGROUND: Measured(count_foreground(table))}
        maps = _class_scores(scores, self.label_space)
        measured = {}
        for index, (name, found) in enumerate(counts.items()):
            measured[name] = _measure_class(
                found, pred == index, target == index, valid, maps, index, self.plan, with_surface=index > 0
            )
        if len(self.label_space) == 2:  # the union equals the class, whatever its name
            return measured | {FOREGROUND: measured[self._names[1]]}
        union = count_foreground(table)
        found_all = _measure_class(union, pred > 0, target > 0, valid, maps, -1, self.plan, with_surface=True)
        return measured | {FOREGROUND: found_all}

    def picture_dice(self) -> tuple[float, ...]:
        """Dice of all foreground classes as one mask, a value per picture in the order of adding; NaN where undefined."""
        return tuple(dice(measured[FOREGROUND].counts) for measured in self._images.values())

    def foreground_dice(self) -> float:
        """Mean of `picture_dice` over the pictures where it is defined; NaN when it is defined nowhere."""
        return _mean(self.picture_dice())

    def macro_dice(self) -> float:
        """Mean over the foreground classes of their mean Dice over pictures; NaN when it is defined nowhere."""
        return _mean([_mean([dice(found[name].counts) for found in self._images.values()]) for name in self._names[1:]])

    def predicted_classes(self) -> tuple[str, ...]:
        """Foreground classes that were predicted for at least one valid pixel."""
        return tuple(name for name in self._names[1:] if self._pooled(name).counts.predicted)

    def silent_classes(self) -> tuple[str, ...]:
        """Foreground classes that the truth shows and no prediction does."""
        pooled = {name: self._pooled(name).counts for name in self._names[1:]}
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
        data_checksum: str = "",
        notes: Sequence[str] = (),
    ) -> Report:
        """Everything measured so far; arguments are the fields of `Report` of the same names."""
        names = tuple(dict.fromkeys((*self._names, FOREGROUND)))
        pooled = {name: self._pooled(name) for name in names}
        metrics = self._metrics(pooled)
        rows = tuple(
            _row(image, name, measured[name], (*metrics, *self._objects.metrics), group, self.plan, objects.get(name, {}))
            for (image, measured), group in zip(self._images.items(), self._groups, strict=True)
            for objects in (self._object_values(self._objects.picture(image)),)
            for name in names
        )  # fmt: skip
        unit, number = self._units()
        empty = {name: [found[name].counts for found in self._images.values()] for name in names}
        return Report(
            model=model, data=data, split=split, samples=len(self._images), threshold=threshold,
            scores=self._scores(rows, pooled, (*metrics, *self._objects.metrics)),
            empty_cases={name: _empty_cases(counts) for name, counts in empty.items()},
            definitions={name: define(name, unit=self.plan.unit, tolerance=self.plan.accepted) for name in metrics}
            | {name: OBJECT_TABLE[name].definition for name in self._objects.metrics},
            split_checksum=split_checksum, seconds=seconds, rows=rows, missing=tuple(missing),
            classes=self.label_space.names, confusion=tuple(tuple(map(int, line)) for line in self._confusion),
            one_sided={name: _one_sided(counts) for name, counts in empty.items()},
            calibration={
                name: found.reliability.rows() for name, found in pooled.items() if found.reliability is not None
            },
            unit=self.plan.unit, resampled=(unit, number), data_checksum=data_checksum,
            notes=(*notes, *self._objects.notes, *_interval_notes(unit, number, len(self._images))),
            compat=conventions.rows(np.array(self._tables)) if self._tables else (),
            objects=self._objects.summary(), object_rows=tuple(self._objects.rows()),
        )  # fmt: skip

    def _object_values(self, by_class: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        """Metrics of objects by class; with two classes the union equals the class."""
        if len(self.label_space) == 2 and self._names[1] in by_class:
            return by_class | {FOREGROUND: by_class[self._names[1]]}
        return by_class

    def _metrics(self, pooled: dict[str, Measured]) -> tuple[str, ...]:
        surface = SURFACE if self.plan.extent == "all" else ()
        scored = any(measured.reliability is not None for measured in pooled.values())
        return (*self.plan.overlap_metrics, *surface, *(CALIBRATION if scored else ()))

    def _scores(
        self, rows: Sequence[Row], pooled: dict[str, Measured], metrics: Sequence[str]
    ) -> dict[str, dict[str, Score]]:
        """Every metric of every class; the pictures are drawn anew once for all of them."""
        names = tuple(pooled)
        whole = {name: measured.values(self.plan) for name, measured in pooled.items()}
        if self._objects:
            for name, values in self._object_values(self._objects.pooled()).items():
                whole[name] |= values
        columns = np.full((len(self._images), len(metrics), len(names) + 1), np.nan)
        totals = np.full((len(metrics), len(names) + 1), np.nan)
        for m, metric in enumerate(metrics):
            for i, name in enumerate(names):
                columns[:, m, i] = [row.metrics[metric] for row in rows[i :: len(names)]]
                totals[m, i] = whole[name].get(metric, math.nan)
            own = self._objects.classes_of(metric) if metric in OBJECT_TABLE else self._names[1:]
            classes = [names.index(name) for name in own]
            columns[:, m, -1] = [_mean(values) for values in columns[:, m, classes].tolist()]
            totals[m, -1] = _mean(totals[m, classes].tolist())
        flat = columns.reshape(len(self._images), totals.size)
        scores = iter(summarize_columns(flat, totals.ravel().tolist(), groups=self._groups))
        found = {metric: {name: next(scores) for name in (*names, MACRO)} for metric in metrics}
        for metric in SURFACE:  # not taken for the background
            found.get(metric, {}).pop(names[0], None)
        for metric in self._objects.metrics:  # of things, or of things and stuff
            kept = {*self._objects.classes_of(metric), MACRO, *((FOREGROUND,) if len(self.label_space) == 2 else ())}
            found[metric] = {name: score for name, score in found[metric].items() if name in kept}
        return found

    def _units(self) -> tuple[str, int]:
        """What the intervals draw anew, and how many of them there are."""
        if not any(self._groups):
            return "picture", len(self._images)
        return "group", len(set(unit_numbers(self._groups, len(self._groups)).tolist()))

    def _pooled(self, name: str) -> Measured:
        return pool(measured[name] for measured in self._images.values())


def evaluate_pairs(
    pairs: Iterable[Pair],
    label_space: LabelSpace,
    *,
    model: str,
    data: str,
    split: str,
    threshold: float | None = None,
    split_checksum: str = "",
    metrics: str = "overlap",
    spacing: Spacing | None = None,
) -> Report:
    """Score pairs of prediction and truth, one at a time.

    Parameters
    ----------
    pairs : ``(name, pred, target, valid)`` as in `Scorer.add`; ``pred`` None: no prediction was found, which counts as
        all background and is named in ``Report.missing``.
    label_space, model, data, split, threshold, split_checksum : as in `Report`.
    metrics, spacing : as in `Scorer`.

    Raises
    ------
    ShapeError, DataError : as in `Scorer.add`.
    """
    started, scorer, missing = time.perf_counter(), Scorer(label_space, metrics=metrics, spacing=spacing), []
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

    Where the truth tells objects apart, also ``per_object.csv``: every true object, and every predicted one that matches none.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    text, metrics = io.StringIO(), list(report.scores)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "class", "tp", "fp", "fn", "tn", *metrics, "group"])
    for row in report.rows:
        numbers = ["" if math.isnan(row.metrics[metric]) else repr(row.metrics[metric]) for metric in metrics]
        writer.writerow([row.image, row.class_name, row.tp, row.fp, row.fn, row.tn, *numbers, row.group])
    write_text(folder / "per_image.csv", text.getvalue())
    if report.objects:
        write_text(folder / "per_object.csv", _object_table(report.object_rows))
    write_json(folder / "summary.json", report.summary())


def _object_table(rows: Sequence[ObjectRow]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "side", "object", "class", "area", "matched_object", "iou", "kind"])
    for row in rows:
        partner = row.partner or ""
        writer.writerow(
            [row.image, row.side, row.number, row.class_name, row.area, partner, repr(round(row.iou, 6)), row.kind]
        )
    return text.getvalue()


def _measure_class(
    counts: Counts, pred: Valid, target: Valid, valid: Valid | None, maps: ScoreArray | None, index: int, plan: Plan,
    *, with_surface: bool,
) -> Measured:  # fmt: skip
    """One class with its boundaries and calibration; `index` -1 is the union of all but the background."""
    measured = measure_surface(counts, pred, target, valid, plan) if with_surface else Measured(counts)
    if maps is None:
        return measured
    sure = 1 - maps[0] if index < 0 else maps[index]
    return measured.with_reliability(reliability(sure, pred, target, valid=valid))


def _class_scores(scores: ScoreArray | None, label_space: LabelSpace) -> ScoreArray | None:
    """A map per class, the background first."""
    if scores is None:
        return None
    if scores.shape[0] != label_space.num_maps:
        raise ShapeError(f"{scores.shape[0]} maps of scores", expected=f"{label_space.num_maps}")
    return np.concatenate([1 - scores, scores]) if label_space.num_maps == 1 else scores


def _row(
    image: str, name: str, measured: Measured, metrics: Sequence[str], group: str, plan: Plan, objects: dict[str, float]
) -> Row:
    values, counts = measured.values(plan) | objects, measured.counts
    kept = {metric: values.get(metric, math.nan) for metric in metrics}
    return Row(image, name, counts.tp, counts.fp, counts.fn, counts.tn, kept, group)


def _empty_cases(counts: Sequence[Counts]) -> dict[str, int]:
    without = [found for found in counts if not found.true]
    return {"n": len(without), "false_positive_pixels": sum(found.fp for found in without)}


def _one_sided(counts: Sequence[Counts]) -> dict[str, int]:
    missed = sum(bool(found.true and not found.predicted) for found in counts)
    return {"missed": missed, "invented": sum(bool(found.predicted and not found.true) for found in counts)}


def _interval_notes(unit: str, number: int, pictures: int) -> tuple[str, ...]:
    if unit == "picture" or number == pictures:
        return ()
    if number == 1:
        return (f"All {pictures} pictures are of one group: how groups differ is not known, so there is no interval.",)
    return (f"The intervals draw {number} groups anew, not {pictures} pictures: pictures of a group are alike.",)


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def _class_keys(label_space: LabelSpace) -> tuple[str, ...]:
    """The class names, made different from the two summary rows where they would stand for something else."""
    reserved = {MACRO} if len(label_space) == 2 and label_space.names[1] == FOREGROUND else {MACRO, FOREGROUND}
    return tuple(f"{name} (class)" if name in reserved else name for name in label_space.names)
