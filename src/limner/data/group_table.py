"""A table beside the data that says to which group each picture belongs, as people save it from a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from limner.data.stacks import stack_suffix

IMAGE = "image"  # the column of the pictures
ENCODINGS = ("utf-8-sig", "cp1252")  # the second is what Excel saves in Western Europe


class TableError(ValueError):
    """A table that cannot be used; the text says what was found."""


def read_group_table(path: Path, column: str) -> dict[str, str]:
    """The group of each picture, by the name that the table gives to it; rows without one or the other are passed over.

    Parameters
    ----------
    path : CSV with commas or semicolons, in UTF-8 or Windows-1252, with a column ``image`` and
    column : the column of the groups.

    Raises
    ------
    OSError : the file cannot be opened.
    TableError : it is no such table, or names two groups for one picture.
    """
    text = _text(path)
    head = text.partition("\n")[0]
    try:
        reader = csv.DictReader(
            io.StringIO(text, newline=""), delimiter=";" if ";" in head and "," not in head else ","
        )
        rows = [{(key or "").strip(): value for key, value in row.items() if key is not None} for row in reader]
    except csv.Error as error:
        raise TableError(f"no CSV file ({error})") from None
    columns = [name.strip() for name in reader.fieldnames or ()]
    if IMAGE not in columns or column not in columns:
        raise TableError(f"columns {', '.join(columns) or 'and rows are missing'}")
    groups: dict[str, str] = {}
    for row in rows:
        name, group = (row[IMAGE] or "").replace("\\", "/").strip(), (row[column] or "").strip()
        if name and group and groups.setdefault(name, group) != group:
            raise TableError(f"two groups for {name}: {groups[name]} and {group}")
    return groups


def _text(path: Path) -> str:
    stored = path.read_bytes()
    for encoding in ENCODINGS:
        try:
            return stored.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableError("neither UTF-8 nor Windows-1252")


def bare_stem(name: str) -> str:
    """A file name without folders and suffix, ``.nii.gz`` and the like as a whole.

    Examples
    --------
    >>> bare_stem("images/c0.nii.gz"), bare_stem("a/p.01.png")
    ('c0', 'p.01')
    """
    path = PurePosixPath(name)
    suffix = stack_suffix(path.name)
    return path.name[: len(path.name) - len(suffix)] if suffix else path.stem


def names_of(name: str) -> tuple[str, ...]:
    """What a table may call a picture: its path, with or without suffix, its file's name, and the stem of that.

    Examples
    --------
    >>> names_of("images/a.png")
    ('images/a.png', 'images/a', 'a.png', 'a')
    """
    path, stem = PurePosixPath(name), bare_stem(name)
    return tuple(dict.fromkeys((name, (path.parent / stem).as_posix(), path.name, stem)))


def names_of_slice(name: str, file: str) -> tuple[str, ...]:
    """What a table may call a slice: as `names_of` its file, which is called `file` and lies where the slices seem to lie.

    Examples
    --------
    >>> names_of_slice("images/c0/0007", "c0.nii.gz")
    ('images/c0/0007', 'images/c0.nii.gz', 'images/c0', 'c0.nii.gz', 'c0')
    """
    return (name, *names_of((PurePosixPath(name).parent.parent / file).as_posix()))


def look_up(groups: Mapping[str, str], names: Sequence[str]) -> str:
    """The group of the first of some names that the table has; empty where it has none."""
    return next((groups[name] for name in names if groups.get(name)), "")
