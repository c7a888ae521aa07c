"""What is known of every job while its block is under way: how often it was begun, and its row once there is one.

Ray runs a block of jobs again when the process that held it died. The ledger lives in a process of its own, so what it knows
outlives the process that worked:

    begin(5) -> 1 try          the job is worked on
    (the process is killed)
    begin(5) -> 2 tries        by another process: once more
    finish(5, row)
    (the process is killed before the block was handed over)
    begin(5) -> row            the row is taken, nothing is done twice
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of a job.

    Parameters
    ----------
    tries : how often it was begun, this time included, >= 1.
    row : its finished row as JSON text; None = not finished.
    """

    tries: int
    row: str | None


class Ledger:
    """Counts tries and keeps the rows of blocks that were not handed over yet."""

    def __init__(self) -> None:
        self._tries: Counter[int] = Counter()
        self._rows: dict[int, str] = {}

    def begin(self, index: int) -> Entry:
        """Count one more try of job `index`, unless it is finished."""
        row = self._rows.get(index)
        if row is None:
            self._tries[index] += 1
        return Entry(self._tries[index], row)

    def finish(self, index: int, row: str) -> None:
        """Keep the row of job `index` until `forget`."""
        self._rows[index] = row

    def forget(self, indices: Iterable[int]) -> None:
        """Drop what is known of jobs whose rows have arrived; unknown ones are no error."""
        for index in indices:
            self._tries.pop(index, None)
            self._rows.pop(index, None)
