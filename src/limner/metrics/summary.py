"""Many pictures, one number: means that skip what is undefined and say how much, with an interval.

The interval is a percentile bootstrap (Efron 1979, doi:10.1214/aos/1176344552): units are drawn anew, with replacement,
as many as there are, and the mean over what is defined in the draw is taken each time. A unit is a picture, or a group of
pictures that belong together and would be new together, too (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from limner.core.report import Score

Values = npt.NDArray[np.float64]

CELLS_AT_ONCE = 1_000_000  # drawn units held in memory at a time (about 20 MB)
DRAWS = 2000


def summarize(values: npt.ArrayLike, pooled: float, *, groups: Sequence[str] | None = None, seed: int = 0) -> Score:
    """Mean, median, interval and counts of one metric over pictures.

    Parameters
    ----------
    values : one number per picture, NaN where the metric is undefined.
    pooled : the same metric of the summed counts of all pictures; NaN where undefined.
    groups : the group of each picture, empty for one that stands for itself; None: all do.
    seed : of the bootstrap.

    Returns
    -------
    `Score`; mean, median and interval are NaN and ``n`` is 0 when the metric is defined nowhere.

    Examples
    --------
    >>> score = summarize([0.5, float("nan"), 1.0], 0.8)
    >>> score.mean, score.n, score.undefined
    (0.75, 2, 1)
    """
    column = np.asarray(values, np.float64).reshape(-1, 1)
    return summarize_columns(column, [pooled], groups=groups, seed=seed)[0]


def summarize_columns(
    values: Values, pooled: Sequence[float], *, groups: Sequence[str] | None = None, seed: int = 0
) -> list[Score]:
    """A `Score` for each of several metrics of the same pictures, which are drawn once for all.

    Parameters
    ----------
    values : ``(N, M)``, a row per picture, a column per metric; NaN where undefined.
    pooled : M numbers.
    groups, seed : as in `summarize`.
    """
    units = unit_numbers(groups, values.shape[0])
    intervals = _intervals(values, units, seed=seed, draws=DRAWS)
    scores = []
    for column, whole, interval in zip(values.T, pooled, intervals, strict=True):
        defined = column[~np.isnan(column)]
        mean, median = (float(defined.mean()), float(np.median(defined))) if defined.size else (math.nan, math.nan)
        number = int(defined.size)
        scores.append(Score(mean, median, interval, whole, n=number, undefined=int(column.size) - number))
    return scores


def bootstrap_interval(
    values: npt.ArrayLike, *, groups: Sequence[str] | None = None, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """95 % interval of the mean.

    Parameters
    ----------
    values : one number per picture; NaN is undefined.
    groups : the group of each picture, empty for one that stands for itself; None: all do.
    seed : the same seed gives the same interval.
    draws : how often all units are drawn, >= 1.

    Returns
    -------
    Lower and upper end; the mean lies between them. ``(v, v)`` for a single value, which says nothing about other
    pictures; ``(NaN, NaN)`` for none, and for several of one group, which cannot tell how groups differ. With few units
    (below about 20) the interval is too narrow.
    """
    column = np.asarray(values, np.float64).reshape(-1, 1)
    return _intervals(column, unit_numbers(groups, column.shape[0]), seed=seed, draws=draws)[0]


def unit_numbers(groups: Sequence[str] | None, num_pictures: int) -> npt.NDArray[np.int64]:
    """The number of each picture's unit, from 0: its group, or a unit of its own where the group is empty.

    Examples
    --------
    >>> unit_numbers(["a", "", "a", "b"], 4).tolist()
    [0, 1, 0, 2]
    """
    if groups is None:
        return np.arange(num_pictures)
    known: dict[tuple[str, int], int] = {}
    keys = [(name, 0) if name else ("", place) for place, name in enumerate(groups)]
    return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)


def resampled_means(values: Values, units: npt.NDArray[np.int64], *, seed: int, draws: int) -> Values:
    """Means of drawn sets of units.

    Parameters
    ----------
    values : ``(N, M)``, NaN where undefined.
    units : ``(N,)`` as `unit_numbers` gives them.
    seed, draws : as in `bootstrap_interval`.

    Returns
    -------
    ``(draws, M)``; NaN where a draw holds no defined value.
    """
    known = ~np.isnan(values)
    num_units = int(units.max()) + 1 if units.size else 0
    sums, counts = np.zeros((num_units, values.shape[1])), np.zeros((num_units, values.shape[1]))
    np.add.at(sums, units, np.where(known, values, 0.0))
    np.add.at(counts, units, known)
    means = np.full((draws, values.shape[1]), np.nan)
    if not num_units:
        return means
    random, step = np.random.default_rng(seed), max(1, CELLS_AT_ONCE // num_units)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        picks = random.integers(0, num_units, (rows, num_units), np.int64)
        picks += np.arange(rows)[:, None] * num_units
        often = np.bincount(picks.ravel(), minlength=rows * num_units).reshape(rows, num_units).astype(np.float64)
        drawn = often @ counts
        np.divide(often @ sums, drawn, out=means[start : start + rows], where=drawn > 0)
    return means


def _intervals(values: Values, units: npt.NDArray[np.int64], *, seed: int, draws: int) -> list[tuple[float, float]]:
    means, intervals = resampled_means(values, units, seed=seed, draws=draws), []
    for column, drawn in zip(values.T, means.T, strict=True):
        known = ~np.isnan(column)
        if np.unique(units[known]).size < 2:
            single = float(column[known][0]) if known.sum() == 1 else math.nan
            intervals.append((single, single))
            continue
        mean = float(column[known].mean())
        low, high = np.percentile(drawn[~np.isnan(drawn)], (2.5, 97.5))
        intervals.append((min(float(low), mean), max(float(high), mean)))  # rounding may put equal values just outside
    return intervals
