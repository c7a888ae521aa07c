"""How long, and how fast at which step: one cosine after a linear warm-up, revised only when the clock forces it.

    rate(p) = floor + (1 - floor) * (1 + cos(pi p)) / 2        Loshchilov and Hutter 2017, arXiv:1608.03983

The warm-up does not depend on the length, so the first steps of a run can be timed before its length is decided, and a
run that is repeated with the length written down takes the same steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

FLOOR = 0.01
HOLD_STEPS = 9  # under a budget the cosine begins after them at the earliest: they are timed before the length is known


@dataclass
class Schedule:
    """The plan of a run: `plan` is ``[(step from which it holds, total number of steps), ...]``."""

    warmup_steps: int
    plan: list[tuple[int, int]] = field(default_factory=list)
    hold_steps: int = 0

    @property
    def total(self) -> int:
        """Number of steps; 0 when it is not decided yet."""
        return self.plan[-1][1] if self.plan else 0

    def progress(self, step: int) -> float:
        """Share of the cosine that is behind at `step`, in [0, 1]; continuous where the plan was revised."""
        done = 0.0
        for number, (start, total) in enumerate(self.plan):
            begin = max(start, self.warmup_steps, self.hold_steps) if number == 0 else start
            end = self.plan[number + 1][0] if number + 1 < len(self.plan) else step
            done += (1 - done) * max(0, min(step, end) - begin) / max(1, total - begin)
        return min(1.0, max(0.0, done))

    def validates(self, step: int, validations: int) -> bool:
        """Whether one of so many validations, evenly over the progress, is due after `step` steps; always at the end."""
        if not self.plan:
            return False
        due = int(self.progress(step) * validations + 1e-9) > int(self.progress(step - 1) * validations + 1e-9)
        return due or step >= self.total

    def factor(self, step: int) -> float:
        """Learning rate at `step` relative to its peak."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        return warm * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * self.progress(step))))

    def revise(self, step: int, total: int) -> None:
        """From `step` on, end at `total`."""
        self.plan.append((step, max(total, step + 1)))


def steps_within(seconds_left: float, *, step_seconds: float, validation_seconds: float, validations: int) -> int:
    """Steps that fit into the time that is left, at least 1."""
    return max(1, int((seconds_left - validations * validation_seconds) / max(step_seconds, 1e-6)))
