"""Which pictures belong together (one patient, one slide, one video): as the recipe, the data, the files or their names say."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limner.core.errors import RecipeError
from limner.core.recipe_parts import SplitPart
from limner.data.group_table import TableError, look_up, names_of, names_of_slice, read_group_table
from limner.data.layouts import Item
from limner.data.name_groups import Shown, first_match, folder_of, guess_groups, names_show, stem_of
from limner.data.survey import Facts

__all__ = ["Grouping", "find_groups", "groups_by", "guess_groups", "patients"]

NONE, FOLDERS, PATIENT, TABLE = "none", "folders", "patient", "csv:"


@dataclass(frozen=True)
class Grouping:
    """The groups of some pictures.

    Parameters
    ----------
    groups : group by item name; empty when there are none, and a picture may have none.
    words : how they were found, as in ``by 12 groups ...`` or ``by picture``.
    notes : what else has to be known.
    """

    groups: Mapping[str, str]
    words: str
    notes: tuple[str, ...] = ()


def find_groups(items: Sequence[Item], rule: SplitPart, *, facts: Mapping[str, Facts], root: Path) -> Grouping:
    """Groups under the recipe's rule, else as the data declare them, else as the files or their names show them.

    Parameters
    ----------
    items : the pictures.
    rule : see ``group_by`` in it.
    facts : what is known of the pictures.
    root : the data folder.

    Raises
    ------
    RecipeError : ``group_by`` cannot be obeyed.
    """
    if rule.group_by == NONE:
        shown = names_show(items)
        count = len(set(shown.groups.values()))
        notes = (f"the {count} groups that {shown.seen} show were switched off: parts may share them",) if count else ()
        return Grouping({}, "by picture (groups switched off)", notes)
    if rule.group_by:
        groups = groups_by(rule.group_by, items, facts=facts, root=root)
        return Grouping(groups, f"by {len(set(groups.values()))} groups from split.group_by = {rule.group_by!r}")
    declared = {item.name: item.group for item in items}
    volumes = {item.name: item.group for item in items if item.is_volume}
    if any(group for name, group in declared.items() if name not in volumes):
        return _partly(declared, "groups that the data declare")
    named = patients(items, facts)
    if any(named.values()):
        return _partly(named, "patients that the files name")
    shown = names_show(items)
    if volumes and not _are_of_volumes(shown, volumes):
        return _partly(declared, "volumes")
    told = tuple(note for note in (shown.too_few, shown.odd) if note)
    if not shown.groups:
        return Grouping({}, "by picture" + (f" ({shown.aside})" if shown.aside else ""), told)
    first = min(item.name for item in items)
    example = f'{first} is of group {shown.groups[first]}; split.group_by = "none" switches it off'
    words = f"by {len(set(shown.groups.values()))} groups seen in {shown.seen} ({example})"
    return Grouping(shown.groups, words, told)


def sure_groups(items: Sequence[Item], facts: Mapping[str, Facts]) -> dict[str, str]:
    """The group of each picture as far as it needs no guess, by item name; a picture may have none.

    As the data declare them, else the patients of the files' headers (one for all is what anonymising leaves), else words such as
    patient in names, else volumes. Where the parts of a given split number their pictures each from the start, what names say holds
    within a part.
    """
    declared = {item.name: item.group for item in items}
    volumes = {item.name: item.group for item in items if item.is_volume}
    named = patients(items, facts)
    if any(group for name, group in declared.items() if name not in volumes):
        return declared
    if len(set(named.values()) - {""}) > 1:
        return named
    shown = names_show(items)
    if not shown.strong or (volumes and not _are_of_volumes(shown, volumes)):
        return declared
    if not begin_anew(items):
        return dict(shown.groups)
    groups = {item.name: f"{item.split}/{shown.groups[item.name]}" for item in items}
    return groups if max(Counter(groups.values()).values()) > 1 else declared  # else counters, and nobody's names


def begin_anew(items: Sequence[Item]) -> bool:
    """Whether the parts of a given split number their pictures each from the start: equal names in two then mean nothing.

    ``train/images/case_001.png`` and ``test/images/case_001.png`` are two pictures, and as likely two cases.
    """
    parts = defaultdict(set)
    for item in items:
        parts[f"{folder_of(item)}/{stem_of(item)}"].add(item.split)
    return any(len(found) > 1 for found in parts.values())


def _are_of_volumes(shown: Shown, volumes: Mapping[str, str]) -> bool:
    """Whether words tell who is in several volumes, as in ``sub-01_ses-1`` and ``sub-01_ses-2``; folders may be kinds."""
    if not shown.strong:
        return False
    together = {(volume, shown.groups[name]) for name, volume in volumes.items()}
    return len(together) == len(set(volumes.values())) > len(set(shown.groups.values()))


def _partly(groups: Mapping[str, str], what: str) -> Grouping:
    alone = [name for name, group in groups.items() if not group]
    notes = (f"{len(alone)} of {len(groups)} pictures have no group, such as {min(alone)}",) if alone else ()
    return Grouping(groups, f"by {len(set(groups.values()) - {''})} {what}", notes)


def groups_by(
    rule: str, items: Sequence[Item], *, facts: Mapping[str, Facts] | None = None, root: Path | None = None
) -> dict[str, str]:
    """Groups by what ``split.group_by`` says.

    Parameters
    ----------
    rule : ``folders``; ``patient``, as the files' own headers say; ``csv:FILE:COLUMN``, a table beside the data with a column
        ``image``; else a regular expression, whose first group, or the whole match, names the group. It is searched in the stem, or
        with a slash in it in the whole path without suffix.
    items : the pictures.
    facts : what is known of the pictures, for ``patient``.
    root : the data folder, for a table.

    Raises
    ------
    RecipeError : it cannot be obeyed, or leaves pictures without a group.
    """
    if rule == FOLDERS:
        groups = {item.name: folder_of(item) for item in items}
    elif rule == PATIENT:
        groups = patients(items, facts or {})
    elif rule.startswith(TABLE):
        groups = _from_table(rule, items, root or Path())
    else:
        try:
            pattern = re.compile(rule)
        except re.error as error:
            raise RecipeError(
                f"split.group_by = {rule!r}: {error}", expected="a regular expression", fix="correct it"
            ) from None
        groups = {
            item.name: first_match(
                pattern, str(PurePosixPath(item.name).with_suffix("")) if "/" in rule else stem_of(item)
            )
            for item in items
        }
    strange = [name for name, group in groups.items() if not group]
    if strange:
        raise RecipeError(
            f"split.group_by = {rule!r} does not match {strange[0]}", expected="a group for every picture",
            fix=f"{len(strange)} of {len(items)} have none; correct the rule, or set it to \"none\"",
        )  # fmt: skip
    return groups


def patients(items: Sequence[Item], facts: Mapping[str, Facts]) -> dict[str, str]:
    """The patient that the header of each file names; empty where it names none."""
    return {item.name: facts[item.name].patient if item.name in facts else "" for item in items}


def _from_table(rule: str, items: Sequence[Item], root: Path) -> dict[str, str]:
    name, _, column = rule.removeprefix(TABLE).rpartition(":")
    where = f"split.group_by = {rule!r}"
    inside = PurePosixPath(name.replace("\\", "/"))
    if not name or not column or inside.is_absolute() or ".." in inside.parts:
        raise RecipeError(
            where, expected="csv:FILE:COLUMN, the file inside the data folder", fix="as in csv:cases.csv:patient"
        )
    try:
        known = read_group_table(root / name, column)
    except OSError as error:
        raise RecipeError(
            f"{where}: {name} cannot be read ({error})", expected=f"a CSV file in {root}", fix="check the name"
        ) from None
    except TableError as error:
        raise RecipeError(
            f"{where}: {error}", expected=f"a CSV file with the columns image and {column}, one group for each image",
            where=str(root / name), fix="correct the column, or its name in the table; save it as CSV in UTF-8",
        ) from None  # fmt: skip
    return {item.name: look_up(known, _names_of(item)) for item in items}


def _names_of(item: Item) -> tuple[str, ...]:
    return names_of(item.name) if item.frame is None else names_of_slice(item.name, item.image.name)
