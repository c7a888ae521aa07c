"""Scores with names: undefined is NaN and counted, never a made-up 0 or 1."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


@dataclass(frozen=True)
class Score:
    """One metric of one class over a set of pictures.

    Parameters
    ----------
    mean, median : over the pictures where the metric is defined; NaN when there are none.
    ci95 : 95 % bootstrap interval of the mean.
    pooled : from the counts of all pictures together.
    n : pictures where it is defined.
    undefined : pictures where it is not.
    """

    mean: float
    median: float
    ci95: tuple[float, float]
    pooled: float
    n: int
    undefined: int

    def as_dict(self) -> dict[str, Any]:
        """JSON; NaN becomes null."""
        return {
            "mean": _number(self.mean),
            "median": _number(self.median),
            "ci95": [_number(v) for v in self.ci95],
            "pooled": _number(self.pooled),
            "n": self.n,
            "undefined": self.undefined,
        }


@dataclass(frozen=True)
class Row:
    """Counts and metrics of one class on one picture; undefined metrics are NaN, `group` may be empty."""

    image: str
    class_name: str
    tp: int
    fp: int
    fn: int
    tn: int
    metrics: dict[str, float]
    group: str = ""


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """What became of one object.

    Parameters
    ----------
    image : the picture.
    side : ``true`` or ``predicted``.
    number : id of the object in its picture.
    class_name : of the object.
    area : valid pixels.
    partner : id of the matched object of the other side; 0 = none.
    iou : with that object, else the highest with any of its class; 0 where it shares no pixel.
    kind : ``matched``, ``missed``, ``spurious``, ``merged`` or ``split``; ``not counted`` for a crowd, and for a predicted object
        that lies mostly on pixels that are not valid.
    """

    image: str
    side: str
    number: int
    class_name: str
    area: int
    partner: int
    iou: float
    kind: str


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Parameters
    ----------
    model, data, split : what was scored on what.
    samples : number of pictures.
    threshold : foreground threshold, or None where there is none.
    scores : metric, then class, then `Score`; classes are the names, ``foreground`` and ``macro``.
    empty_cases : class, then how many pictures do not show it and how many pixels were still predicted there.
    definitions : metric to one sentence.
    split_checksum : SHA-256 of the names and splits that were scored.
    seconds : wall-clock time.
    rows : one per picture and class.
    missing : pictures for which no prediction was found; each counts as empty.
    classes : names of the rows and columns of `confusion`, the background first.
    confusion : pixels of all pictures together, ``confusion[true][predicted]``; a row per class.
    one_sided : class, then in how many pictures it was ``missed`` altogether, or ``invented`` where it is not.
    calibration : class, then rows of the reliability table: ``from to n confidence accuracy``; empty without scores.
    unit : of lengths, ``px`` or ``mm``.
    resampled : what the intervals draw anew, ``picture`` or ``group``, and how many there are.
    data_checksum : SHA-256 of the names and pixels of the whole data set; empty when not known.
    notes : sentences that belong to the scores, such as files that belong to no picture.
    compat : what other tools would have printed: rows with ``tool call value empty source``; empty unless asked for.
    objects : numbers of objects, by IoU and by size, as in ``summary.json``; empty where the truth tells no objects apart.
    object_rows : every true object, and every predicted one that matches none.
    """

    model: str
    data: str
    split: str
    samples: int
    threshold: float | None
    scores: dict[str, dict[str, Score]]
    empty_cases: dict[str, dict[str, int]]
    definitions: dict[str, str]
    split_checksum: str
    seconds: float
    rows: tuple[Row, ...] = ()
    missing: tuple[str, ...] = field(default=())
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    one_sided: dict[str, dict[str, int]] = field(default_factory=dict)
    calibration: dict[str, list[dict[str, float | int | None]]] = field(default_factory=dict)
    unit: str = "px"
    resampled: tuple[str, int] = ("picture", 0)
    data_checksum: str = ""
    notes: tuple[str, ...] = ()
    compat: tuple[dict[str, Any], ...] = ()
    objects: dict[str, Any] = field(default_factory=dict)
    object_rows: tuple[ObjectRow, ...] = ()

    def summary(self) -> dict[str, Any]:
        """``evaluation/summary.json``."""
        found: dict[str, Any] = {
            "model": self.model,
            "data": self.data,
            "split": self.split,
            "samples": self.samples,
            "resolution": "native",
            "threshold": self.threshold,
            "scores": {
                metric: {name: score.as_dict() for name, score in by_class.items()}
                for metric, by_class in self.scores.items()
            },
            "empty_cases": self.empty_cases,
            "one_sided": self.one_sided,
            "definitions": self.definitions,
            "unit": self.unit,
            "interval": {"unit": self.resampled[0], "number": self.resampled[1]},
            "confusion": {"classes": list(self.classes), "pixels": [list(row) for row in self.confusion]},
            "split_checksum": self.split_checksum,
            "data_checksum": self.data_checksum,
            "seconds": round(self.seconds, 3),
            "missing": list(self.missing),
            "notes": list(self.notes),
        }
        if self.calibration:
            found["calibration"] = self.calibration
        if self.objects:
            found["objects"] = self.objects
        if self.compat:
            found["compat"] = [{**row, "value": _number(row["value"])} for row in self.compat]
        return found
