"""The table of objects as text: CSV lines that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from limner.core.labels import LabelSpace
from limner.data.formats.via_csv import FORMULA
from limner.inference.object_table import ObjectTable

FIRST = "image"  # the first column
_DECIMALS = 4


def header(table: ObjectTable) -> list[str]:
    """Names of the columns: the picture, then those of the table."""
    return [FIRST, *table.columns]


def lines(name: str, table: ObjectTable, space: LabelSpace) -> list[str]:
    """A CSV line for each object, without line ends; classes by name, numbers to four decimals, flags as 0 and 1."""
    columns = [_cells(column, values, space) for column, values in table.columns.items()]
    return [line([guarded(name), *row]) for row in zip(*columns, strict=True)]


def line(cells: Iterable[Any]) -> str:
    """One CSV line without its end."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


def guarded(text: str) -> str:
    """A text that a spreadsheet does not run, on one line: an apostrophe goes before what begins like a formula.

    Examples
    --------
    >>> guarded("=1+1.png"), guarded("a b.png")
    ("'=1+1.png", 'a b.png')
    """
    safe = " ".join(text.splitlines()) if len(text.splitlines()) > 1 or text.endswith(("\n", "\r")) else text
    return "'" + safe if safe.startswith(FORMULA) else safe


def _cells(name: str, values: Any, space: LabelSpace) -> Sequence[Any]:
    if name == "class":
        return [guarded(space.names[i]) for i in values.tolist()]
    if values.dtype.kind == "f":
        return [f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".") for value in values.tolist()]
    return list(np.asarray(values, np.int64).tolist())
