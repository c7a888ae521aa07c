"""Who trains, who chooses, who judges: given splits to the letter, automatic ones by group and class, always seeded."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.core.errors import DataError, RecipeError
from limner.core.files import write_text
from limner.core.recipe_parts import SplitPart
from limner.data.dataset import Dataset
from limner.data.groups import groups_by, guess_groups
from limner.data.layouts import Item, read_rows, split_name
from limner.data.stratify import Unit, draw, make_units, presence

__all__ = ["Split", "make_split", "read_rows", "read_split", "split_checksum", "write_split"]

NO_GROUPS = "none"
FEWEST_GROUPS = 5  # with fewer, validation by group would be one or two groups only


@dataclass(frozen=True)
class Split:
    """Every picture with its part.

    Parameters
    ----------
    items : in order of their names, each ``train``, ``val`` or ``test``.
    rule : how it came about, as a sentence.
    checksum : `split_checksum` of the items.
    notes : what else has to be known.
    """

    items: tuple[Item, ...]
    rule: str
    checksum: str
    notes: tuple[str, ...] = ()

    def part(self, name: str) -> tuple[Item, ...]:
        """The items of ``train``, ``val`` or ``test``."""
        return tuple(item for item in self.items if item.split == name)

    def counts(self) -> dict[str, int]:
        """Pictures in each part."""
        return {name: len(self.part(name)) for name in ("train", "val", "test")}


def make_split(dataset: Dataset, *, rule: SplitPart, seed: int) -> Split:
    """Decide which pictures train, validate and test.

    Parameters
    ----------
    dataset : all pictures; a split that it brings is obeyed.
    rule : shares and the group rule; ``group_by = "none"`` switches groups off, an expression goes before guessing.
    seed : the same names, pixels and seed give the same split.

    Returns
    -------
    A split with at least one picture to train and one to validate; the test may be empty, which a note says.

    Raises
    ------
    DataError : fewer than two pictures that may train.
    RecipeError : the rule is ``given`` but the data bring no split, or the group rule cannot be obeyed.
    """
    if dataset.split_rule:
        items, words, notes = _given(dataset, rule, seed)
    elif rule.rule == "given":
        raise RecipeError(
            'split.rule = "given"', expected="data that bring a split", where=str(dataset.root),
            fix='add splits.csv or train/ and test/ folders, or set split.rule = "automatic"',
        )  # fmt: skip
    else:
        items, words, notes = _automatic(dataset, rule, seed)
    items.sort(key=lambda item: item.name)
    notes += _missing_classes(dataset, items)
    return Split(tuple(items), words, split_checksum(items), tuple(notes))


def split_checksum(items: Iterable[Item]) -> str:
    """SHA-256 of the names and parts, whatever their order."""
    lines = sorted(f"{item.name}\t{item.split}\n" for item in items)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_split(path: Path, split: Split, root: Path) -> None:
    """Write ``image,mask,split,group`` with paths relative to `root`, whole or not at all.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "mask", "split", "group"])
    for item in split.items:
        mask = item.mask.relative_to(root).as_posix() if item.mask else ""
        writer.writerow([item.name, mask, item.split, item.group])
    write_text(path, text.getvalue())


def read_split(path: Path, dataset: Dataset) -> Split:
    """The split that `write_split` wrote, for the same data.

    Raises
    ------
    DataError : the file is damaged or names a picture that the data do not have.
    """
    known = {item.name: item for item in dataset.items}
    items = []
    for number, row in enumerate(read_rows(path), start=2):
        where = f"{path}, line {number}"
        if row["image"] not in known:
            raise DataError(
                f"the split names {row['image']}, which is not in {dataset.root}",
                expected="the data of the run", where=where, fix="give the same data folder, or start a new run",
            )  # fmt: skip
        part = split_name(row["split"], where)
        items.append(dataclasses.replace(known[row["image"]], split=part, group=row["group"]))
    rest = len(known) - len({item.name for item in items})
    notes = (f"{rest} pictures in the data are not in {path.name} and are not used",) if rest else ()
    items.sort(key=lambda item: item.name)
    return Split(tuple(items), f"as written in {path.name}", split_checksum(items), notes)


def _given(dataset: Dataset, rule: SplitPart, seed: int) -> tuple[list[Item], str, list[str]]:
    items = list(dataset.items)
    counts = Counter(item.split for item in items)
    words, notes = dataset.split_rule, []
    if not counts["train"]:
        raise DataError(
            "the given split has no training pictures",
            expected="rows or a folder called train", where=str(dataset.root), fix="correct the split",
        )  # fmt: skip
    if not counts["val"]:
        train = [item for item in items if item.split == "train"]
        chosen, how = _validation(dataset, train, rule, seed)
        items = [dataclasses.replace(item, split="val") if item.name in chosen else item for item in items]
        words += f"; {len(chosen)} of {len(train)} training pictures are validation, {how}"
    if not counts["test"]:
        notes.append(
            "the data bring no test pictures; scores are on validation, which chose the model, and are too good"
        )
    return items, words, notes


