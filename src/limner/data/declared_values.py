"""The table ``values`` of ``limner.toml``: what each number or colour in the mask files means, to the letter.

values = {1 = "pet", 2 = "background", 3 = "ignore"}
values = {"#000000" = "background", "#dc143c" = "nucleus"}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from limner.core.choices import nearest
from limner.core.errors import DataError
from limner.core.labels import Color, default_color

IGNORE = "ignore"  # stands for pixels that are not known
Values = tuple[tuple[int, str], ...]
_EXAMPLE = 'a table such as {1 = "pet", 2 = "background", 3 = "ignore"}'


def read_values(table: object, classes: Sequence[str], path: Path) -> tuple[Values, bool]:
    """The values with their classes, in the order of the file, and whether they are colours.

    Parameters
    ----------
    table : what the file has.
    classes : declared names; empty when there are none, then every name is one.
    path : ``limner.toml``, for messages.

    Raises
    ------
    DataError : no table, a key that is neither a whole number nor ``#rrggbb``, both kinds of keys, two keys for one value, or a
        name that is not declared.
    """
    if not isinstance(table, dict):
        raise _refuse(table, _EXAMPLE, path)
    numbers: dict[int, str] = {}
    kinds = set()
    for key, name in table.items():
        is_color = re.fullmatch(r"#[0-9a-fA-F]{6}", key) is not None
        if not is_color and re.fullmatch(r"[0-9]{1,9}", key) is None:
            raise _refuse(key, 'whole numbers from 0, or colours as "#rrggbb", on the left', path)
        if not isinstance(name, str) or not name.strip():
            raise _refuse(f"{key} = {name!r}", 'the name of a class, or "ignore", on the right', path)
        if classes and name not in classes and name != IGNORE:
            fix = nearest(name, (*classes, IGNORE))
            raise DataError(
                f"values: {key} = '{name}'", expected=f"one of the classes {', '.join(classes)}, or {IGNORE}",
                where=str(path), fix=fix,
            )  # fmt: skip
        value = int(key[1:], 16) if is_color else int(key)
        if value in numbers:
            raise _refuse(key, "each value once", path)
        numbers[value] = name
        kinds.add(is_color)
    if len(kinds) > 1:
        raise _refuse(", ".join(table), "numbers or colours, not both", path)
    return tuple(numbers.items()), kinds == {True}


def classes_of(values: Values, path: Path) -> tuple[str, ...]:
    """The classes that the values name, the background first, the others in the order of the file.

    Raises
    ------
    DataError : none of them is the background, or it is the only one.
    """
    names = list(dict.fromkeys(name for _, name in values if name != IGNORE))
    background = [name for name in names if name.strip().casefold() == "background"]
    if len(background) != 1 or len(names) < 2:
        expected = "one class called background and at least one other"
        fix = "call one of them background, or give all names in the order of their ids: classes = [...]"
        raise DataError(
            f"values name the classes {', '.join(names) or 'none'}", expected=expected, where=str(path), fix=fix
        )
    return (background[0], *(name for name in names if name != background[0]))


def colors_of(values: Values, classes: Sequence[str]) -> tuple[Color, ...]:
    """The first colour of each class; a class without one gets the usual colour."""
    first: dict[str, Color] = {}
    for value, name in values:
        first.setdefault(name, (value >> 16, value >> 8 & 255, value & 255))
    return tuple(first.get(name, default_color(index)) for index, name in enumerate(classes))


def _refuse(found: object, expected: str, path: Path) -> DataError:
    return DataError(f"values: {found}", expected=expected, where=str(path), fix="correct values")
