"""Write ``README.md`` beside a bundle, and find the licence that stands beside the data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from limner.core.bundle import Bundle
from limner.core.files import write_text
from limner.evaluation.model_card import model_card
from limner.evaluation.names import visible
from limner.evaluation.page import ReportPage

CARD = "README.md"
READ_CHARACTERS = 65536  # of a file that may state a licence
LONGEST_LINE = 300
NAMED_AFTER_IT = re.compile(r"^((un)?licen[cs]e|copying)[^.]*(\.(md|txt|rst))?$", re.IGNORECASE)
DESCRIBING = re.compile(r"^(dataset|readme|datasheet|about)\b.*\.(md|txt|rst)$|^readme$|^dataset\.json$", re.IGNORECASE)
STATES_ONE = re.compile(r"licen[cs]e|creative commons|\bcc[ -](by|0)|\bcc0\b|public domain|copyright", re.IGNORECASE)
JSON_KEY = re.compile(r'"licen[cs]e"\s*:\s*"([^"]*[^"\s][^"]*)"', re.IGNORECASE)


@dataclass(frozen=True)
class DataLicence:
    """What a file beside the data says about their licence.

    Parameters
    ----------
    line : the line, word for word; empty where none was found.
    file : name of the file.
    """

    line: str = ""
    file: str = ""

    def __str__(self) -> str:
        """For people."""
        return f"“{self.line}” (from {self.file} beside the data)" if self.line else "not stated"


def find_licence(data: Path) -> DataLicence:
    """The licence of a data set, as a file in its folder states it; nothing is concluded, only quoted.

    Parameters
    ----------
    data : folder of the data, or a file in it. Read are files called LICENSE, LICENCE or COPYING (their first line), then DATASET,
        README and ``dataset.json`` (their first line that speaks of a licence), in the folder itself and nowhere else.

    Returns
    -------
    An empty one where no file states any, or none can be read.
    """
    folder = data if data.is_dir() else data.parent
    try:
        files = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: path.name.lower())
    except OSError:
        return DataLicence()
    for pattern, wanted in ((NAMED_AFTER_IT, re.compile(r"\S")), (DESCRIBING, STATES_ONE)):
        for path in files:
            line = _line(path, wanted) if pattern.search(path.name) else ""
            if line:
                return DataLicence(line, visible(path.name))
    return DataLicence()


def _line(path: Path, wanted: re.Pattern[str]) -> str:
    """The first line with `wanted` in it, or below a heading of that name, without marks of Markdown; empty where there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(READ_CHARACTERS)
    except OSError:
        return ""
    if path.suffix.lower() == ".json":
        found = JSON_KEY.search(text)
        return visible(found[1].strip(), longest=LONGEST_LINE) if found else ""
    below_heading = False
    for line in text.splitlines():
        stripped = line.strip().lstrip("#*->| ").strip()
        if re.fullmatch(r"licen[cs]es?", stripped.strip(" :*_=-"), re.IGNORECASE):
            below_heading = True
        elif stripped.strip("=-") and (below_heading or wanted.search(stripped)):
            return visible(stripped, longest=LONGEST_LINE)
    return ""


def write_model_card(bundle: Bundle, page: ReportPage | None = None) -> Path:
    """Write the card beside ``bundle.json``; whatever the bundle checks stays as it is.

    Parameters
    ----------
    bundle : as it lies on disk.
    page : the report of the evaluation; None when it was not evaluated.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    path = bundle.folder / CARD
    write_text(path, model_card(bundle, page))
    return path
