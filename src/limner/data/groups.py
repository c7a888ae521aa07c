"""Which pictures belong together (one patient, one slide, one video), as file names and folders show it.

A guess is made only when it explains every name, gives at least three groups, and most groups have two pictures or
more; so a plain counter such as ``img001`` never becomes a group.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from limner.core.errors import RecipeError
from limner.data.layouts import IMAGE_FOLDERS, MASK_FOLDERS, SPLITS, Item

_WHO = (
    "patient|subject|subj|sub|case|person|participant|donor|animal|mouse|rat|"
    "volume|vol|scan|slide|series|study|video|seq|plate"
)
_RULES = (  # what it is called, and an expression on the stem whose first group names the group
    ("augmented copies of one picture", re.compile(r"^(.+)_(?:jpe?g|png|bmp|tiff?)\.rf\.[0-9a-fA-F]{8,}$")),
    ("file names", re.compile(rf"(?:^|[-_ .])((?:{_WHO})[-_ ]?[a-z]?\d+)(?=$|[-_ .])", re.IGNORECASE)),
    ("left and right of one number", re.compile(r"^(.*\d)[-_ ]?[LR]$")),
    ("file names before the last counter", re.compile(r"^(.*[A-Za-z0-9].*?)[-_ .]+[A-Za-z]{0,6}[-_ ]?\d+$")),
)


def guess_groups(items: Sequence[Item]) -> tuple[dict[str, str], str]:
    """Groups of the pictures by item name, and where they were seen; both empty when names show none.

    Examples
    --------
    >>> from pathlib import Path
    >>> names = [f"images/s{who}-{z}.png" for who in (1, 2, 3) for z in (1, 2)]
    >>> groups, seen = guess_groups([Item(name, Path(name), None) for name in names])
    >>> groups["images/s2-1.png"], seen
    ('s2', 'file names before the last counter')
    """
    for seen, expression in _RULES[:2]:
        if groups := _explained({item.name: _named(expression, item) for item in items}):
            return groups, seen
    if groups := _explained({item.name: _folder(item) for item in items}):
        return groups, "folder names"
    for seen, expression in _RULES[2:]:
        if groups := _explained({item.name: _named(expression, item) for item in items}):
            return groups, seen
    return {}, ""


def groups_by(expression: str, items: Sequence[Item]) -> dict[str, str]:
    """Groups by a regular expression on the stem: its first group, or the whole match.

    Raises
    ------
    RecipeError : not a regular expression, or it does not match every stem.
    """
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise RecipeError(
            f"split.group_by = {expression!r}: {error}", expected="a regular expression", fix="correct it"
        ) from None
    groups = {item.name: _named(pattern, item) for item in items}
    strange = [name for name, group in groups.items() if not group]
    if strange:
        raise RecipeError(
            f"split.group_by = {expression!r} does not match {strange[0]}", expected="a match in every stem",
            fix=f"{len(strange)} names do not match; widen the expression, or set it to \"none\"",
        )  # fmt: skip
    return groups


def _named(expression: re.Pattern[str], item: Item) -> str:
    match = expression.search(PurePosixPath(item.name).stem)
    if match is None:
        return ""
    return next((part for part in match.groups() if part), match.group(0))


def _folder(item: Item) -> str:
    parts = PurePosixPath(item.name).parts[:-1]
    known = (*IMAGE_FOLDERS, *MASK_FOLDERS, *SPLITS)
    return "/".join(part for part in parts if part.lower() not in known)


def _explained(groups: Mapping[str, str]) -> dict[str, str]:
    """`groups` when they are believable, else nothing."""
    sizes = Counter(groups.values())
    several = sum(size >= 2 for size in sizes.values())
    return dict(groups) if "" not in sizes and len(sizes) >= 3 and 2 * several > len(sizes) else {}
