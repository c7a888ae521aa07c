"""One page to look at a data set: what the check found, the classes, the sizes, and thumbnails with the outlines of the masks.

The page is one file without addresses outside it; a short script in it only hides and shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from limner.core.labels import LabelSpace
from limner.evaluation.thumbnails import Thumbnail

MOST_PICTURES = 120  # on the page: about 3 MB
USUAL_PICTURES = 48  # so many are shown when nothing was found
MOST_OF_NOTES = 24  # of one finding that needs no action
MOST_NAMES = 40  # files of one finding that are listed
SERIOUS = ("error", "warning")


@dataclass(frozen=True)
class Cell:
    """One picture on the page.

    Parameters
    ----------
    name : its path.
    thumbnail : None when it cannot be shown.
    facts : a few words on it, such as its size and split.
    codes : of the findings that name it or its mask.
    shown : classes that it shows, with the share of its known pixels.
    """

    name: str
    thumbnail: Thumbnail | None
    facts: Sequence[str] = ()
    codes: Sequence[str] = ()
    shown: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True)
class ClassRow:
    """One class of the data set.

    Parameters
    ----------
    name : of the class.
    color : red, green, blue.
    share : of all known pixels.
    pictures : that show it, in all and in each given split.
    objects, tiny : connected areas, and those of a few pixels; None for the background.
    """

    name: str
    color: tuple[int, int, int]
    share: float
    pictures: Sequence[int]
    objects: int | None = None
    tiny: int | None = None


@dataclass(frozen=True)
class ContactSheet:
    """All that the page shows.

    Parameters
    ----------
    title : heading.
    command : what to type to repeat it.
    report : as in ``check --json``.
    label_space : the classes and their colours.
    cells : thumbnails, those that findings name first.
    left_out : pictures of the data set that are not among them, and how many of these a finding names.
    classes : the table of classes.
    splits : names of the given splits.
    tables : further tables: heading to rows of cells.
    owners : picture of each file that findings name, where it is another one (a mask).
    """

    title: str
    command: str
    report: Mapping[str, Any]
    label_space: LabelSpace
    cells: Sequence[Cell]
    left_out: tuple[int, int] = (0, 0)
    classes: Sequence[ClassRow] = ()
    splits: Sequence[str] = ()
    tables: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)


def choose_pictures(
    findings: Sequence[Mapping[str, Any]], names: Sequence[str], owners: Mapping[str, str]
) -> tuple[list[str], tuple[int, int]]:
    """Which pictures to show: those that findings name, errors first, then others evenly over the data set.

    Parameters
    ----------
    findings : as in ``check --json``, errors first.
    names : all pictures of the data set.
    owners : picture of each mask.

    Returns
    -------
    Names, each once; files that are no picture of the data set are among them. And how many pictures of the data set are left out,
    in all and of those that findings name.
    """
    chosen: dict[str, None] = {}
    named: set[str] = set()
    for finding in findings:
        files = list(dict.fromkeys(owners.get(file, file) for file in finding["files"]))
        named.update(files)
        if finding["level"] not in SERIOUS:
            files = [files[place] for place in _evenly(len(files), MOST_OF_NOTES)]
        chosen.update(dict.fromkeys(files))
    kept = list(chosen)[:MOST_PICTURES]
    rest = [name for name in names if name not in set(kept)]
    kept += [rest[place] for place in _evenly(len(rest), max(0, USUAL_PICTURES - len(kept)))]
    left = set(names) - set(kept)
    return kept, (len(left), len(left & named))


def _evenly(count: int, most: int) -> list[int]:
    """Up to `most` places among `count`, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(most, count))}) if count and most else []


def render_contact_sheet(sheet: ContactSheet) -> str:
    """The page as one HTML text; everything that comes from data is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["share"] = share_text
    places = {cell.name: f"p{number}" for number, cell in enumerate(sheet.cells, start=1)}
    findings = [
        {
            **finding,
            "links": [(file, places.get(sheet.owners.get(file, file), "")) for file in finding["files"][:MOST_NAMES]],
            "more": max(0, len(finding["files"]) - MOST_NAMES),
            "pictures": sum(finding["code"] in cell.codes for cell in sheet.cells),
        }
        for finding in sheet.report["findings"]
    ]
    codes = list(dict.fromkeys(code for cell in sheet.cells for code in cell.codes))
    counts = {code: sum(code in cell.codes for cell in sheet.cells) for code in codes}
    return environment.get_template("contact_sheet.html.j2").render(
        sheet=sheet, report=sheet.report, findings=findings, counts=counts, places=places
    )


def share_text(share: float) -> str:
    """A share in percent with as many digits as it needs.

    Examples
    --------
    >>> share_text(0.5), share_text(0.0123), share_text(0.00004), share_text(0.0)
    ('50 %', '1.2 %', '< 0.01 %', '0 %')
    """
    percent = 100 * share
    if percent == 0:
        return "0 %"
    if percent < 0.01:
        return "< 0.01 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.2f} %"