def _validation(dataset: Dataset, train: Sequence[Item], rule: SplitPart, seed: int) -> tuple[set[str], str]:
    """Names of the training pictures that validate, and by what they were chosen.

    By group where there are enough of them, else by picture. Where most groups of the training pictures are in the given
    test as well, the test asks about new pictures of known groups; validation then asks the same, by picture and with
    every group in it as far as possible (docs/decisions/0006-validation-like-the-test.md).
    """
    groups, _ = _groups(train, rule)
    sizes = Counter(groups.values())
    tested = {item.group for item in dataset.items if item.split == "test"}
    shared = sum(name in tested for name in sizes if name) > len(sizes) / 2
    by_group = len(sizes) >= FEWEST_GROUPS and len(sizes) < len(train) and "" not in sizes and not shared
    units = make_units(train, groups if by_group else {}, dataset.facts)
    if len(units) < 2 and len(train) > 1:
        units = [(item,) for item in train]
    if len(units) < 2:
        raise DataError(
            "one training picture", expected="at least two: one trains, one validates", where=str(dataset.root),
            fix="label more pictures",
        )  # fmt: skip
    strata = groups if shared and len(sizes) <= len(train) / 3 else {}
    rng = np.random.default_rng([seed, 1])
    chosen = _draw(dataset, units, share=rule.val_share, total=len(train), keep=1, rng=rng, strata=strata)
    how = f"chosen by group ({len(chosen)} of {len(units)})" if by_group else "chosen by picture"
    if shared:
        how += ", since the given test shares its groups with training"
    return {item.name for unit in chosen for item in unit}, how


def _automatic(dataset: Dataset, rule: SplitPart, seed: int) -> tuple[list[Item], str, list[str]]:
    items = list(dataset.items)
    if len(items) < 2:
        raise DataError(
            f"{len(items)} picture with a mask",
            expected="at least two: one trains, one validates", where=str(dataset.root), fix="label more pictures",
        )  # fmt: skip
    groups, words = _groups(items, rule)
    units, notes = make_units(items, groups, dataset.facts), []
    if len(units) == 1:
        units = [(item,) for item in items]
        words, groups = "by picture", {}
        notes.append(
            "all pictures are of one group or are copies: split by picture, the score says nothing about new groups"
        )
    rng = np.random.default_rng([seed, 0])
    parts: dict[str, str] = {}
    left = units
    if len(units) >= 3 and rule.test_share > 0:
        test = _draw(dataset, left, share=rule.test_share, total=len(items), keep=2, rng=rng)
        parts |= {item.name: "test" for unit in test for item in unit}
        left = [unit for unit in left if unit not in test]
    else:
        notes.append(
            "too few pictures or groups for a test: scores are on validation, which chose the model, and are too good"
        )
    may_train = sum(len(unit) for unit in left)
    val = _draw(dataset, left, share=rule.val_share, total=may_train, keep=1, rng=rng)
    parts |= {item.name: "val" for unit in val for item in unit}
    done = [dataclasses.replace(i, split=parts.get(i.name, "train"), group=groups.get(i.name, "")) for i in items]
    counts = Counter(item.split for item in done)
    shown = f"{counts['train']} train, {counts['val']} validate, {counts['test']} test"
    return done, f"automatic, {words}, seed {seed}: {shown}", notes


def _groups(items: Sequence[Item], rule: SplitPart) -> tuple[dict[str, str], str]:
    """Group by item name under the recipe's rule, the data's own column, or a guess; and how, in words."""
    if rule.group_by == NO_GROUPS:
        return {}, "by picture (groups switched off)"
    if rule.group_by:
        groups = groups_by(rule.group_by, items)
        return groups, f"by {len(set(groups.values()))} groups from split.group_by"
    if any(item.group for item in items):
        groups = {item.name: item.group for item in items}
        return groups, f"by {len(set(groups.values()))} groups that the data declare"
    groups, seen = guess_groups(items)
    if not groups:
        return {}, "by picture"
    first = items[0].name
    example = f'{first} is of group {groups[first]}; split.group_by = "none" switches it off'
    words = f"by {len(set(groups.values()))} groups seen in {seen} ({example})"
    return groups, words


def _draw(
    dataset: Dataset, units: Sequence[Unit], *, share: float, total: int, keep: int, rng: np.random.Generator,
    strata: Mapping[str, str] | None = None,
) -> list[Unit]:  # fmt: skip
    table = presence(units, dataset.facts, len(dataset.label_space), strata)
    sizes = np.array([len(unit) for unit in units])
    chosen = draw(table, sizes, target=max(1, round(share * total)), keep=keep, rng=rng)
    return [units[index] for index in chosen]


def _missing_classes(dataset: Dataset, items: Sequence[Item]) -> list[str]:
    shown: Mapping[str, set[int]] = {"train": set(), "val": set(), "test": set()}
    for item in items:
        fact = dataset.facts.get(item.name)
        shown[item.split].update(
            index for index, number in (fact.pixels if fact else {}).items() if number and index > 0
        )
    anywhere = set().union(*shown.values())
    present = {item.split for item in items}
    return [
        f"class {dataset.label_space.names[index]} does not occur in {part}"
        for part in ("train", "val", "test") if part in present for index in sorted(anywhere - shown[part])
    ]  # fmt: skip
