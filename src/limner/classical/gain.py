"""Whether one setting is better than another, or only luckier."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

GAIN = 0.0005  # of the mean Dice: less is not worth leaving a setting, however sure


def mean(values: Sequence[float]) -> float:
    """Over the pictures where Dice is defined; NaN where it is on none."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def is_better(values: Sequence[float], than: Sequence[float]) -> bool:
    """Whether the mean is larger by more than `GAIN`, and by more than the standard error of that gain.

    Parameters
    ----------
    values, than : Dice of two settings on the same pictures; NaN where it is not defined. Such a picture is left out of its mean
        and adds nothing to the error. With a single picture there is no error to compare with.

    Examples
    --------
    >>> is_better([0.9, 0.8, 0.7], than=[0.8, 0.7, 0.6]), is_better([0.9, 0.5, 0.7], than=[0.6, 0.6, 0.7])
    (True, False)
    """
    gain = defined_or_less(mean(values)) - defined_or_less(mean(than))
    if gain <= GAIN or len(values) < 2:
        return gain > GAIN
    offsets = [_offsets(values), _offsets(than)]
    changes = [a - b for a, b in zip(*offsets, strict=True)]
    return bool(gain > statistics.stdev(changes) / math.sqrt(len(changes)))


def _offsets(values: Sequence[float]) -> list[float]:
    """How far each picture lies from the mean; 0 where it is not defined."""
    middle = mean(values)
    return [0.0 if math.isnan(value) else value - middle for value in values]


def defined_or_less(value: float) -> float:
    """`value`, and less than any score where it is not defined."""
    return -1.0 if math.isnan(value) else value
