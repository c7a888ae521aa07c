"""A table beside the data that says to which group each picture belongs, as people save it from a spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from limner.data.csv_table import TableError, read_table
from limner.data.stacks import stack_suffix

__all__ = ["TableError", "bare_stem", "look_up", "names_of", "names_of_slice", "read_group_table"]

IMAGE = "image"  # the column of the pictures
_NNUNET, _CHANNEL = ("imagesTr", "imagesTs"), re.compile(r"(.+)_\d{4}")  # see `limner.data.nnunet`


def read_group_table(path: Path, column: str) -> dict[str, str]:
    """The group of each picture, by the name that the table gives to it; rows without one or the other are passed over.

    Parameters
    ----------
    path : see `limner.data.csv_table.read_table`; with a column ``image`` and
    column : the column of the groups.

    Raises
    ------
    OSError : the file cannot be opened.
    TableError : it is no such table, or names two groups for one picture.
    """
    table = read_table(path)
    if IMAGE not in table.columns or column not in table.columns:
        raise TableError(f"columns {', '.join(table.columns) or 'and rows are missing'}")
    groups: dict[str, str] = {}
    for _, row in table.rows:
        name, group = row[IMAGE].replace("\\", "/"), row[column]
        if name and group and groups.setdefault(name, group) != group:
            raise TableError(f"two groups for {name}: {groups[name]} and {group}")
    return groups


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

    In the folders of nnU-Net, where each channel is a file of its own, also the case.

    Examples
    --------
    >>> names_of("images/a.png")
    ('images/a.png', 'images/a', 'a.png', 'a')
    >>> names_of("imagesTr/c0_0000.nii.gz")[-1]
    'c0'
    """
    path, stem = PurePosixPath(name), bare_stem(name)
    case = _CHANNEL.fullmatch(stem) if path.parent.name in _NNUNET else None
    cases = (case.group(1),) if case else ()
    return tuple(dict.fromkeys((name, (path.parent / stem).as_posix(), path.name, stem, *cases)))


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
