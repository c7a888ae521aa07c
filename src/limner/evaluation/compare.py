"""Which of two models is better, and is that more than noise: paired differences with intervals.

    d_i = score of the second - score of the first on picture i        mean d with its 95 % interval

Pictures are hard or easy for both, so the differences vary less than the scores. The interval draws the units (pictures,
or groups of them) anew, with replacement. Where a model was trained with several seeds, its score of a picture is the mean
over them, and each draw draws its seeds anew as well; as so few vary too little when they are drawn, their distances from
their mean are stretched by sqrt(S / (S - 1)) (Davison and Hinkley 1997, doi:10.1017/CBO9780511802843). The ends are moved
out for few units, as those of Student's t are (Hesterberg 2015, doi:10.1080/00031305.2015.1089789).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.evaluation.stored import MACRO, StoredScores, Values, mean_where_defined
from limner.metrics.object_table import EVERY_METRIC
from limner.metrics.summary import resampled_means, unit_numbers

DRAWS = 4000
FEWEST_UNITS = 5  # with fewer no interval is worth stating
FEW_UNITS = 20
MOST_LISTED = 5


@dataclass(frozen=True)
class Contender:
    """One model: a run, or several that differ in their seed.

    Parameters
    ----------
    name : how it is called in sentences.
    runs : their scores on the same pictures in the same order.
    seeds : of the runs, None where not known.
    """

    name: str
    runs: tuple[StoredScores, ...]
    seeds: tuple[int | None, ...] = ()

    @property
    def headline(self) -> str:
        """The class that sentences are about, see `StoredScores.headline`."""
        return self.runs[0].headline

    def values(self, metric: str, class_name: str) -> Values:
        """``(S, N)`` scores of all runs."""
        return np.stack([run.values[metric][class_name] for run in self.runs])


@dataclass(frozen=True)
class Difference:
    """One metric of one class, second minus first.

    Parameters
    ----------
    metric, class_name : what is compared.
    first, second : means over the pictures where both are defined.
    difference : mean of the differences; NaN without pairs.
    ci95 : its interval; NaN with fewer than 5 units.
    pairs : pictures where both are defined; `undefined` are the others.
    units : pictures or groups that the interval draws.
    seed_spread : standard deviation of the mean over the seeds, first and second; NaN for a single run.
    verdict : ``better``, ``worse`` (the second), ``noise``, ``same``, or ``unclear`` for too few units.
    """

    metric: str
    class_name: str
    first: float
    second: float
    difference: float
    ci95: tuple[float, float]
    pairs: int
    undefined: int
    units: int
    seed_spread: tuple[float, float]
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """JSON; NaN becomes null."""
        return {
            "first": _number(self.first), "second": _number(self.second), "difference": _number(self.difference),
            "ci95": [_number(end) for end in self.ci95], "pairs": self.pairs, "undefined": self.undefined,
            "units": self.units, "seed_spread": [_number(spread) for spread in self.seed_spread],
            "verdict": self.verdict,
        }  # fmt: skip


@dataclass(frozen=True)
class Versus:
    """Two models against each other.

    Parameters
    ----------
    first, second : their names.
    headline : the class that sentence and regressions are about: ``macro`` where there are several, else ``foreground``.
    differences : of every metric and class.
    regressions : pictures on which the second is worse: image, first, second.
    sentence : the result in words.
    """

    first: str
    second: str
    headline: str
    differences: tuple[Difference, ...]
    regressions: tuple[tuple[str, float, float], ...]
    sentence: str

    def of(self, metric: str, class_name: str | None = None) -> Difference:
        """The difference of one metric and class; None = the headline's."""
        wanted = (metric, class_name or self.headline)
        return next(d for d in self.differences if (d.metric, d.class_name) == wanted)

    def as_dict(self) -> dict[str, Any]:
        """JSON."""
        scores: dict[str, dict[str, Any]] = {}
        for one in self.differences:
            scores.setdefault(one.metric, {})[one.class_name] = one.as_dict()
        worse = [{"image": image, "first": a, "second": b, "difference": b - a} for image, a, b in self.regressions]
        return {
            "first": self.first, "second": self.second, "class": self.headline, "sentence": self.sentence,
            "scores": scores, "regressions": worse,
        }  # fmt: skip


