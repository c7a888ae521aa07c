"""One thing that a check found, in words a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "fixed", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was found in a data set.

    Parameters
    ----------
    code : what kind, one of the codes that scripts know.
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
