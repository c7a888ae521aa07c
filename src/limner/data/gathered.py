"""Several annotation files put together, with what only their sum shows: damaged ones, pictures in two parts, the split list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from limner.core.annotation import Problem
from limner.data.annotated_set import Annotated
from limner.data.findings import Finding, counted, finding, shortened


@dataclass(frozen=True)
class Listed:
    """What ``splits.csv`` says about annotated pictures.

    Parameters
    ----------
    parts : split and group of each picture that it lists, by name; either may be empty.
    unlisted : annotated pictures that it does not list; they are not used.
    """

    parts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unlisted: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """Where the split comes from; empty when the list gives groups alone."""
        return "given by splits.csv" if any(split for split, _ in self.parts.values()) else ""


@dataclass(frozen=True)
class Gathered(Annotated):
    """Annotation files of one format, the pictures they mean, and what is wrong with the files as a whole.

    Parameters
    ----------
    unreadable : files that cannot be read, while others can.
    findings : pictures in two parts of a split, and rows of ``splits.csv`` that cannot be obeyed.
    listed : what ``splits.csv`` says; None where there is none.
    """

    unreadable: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    listed: Listed | None = None

    @property
    def all_refused(self) -> tuple[Problem, ...]:
        """Files that cannot be read, and what was left out by the readers and while fitting."""
        return (*self.unreadable, *self.regions_only().all_refused)

    @property
    def all_warnings(self) -> tuple[Problem, ...]:
        """What is wrong with the files as a whole, and what was put right, by the readers and while fitting."""
        told = (Problem(one.code, one.message, next(iter(one.files), "")) for one in self.findings)
        return (*told, *self.regions_only().all_warnings)

    def regions_only(self) -> Annotated:
        """The same without what is known about the files as a whole."""
        return Annotated(**{one.name: getattr(self, one.name) for one in fields(Annotated)})

    def file_findings(self) -> tuple[Finding, ...]:
        """What blocks: damaged files, one finding for all of them, and `findings`."""
        return (*unreadable_files(self.unreadable, self.root), *self.findings)


def unreadable_files(problems: Sequence[Problem], root: Path) -> tuple[Finding, ...]:
    """One error for all annotation files that cannot be read, their paths relative to `root`; empty for none."""
    if not problems:
        return ()
    shown = shortened([problem.message for problem in problems])
    text = f"{counted(len(problems), 'annotation file')} not readable, so that their regions are missing: {shown}"
    fix = "export them again or correct them; what is no annotation file has to leave the folder of the data"
    return (finding("UNREADABLE", "error", text, [_relative(problem.file, root) for problem in problems], fix),)


def _relative(file: str, root: Path) -> str:
    return Path(file).relative_to(root).as_posix() if Path(file).is_relative_to(root) else file
