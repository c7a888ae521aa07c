"""Tables as people save them from a spreadsheet: in the encoding of their system, with the separator of their country."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from limner.data.formats.safe_text import guess_encoding

SEPARATORS = (
    ",",
    ";",
    "\t",
)  # Excel writes the second where a comma stands in decimal numbers, the third as Unicode text
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Two Western letters beside each other, as in Größe, are a sign of GBK too; four are none of any Western word.
_LONG_RUN = re.compile(rb"[\x80-\xff]{4}")


class TableError(ValueError):
    """A table that cannot be used; the text says what was found."""


@dataclass(frozen=True)
class Table:
    """A table with a line of names.

    Parameters
    ----------
    columns : their names as written, without blanks around them.
    rows : the line in which a row ends, from 1, and its values by column, without blanks around them; a value that is missing is
        empty. Rows without any value are left out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def read_table(path: Path) -> Table:
    """The rows of a CSV file; an empty file has neither columns nor rows.

    Parameters
    ----------
    path : separated by commas, semicolons or tabs, whichever is the first of them that the first line has. In UTF-8, in UTF-16 with
        a byte-order mark, or, where it is neither, in what its bytes look like of Windows-1252 and GBK. A wrong guess does not
        pass unseen where the table names files.

    Raises
    ------
    OSError : the file cannot be opened.
    TableError : no encoding fits, or it is no CSV file.
    """
    text = _text(path.read_bytes())
    head = text.partition("\n")[0]
    separator = next((sign for sign in SEPARATORS if sign in head), ",")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        columns = tuple((name or "").strip() for name in reader.fieldnames or ())
        rows = [
            (reader.line_num, {key.strip(): (value or "").strip() for key, value in row.items() if key is not None})
            for row in reader
        ]
    except csv.Error as error:
        raise TableError(f"no CSV file ({error})") from None
    return Table(columns, tuple((line, row) for line, row in rows if any(row.values())))


def _text(stored: bytes) -> str:
    encoding = "utf-16" if stored.startswith(_MARKS) else "utf-8-sig"
    try:
        return stored.decode(encoding)
    except UnicodeDecodeError:
        pass
    try:
        return stored.decode("gbk" if _LONG_RUN.search(stored) and guess_encoding(stored) == "GBK" else "cp1252")
    except UnicodeDecodeError:
        raise TableError("neither UTF-8 nor Windows-1252") from None
