"""Does the rule that ``limner.toml`` gives for groups find any? One that finds none protects from nothing, without a word."""

from __future__ import annotations

from pathlib import PurePosixPath

from limner.core.errors import DataError
from limner.data.declared import Declared
from limner.data.findings import Finding, finding, shortened
from limner.data.layouts import Item, Layout


def pictures_without_group(layout: Layout) -> list[Finding]:
    """Pictures that the declared table or regular expression leaves without a group.

    Raises
    ------
    DataError : it leaves all of them so.
    """
    declared = layout.declared
    if not (declared.groups or declared.group) or not layout.items:
        return []
    left = [item.name for item in layout.items if not declared.group_of(_file_of(item))]
    if len(left) == len(layout.items):
        raise DataError(
            f"group: {_nothing(declared)}, such as {left[0]}", expected="a rule that gives groups to pictures",
            where=declared.where, fix="correct group in limner.toml, or take it out",
        )  # fmt: skip
    without = set(left)
    alone = [item.name for item in layout.items if item.name in without and _is_alone(item)]
    if not alone:
        return []
    text = f"{len(alone)} of {len(layout.items)} pictures have no group under limner.toml: {shortened(alone)}"
    return [finding("GROUP_MISSING", "warning", text, alone, "add them to the table, or correct group in limner.toml")]


def _nothing(declared: Declared) -> str:
    if declared.groups:
        return f"the table names {shortened(list(declared.groups), 3).replace('; ', ', ')} and no picture of the data"
    return f"{declared.group!r} matches no name"


def _file_of(item: Item) -> str:
    """The path of the file; slices are named after it."""
    if item.frame is None:
        return item.name
    return (PurePosixPath(item.name).parent.parent / item.image.name).as_posix()


def _is_alone(item: Item) -> bool:
    """Not even ``splits.csv`` gives a group to it; slices of a volume have their file as one."""
    return not item.group or item.is_volume