def compare_two(first: Contender, second: Contender, *, metric: str, unit: str, seed: int = 0) -> Versus:
    """Compare two models on the same pictures.

    Parameters
    ----------
    first, second : their runs hold the same pictures in the same order, and the same classes.
    metric : the one that the sentence and the list of regressions are about, of the headline's class.
    unit : of lengths, for the sentence.
    seed : of the draws; all metrics share them.
    """
    metrics = [name for name in first.runs[0].values if all(name in run.values for run in (*first.runs, *second.runs))]
    keys = [(name, one) for name in metrics for one in first.runs[0].classes]
    sides = [np.stack([contender.values(*key) for key in keys], axis=-1) for contender in (first, second)]  # (S, N, M)
    units = unit_numbers(first.runs[0].groups, len(first.runs[0].images))
    means = [mean_where_defined(side) for side in sides]
    differences = means[1] - means[0]
    paired = ~np.isnan(differences)
    # A picture that one of the two lacks is left out of both, or the means would be of different pictures.
    kept = [np.where(paired, mean, np.nan) for mean in means]
    drawn = resampled_means(differences, units, seed=seed, draws=DRAWS)
    random = np.random.default_rng([seed, 1])
    spreads = []
    for sign, side in zip((-1, 1), sides, strict=True):
        noise, spread = _seed_noise(np.where(paired, side, np.nan), random)
        drawn = drawn + sign * noise
        spreads.append(spread)
    found = []
    for column, (name, one) in enumerate(keys):
        own_units = int(np.unique(units[paired[:, column]]).size)
        number = int(paired[:, column].sum())
        middle = float(differences[paired[:, column], column].mean()) if number else math.nan
        ci95 = _interval(drawn[:, column], middle, own_units)
        found.append(
            Difference(
                name, one, _mean(kept[0][:, column]), _mean(kept[1][:, column]), middle, ci95, number,
                len(units) - number, own_units, (float(spreads[0][column]), float(spreads[1][column])),
                _verdict(name, middle, ci95, differences[paired[:, column], column]),
            )
        )  # fmt: skip
    worse = _regressions(first, kept, keys, metric)
    versus = Versus(first.name, second.name, first.headline, tuple(found), worse, "")
    sentence = _sentence(versus.of(metric), first, second, unit, "group" if any(first.runs[0].groups) else "picture")
    return replace(versus, sentence=sentence)


def _seed_noise(runs: Values, random: np.random.Generator) -> tuple[npt.NDArray[np.float64], Values]:
    """What other seeds would add to the mean, ``(draws, M)``, and the standard deviation over seeds, ``(M,)``."""
    number, columns = runs.shape[0], runs.shape[2]
    if number < 2:
        return np.zeros((DRAWS, columns)), np.full(columns, np.nan)
    means = np.stack([mean_where_defined(run) for run in runs])  # (S, M)
    away = np.nan_to_num(means - mean_where_defined(means))
    picks = random.integers(0, number, (DRAWS, number))
    noise = away[picks].mean(axis=1) * math.sqrt(number / (number - 1))
    return noise, np.sqrt((away**2).sum(axis=0) / (number - 1))


def _interval(drawn: Values, middle: float, units: int) -> tuple[float, float]:
    """Percentiles of the draws, moved out for few units; NaN with fewer than `FEWEST_UNITS`."""
    if units < FEWEST_UNITS:
        return math.nan, math.nan
    low, high = np.percentile(drawn[~np.isnan(drawn)], (2.5, 97.5))
    factor = student_t(units - 1) / NormalDist().inv_cdf(0.975) * math.sqrt(units / (units - 1))
    return middle + (min(float(low), middle) - middle) * factor, middle + (max(float(high), middle) - middle) * factor


def student_t(freedom: int) -> float:
    """The 97.5 % point of Student's t, within 0.1 % from 4 degrees of freedom on.

    References
    ----------
    Abramowitz and Stegun 1964, 26.7.5.

    Examples
    --------
    >>> round(student_t(9), 3)
    2.262
    """
    z = NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms)))


