"""What can go wrong, one class per remedy.

    LimnerError
    ├── UsageError      the call itself is wrong                  (exit 2)
    ├── DataError       the pictures, masks or splits are at fault (exit 1)
    ├── RecipeError     a recipe key or value cannot be obeyed     (exit 1)
    ├── BundleError     a model folder cannot be opened            (exit 1)
    ├── OutputError     the output folder cannot be written        (exit 1)
    ├── MachineError    memory, disk or an extra is missing        (exit 1)
    └── ShapeError      two arrays disagree                        (exit 1)

Every error says what was found, what was expected, where, and what to do.
"""

from __future__ import annotations

from typing import Any


class LimnerError(Exception):
    """Base of all errors that a user can remedy.

    Parameters
    ----------
    found : what was met, as a sentence without a full stop.
    expected : what was needed instead.
    where : file, key or argument; empty when the whole call is meant.
    fix : what to do about it.
    details : found out before the failure; printed with ``--json``.
    """

    exit_code = 1

    def __init__(
        self, found: str, *, expected: str = "", where: str = "", fix: str = "", details: dict[str, Any] | None = None
    ) -> None:
        self.found, self.expected, self.where, self.fix = found, expected, where, fix
        self.details = details or {}
        super().__init__(self.text())

    def text(self) -> str:
        """The lines shown to a person."""
        lines = [f"error: {self.found}; expected {self.expected}" if self.expected else f"error: {self.found}"]
        if self.where:
            lines.append(f"where: {self.where}")
        if self.fix:
            lines.append(f"fix: {self.fix}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str]:
        """The ``error`` object of a JSON document."""
        return {
            "kind": type(self).__name__,
            "found": self.found,
            "expected": self.expected,
            "where": self.where,
            "fix": self.fix,
        }


class UsageError(LimnerError):
    """The call itself is wrong."""

    exit_code = 2


class DataError(LimnerError):
    """The pictures, masks or splits are at fault."""


class RecipeError(LimnerError):
    """A recipe key or value cannot be obeyed."""


class BundleError(LimnerError):
    """A model folder cannot be opened."""


class OutputError(LimnerError):
    """The output folder cannot be written."""


class MachineError(LimnerError):
    """Memory, disk space or an installed extra is missing."""


class ShapeError(LimnerError):
    """Two arrays disagree in shape."""
