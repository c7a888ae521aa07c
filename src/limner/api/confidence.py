"""How good is this answer likely to be: the Dice that a picture may expect from its own scores, corrected by what pictures got.

The expected Dice of a class is 2 sum(p [answered]) / (sum(p) + sum([answered])), where p is its calibrated score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.answers import CONFIDENCE
from limner.core.bundle import Bundle
from limner.core.labels import Labels, LabelSpace
from limner.metrics.summary import unit_numbers

FEWEST = 5  # pictures, or groups of pictures, below which nothing is said
FEWEST_FOR_STEPS = 30  # an isotonic fit to fewer follows single pictures

Values = npt.NDArray[np.float64]
Knots = tuple[Values, Values]


def confidence(scores: npt.NDArray[np.floating], bundle: Bundle, labels: Labels | None = None) -> float | None:
    """The Dice that an answer may expect, in [0, 1]: for one class its own, for several the mean over those that were found.

    Parameters
    ----------
    scores : ``(K, H, W)`` calibrated, as segmenters hand them out.
    bundle : of the model.
    labels : ``(H, W)`` what was answered, after all rules; None = decided from the scores.

    Returns
    -------
    None where no pixel of any class was found, so that there is no overlap to expect, and for a bundle that has not learnt how far
    to trust its estimates: too few validation pictures, or a classical method.
    """
    stored = bundle.answers.get(CONFIDENCE)
    if not stored:
        return None
    if labels is None:
        labels = bundle.label_space.decode(
            np.asarray(scores, np.float32), threshold=bundle.contract.calibrated(bundle.contract.threshold)
        )
    estimate = expected_dice(scores, labels, bundle.label_space)
    return None if math.isnan(estimate) else corrected(estimate, stored)


def expected_dice(scores: npt.NDArray[np.floating], labels: Labels, label_space: LabelSpace) -> float:
    """The expected Dice under the scores, mean over the classes above 0 that `labels` shows; NaN where it shows none.

    Parameters
    ----------
    scores : ``(K, H, W)`` in [0, 1]; one map is that of class 1.
    labels : ``(H, W)`` class ids.

    Notes
    -----
    The ratio of expectations in place of the expectation of the ratio; for many pixels the two are nearly the same.

    Examples
    --------
    >>> scores = np.array([[[0.9, 0.7, 0.2, 0.2]]])
    >>> expected_dice(scores, np.array([[1, 1, 0, 0]]), LabelSpace(("background", "cell")))
    0.8
    """
    found = []
    for index in range(1, len(label_space)):
        answered = labels == index
        area = int(np.count_nonzero(answered))
        if area:
            plane = scores[0 if label_space.num_maps == 1 else index]
            shared = float(plane.sum(where=answered, dtype=np.float64))
            found.append(2 * shared / (float(plane.sum(dtype=np.float64)) + area))
    return math.fsum(found) / len(found) if found else math.nan


def corrected(estimate: float, stored: Mapping[str, Any]) -> float:
    """An expected Dice after the correction that a bundle has learnt; in [0, 1]."""
    return min(1.0, max(0.0, float(np.interp(estimate, stored["x"], stored["y"]))))


def fit_confidence(
    estimated: Sequence[float], true: Sequence[float], *, groups: Sequence[str], source: str
) -> dict[str, Any] | None:
    """The correction that fits best, with its error on pictures that it did not see.

    Parameters
    ----------
    estimated, true : expected Dice and Dice of each picture; a picture where either is NaN is left out.
    groups : of each picture; empty for one that stands for itself.
    source : which pictures these are, in words.

    Returns
    -------
    ``{"kind", "x", "y", "pictures", "from", "error", "plain_error", "constant_error"}`` for `Bundle.answers`: a line through
    points, held at its ends, and mean absolute errors when each group in turn is left out of the fit: of the correction, of the
    estimate as it is, and of always saying the mean. None below `FEWEST` groups.

    Notes
    -----
    The kind with the smallest error left out is taken, of equals the simpler one: as it is, a shift, a rising line, or an isotonic
    fit (Ayer et al. 1955, doi:10.1214/aoms/1177728423) where there are enough pictures.
    """
    pairs = np.array([estimated, true], np.float64).T.reshape(-1, 2)
    known = np.asarray(~np.isnan(pairs).any(axis=1), bool)
    x, y = pairs[known].T
    units = unit_numbers([group for group, is_known in zip(groups, known, strict=True) if is_known], len(x))
    if len(np.unique(units)) < FEWEST:
        return None
    kinds = dict(KINDS)
    if len(np.unique(units)) < FEWEST_FOR_STEPS:
        del kinds["isotonic"]
    errors = {name: round(_error_left_out(fit, x, y, units), 6) for name, fit in kinds.items()}
    constant = _error_left_out(_constant, x, y, units)
    kind = min(errors, key=lambda name: errors[name])  # of equals the first, which is the simplest
    at, value = kinds[kind](x, y)
    return {
        "kind": kind, "x": [round(float(v), 6) for v in at], "y": [round(float(v), 6) for v in value],
        "pictures": len(x), "from": source, "error": round(errors[kind], 4), "plain_error": round(errors["plain"], 4),
        "constant_error": round(constant, 4),
    }  # fmt: skip


def _error_left_out(
    fit: Callable[[Values, Values], Knots], x: Values, y: Values, units: npt.NDArray[np.int64]
) -> float:
    """Mean absolute error, each unit judged by a fit to the others."""
    total = 0.0
    for unit in np.unique(units):
        out = units == unit
        at, value = fit(x[~out], y[~out])
        total += float(np.abs(np.clip(np.interp(x[out], at, value), 0, 1) - y[out]).sum())
    return total / len(x)


def _plain(x: Values, y: Values) -> Knots:
    return np.array([0.0, 1.0]), np.array([0.0, 1.0])


def _shift(x: Values, y: Values) -> Knots:
    return np.array([0.0, 1.0]), np.array([0.0, 1.0]) + float((y - x).mean())


def _constant(x: Values, y: Values) -> Knots:
    return np.array([0.0, 1.0]), np.full(2, float(y.mean()))


def _line(x: Values, y: Values) -> Knots:
    """Least squares; a line that would fall is level."""
    spread = float(((x - x.mean()) ** 2).sum())
    slope = max(0.0, float(((x - x.mean()) * (y - y.mean())).sum()) / spread) if spread > 1e-12 else 0.0
    return np.array([0.0, 1.0]), float(y.mean()) + slope * (np.array([0.0, 1.0]) - float(x.mean()))


def _isotonic(x: Values, y: Values) -> Knots:
    """The rising steps nearest to the points: level between the first and the last point of a step, joined from step to step."""
    places, back, numbers = np.unique(x, return_inverse=True, return_counts=True)
    sums = np.bincount(back, weights=y)
    steps: list[tuple[float, float, float, int]] = []  # first and last x, sum of y, number
    for at, total, number in zip(places, sums, numbers, strict=True):
        step = (float(at), float(at), float(total), int(number))
        while steps and steps[-1][2] / steps[-1][3] >= step[2] / step[3]:
            before = steps.pop()
            step = (before[0], step[1], before[2] + step[2], before[3] + step[3])
        steps.append(step)
    knots = [(at, step[2] / step[3]) for step in steps for at in dict.fromkeys(step[:2])]
    return np.array([at for at, _ in knots]), np.array([value for _, value in knots])


KINDS: dict[str, Callable[[Values, Values], Knots]] = {
    "plain": _plain, "shift": _shift, "line": _line, "isotonic": _isotonic,
}  # fmt: skip
