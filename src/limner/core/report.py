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
    """Counts and metrics of one class on one picture; undefined metrics are NaN."""

    image: str
    class_name: str
    tp: int
    fp: int
    fn: int
    tn: int
    metrics: dict[str, float]


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

    def summary(self) -> dict[str, Any]:
        """``evaluation/summary.json``."""
        return {
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
            "definitions": self.definitions,
            "split_checksum": self.split_checksum,
            "seconds": round(self.seconds, 3),
            "missing": list(self.missing),
        }
