"""Which of the pictures that are to be scored has a model learnt from? Their scores say nothing about new ones.

What is known, the surest first:

1. the checksum of the data, or of those pictures alone that the run's ``split.csv`` names, is that of the training: they are the
   same pictures, and others were added since;
2. the run was trained on this very folder, which was changed since: the same names are taken for the same pictures;
3. single files are byte for byte those of the training, where its data are still there;
4. there is no ``split.csv``, but the split that the data bring has the checksum of the one that was trained on;
5. names in ``split.csv`` alone: another data set may have the same ones;
6. nothing but that the model was trained on pictures of these data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner.api.plan import split_dataset
from limner.api.run_folder import RunFolder
from limner.api.trained_on import TrainedOn
from limner.core.bundle import Bundle
from limner.data.dataset import Dataset, Item
from limner.data.folds import FOLDS_FILE, read_held_out
from limner.data.layouts import split_name
from limner.data.splits import Split, read_rows, split_checksum


@dataclass(frozen=True)
class Seen:
    """What a model has seen of a data set.

    Parameters
    ----------
    parts : part of each picture in the training, by item name; without those that were not there. Empty for those that were there
        and had no part in it, as a fold with ``inner_val_share`` holds them out.
    called : part of each picture in the training that has the name of an item, and may be another one.
    is_whole : `parts` are of the same data, so that all other pictures were not there.
    of_these_data : it was trained on pictures of these data.
    groups : group of each picture as the run wrote it.
    chose : validation pictures chose something about the model.
    """

    parts: Mapping[str, str] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    is_whole: bool = False
    of_these_data: bool = False
    groups: Mapping[str, str] = field(default_factory=dict)
    chose: bool = True

    def split_of(self, dataset: Dataset) -> Split:
        """The run's split, with pictures that were added since in the part that the data give to them, else in the test."""
        items, added = [], 0
        for item in dataset.items:
            part = self.parts.get(item.name)
            added += part is None
            group = self.groups.get(item.name) or item.group
            items.append(dataclasses.replace(item, split=item.split or "test" if part is None else part, group=group))
        free = sum(not part for part in self.parts.values())
        rule = "as written in split.csv" + (f", with {added} pictures that were not there" if added else "")
        rule += f", and {free} that are in no part of it" if free else ""
        return Split(tuple(sorted(items, key=lambda item: item.name)), rule, split_checksum(items))

    def notes(self, items: Sequence[Item]) -> tuple[str, ...]:
        """What has to be said where these pictures are scored, as sentences."""
        if self.of_these_data and not self.parts:
            return (
                "The model was trained on pictures of these data; which, is not known, as there is no split.csv beside it: its "
                "scores may be too good.",
            )
        trained, chosen = self._learnt(self.parts, items)
        found = []
        if trained:
            also = f" and chosen by {chosen} more" if chosen else ""
            found.append(
                f"The model was trained on {trained} of the {len(items)} scored pictures{also}: its scores are too good."
            )
        elif chosen:
            found.append(
                f"The model was chosen by {chosen} of the {len(items)} scored pictures: its scores are too good."
            )
        alike = sum(self._learnt(self.called, items))
        if alike:
            found.append(
                f"{alike} of the {len(items)} scored pictures are called like pictures that the model was trained on or chosen by. "
                "These data are not those of its training; if the pictures are the same, its scores are too good."
            )
        added = sum(item.name not in self.parts for item in items) if self.is_whole else 0
        if added:
            found.append(f"{added} of the {len(items)} scored pictures were not there when the model was trained.")
        return tuple(found)

    def _learnt(self, parts: Mapping[str, str], items: Sequence[Item]) -> tuple[int, int]:
        """How many of the pictures trained the model, and how many more chose something about it."""
        found = [parts.get(item.name, "") for item in items]
        return found.count("train"), found.count("val") if self.chose else 0


def what_was_seen(model: Path, bundle: Bundle | None, dataset: Dataset) -> Seen:
    """What the model in a run folder or bundle has seen of a data set.

    Parameters
    ----------
    model : the folder that was named.
    bundle : its bundle; None for what never learnt.
    dataset : the pictures.

    Raises
    ------
    DataError : ``split.csv`` beside the model is damaged, or the data bring a split that cannot be obeyed.
    """
    if bundle is None:
        return Seen()
    trained, chose = bundle.training.get("data_checksum"), bundle.method is None
    same = trained == dataset.checksum
    file = next((home / "split.csv" for home in (model, model.parent) if (home / "split.csv").is_file()), None)
    if file is None:
        given = given_split(dataset)
        known = same and bundle.training.get("split_checksum") == given.checksum and bool(given.part("train"))
        return Seen({item.name: item.split for item in given.items} if known else {}, {}, known, same, chose=chose)
    rows = {row["image"]: row for row in read_rows(file)}
    rows |= _held_out(file.parent, rows)
    named = {i.name: split_name(rows[i.name]["split"], str(file)) for i in dataset.items if i.name in rows}
    groups = {name: rows[name]["group"] for name in named}
    if same:  # what the split does not name was there all the same: a fold that was trained by itself has held it out
        named = dict.fromkeys((item.name for item in dataset.items), "") | named
    origin = RunFolder(file.parent).find_origin()
    if same or _checksum(dataset, rows) == trained or (origin is not None and _is_same(origin, dataset.root)):
        return Seen(named, {}, True, same, groups, chose)
    sure = set(TrainedOn(origin=origin).seen(named, dataset.root))
    parts = {name: part for name, part in named.items() if name in sure}
    return Seen(parts, {name: part for name, part in named.items() if name not in sure}, chose=chose)


def given_split(dataset: Dataset) -> Split:
    """The split that training would make where the data bring one; else one without parts."""
    if any(item.split == "train" for item in dataset.items):
        return split_dataset(dataset, {})  # validation may have to be taken from train
    return Split(dataset.items, dataset.split_rule or "none", split_checksum(dataset.items))


def _held_out(run: Path, rows: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """Rows of what the fold whose split is `rows` has held out; their part is empty.

    The list of folds lies beside the split of the whole and above those of its folds; a fold that was trained by itself keeps the
    names with what it began with.
    """
    run = run.resolve()
    alone = RunFolder(run).began().get("held_out")
    if isinstance(alone, list):
        return {str(name): {"image": str(name), "split": "", "group": ""} for name in alone if name not in rows}
    above = run.parent if run.name.startswith("fold") else run
    return read_held_out(run / FOLDS_FILE, rows) or read_held_out(above / FOLDS_FILE, rows)


def _checksum(dataset: Dataset, names: Collection[str]) -> str:
    """`Dataset.checksum` of some of the pictures."""
    return dataclasses.replace(dataset, facts={n: fact for n, fact in dataset.facts.items() if n in names}).checksum


def _is_same(origin: Path, root: Path) -> bool:
    return (origin if origin.is_dir() else origin.parent).resolve() == root.resolve()