def _verdict(metric: str, middle: float, ci95: tuple[float, float], differences: Values) -> str:
    if not differences.size or math.isnan(middle):
        return "unclear"
    if not differences.any():
        return "same"
    if math.isnan(ci95[0]):
        return "unclear"
    if ci95[0] <= 0 <= ci95[1]:
        return "noise"
    return "better" if (middle > 0) == EVERY_METRIC[metric].higher_is_better else "worse"


def _regressions(
    first: Contender, kept: Sequence[Values], keys: Sequence[tuple[str, str]], metric: str
) -> tuple[tuple[str, float, float], ...]:
    """Pictures on which the second is worst against the first."""
    column = keys.index((metric, first.headline))
    one, other = kept[0][:, column], kept[1][:, column]
    loss = (one - other) * (1 if EVERY_METRIC[metric].higher_is_better else -1)
    images = first.runs[0].images
    ranked = sorted((-loss[i], images[i], i) for i in np.flatnonzero(loss > 0).tolist())
    return tuple((image, float(one[i]), float(other[i])) for _, image, i in ranked[:MOST_LISTED])


def headline_title(metric: str, class_name: str) -> str:
    """What a verdict is about, in words.

    Examples
    --------
    >>> headline_title("dice", "macro"), headline_title("dice", "foreground")
    ('mean Dice of the classes', 'Dice')
    """
    title = EVERY_METRIC[metric].title
    return f"mean {title} of the classes" if class_name == MACRO else title


def _sentence(found: Difference, first: Contender, second: Contender, unit: str, kind: str) -> str:
    """The result in words."""
    entry, title = EVERY_METRIC[found.metric], headline_title(found.metric, found.class_name)
    length = f" {unit}" if entry.is_length else ""
    of = f"{found.units} {kind}{'s' if found.units != 1 else ''}"
    interval = f"95 % interval {found.ci95[0]:+.3f} to {found.ci95[1]:+.3f}{length}, {of}"
    if not found.pairs:
        return f"On no picture is {title} defined for both, so {first.name} and {second.name} cannot be compared by it."
    if found.verdict == "same":
        return f"{first.name} and {second.name} have the same {title} on each of {found.pairs} pictures."
    if found.verdict == "unclear":
        return f"With {of} there are too few to tell {first.name} and {second.name} apart."
    amount = f"{abs(found.difference):.3f}{length}"
    if found.verdict == "noise":
        way = "higher" if found.difference > 0 else "lower"
        text = f"{second.name} is {amount} {way} in {title} than {first.name}; "
        text += f"this difference is smaller than the noise ({interval})."
    else:
        text = f"{second.name} is {found.verdict} than {first.name} by {amount} in {title} ({interval})."
    if min(len(first.runs), len(second.runs)) < 2:
        text += " How much another seed would change is not in this interval for a model of a single run."
    return text


def notes_of(contenders: Sequence[Contender]) -> tuple[str, ...]:
    """What has to be known about the intervals."""
    groups, images = contenders[0].runs[0].groups, contenders[0].runs[0].images
    number, notes = len(set(unit_numbers(groups, len(images)).tolist())), []
    if any(groups):
        notes.append(
            f"The intervals draw {number} groups anew, not {len(images)} pictures: pictures of a group are alike."
        )
    if FEWEST_UNITS <= number < FEW_UNITS:
        notes.append(f"With {number} {'groups' if any(groups) else 'pictures'} the intervals are rough.")
    for one in contenders:
        if len(one.runs) > 1:
            seeds = ", ".join("unknown" if seed is None else str(seed) for seed in one.seeds)
            notes.append(
                f"{one.name} is the mean of {len(one.runs)} runs (seeds {seeds}); the draws draw the runs anew as well."
            )
    return tuple(notes)


def summary_of(contender: Contender, metric: str) -> Mapping[str, Any]:
    """Name, runs, seeds and mean of one model, of its headline's class; JSON."""
    values = contender.values(metric, contender.headline)
    each = [_number(_mean(run)) for run in values]
    return {
        "name": contender.name, "runs": [run.name for run in contender.runs], "seeds": list(contender.seeds),
        "mean": _number(_mean(mean_where_defined(values))), "mean_of_runs": each,
    }  # fmt: skip


def _mean(values: Values) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
