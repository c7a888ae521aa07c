"""The values of all mask files of a data set together, as the rules that read them look at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from limner.core.labels import Color, LabelSpace
from limner.data.declared import Declared
from limner.data.findings import Finding, Level
from limner.data.masks import MaskReading, MaskStats

FULL = {1, 255, 65535}  # what "yes" is in 1, 8 and 16 bit
DECLARE = 'declare the classes in limner.toml, as in classes = ["background", "nucleus"]'

Decision = tuple[MaskReading, list[Finding]]


@dataclass(frozen=True)
class Census:
    """The values of all files together, without the declared ignore value.

    Parameters
    ----------
    stats : of each file.
    declared : ``limner.toml``.
    union : the values that occur, ascending.
    counts : pixels of each value.
    flat : pixels of each value that lie inside a patch of it.
    """

    stats: tuple[MaskStats, ...]
    declared: Declared
    union: tuple[int, ...]
    counts: Counter[int]
    flat: Counter[int]

    @property
    def above_zero(self) -> set[int]:
        """All values but 0."""
        return {value for value in self.union if value > 0}

    @property
    def is_two_valued(self) -> bool:
        """No file has more than one value above 0, and all of them mean yes."""
        known = set(self.union)
        single = all(sum(v > 0 and v in known for v in s.values) <= 1 for s in self.stats)
        return single and (len(self.above_zero) <= 1 or self.above_zero <= FULL)

    def flat_share(self, values: set[int]) -> float:
        """Share of the pixels of `values` that lie inside a patch of one value; 1 when there are none."""
        total = sum(self.counts[v] for v in values)
        return sum(self.flat[v] for v in values) / total if total else 1.0

    def having(self, value: int) -> list[MaskStats]:
        """The files that hold a value."""
        return [stats for stats in self.stats if value in stats.values]


def take_census(surveys: Sequence[MaskStats], declared: Declared, *, without: frozenset[int] = frozenset()) -> Census:
    """The values of all files; those of `without` are left out as the ignore value is."""
    counts: Counter[int] = Counter()
    flat: Counter[int] = Counter()
    for stats in surveys:
        counts.update(dict(zip(stats.values, stats.counts, strict=True)))
        flat.update(dict(zip(stats.values, stats.flat, strict=True)))
    union = tuple(sorted(value for value in counts if value != declared.ignore and value not in without))
    return Census(tuple(surveys), declared, union, counts, flat)


def class_space(declared: Declared, count: int, colors: tuple[Color, ...] = ()) -> LabelSpace:
    """The declared classes, or plain names for `count` of them."""
    names = declared.classes or (
        ("background", "foreground") if count <= 2 else ("background", *(f"class_{i}" for i in range(1, count)))
    )
    colors = declared.colors or (colors if len(colors) == len(names) else ())
    return LabelSpace(names, colors)


def object_space(declared: Declared) -> LabelSpace:
    """The declared classes, or one called object."""
    return LabelSpace(declared.classes or ("background", "object"), declared.colors)


def about(code: str, level: Level, message: str, files: Sequence[MaskStats], fix: str = "") -> Finding:
    """A finding that names mask files by their whole paths."""
    return Finding(code, level, len(files), message, tuple(str(stats.path) for stats in files), fix)
