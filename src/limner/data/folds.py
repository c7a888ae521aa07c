"""Cross-validation: every picture that may train is held out once, and no group and no copy is in two folds.

A test part, given or drawn as for a single run with the same seed, stays out of all folds. Fold k of K gives an ordinary `Split`:
its own pictures validate, those of the other folds train. With ``split.inner_val_share`` its own pictures are not used at all, and
validation is drawn from the others, so that nothing about the pictures that are held out chooses the weights.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.core.errors import DataError, RecipeError
from limner.core.files import write_text
from limner.core.recipe_parts import SplitPart
from limner.data.dataset import Dataset
from limner.data.dealing import deal
from limner.data.layouts import Item, read_rows
from limner.data.splits import (
    Split,
    about_test,
    by_name,
    copies_in_words,
    draw_test,
    draw_units,
    grouping_of,
    is_given,
    make_split,
    mask_name,
    missing_classes,
    not_obeyed,
    shares_groups,
    split_checksum,
)  # fmt: skip
from limner.data.stratify import Unit, make_units, presence

FOLDS_FILE = "folds.csv"  # in the folder of a cross-validation, beside its split


@dataclass(frozen=True)
class Folds:
    """Every picture with its fold.

    Parameters
    ----------
    items : in order of their names, each with its group; ``test`` where it is in no fold, else without a split.
    fold_of : from 1 on, by item name; not for the test.
    units : what stays together, without the test.
    rule : how the folds came about, as a sentence.
    notes : what else has to be known.
    """

    items: tuple[Item, ...]
    fold_of: Mapping[str, int]
    units: tuple[Unit, ...]
    rule: str
    notes: tuple[str, ...] = ()

    @property
    def num_folds(self) -> int:
        """How many there are."""
        return max(self.fold_of.values())

    @property
    def checksum(self) -> str:
        """SHA-256 of the names and folds, whatever their order; the test has fold 0."""
        lines = sorted(f"{item.name}\t{self.fold_of.get(item.name, 0)}\n" for item in self.items)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def test(self) -> tuple[Item, ...]:
        """The pictures that are in no fold."""
        return tuple(item for item in self.items if item.name not in self.fold_of)

    def held_out(self, fold: int) -> tuple[Item, ...]:
        """The pictures of fold `fold`."""
        return tuple(item for item in self.items if self.fold_of.get(item.name) == fold)

    def pool(self) -> Split:
        """All pictures of the folds as training pictures, for planning."""
        items = tuple(dataclasses.replace(item, split=item.split or "train") for item in self.items)
        return Split(items, self.rule, split_checksum(items), self.notes)


def split_of(dataset: Dataset, *, rule: SplitPart, seed: int) -> Split:
    """The split of a run: that of one fold when the rule names one, else `make_split`.

    Raises
    ------
    DataError, RecipeError : see `make_split` and `deal_folds`.
    """
    if not rule.fold:
        return make_split(dataset, rule=rule, seed=seed)
    if not 0 < rule.fold <= rule.folds:
        raise RecipeError(
            f"split.fold = {rule.fold}", expected=f"1 to {rule.folds}, the number of split.folds" if rule.folds else
            "split.folds beside it", where="split.fold", fix="--set split.folds=5 --set split.fold=1",
        )  # fmt: skip
    return make_folds(dataset, rule=rule, seed=seed, folds=rule.folds)[rule.fold - 1]


def make_folds(dataset: Dataset, *, rule: SplitPart, seed: int, folds: int) -> tuple[Split, ...]:
    """One split for each of K folds.

    Parameters
    ----------
    dataset : all pictures; a given test stays the test, given training and validation pictures are dealt anew.
    rule : share of the test where none is given, the group rule, and ``inner_val_share``.
    seed : the same names, pixels and seed give the same folds, whatever the order of the pictures.
    folds : K, at least 2.

    Returns
    -------
    K splits. Their validation parts (without ``inner_val_share``) are disjoint and together all pictures but the test.

    Raises
    ------
    DataError : fewer groups or pictures than folds.
    RecipeError : `folds` below 2, a share that is none, or a rule that cannot be obeyed.
    """
    dealt = deal_folds(dataset, rule=rule, seed=seed, folds=folds)
    return tuple(fold_split(dataset, dealt, fold, rule=rule, seed=seed) for fold in range(1, folds + 1))


def fold_split(dataset: Dataset, dealt: Folds, fold: int, *, rule: SplitPart, seed: int) -> Split:
    """The split in which fold `fold`, from 1 on, is held out."""
    num = dealt.num_folds
    others = [unit for unit in dealt.units if dealt.fold_of[unit[0].name] != fold]
    held = {item.name for item in dealt.held_out(fold)}
    inner: set[str] = set()
    if rule.inner_val_share > 0:
        total = sum(len(unit) for unit in others)
        rng = np.random.default_rng([seed, 3, fold])
        if len(others) < 2:
            raise DataError(
                f"{len(others)} group or picture beside fold {fold}", expected="at least two, one of them to validate",
                where=str(dataset.root), fix="--set split.inner_val_share=0, or fewer folds",
            )  # fmt: skip
        drawn = draw_units(dataset, others, share=rule.inner_val_share, total=total, keep=1, rng=rng)
        inner = {item.name for unit in drawn for item in unit}
    items = []
    for item in dealt.items:
        if item.name in held and inner:
            continue
        part = item.split or ("val" if item.name in held or item.name in inner else "train")
        items.append(dataclasses.replace(item, split=part))
    counts = {name: sum(item.split == name for item in items) for name in ("train", "val", "test")}
    shown = f"{counts['train']} train, {counts['val']} validate, {counts['test']} test"
    shown += f", {len(held)} are held out" if inner else ""
    notes = (*dealt.notes, *missing_classes(dataset, items))
    return Split(tuple(items), f"fold {fold} of {num}, {dealt.rule}: {shown}", split_checksum(items), notes)


def deal_folds(dataset: Dataset, *, rule: SplitPart, seed: int, folds: int) -> Folds:
    """Which picture is in which fold; see `make_folds`.

    Raises
    ------
    DataError, RecipeError : see `make_folds`.
    """
    if folds < 2:
        raise RecipeError(f"{folds} folds", expected="at least 2", where="split.folds", fix="--folds 5")
    if not 0 <= rule.inner_val_share < 1:
        raise RecipeError(
            f"split.inner_val_share = {rule.inner_val_share}", expected="a number from 0 to below 1",
            where="split.inner_val_share", fix="--set split.inner_val_share=0.12",
        )  # fmt: skip
    given = is_given(dataset, rule)
    items = by_name(dataset.items)
    pool = [item for item in items if not (given and item.split == "test")]
    found = grouping_of(dataset, pool, rule)
    by_picture = given and shares_groups(dataset, pool, found.groups, rule)
    groups = {} if by_picture else found.groups
    units = make_units(pool, groups, dataset.facts, dataset.alike)
    words = "by picture, since the given test shares its groups with training" if by_picture else found.words
    words += copies_in_words(pool, groups, units)
    notes = [*found.notes]
    if not given:
        notes = [*not_obeyed(dataset), *notes]
        test, _ = draw_test(dataset, units, rule, seed)
        taken = {item.name for unit in test for item in unit}
        notes += about_test(test, units, groups, rule) if test else []
        units = [unit for unit in units if unit[0].name not in taken]
        pool = [item for item in pool if item.name not in taken]
    if len(units) < folds:
        raise _too_few(dataset, folds, units, bool(groups), tested=0 if given else len(test))
    strata = found.groups if by_picture and len(set(found.groups.values())) <= len(pool) / 3 else {}
    table = presence(units, dataset.facts, len(dataset.label_space), strata)
    sizes = np.array([len(unit) for unit in units])
    places = deal(table, sizes, folds=folds, rng=np.random.default_rng([seed, 2]))
    fold_of = {item.name: place + 1 for unit, place in zip(units, places, strict=True) for item in unit}
    named = [
        dataclasses.replace(
            item, split="" if item.name in fold_of else "test", group=found.groups.get(item.name, item.group)
        )
        for item in items
    ]
    notes += _rare_classes(dataset, table, folds)
    numbers = [list(fold_of.values()).count(fold) for fold in range(1, folds + 1)]
    kind = f"test {dataset.split_rule}, the others dealt anew" if given else f"automatic, seed {seed}"
    shown = f"{kind}, {words}: {len(pool)} pictures in folds of {min(numbers)} to {max(numbers)}"
    return Folds(tuple(named), fold_of, tuple(units), shown, tuple(notes))


def _too_few(dataset: Dataset, folds: int, units: Sequence[Unit], by_group: bool, *, tested: int) -> DataError:
    what = "groups" if by_group else "pictures"
    beside = f" beside the {tested} that test" if tested else ""
    fixes = [f"--folds {len(units)}"] if len(units) >= 2 else []
    fixes += ["--set split.test_share=0, so that none is only tested"] if len(units) + tested >= folds else []
    fixes += (
        ["--set split.group_by=none, and the score says nothing about new groups"]
        if by_group
        else ["label more pictures"]
    )
    return DataError(
        f"{len(units)} {what}{beside} for {folds} folds", expected=f"at least {folds} {what}",
        where=str(dataset.root), fix="; or ".join(fixes),
    )  # fmt: skip


def _rare_classes(dataset: Dataset, table: np.ndarray[tuple[int, ...], np.dtype[np.int64]], folds: int) -> list[str]:
    names = dataset.label_space.names
    first = table.shape[1] - len(names)
    holders = (table[:, first:-1] > 0).sum(0)
    return [
        f"class {names[index + 1]} is in {count} of the units that stay together: {folds - count} of {folds} folds cannot score it"
        for index, count in enumerate(holders.tolist())
        if 0 < count < folds
    ]


def write_folds(path: Path, dealt: Folds, root: Path) -> None:
    """Write ``image,mask,split,group,fold``, whole or not at all; the test has no fold.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "mask", "split", "group", "fold"])
    for item in dealt.items:
        writer.writerow(
            [item.name, mask_name(item, root), item.split or "train", item.group, dealt.fold_of.get(item.name, "")]
        )
    write_text(path, text.getvalue())


def read_fold_numbers(path: Path) -> dict[str, int]:
    """Fold of each picture by name, as `write_folds` wrote it; 0 for the test.

    Raises
    ------
    DataError : the file is damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["image"]: int(row["fold"] or 0) for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path.name} cannot be read: {error!r}", expected="the file as it was written", where=str(path),
            fix="start the cross-validation again in a new folder",
        ) from None  # fmt: skip


def read_held_out(path: Path, split: Collection[str]) -> dict[str, dict[str, str]]:
    """Rows of the pictures that a fold holds out of its split altogether, which only ``inner_val_share`` does; their part is empty.

    Parameters
    ----------
    path : as `write_folds` wrote it.
    split : names in the split of one of these folds.

    Returns
    -------
    ``image mask split group`` by name; empty where there is no such file, and where it is of other pictures.

    Raises
    ------
    DataError : the file is damaged.
    """
    if not path.is_file():
        return {}
    rows = {row["image"]: {**row, "split": ""} for row in read_rows(path)}
    return {name: row for name, row in rows.items() if name not in split} if set(split) <= rows.keys() else {}
