"""Which pictures to look at: one Dice per picture, and the worst, middle and best of them."""

from __future__ import annotations

import math

from limner.core.report import Report
from limner.evaluation.evaluate import FOREGROUND, MACRO

MOST_WORST, MOST_MEDIAN, MOST_BEST = 6, 3, 3


def picture_scores(report: Report) -> dict[str, float]:
    """Dice of each picture, the one that its place in a gallery is decided by.

    With one class beside the background: of that class. With several: the mean over the classes that are defined in the picture;
    all classes as one mask would be right nearly everywhere where classes fill the picture. NaN where nothing is defined.
    """
    names = [name for name in report.scores["dice"] if name not in (FOREGROUND, MACRO)][1:]
    several = len(names) > 1
    wanted = set(names) if several else {FOREGROUND}
    values: dict[str, list[float]] = {}
    for row in report.rows:
        if row.class_name in wanted:
            value = row.metrics.get("dice", math.nan)
            values.setdefault(row.image, []).extend([] if math.isnan(value) else [value])
    return {image: math.fsum(found) / len(found) if found else math.nan for image, found in values.items()}


def choose_cases(
    report: Report, *, worst: int = MOST_WORST, median: int = MOST_MEDIAN, best: int = MOST_BEST
) -> list[tuple[str, str, float]]:
    """Which pictures to look at: ``(kind, name, dice)``, each picture once; the worst first, then the middle, then the best.

    Parameters
    ----------
    report : pictures whose Dice is undefined are left out.
    worst, median, best : at most so many of each kind. Where there are too few pictures, half of them are ``worst`` and a quarter
        each ``best`` and ``median``.
    """
    scores = {name: value for name, value in picture_scores(report).items() if not math.isnan(value)}
    ranked = sorted(scores, key=lambda name: (scores[name], name))
    worst = min(worst, -(-len(ranked) // 2))
    best = min(best, -(-(len(ranked) - worst) // 2))
    median = min(median, len(ranked) - worst - best)
    chosen = dict.fromkeys(range(worst), "worst") | dict.fromkeys(range(len(ranked) - best, len(ranked)), "best")
    middle = (len(ranked) - 1) / 2
    free = sorted((place for place in range(len(ranked)) if place not in chosen), key=lambda i: abs(i - middle))
    chosen |= dict.fromkeys(free[:median], "median")
    return [(kind, ranked[place], scores[ranked[place]]) for place, kind in sorted(chosen.items())]
