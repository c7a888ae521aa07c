"""Many pictures, one number: means that skip what is undefined and say how much, with an interval."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from limner.core.report import Score

CELLS_AT_ONCE = 2_000_000  # resampled values held in memory at a time (about 24 MB)


def summarize(values: npt.ArrayLike, pooled: float, *, seed: int = 0) -> Score:
    """Mean, median, interval and counts of one metric over pictures.

    Parameters
    ----------
    values : one number per picture, NaN where the metric is undefined.
    pooled : the same metric of the summed counts of all pictures; NaN where undefined.
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
    every = np.asarray(values, np.float64)
    defined = every[~np.isnan(every)]
    mean, median = (float(defined.mean()), float(np.median(defined))) if defined.size else (math.nan, math.nan)
    return Score(
        mean=mean, median=median, ci95=bootstrap_interval(defined, seed=seed), pooled=pooled,
        n=int(defined.size), undefined=int(every.size - defined.size),
    )  # fmt: skip


def bootstrap_interval(values: npt.ArrayLike, *, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean: pictures are drawn anew, with replacement.

    Parameters
    ----------
    values : one number per picture; NaN is skipped.
    seed : the same seed gives the same interval.
    draws : resampled sets, >= 1.

    Returns
    -------
    Lower and upper end; the mean lies between them. ``(v, v)`` for one value, which says nothing about
    other pictures; ``(NaN, NaN)`` for none.

    References
    ----------
    Efron 1979, doi:10.1214/aos/1176344552. With few pictures (below about 20) the interval is too narrow.
    """
    every = np.asarray(values, np.float64).ravel()
    defined = every[~np.isnan(every)]
    if not defined.size:
        return math.nan, math.nan
    mean = float(defined.mean())
    if defined.size == 1:
        return mean, mean
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    step = max(1, CELLS_AT_ONCE // defined.size)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        means[start : start + rows] = defined[random.integers(0, defined.size, (rows, defined.size), np.int32)].mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return min(float(low), mean), max(float(high), mean)  # rounding may put the mean of equal values just outside
