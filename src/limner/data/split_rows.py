"""The rows of ``splits.csv``: ``image,mask,split,group``, to the letter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from limner.core.choices import nearest
from limner.core.errors import DataError
from limner.data.csv_table import TableError, read_table

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
COLUMNS = ("image", "mask", "split", "group")


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a split file without their lines, see `numbered_rows`."""
    return [row for _, row in numbered_rows(path)]


def numbered_rows(path: Path, *, masks: bool = True) -> list[tuple[int, dict[str, str]]]:
    """The line of each row of a split file, from 1, and the row, every column present, blanks stripped.

    Parameters
    ----------
    masks : the column mask must be there.

    Raises
    ------
    DataError : no table (see `limner.data.csv_table.read_table`) with the columns image and mask, or without rows.
    """
    try:
        table = read_table(path)
    except (OSError, TableError) as error:
        raise DataError(
            f"{path.name} cannot be read: {error}", expected="a CSV file in UTF-8", where=str(path), fix="save it again"
        ) from None
    rows = [(line, {key.lower(): value for key, value in row.items()}) for line, row in table.rows]
    wanted = COLUMNS if masks else ("image", "split", "group")
    if not rows or not {"image", "mask"} & set(wanted) <= set(rows[0][1]):
        raise DataError(
            f"columns {', '.join(rows[0][1]) if rows else 'and rows missing'}",
            expected=",".join(wanted), where=str(path), fix=f"write the first line as {','.join(wanted)}",
        )  # fmt: skip
    return [(line, {column: row.get(column, "") for column in COLUMNS}) for line, row in rows]


def split_name(text: str, where: str) -> str:
    """``train``, ``val``, ``test`` or empty from what people write.

    Raises
    ------
    DataError : another word.
    """
    word = text.lower()
    if word and word not in SPLITS:
        raise DataError(f"split '{text}'", expected="train, val or test", where=where, fix=nearest(word, SPLITS))
    return SPLITS.get(word, "")


def unset_splits(named: Sequence[tuple[str, str]], where: str) -> None:
    """Refuse rows of which some name a split and some do not.

    Parameters
    ----------
    named : picture and split of each row.

    Raises
    ------
    DataError : names a picture without one.
    """
    unset = [name for name, split in named if not split]
    if unset and len(unset) < len(named):
        raise DataError(
            f"{len(unset)} rows without a split, {len(named) - len(unset)} with one",
            expected="train, val or test in every row, or in none", where=where, fix=f"fill in the split of {unset[0]}",
        )  # fmt: skip
