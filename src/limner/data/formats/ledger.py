"""What comes to light while one annotation file is read or written: what was put right, what was left out, what it may cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from limner.core.annotation import Problem
from limner.data.formats.format import Content
from limner.data.formats.geometry import Notes, Refusal

# A run-length mask of twenty characters can stand for a billion pixels. Real ones take about one character for every hundred.
FREE_PIXELS = 2**27
PIXELS_PER_CHARACTER = 256
MOST_PLACES = 5


class Ledger:
    """Warnings and refusals of one file.

    Parameters
    ----------
    file : the annotation file, for messages.
    pixels : that all its masks together may have.
    """

    def __init__(self, file: str, *, pixels: int = FREE_PIXELS) -> None:
        self.file = file
        self._pixels = pixels
        self._warned: dict[tuple[str, str], list[str]] = {}
        self._refused: list[Problem] = []

    @classmethod
    def of(cls, content: Content) -> Ledger:
        """The ledger of a file that is read; it begins with keys that occur twice and numbers that are none."""
        ledger = cls(str(content.path), pixels=FREE_PIXELS + PIXELS_PER_CHARACTER * len(content.text))
        for place in content.duplicates:
            ledger.warn("duplicate-key", "the key occurs twice; the last one counts", place)
        for place in content.odd_numbers:
            ledger.warn("not-a-number", "the value is NaN, infinite or endless; it is taken as text", place)
        return ledger

    def warn(self, code: str, message: str, where: str = "") -> None:
        """Note that something was put right; the same sentence is told once, with its places."""
        self._warned.setdefault((code, message), []).append(where)

    def refuse(self, code: str, message: str, where: str = "") -> None:
        """Note that an object is left out; each is told."""
        self._refused.append(Problem(code, message, self.file, where))

    @contextmanager
    def record(self, where: str) -> Iterator[Notes]:
        """Read one object: what its geometry has to say becomes warnings, a `Refusal` leaves out this object alone."""
        notes: Notes = []
        try:
            yield notes
        except Refusal as refusal:
            self.refuse(refusal.code, refusal.message, where)
        else:
            for note in notes:
                self.warn(note.code, note.message, where)

    def take_pixels(self, count: int) -> None:
        """Allow a mask of `count` pixels.

        Raises
        ------
        Refusal : the masks of the file would have more than fits into memory on any machine.
        """
        if count > self._pixels:
            raise Refusal(
                "too-many-pixels",
                f"a mask of {count} pixels, after which the masks of this file would have more than its size explains; "
                "split the file, or crop the masks",
            )
        self._pixels -= count

    def allow_pixels(self, count: int) -> None:
        """Let the masks have `count` pixels more, because a file that belongs to this one explains them."""
        self._pixels += count

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What was put right."""
        return tuple(
            Problem(code, message + _places(places), self.file, places[0])
            for (code, message), places in self._warned.items()
        )

    @property
    def refused(self) -> tuple[Problem, ...]:
        """What was left out, in file order."""
        return tuple(self._refused)


def _places(places: list[str]) -> str:
    if len(places) == 1:
        return ""
    named = [place for place in places[:MOST_PLACES] if place]
    shown = f": {', '.join(named)}{', ...' if len(places) > MOST_PLACES else ''}" if named else ""
    return f" ({len(places)} times{shown})"
