"""What the numbers and colours in foreign masks mean: one rule for all files of a folder, stated in words.

Tried in this order, and taken only if all files fit:

1. the colours of the classes, where files have colours;
2. class ids, where 0 occurs or the data's own values do not fit;
3. the values or colours that the data's own masks use;
4. with two classes, one single value or colour above 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.core.labels import Labels, LabelSpace
from limner.data.masks import MaskReading, RawMask, as_colors

MANY_VALUES = 64  # of one file: more look like scores, not like classes

Space = Literal["value", "colour"]


@dataclass(frozen=True)
class Seen:
    """The different numbers of one file, as they are stored and as colours.

    Parameters
    ----------
    path : the file.
    values : ascending.
    colors : of the values, as ``r << 16 | g << 8 | b``; grays for a file without colours.
    kind : ``ids`` for a file without colours, ``both`` for a palette, ``colour`` for three channels, which are never ids.
    """

    path: Path
    values: tuple[int, ...]
    colors: tuple[int, ...]
    kind: Literal["ids", "both", "colour"]


def look(path: Path, raw: RawMask) -> Seen:
    """The different numbers of a mask that was read."""
    grid = raw.values
    is_small = grid.dtype in (np.uint8, np.uint16)  # counting is then faster than sorting
    numbers = np.flatnonzero(np.bincount(grid.ravel())) if is_small else np.unique(grid)
    kind: Literal["ids", "both", "colour"] = "ids"
    if raw.kind in ("colour", "palette"):
        kind = "colour" if raw.kind == "colour" else "both"
    return Seen(path, tuple(numbers.tolist()), tuple(as_colors(numbers, raw.kind, raw.palette).tolist()), kind)


@dataclass(frozen=True)
class ValueRule:
    """From stored numbers or colours to class ids.

    Parameters
    ----------
    space : what is looked up.
    table : number or colour to id; None: whatever is above 0 is class 1.
    words : the rule as a sentence, empty for plain class ids.
    num_classes : how many there are.
    """

    space: Space
    table: Mapping[int, int] | None
    words: str
    num_classes: int

    def labels(self, raw: RawMask) -> Labels:
        """Class ids ``(H, W)`` of a mask all of whose numbers are known."""
        values: npt.NDArray[Any] = raw.values
        if self.space == "colour":
            values = as_colors(values, raw.kind, raw.palette)
        if self.table is None:
            ids = (values > 0).astype(np.int64)
        else:
            numbers = np.array(sorted(self.table), np.int64)
            targets = np.array([self.table[int(number)] for number in numbers])
            ids = targets[np.searchsorted(numbers, values)]
        return ids.astype(np.uint8) if self.num_classes <= 256 else ids.astype(np.uint16)


def find_rule(seen: Sequence[Seen], label_space: LabelSpace, reading: MaskReading) -> ValueRule:
    """The first rule that all files fit.

    Parameters
    ----------
    seen : of all files that belong to a picture.
    label_space : the classes.
    reading : how the data's own masks are read.

    Raises
    ------
    DataError : no rule fits; the file and the number that stand in the way are named.
    """
    count = len(label_space)
    by_color = {r << 16 | g << 8 | b: index for index, (r, g, b) in enumerate(label_space.colors)}
    has_colors = any(one.kind != "ids" for one in seen)
    if has_colors and len(by_color) == count and all(set(one.colors) <= set(by_color) for one in seen):
        plain = all(by_color[c] == v for one in seen for v, c in zip(one.values, one.colors, strict=True))
        return ValueRule("colour", by_color, "" if plain else "by the colours of the classes", count)
    own = dict(reading.table) if reading.rule == "table" else {}
    own = {value: index for value, index in own.items() if 0 <= index < count}
    if all(one.kind != "colour" for one in seen):
        values = {value for one in seen for value in one.values}
        fits_own = reading.source == "value" and bool(own) and values <= set(own)
        if max(values, default=0) < count and (0 in values or not fits_own):
            return ValueRule("value", {index: index for index in range(count)}, "", count)
        if fits_own:
            plain = all(own[value] == value for value in values)
            return ValueRule("value", own, "" if plain else "by the values that the data's own masks use", count)
        if count == 2:
            return _single(seen, label_space, "value")
        _refuse(seen, count, {value for value in values if value >= count}, "value")
    colors = {color for one in seen for color in one.colors}
    if reading.source == "colour" and own and colors <= set(own):
        return ValueRule("colour", own, "by the colours that the data's own masks use", count)
    if count == 2:
        return _single(seen, label_space, "colour")
    return _refuse(seen, count, colors - set(by_color), "colour")


def _single(seen: Sequence[Seen], label_space: LabelSpace, space: Space) -> ValueRule:
    """Two classes: one number above 0, the same in all files."""
    first: Seen | None = None
    known = -1
    for one in seen:
        for number in _numbers(one, space):
            if number == 0 or number == known:
                continue
            if first is not None and first.path != one.path:
                raise DataError(
                    f"{one.path.name} holds the {space} {_show(number, space)}, {first.path.name} {_show(known, space)}",
                    expected="0 and one other value in all files", where=f"{one.path} and {first.path}",
                    fix="save class ids 0 and 1 in all of them",
                )  # fmt: skip
            if first is not None:
                _refuse([one], 2, {number}, space)
            first, known = one, number
    return ValueRule(space, None, f"{_show(known, space)} is {label_space.names[1]}" if known > 1 else "", 2)


def _refuse(seen: Sequence[Seen], count: int, strange: set[int], space: Space) -> ValueRule:
    """Say which file holds a number that means nothing."""
    one = next(one for one in seen if strange & set(_numbers(one, space)))
    number = max(strange & set(_numbers(one, space)))
    several = len(one.values)
    if space == "value" and several > MANY_VALUES:
        raise DataError(
            f"{one.path.name} holds {several} different values up to {number}, as scores do",
            expected=f"class ids 0 to {count - 1}", where=str(one.path),
            fix="save the decided classes, such as 1 where the score is above 0.5",
        )  # fmt: skip
    raise DataError(
        f"{one.path.name} holds the {space} {_show(number, space)}",
        expected=f"class ids 0 to {count - 1}" if space == "value" else "black and the colours of the classes",
        where=str(one.path), fix="save class ids, or declare the classes and their colours in limner.toml",
    )  # fmt: skip


def _numbers(one: Seen, space: Space) -> tuple[int, ...]:
    return one.values if space == "value" else one.colors


def _show(number: int, space: Space) -> str:
    return f"#{number:06x}" if space == "colour" else str(number)
