"""One thing that a check found, in words a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "fixed", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was found in a data set.

    Parameters
    ----------
    code : what kind, one of the codes that scripts know; ``docs/reference/findings.md`` explains each.
    level : ``error`` blocks; ``fixed`` means read correctly by a stated rule, with the originals untouched.
    count : how many files or cases.
    message : a sentence.
    files : the files it is about, relative to the data where possible.
    fix : what to do; empty when nothing has to be done.
    """

    code: str
    level: Level
    count: int
    message: str
    files: tuple[str, ...] = ()
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {
            "code": self.code, "level": self.level, "count": self.count, "message": self.message,
            "files": list(self.files), "fix": self.fix,
        }  # fmt: skip


def finding(
    code: str, level: Level, message: str, files: Sequence[str] = (), fix: str = "", *, count: int | None = None
) -> Finding:
    """A finding whose count is the number of its files unless another one is given."""
    return Finding(code, level, len(files) if count is None else count, message, tuple(files), fix)


def counted(number: int, noun: str) -> str:
    """A number with its noun in the right form.

    Examples
    --------
    >>> counted(1, "picture"), counted(3, "picture")
    ('1 picture', '3 pictures')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shortened(sentences: Sequence[str], most: int = 5) -> str:
    """The first sentences, and how many more there are.

    Examples
    --------
    >>> shortened(["a", "b", "c"], most=2)
    'a; b and 1 more'
    """
    more = f" and {len(sentences) - most} more" if len(sentences) > most else ""
    return "; ".join(sentences[:most]) + more
