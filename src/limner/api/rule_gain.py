"""Is a rule worth keeping? Dice of the same few pictures with and without it, and a test that a fluke does not pass.

A rule is kept when

1. no class, the background included, has a lower mean Dice or a lower pooled Dice with it;
2. the same holds when each picture is judged with the rule that the *other* pictures would choose (leave one out), and then the
   mean Dice of at least one class is better by more than `MARGIN`;
3. in that judgement, more pictures get better than worse than chance would give: sign test, `CHANCE` at most. Five pictures that
   get better and none that gets worse just pass; three lucky ones cannot.

The second point makes the trial of many rules on few pictures honest; the third looks at how many pictures agree, not at how much
one of them gains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MARGIN = 0.002  # of mean Dice; less is not worth a rule that may surprise
CHANCE = 0.05
FEWEST = 5  # pictures, or groups of pictures; fewer cannot pass the sign test
ROUNDING = 1e-12

Counts = npt.NDArray[np.int64]  # (pictures, classes, 3): true positives, false positives, false negatives
Values = npt.NDArray[np.float64]


def dice_table(counts: Counts) -> Values:
    """Dice from counts ``(..., 3)``; 1 where neither truth nor prediction shows the class.

    A false alarm that a rule takes away is then a change from 0 to 1, not a picture that drops out of the mean.
    """
    tp, fp, fn = (counts[..., place].astype(np.float64) for place in range(3))
    whole = 2 * tp + fp + fn
    return np.asarray(np.divide(2 * tp, whole, out=np.ones_like(whole), where=whole > 0))


def best_candidate(candidates: Sequence[Counts], pictures: npt.NDArray[np.bool_]) -> int:
    """The number of the rule with the largest gain over no rule (number 0) on some pictures; 0 where none is worth it.

    Parameters
    ----------
    candidates : counts of all pictures under each rule; the first without one. The background is class 0.
    pictures : ``(N,)`` which of them are looked at; at least one.

    Returns
    -------
    Of those that make no class worse, the one with the largest mean over the classes above 0; the first of equal ones.
    """
    before = candidates[0][pictures]
    chosen, most = 0, 0.0
    for number, counts in enumerate(candidates[1:], 1):
        gains = _gains(before, counts[pictures])
        if gains is not None and gains[1:].max() > MARGIN and gains[1:].mean() > most + ROUNDING:
            chosen, most = number, float(gains[1:].mean())
    return chosen


def chosen_candidate(candidates: Sequence[Counts], units: npt.NDArray[np.int64]) -> int:
    """The number of the rule to keep; 0 = none. See the head of this file for the test.

    Parameters
    ----------
    candidates : as in `best_candidate`.
    units : ``(N,)`` number of the group of each picture; pictures of a group are left out together.
    """
    numbers = np.unique(units)
    chosen = best_candidate(candidates, np.ones(len(units), bool)) if len(numbers) >= FEWEST else 0
    if not chosen:
        return 0
    honest = candidates[0].copy()
    for number in numbers:
        out = units == number
        honest[out] = candidates[best_candidate(candidates, ~out)][out]
    gains = _gains(candidates[0], honest)
    if gains is None or gains[1:].max() <= MARGIN:
        return 0
    change = (dice_table(honest) - dice_table(candidates[0]))[:, 1:].mean(axis=1)
    by_unit = np.array([change[units == number].sum() for number in numbers])
    better, worse = int((by_unit > ROUNDING).sum()), int((by_unit < -ROUNDING).sum())
    return chosen if sign_test(better, worse) <= CHANCE else 0


def no_class_worse(before: Counts, after: Counts) -> bool:
    """True where no class has a lower mean or pooled Dice after."""
    return _gains(before, after) is not None


def _gains(before: Counts, after: Counts) -> Values | None:
    """Gain of mean Dice of each class; None where a class gets worse by mean or pooled."""
    gains = dice_table(after).mean(axis=0) - dice_table(before).mean(axis=0)
    pooled = dice_table(after.sum(axis=0)) - dice_table(before.sum(axis=0))
    return None if min(gains.min(), pooled.min()) < -ROUNDING else np.asarray(gains)


def sign_test(better: int, worse: int) -> float:
    """Probability of at least so many better ones if both were equally likely; 1 for none at all.

    Examples
    --------
    >>> sign_test(5, 0), sign_test(3, 0), sign_test(0, 0)
    (0.03125, 0.125, 1.0)
    """
    total = better + worse
    return float(sum(math.comb(total, k) for k in range(better, total + 1)) / 2**total)
