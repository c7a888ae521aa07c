"""Read a lock file: what is pinned, for which systems, with which hashes, and who wants it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass
class Pin:
    """One exact version.

    Parameters
    ----------
    name : as in the index, lower case, with dashes.
    version : exact.
    marker : systems and Python versions that it is for; empty = all.
    sha256 : of every file of this version, hexadecimal.
    wanted_by : packages, or ``limner``.
    """

    name: str
    version: str
    marker: str = ""
    sha256: list[str] = field(default_factory=list)
    wanted_by: list[str] = field(default_factory=list)


def read_lock(path: Path) -> list[Pin]:
    """The pins of a lock file, in its order.

    Raises
    ------
    ValueError : a line is neither a pin, a hash nor a comment, or a version is not exact.
    """
    pins: list[Pin] = []
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip().removesuffix("\\").strip()
        if line.startswith("--hash=sha256:"):
            pins[-1].sha256.append(line.removeprefix("--hash=sha256:"))
        elif line.startswith("#"):
            word = line.lstrip("# ").removeprefix("via").strip()
            if word and pins and not word.startswith("-c "):
                pins[-1].wanted_by.append("limner" if word.startswith("limner (") else word)
        elif line:
            pins.append(_pin(line, where=f"{path.name}, line {number}"))
    return pins


def _pin(line: str, *, where: str) -> Pin:
    requirement = Requirement(line)
    exact = [clause.version for clause in requirement.specifier if clause.operator == "=="]
    if requirement.url or len(exact) != 1:
        raise ValueError(f"{where}: {line!r} is not an exact version of an index")
    return Pin(canonicalize_name(requirement.name), exact[0], str(requirement.marker or ""))
