"""Scores of one evaluation, picture by picture, as they are stored in a folder or just computed."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.core.report import Report, Row
from limner.metrics.counts import Counts
from limner.metrics.object_table import EVERY_METRIC
from limner.metrics.overlap import METRICS, MORE_METRICS

Values = npt.NDArray[np.float64]

FOREGROUND, MACRO = "foreground", "macro"
COUNTS = ("tp", "fp", "fn", "tn")


@dataclass(frozen=True)
class StoredScores:
    """What one model scored on each picture.

    Parameters
    ----------
    name : of the run, as a person typed it.
    split : which part was scored.
    data_checksum : of the data, empty where not known.
    images : names of the pictures, in the order of all arrays below.
    groups : the group of each picture, empty for one that stands for itself.
    classes : all classes but the background, ``foreground``, and ``macro`` where there are several classes.
    true_pixels : class, then pixels of each picture that show it; without ``macro``.
    values : metric, then class, then ``(N,)`` float64; NaN where undefined.
    definitions : metric to sentence.
    unit : of lengths, ``px`` or ``mm``.
    notes : what the evaluation had to say about the scores.
    missing : pictures without a prediction, which count as empty.
    """

    name: str
    split: str
    data_checksum: str
    images: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    true_pixels: Mapping[str, npt.NDArray[np.int64]] = field(repr=False)
    values: Mapping[str, Mapping[str, Values]] = field(repr=False)
    definitions: Mapping[str, str] = field(default_factory=dict, repr=False)
    unit: str = "px"
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The class that a verdict is about: the mean over the classes where there are several, as a report leads with.

        All classes as one mask hide it when one class is taken for another.
        """
        return MACRO if MACRO in self.classes else FOREGROUND

    def with_groups(self, groups: Mapping[str, str]) -> StoredScores:
        """The same with groups by picture name, such as those of a split file."""
        found = tuple(groups.get(image, own) for image, own in zip(self.images, self.groups, strict=True))
        return replace(self, groups=found)

    def in_order(self, images: Sequence[str]) -> StoredScores:
        """The same pictures in another order."""
        place = {image: index for index, image in enumerate(self.images)}
        order = [place[image] for image in images]
        return replace(
            self, images=tuple(images), groups=tuple(self.groups[index] for index in order),
            true_pixels={name: pixels[order] for name, pixels in self.true_pixels.items()},
            values={m: {name: column[order] for name, column in found.items()} for m, found in self.values.items()},
        )  # fmt: skip

    def without(self, metrics: Collection[str]) -> StoredScores:
        """The same without some metrics."""
        return replace(self, values={name: found for name, found in self.values.items() if name not in metrics})


def from_report(name: str, report: Report) -> StoredScores:
    """The scores of a report that was just made."""
    return _collect(name, report.summary(), report.rows)


def read_scores(name: str, folder: Path) -> StoredScores:
    """The scores in a folder with ``summary.json`` and ``per_image.csv``.

    Raises
    ------
    DataError : a file is missing or damaged.
    """
    table = folder / "per_image.csv"
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        if not isinstance(summary, dict):
            raise TypeError("not a table of values")
        with table.open(encoding="utf-8", newline="") as file:
            rows = [_row(line) for line in csv.DictReader(file)]
        return _collect(name, summary, rows)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(
            f"the scores of {name} cannot be read: {error!r}", expected="summary.json and per_image.csv as Limner wrote them",
            where=str(folder), fix="score the model again: limner evaluate MODEL DATA --out FOLDER",
        ) from None  # fmt: skip


def _row(line: Mapping[str, str]) -> Row:
    metrics = {
        name: float(text) if text else math.nan
        for name, text in line.items()
        if name in EVERY_METRIC and text is not None
    }
    tp, fp, fn, tn = (int(line[name]) for name in COUNTS)
    return Row(line["image"], line["class"], tp, fp, fn, tn, metrics, line.get("group") or "")


def _collect(name: str, summary: Mapping[str, Any], rows: Iterable[Row]) -> StoredScores:
    """Rows to columns; metrics of counts are computed anew, so that runs of different versions agree on them."""
    by_class: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.image in by_class.setdefault(row.class_name, {}):
            raise ValueError(f"{row.image} stands there twice for {row.class_name}")
        by_class[row.class_name][row.image] = row
    if not by_class:
        raise ValueError("there is no row")
    background, *names = by_class
    images = tuple(by_class[background])
    if any(set(by_class[one]) != set(images) for one in names):
        raise ValueError("a picture lacks a class")
    columns = {one: [by_class[one][image] for image in images] for one in names}
    functions = {**METRICS, **MORE_METRICS}
    values: dict[str, dict[str, Values]] = {}
    for metric in EVERY_METRIC:
        if metric not in functions and metric not in by_class[background][images[0]].metrics:
            continue
        values[metric] = {
            one: np.array(
                [
                    functions[metric](Counts(row.tp, row.fp, row.fn, row.tn))
                    if metric in functions
                    else row.metrics.get(metric, math.nan)
                    for row in found
                ]
            )
            for one, found in columns.items()
        }
        own = [values[metric][one] for one in names if one != FOREGROUND]
        if len(own) > 1:
            values[metric][MACRO] = mean_where_defined(np.stack(own))
    return StoredScores(
        name=name, split=str(summary["split"]), data_checksum=str(summary.get("data_checksum", "")), images=images,
        groups=tuple(by_class[background][image].group for image in images), classes=tuple(next(iter(values.values()))),
        true_pixels={one: np.array([row.tp + row.fn for row in found], np.int64) for one, found in columns.items()},
        values=values, definitions={str(k): str(v) for k, v in dict(summary["definitions"]).items()},
        unit=str(summary.get("unit", "px")), notes=_texts(summary.get("notes")), missing=_texts(summary.get("missing")),
    )  # fmt: skip


def _texts(value: Any) -> tuple[str, ...]:
    """A list of texts; empty where an earlier version wrote none."""
    if not isinstance(value, (list, tuple, type(None))):
        raise TypeError(f"{value!r} is no list of texts")
    return tuple(map(str, value or ()))


def mean_where_defined(values: Values) -> Values:
    """Means along the first axis of ``(S, N)``, of what is defined; NaN where nothing is."""
    known = ~np.isnan(values)
    number = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0))
