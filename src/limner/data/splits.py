"""Who trains, who chooses, who judges: given splits to the letter, automatic ones by group and class, always seeded.

In an automatic split no group and no copy is in two parts: the units that are drawn are the connected components over groups,
exact copies and sets of near copies.
"""

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
from limner.data.groups import Grouping, begin_anew, find_groups, patients, sure_groups
from limner.data.layouts import Item
from limner.data.split_rows import numbered_rows, read_rows, split_name
from limner.data.stratify import Unit, draw, make_units, presence

__all__ = [
    "Split",
    "draw_test",
    "make_split",
    "missing_classes",
    "read_rows",
    "read_split",
    "split_checksum",
    "write_split",
]

AUTOMATIC, GIVEN = "automatic", "given"
FAR_OFF = 0.1  # of all pictures: a test that is so much larger or smaller than wished is worth a note
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
    dataset : all pictures; a split that it brings is obeyed unless the rule is ``automatic``.
    rule : shares and the group rule; ``group_by = "none"`` switches groups off, another one goes before guessing.
    seed : the same names, pixels and seed give the same split, whatever the order of the pictures.

    Returns
    -------
    A split with at least one picture to train and one to validate; the test may be empty, which a note says.

    Raises
    ------
    DataError : fewer than two pictures that may train.
    RecipeError : the rule is ``given`` but the data bring no split, or the group rule cannot be obeyed.
    """
    if is_given(dataset, rule):
        items, words, notes = _given(dataset, rule, seed)
    else:
        items, words, notes = _automatic(dataset, rule, seed)
    items.sort(key=lambda item: item.name)
    notes += missing_classes(dataset, items)
    return Split(tuple(items), words, split_checksum(items), tuple(notes))


def is_given(dataset: Dataset, rule: SplitPart) -> bool:
    """Whether the split that the data bring is obeyed.

    Raises
    ------
    RecipeError : the rule is ``given`` but the data bring none.
    """
    if rule.rule == GIVEN and not dataset.split_rule:
        raise RecipeError(
            'split.rule = "given"', expected="data that bring a split", where=str(dataset.root),
            fix='add splits.csv or train/ and test/ folders, or set split.rule = "automatic"',
        )  # fmt: skip
    return bool(dataset.split_rule) and rule.rule != AUTOMATIC


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
        writer.writerow([item.name, mask_name(item, root), item.split, item.group])
    write_text(path, text.getvalue())


def mask_name(item: Item, root: Path) -> str:
    """The mask file relative to the data where it lies in them; empty where there is none."""
    if item.mask is None:
        return ""
    return item.mask.relative_to(root).as_posix() if item.mask.is_relative_to(root) else str(item.mask)


def read_split(path: Path, dataset: Dataset) -> Split:
    """The split that `write_split` wrote, for the same data.

    Raises
    ------
    DataError : the file is damaged or names a picture that the data do not have.
    """
    known = {item.name: item for item in dataset.items}
    items = []
    for number, row in numbered_rows(path):
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
    items = by_name(dataset.items)
    counts = Counter(item.split for item in items)
    words, notes = dataset.split_rule, list[str]()
    if not counts["train"]:
        raise DataError(
            "the given split has no training pictures",
            expected="rows or a folder called train", where=str(dataset.root), fix="correct the split",
        )  # fmt: skip
    if not counts["val"]:
        train = [item for item in items if item.split == "train"]
        chosen, how, told = _validation(dataset, train, rule, seed)
        notes += told
        items = [dataclasses.replace(item, split="val") if item.name in chosen else item for item in items]
        words += f"; {len(chosen)} of {len(train)} training pictures are validation, {how}"
    if not counts["test"]:
        notes.append(
            "the data bring no test pictures; scores are on validation, which chose the model, and are too good"
        )
    if not rule.group_by:  # the intervals of scores draw groups
        groups = sure_groups(items, dataset.facts)
        items = [dataclasses.replace(item, group=groups.get(item.name, "")) for item in items]
    return items, words, notes


def shares_groups(dataset: Dataset, train: Sequence[Item], groups: Mapping[str, str], rule: SplitPart) -> bool:
    """Whether most groups of the training pictures are in the given test as well.

    The test then asks about new pictures of known groups, and so must validation
    (docs/decisions/0006-validation-like-the-test.md).
    """
    named = {groups.get(item.name, "") for item in train}
    test = [item for item in dataset.items if item.split == "test"]
    tested = {item.group for item in test if not item.is_volume}
    told = any(patients([*train, *test], dataset.facts).values())
    if any(named) and not any(tested) and (told or not begin_anew([*train, *test])):  # headers or names tell them
        try:
            both = grouping_of(dataset, [*train, *test], rule).groups
        except RecipeError:  # a rule that knows the training pictures alone
            both = {}
        tested = {both.get(item.name, "") for item in test}
        named = {both.get(item.name, "") for item in train}
    return sum(name in tested for name in named if name) > len(named) / 2


def _validation(
    dataset: Dataset, train: Sequence[Item], rule: SplitPart, seed: int
) -> tuple[set[str], str, tuple[str, ...]]:
    """Names of the training pictures that validate, by what they were chosen, and what else has to be known.

    By group where there are enough of them, else by picture, and then with every group in it as far as possible where
    `shares_groups` says so. Copies stay together in any case.
    """
    found = grouping_of(dataset, train, rule)
    groups = found.groups
    sizes = Counter(group for group in groups.values() if group)
    shared = shares_groups(dataset, train, groups, rule)
    by_group = len(sizes) >= FEWEST_GROUPS and len(sizes) < len(train) and not shared
    units = make_units(train, groups if by_group else {}, dataset.facts, dataset.alike)
    if len(units) < 2 and len(train) > 1:
        units = [(item,) for item in train]
    if len(units) < 2:
        raise DataError(
            "one training picture", expected="at least two: one trains, one validates", where=str(dataset.root),
            fix="label more pictures",
        )  # fmt: skip
    strata = groups if shared and len(sizes) <= len(train) / 3 else {}
    rng = np.random.default_rng([seed, 1])
    chosen = draw_units(dataset, units, share=rule.val_share, total=len(train), keep=1, rng=rng, strata=strata)
    how = f"chosen by group ({len(chosen)} of {len(units)})" if by_group else "chosen by picture"
    if shared:
        how += ", since the given test shares its groups with training"
    return {item.name for unit in chosen for item in unit}, how, found.notes


def _automatic(dataset: Dataset, rule: SplitPart, seed: int) -> tuple[list[Item], str, list[str]]:
    items = by_name(dataset.items)
    if len(items) < 2:
        raise DataError(
            f"{len(items)} picture with a mask",
            expected="at least two: one trains, one validates", where=str(dataset.root), fix="label more pictures",
        )  # fmt: skip
    found = grouping_of(dataset, items, rule)
    words, groups, notes = found.words, found.groups, [*not_obeyed(dataset), *found.notes]
    units = make_units(items, groups, dataset.facts, dataset.alike)
    words += copies_in_words(items, groups, units)
    if len(units) == 1:
        units = [(item,) for item in items]
        words, groups = "by picture", {}
        notes.append(
            "all pictures are of one group or are copies: split by picture, the score says nothing about new groups"
        )
    test, rng = draw_test(dataset, units, rule, seed)
    notes += about_test(test, units, groups, rule)
    taken = {unit[0].name for unit in test}
    left = [unit for unit in units if unit[0].name not in taken]
    may_train = sum(len(unit) for unit in left)
    val = draw_units(dataset, left, share=rule.val_share, total=may_train, keep=1, rng=rng)
    parts = {item.name: name for name, drawn in (("test", test), ("val", val)) for unit in drawn for item in unit}
    done = [dataclasses.replace(i, split=parts.get(i.name, "train"), group=groups.get(i.name, "")) for i in items]
    counts = Counter(item.split for item in done)
    shown = f"{counts['train']} train, {counts['val']} validate, {counts['test']} test"
    return done, f"automatic, {words}, seed {seed}: {shown}", notes


def by_name(items: Iterable[Item]) -> list[Item]:
    """Items in order of their names, so that nothing depends on the order in which files are found."""
    return sorted(items, key=lambda item: item.name)


def grouping_of(dataset: Dataset, items: Sequence[Item], rule: SplitPart) -> Grouping:
    """The groups of some pictures of a data set."""
    return find_groups(items, rule, facts=dataset.facts, root=dataset.root)


def copies_in_words(items: Sequence[Item], groups: Mapping[str, str], units: Sequence[Unit]) -> str:
    """How many units came together because of copies, as the end of a sentence; empty for none."""
    joined = len(make_units(items, groups, {})) - len(units)
    return f", copies and near copies kept together ({joined} joined to others)" if joined else ""


def draw_test(
    dataset: Dataset, units: Sequence[Unit], rule: SplitPart, seed: int
) -> tuple[list[Unit], np.random.Generator]:
    """The units that test, none where there are too few, and the generator for the draws that follow."""
    rng = np.random.default_rng([seed, 0])
    if len(units) < 3 or rule.test_share == 0:
        return [], rng
    total = sum(len(unit) for unit in units)
    return draw_units(dataset, units, share=rule.test_share, total=total, keep=2, rng=rng), rng


def about_test(test: Sequence[Unit], units: Sequence[Unit], groups: Mapping[str, str], rule: SplitPart) -> list[str]:
    """What a reader of the test score has to know about the pictures behind it, as sentences."""
    if not test:
        why = "split.test_share is 0" if rule.test_share == 0 else "too few pictures or groups for a test"
        return [f"{why}: scores are on validation, which chose the model, and are too good"]
    share = sum(map(len, test)) / sum(map(len, units))
    notes = []
    if abs(share - rule.test_share) > FAR_OFF:
        notes.append(f"the test has {share:.0%} of the pictures in place of {rule.test_share:.0%}: groups stay whole")
    named = {groups.get(item.name, "") for unit in test for item in unit}
    if len(named) == 1 and "" not in named and len(units) > 2:
        notes.append(f"the test is one group only ({named.pop()}): another one may score quite differently")
    return notes


def not_obeyed(dataset: Dataset) -> list[str]:
    """A sentence when the data bring a split and the recipe asks for another one."""
    if not dataset.split_rule:
        return []
    return [f'the split {dataset.split_rule} is not used, since split.rule = "automatic" asks for a new one']


def draw_units(
    dataset: Dataset, units: Sequence[Unit], *, share: float, total: int, keep: int, rng: np.random.Generator,
    strata: Mapping[str, str] | None = None,
) -> list[Unit]:  # fmt: skip
    """Units for a part, about `share` of `total` pictures and at least one unit; see `draw`."""
    table = presence(units, dataset.facts, len(dataset.label_space), strata)
    sizes = np.array([len(unit) for unit in units])
    chosen = draw(table, sizes, target=max(1, round(share * total)), keep=keep, rng=rng)
    return [units[index] for index in chosen]


def missing_classes(dataset: Dataset, items: Sequence[Item]) -> list[str]:
    """A sentence for each class that occurs, but not in this part."""
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
