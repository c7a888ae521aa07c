"""How long, and how fast at which step: a curve after a linear warm-up; its end is revised only when the clock forces it.

With p in [0, 1] the share of the curve that is behind:

    cosine     floor + (1 - floor) * (1 + cos(pi p)) / 2      Loshchilov and Hutter 2017, arXiv:1608.03983
    constant   1
    poly       floor + (1 - floor) * (1 - p) ** power         Chen et al. 2018, arXiv:1606.00915, section 4.1
    one_cycle  up a straight line to 1 at p = 0.3, then down a cosine to the floor
               Smith and Topin 2018, arXiv:1708.07120; Smith 2018, arXiv:1803.09820 (here the momentum stays as it is)
    plateau    factor ** (number of falls), not below the floor

The warm-up does not depend on the length, so the first steps of a run can be timed before its length is decided, and a
run that is repeated with the length written down takes the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from limner.core.recipe_parts import SchedulePart
from limner.training.checkpoint import Progress

HOLD_STEPS = 9  # under a budget the curve begins after them at the earliest: they are timed before the length is known
RISE = 0.3  # share of one_cycle that rises
START = 0.04  # where it starts; a 25th, as in the authors' successors


def _cosine(p: float, part: SchedulePart) -> float:
    return part.floor + (1 - part.floor) * 0.5 * (1 + math.cos(math.pi * p))


def _constant(p: float, part: SchedulePart) -> float:
    return 1.0


def _poly(p: float, part: SchedulePart) -> float:
    return part.floor + (1 - part.floor) * math.pow(1 - p, part.poly_power)


def _one_cycle(p: float, part: SchedulePart) -> float:
    if p < RISE:
        return START + (1 - START) * p / RISE
    return _cosine((p - RISE) / (1 - RISE), part)


# plateau falls by itself, see `Schedule.factor`
CURVES: dict[str, Callable[[float, SchedulePart], float]] = {
    "cosine": _cosine,
    "constant": _constant,
    "poly": _poly,
    "one_cycle": _one_cycle,
    "plateau": _constant,
}


@dataclass(frozen=True)
class Schedule:
    """The schedule of a recipe at the state of a run; all that changes lies in `state`.

    Parameters
    ----------
    part : the curve and its numbers.
    state : its ``plan`` is ``[(step from which it holds, total number of steps), ...]``.
    """

    part: SchedulePart
    state: Progress

    @property
    def total(self) -> int:
        """Number of steps; 0 when it is not decided yet."""
        return self.state.plan[-1][1] if self.state.plan else 0

    def progress(self, step: int) -> float:
        """Share of the curve that is behind at `step`, in [0, 1]; continuous where the plan was revised."""
        done, plan = 0.0, self.state.plan
        hold = 0 if self.part.budget == "none" else HOLD_STEPS
        for number, (start, total) in enumerate(plan):
            begin = max(start, self.part.warmup_steps, hold) if number == 0 else start
            end = plan[number + 1][0] if number + 1 < len(plan) else step
            done += (1 - done) * max(0, min(step, end) - begin) / max(1, total - begin)
        return min(1.0, max(0.0, done))

    def validates(self, step: int) -> bool:
        """Whether one of the validations, which lie evenly over the progress, is due after `step` steps; always at the end."""
        if not self.state.plan:
            return False
        number = self.state.validations
        due = int(self.progress(step) * number + 1e-9) > int(self.progress(step - 1) * number + 1e-9)
        return due or step >= self.total

    def factor(self, step: int) -> float:
        """Learning rate at `step` relative to its peak."""
        warm = min(1.0, (step + 1) / max(1, self.part.warmup_steps))
        factor = CURVES[self.part.curve](self.progress(step), self.part)
        if self.part.curve == "plateau":
            factor = max(self.part.floor, self.part.plateau_factor**self.state.falls)
        return warm * factor

    def revise(self, step: int, total: int) -> None:
        """From `step` on, end at `total`."""
        self.state.plan.append((step, max(total, step + 1)))


def steps_within(seconds_left: float, *, step_seconds: float, validation_seconds: float, validations: int) -> int:
    """Steps that fit into the time that is left, at least 1."""
    return max(1, int((seconds_left - validations * validation_seconds) / max(step_seconds, 1e-6)))
