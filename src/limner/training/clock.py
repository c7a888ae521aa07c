"""The wall clock of a run: what is used of the budget, how long a step takes, when to look up and when to save."""

from __future__ import annotations

import statistics
import time
from typing import Literal

from limner.training.checkpoint import Progress

CHECKPOINT_SECONDS = 5.0  # at least so long between checkpoints,
CHECKPOINT_SHARE = 0.03  # and long enough that writing them takes no more than this share
REVIEW_SHARE = 0.04  # of the budget between two looks at the schedule
WINDOW = 24  # steps whose median tells the present speed


class Clock:
    """Adds to ``progress.seconds`` and remembers the recent speed.

    Parameters
    ----------
    progress : of the run; its seconds go on counting after a resume.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.durations: list[float] = []
        self.validations: list[float] = []
        self._last = time.perf_counter()
        self._reviewed = progress.seconds
        self._save_next = progress.seconds + CHECKPOINT_SECONDS

    def tick(self, kind: Literal["step", "validation", "other"] = "other") -> float:
        """Count the time since the last tick as that of `kind`; returns it in seconds."""
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        self.progress.seconds += passed
        if kind == "step":
            self.durations.append(passed)
        elif kind == "validation":
            self.validations.append(passed)
        return passed

    def step_seconds(self) -> float:
        """Seconds that a step takes now."""
        return statistics.median(self.durations[-WINDOW:])

    def validation_seconds(self) -> float:
        """Seconds that a validation takes; 0 before the first."""
        return statistics.median(self.validations) if self.validations else 0.0

    def review_due(self, budget: float) -> bool:
        """Whether it is time to compare the schedule with the budget again."""
        if len(self.durations) < WINDOW / 2 or self.progress.seconds - self._reviewed < REVIEW_SHARE * budget:
            return False
        self._reviewed = self.progress.seconds
        return True

    def checkpoint_due(self) -> bool:
        """Whether so much time has passed that a kill would hurt."""
        return self.progress.seconds >= self._save_next

    def saved(self) -> None:
        """A checkpoint was written just now; the next one waits the longer, the longer this one took."""
        cost = self.tick()
        self._save_next = self.progress.seconds + max(CHECKPOINT_SECONDS, cost / CHECKPOINT_SHARE)
