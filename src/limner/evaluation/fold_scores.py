"""How much the folds of a cross-validation differ, and which of them is the typical one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from limner.core.report import Report
from limner.evaluation.evaluate import FOREGROUND, MACRO
from limner.evaluation.ranking import picture_scores

OUT_OF_FOLD = "out-of-fold"  # the split of a cross-validation: each picture by the model of the fold that held it out


def dice_of_folds(report: Report, fold_of: Mapping[str, int]) -> dict[int, dict[str, float]]:
    """Mean Dice of each fold over its pictures, by class; NaN where it is defined in none.

    Parameters
    ----------
    report : of the pictures of all folds.
    fold_of : the fold of each picture.

    Returns
    -------
    For each fold: under the empty name the mean of what `picture_scores` says, then the classes but the background; for several
    classes also ``foreground``, all of them as one mask.
    """
    names = [name for name in report.scores["dice"] if name != MACRO][1:]
    names = [name for name in names if name != FOREGROUND or len(names) != 2]
    folds = sorted(set(fold_of.values()))
    found: dict[int, dict[str, list[float]]] = {fold: {name: [] for name in ("", *names)} for fold in folds}
    for image, value in picture_scores(report).items():
        found[fold_of[image]][""].append(value)
    for row in report.rows:
        if row.class_name in names:
            found[fold_of[row.image]][row.class_name].append(row.metrics["dice"])
    return {fold: {name: _mean(values) for name, values in by_name.items()} for fold, by_name in found.items()}


def median_fold(dice: Mapping[int, float]) -> int:
    """The fold in the middle when they are ranked by Dice, the lower of two in the middle; undefined ones rank lowest.

    Examples
    --------
    >>> median_fold({1: 0.9, 2: 0.5, 3: 0.7}), median_fold({1: 0.9, 2: 0.5})
    (3, 2)
    """
    ranked = sorted(dice, key=lambda fold: (-1.0 if math.isnan(dice[fold]) else dice[fold], fold))
    return ranked[(len(ranked) - 1) // 2]


def spread(scores: Sequence[Mapping[str, float | None]]) -> dict[str, dict[str, float | int]]:
    """Over the folds, by class: ``mean``, ``sd`` (of a sample), ``lowest``, ``highest`` and ``n`` folds where it is defined.

    Examples
    --------
    >>> spread([{"cell": 0.5}, {"cell": 0.75}, {"cell": None}])
    {'cell': {'mean': 0.625, 'sd': 0.1767766952966369, 'lowest': 0.5, 'highest': 0.75, 'n': 2}}
    """
    found = {}
    for name in dict.fromkeys(name for each in scores for name in each):
        values = [value for each in scores if (value := each.get(name)) is not None and not math.isnan(value)]
        found[name] = {
            "mean": _mean(values),
            "sd": statistics.stdev(values) if len(values) > 1 else math.nan,
            "lowest": min(values, default=math.nan),
            "highest": max(values, default=math.nan),
            "n": len(values),
        }
    return found


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan
