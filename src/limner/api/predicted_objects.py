"""Objects that any tool told apart, as files of ids beside its predicted masks.

FOLDER/instances/<stem>.png|.tif   ids of one picture, 0 = no object; paired as the masks are
FOLDER/objects.csv                 where there is one: class and score of each id, as limner predict writes them
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from limner.api.predicted_pairs import INSTANCES, PredictedFile, pair_predictions
from limner.core.errors import DataError
from limner.core.labels import Labels, LabelSpace
from limner.core.objects import Objects, number_objects
from limner.data.dataset import Item
from limner.data.masks import read_raw_mask

TABLE = "objects.csv"
LOSSY = (".jpg", ".jpeg")
LARGEST_ID = 1 << 24  # of ids that a table lists
MOST_NAMED = 8

Known = dict[int, tuple[str, float]]  # id to name of the class and score


class PredictedObjects:
    """The ids of pictures, by the picture's name.

    Parameters
    ----------
    folder : of all predictions; holds the folder ``instances``.
    items : all pictures.
    label_space : the classes.

    Raises
    ------
    DataError : files that cannot be paired, a table that cannot be read, or one of other classes than those of the data.
    """

    def __init__(self, folder: Path, items: Sequence[Item], label_space: LabelSpace) -> None:
        self.folder, self.label_space = folder / INSTANCES, label_space
        self.files, self.extra = pair_predictions(self.folder, items)
        self._table = _read_table(folder / TABLE) if (folder / TABLE).is_file() else {}
        self._class_ids = {} if len(label_space) == 2 else _class_ids(self._table, label_space, where=folder / TABLE)
        self._unknown: dict[str, int] = {}  # objects of each picture whose class the data do not have
        self._unlisted: dict[str, int] = {}  # and those that have no class at all

    @property
    def has_classes(self) -> bool:
        """Whether the classes are known without class maps."""
        return len(self.label_space) == 2 or bool(self._table)

    @property
    def notes(self) -> tuple[str, ...]:
        """How many objects were left out of the pictures that were looked at so far, and why; empty where none were."""
        found, unknown, unlisted = [], sum(self._unknown.values()), sum(self._unlisted.values())
        if unknown:
            strange = _listed(sorted(name for name, index in self._class_ids.items() if index is None))
            classes = ", ".join(self.label_space.foreground_names)
            found.append(f"{_left_out(unknown)}: {TABLE} calls them {strange}, and the classes are {classes}.")
        if unlisted:
            found.append(f"{_left_out(unlisted)}: {TABLE} does not list them.")
        return tuple(found)

    def find(self, name: str, size_hw: tuple[int, int], labels: Labels | None) -> Objects | None:
        """The objects of the picture `name`; None where it has no file.

        Parameters
        ----------
        size_hw : height and width of the picture.
        labels : ``(H, W)`` predicted class ids, where there are some. With several classes and no table they say which class an
            object is of: that of most of its pixels; one on background alone is no object.

        Raises
        ------
        DataError : the file cannot be read, or has another size than the picture.
        """
        file = self.files.get(name)
        if file is None:
            return None
        ids = _read_ids(file)
        if ids.shape != size_hw:
            raise DataError(
                f"the object ids {file.path.name} are {ids.shape[0]} x {ids.shape[1]} (height x width), their picture {name} is "
                f"{size_hw[0]} x {size_hw[1]}", expected="the same height and width", where=str(file.path),
                fix="bring the ids back to the size of their picture, by nearest neighbour, before they are saved",
            )  # fmt: skip
        known = self._known(file)
        scores = None
        if known:
            ids, known = _dense(ids, known)
            scores = np.ones(int(ids.max(initial=0)) + 1, np.float32)
            for number, (_, score) in known.items():
                if number < len(scores):
                    scores[number] = score
        return number_objects(ids, self._classes(name, ids, known, labels), scores=scores)

    def _classes(self, name: str, ids: npt.NDArray[np.int64], known: Known, labels: Labels | None) -> Labels:
        """The class of each pixel of an object; counts the objects that have none."""
        if len(self.label_space) == 2:
            return (ids > 0).astype(np.uint8)
        if not known and labels is not None:
            return labels
        present = np.unique(ids[ids > 0])
        classes = np.zeros(int(ids.max(initial=0)) + 1, np.uint16)
        found = {number: self._class_ids[known[number][0]] for number in present.tolist() if number in known}
        for number, index in found.items():
            classes[number] = index or 0
        self._unknown[name] = sum(index is None for index in found.values())
        self._unlisted[name] = len(present) - len(found)
        return classes[ids]

    def _known(self, file: PredictedFile) -> Known:
        """What the table says of one picture, called by the stem of its ids, with the suffix of the picture or without."""
        stem = file.path.relative_to(self.folder).with_suffix("").as_posix()
        return self._table.get(stem, {})


def _class_ids(table: dict[str, Known], label_space: LabelSpace, *, where: Path) -> dict[str, int | None]:
    """The class id of each name in the table, whatever its capitals where these tell no classes apart; None for an unknown one.

    Raises
    ------
    DataError : none of them is a class of the data.
    """
    names = sorted({class_name for known in table.values() for class_name, _ in known.values()})
    folded = [name.strip().casefold() for name in label_space.names]
    found: dict[str, int | None] = {}
    for name in names:
        plain = name.strip().casefold()
        if name in label_space.names:
            found[name] = label_space.names.index(name)
        else:
            found[name] = folded.index(plain) if folded.count(plain) == 1 else None
    if names and all(index is None for index in found.values()):
        raise DataError(
            f"{where.name} names the classes {_listed(names)}",
            expected=f"classes of the data: {', '.join(label_space.foreground_names)}", where=str(where),
            fix="call the classes in the table as the data do, or remove the table where class maps tell the classes",
        )  # fmt: skip
    return found


def _left_out(count: int) -> str:
    return f"{count} predicted object{'s were' if count != 1 else ' was'} left out"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" ..." if len(names) > MOST_NAMED else "")


def _dense(ids: npt.NDArray[np.int64], known: Known) -> tuple[npt.NDArray[np.int64], Known]:
    """Ids numbered without gaps, and what is known of them: numbers up to 2^32 need no tables of that length."""
    numbers, places = np.unique(ids, return_inverse=True)
    shift = int(numbers[0] != 0) if len(numbers) else 0  # 0 stays the background
    renamed = {int(number): place + shift for place, number in enumerate(numbers.tolist())}
    return places.reshape(ids.shape) + shift, {renamed[n]: facts for n, facts in known.items() if n in renamed}


def _read_ids(file: PredictedFile) -> npt.NDArray[np.int64]:
    if file.path.suffix.lower() in LOSSY:
        raise DataError(
            f"{file.path.name} is a JPEG, which changes the numbers of objects along every edge", expected="PNG or TIFF",
            where=str(file.path), fix="save the ids again as 16-bit PNG; what JPEG lost cannot be restored",
        )  # fmt: skip
    raw = read_raw_mask(file.path) if file.frame is None else read_raw_mask(file.path, frame=file.frame)
    if raw.values.ndim != 2:
        raise DataError(
            f"{file.path.name} holds an array of shape {raw.values.shape}", expected="one map of ids (height, width)",
            where=str(file.path), fix="save one object id per pixel",
        )  # fmt: skip
    return np.maximum(raw.values.astype(np.int64), 0)  # some tools mark borders with -1


def _read_table(path: Path) -> dict[str, Known]:
    """By stem of the picture, with and without its suffix, what is known of each id."""
    found: dict[str, Known] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                name, number, score = row["image"].removeprefix("'"), int(row["id"]), float(row.get("score") or 1)
                if not 0 < number < LARGEST_ID or not math.isfinite(score):
                    raise ValueError(f"id {number}, score {score}")
                for stem in {name, PurePosixPath(name).with_suffix("").as_posix()}:
                    found.setdefault(stem, {})[number] = row["class"].removeprefix("'"), score
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(
            f"{path.name} cannot be read: {error!r}", expected="columns image, id, class and score, as limner predict writes them",
            where=str(path), fix="predict again, or remove the table: objects then have no scores",
        ) from None  # fmt: skip
    return found
