"""``limner.toml`` beside the data: what a person declares about them; it always wins over guessing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner.core.choices import nearest
from limner.core.errors import DataError
from limner.core.labels import Color
from limner.data.declared_values import IGNORE, classes_of, colors_of, read_values
from limner.data.group_table import TableError, bare_stem, look_up, names_of, read_group_table

__all__ = ["IGNORE", "Declared", "read_declared"]

FILE_NAME = "limner.toml"
KEYS = (
    "classes", "colors", "values", "images", "masks", "pairs", "group", "ignore", "spacing", "class_attribute",
    "default_class", "task", "things", "stuff", "instances", "masks_are",
)  # fmt: skip
TASKS = ("semantic", "instance", "panoptic")
MASKS_ARE = ("classes", "instances")


@dataclass(frozen=True)
class Declared:
    """The keys of ``limner.toml``; everything is optional.

    Parameters
    ----------
    classes : names in id order, the background first; from `values` when these alone are declared.
    colors : one RGB triple per class; also how colour masks are read.
    values : (value or colour in mask files, class name or `IGNORE`), in the order of the file; goes before all guessing.
    by_color : the values are colours ``r << 16 | g << 8 | b``.
    images, masks : folder names relative to the data.
    pairs : image to mask, both relative to the data.
    group : regular expression on the stem; its first group, or the whole match, names the group.
    groups : group of each image by its path or stem, with or without suffix, from ``group = {csv = ..., column = ...}``.
    ignore : value in mask files whose pixels are not known.
    spacing : height and width of a pixel in mm, or None.
    class_attribute, default_class : for annotation files: which attribute names the class, and the class of regions without one.
    task : ``semantic``, ``instance`` or ``panoptic``; empty = what the files tell.
    things, stuff : classes whose objects are told apart, and those whose are not; either is enough.
    instances : folder of object numbers, relative to the data.
    masks_are : what numbers in mask files are, ``classes`` or ``instances``; empty = what they look like.
    where : the file, for messages; empty when there is none.
    """

    classes: tuple[str, ...] = ()
    colors: tuple[Color, ...] = ()
    values: tuple[tuple[int, str], ...] = ()
    by_color: bool = False
    images: str = ""
    masks: str = ""
    pairs: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    ignore: int | None = None
    spacing: tuple[float, float] | None = None
    class_attribute: str = ""
    default_class: str = ""
    task: str = ""
    things: tuple[str, ...] = ()
    stuff: tuple[str, ...] = ()
    instances: str = ""
    masks_are: str = ""
    where: str = ""

    def group_of(self, name: str) -> str:
        """The declared group of an image path, or an empty string."""
        if self.groups:
            return look_up(self.groups, names_of(name))
        match = re.search(self.group, bare_stem(name)) if self.group else None
        if match is None:
            return ""
        return next((part for part in match.groups() if part), match.group(0))

    def things_among(self, names: Sequence[str], seen: Collection[str]) -> tuple[str, ...]:
        """The classes whose objects are told apart, in the order of `names`.

        Parameters
        ----------
        names : all classes, the background first.
        seen : those that the files tell apart; they count where nothing is declared.

        Raises
        ------
        DataError : a class is declared a thing or stuff that is not among `names`.
        """
        for key, chosen in (("things", self.things), ("stuff", self.stuff)):
            for name in chosen:
                if name not in names[1:]:
                    raise DataError(
                        f"{key}: '{name}'", expected=f"one of the classes {', '.join(names[1:])}", where=self.where,
                        fix=nearest(name, names[1:]),
                    )  # fmt: skip
        if self.task == "semantic":
            return ()
        if self.things:
            return tuple(name for name in names[1:] if name in self.things)
        if self.stuff or self.task == "instance":
            return tuple(name for name in names[1:] if name not in self.stuff)
        return tuple(name for name in names[1:] if name in seen)


def read_declared(root: Path) -> Declared:
    """What ``limner.toml`` in `root` says; nothing when there is no such file.

    Raises
    ------
    DataError : not TOML, an unknown key (with the nearest name), or a value of another kind.
    """
    path = root / FILE_NAME
    if not path.is_file():
        return Declared()
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"not valid TOML: {error}", expected="key = value lines", where=str(path), fix="correct that line"
        ) from None
    for key in tree:
        if key not in KEYS:
            raise DataError(
                f"unknown key '{key}'", expected=f"one of {', '.join(KEYS)}", where=str(path), fix=nearest(key, KEYS)
            )
    groups, group = _groups(root, tree.get("group", ""), path)
    classes, colors = _classes(tree, path), _colors(tree, path)
    task = _choice(tree, "task", TASKS, path)
    things, stuff = _texts(tree, "things", path), _texts(tree, "stuff", path)
    values, by_color = read_values(tree.get("values", {}), classes, path)
    if values and not classes:
        classes = classes_of(values, path)
    if by_color and colors:
        raise _refuse("colors", tree["colors"], "colors, or values with colours, not both", path)
    if set(things) & set(stuff):
        raise _refuse("stuff", list(stuff), "classes that are not among things", path)
    if task == "semantic" and things:
        raise _refuse("things", list(things), 'no things where task = "semantic"', path)
    if task == "instance" and stuff:
        raise _refuse("stuff", list(stuff), 'no stuff where task = "instance"; with stuff the task is "panoptic"', path)
    return Declared(
        classes=classes,
        colors=colors_of(values, classes) if by_color else colors,
        values=values,
        by_color=by_color,
        images=_text(tree, "images", path),
        masks=_text(tree, "masks", path),
        pairs=_pairs(tree, path),
        group=group,
        groups=groups,
        ignore=_ignore(tree, path),
        spacing=_spacing(tree, path),
        class_attribute=_text(tree, "class_attribute", path, "an attribute's name in quotes"),
        default_class=_text(tree, "default_class", path, "a class name in quotes"),
        task=task,
        things=things,
        stuff=stuff,
        instances=_text(tree, "instances", path),
        masks_are=_choice(tree, "masks_are", MASKS_ARE, path),
        where=str(path),
    )


def _refuse(key: str, value: object, expected: str, path: Path) -> DataError:
    return DataError(f"{key} = {value!r}", expected=expected, where=str(path), fix=f"correct {key}")


def _text(tree: dict[str, Any], key: str, path: Path, expected: str = "a folder name in quotes") -> str:
    value = tree.get(key, "")
    if not isinstance(value, str):
        raise _refuse(key, value, expected, path)
    return value.strip("/")


def _choice(tree: dict[str, Any], key: str, choices: Sequence[str], path: Path) -> str:
    value = tree.get(key, "")
    if key in tree and value not in choices:
        fix = nearest(str(value), choices)
        raise DataError(f"{key} = {value!r}", expected=f"one of {', '.join(choices)}", where=str(path), fix=fix)
    return str(value)


def _texts(tree: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    value = tree.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise _refuse(key, value, 'a list of names such as ["background", "nucleus"]', path)
    if len(set(value)) != len(value):
        raise _refuse(key, value, "each name once", path)
    return tuple(value)


def _classes(tree: dict[str, Any], path: Path) -> tuple[str, ...]:
    names = _texts(tree, "classes", path)
    if "classes" in tree and len(names) < 2:
        raise _refuse("classes", list(names), "at least two different names, the background first", path)
    return names


def _colors(tree: dict[str, Any], path: Path) -> tuple[Color, ...]:
    value, colors = tree.get("colors", []), []
    count = len(tree.get("classes", []))
    for color in value if isinstance(value, list) else [None]:
        if isinstance(color, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", color):
            color = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        if (
            not isinstance(color, list)
            or len(color) != 3
            or not all(isinstance(c, int) and 0 <= c <= 255 for c in color)
        ):
            raise _refuse("colors", value, 'one [red, green, blue] or "#rrggbb" per class', path)
        colors.append((color[0], color[1], color[2]))
    if colors and len(colors) != count:
        raise _refuse("colors", value, f"one colour for each of the {count} classes", path)
    if len(set(colors)) != len(colors):
        raise _refuse("colors", value, "colours that differ", path)
    return tuple(colors)


def _pairs(tree: dict[str, Any], path: Path) -> dict[str, str]:
    value = tree.get("pairs", {})
    if not isinstance(value, dict) or not all(isinstance(mask, str) for mask in value.values()):
        raise _refuse("pairs", value, 'a table such as {"a.jpg" = "a-label.png"}', path)
    return value


def _ignore(tree: dict[str, Any], path: Path) -> int | None:
    value = tree.get("ignore")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise _refuse("ignore", value, "a whole number of 0 or more", path)
    return value


def _spacing(tree: dict[str, Any], path: Path) -> tuple[float, float] | None:
    value = tree.get("spacing")
    if value is None:
        return None
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2 or not all(isinstance(s, int | float) and not isinstance(s, bool) and s > 0 for s in sides):
        raise _refuse("spacing", value, "mm per pixel, one number or [height, width]", path)
    return float(sides[0]), float(sides[1])


def _groups(root: Path, value: object, path: Path) -> tuple[dict[str, str], str]:
    """The table and the regular expression behind ``group``; one of them is empty."""
    if isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise _refuse("group", value, f"a regular expression ({error})", path) from None
        return {}, value
    if not isinstance(value, dict) or set(value) != {"csv", "column"}:
        raise _refuse("group", value, 'a regular expression, or {csv = "cases.csv", column = "patient"}', path)
    try:
        groups = read_group_table(root / str(value["csv"]), str(value["column"]))
    except OSError:
        raise _refuse("group", value, f"a readable file {value['csv']} beside limner.toml", path) from None
    except TableError as error:
        expected = f"a CSV file with the columns image and {value['column']}, one group for each image (found: {error})"
        raise _refuse("group", value, expected, path) from None
    if not groups:
        raise _refuse("group", value, f"rows with an image and a {value['column']} in {value['csv']}", path)
    return groups, ""
