"""A folder of predicted masks from any tool, as a `Segmenter` that looks the prediction up instead of making it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from limner.api.predicted_objects import PredictedObjects
from limner.api.predicted_pairs import INSTANCES, PredictedFile, class_maps, pair_predictions
from limner.api.predicted_values import ValueRule, find_rule, look
from limner.core.errors import DataError
from limner.core.labels import Labels
from limner.core.prediction import Prediction
from limner.core.protocols import Listener, Silent
from limner.core.sample import Sample
from limner.data.dataset import Dataset, Item
from limner.data.masks import RawMask, read_raw_mask

KEPT_BYTES = 256_000_000  # of masks that stay decoded after they were looked at
MOST_NAMED = 8  # stray files named in a note


class Predicted:
    """Predicted masks by picture.

    Parameters
    ----------
    folder : the masks, at any depth; see `limner.api.predicted_pairs` and `limner.api.predicted_values`. Where the data tell
        objects apart, the ids in its folder ``instances`` are taken, too; see `limner.api.predicted_objects`.
    dataset : all pictures.
    items : the pictures to be scored; only their masks are opened.
    listener : hears of progress.

    Raises
    ------
    DataError : files that cannot be paired or read, or whose numbers mean nothing; all are named.
    """

    def __init__(
        self, folder: Path, dataset: Dataset, items: tuple[Item, ...], *, listener: Listener | None = None
    ) -> None:
        self.dataset = dataset
        has_ids = bool(dataset.label_space.things) and (folder / INSTANCES).is_dir()
        self.objects = PredictedObjects(folder, dataset.items, dataset.label_space) if has_ids else None
        self.files: dict[str, PredictedFile] = {}
        self.extra: tuple[str, ...] = ()
        if class_maps(folder) or self.objects is None or not self.objects.has_classes:
            self.files, self.extra = pair_predictions(folder, dataset.items)
        self._kept: dict[PredictedFile, RawMask] = {}
        known = self.files.keys() | (self.objects.files.keys() if self.objects is not None else set())
        asked = self.files.keys() & {item.name for item in items}
        self._without_ids = 0 if self.objects is None else len(asked - self.objects.files.keys())
        self.missing = tuple(item.name for item in items if item.name not in known)
        if len(self.missing) == len(items):
            raise DataError(
                "no predicted mask belongs to any picture", expected="masks named like the pictures",
                where=str(dataset.root), fix="rename them to <picture stem>.png",
            )  # fmt: skip
        self.rule = self._look_at_all(items, listener or Silent()) if self.files else None

    def _look_at_all(self, items: tuple[Item, ...], listener: Listener) -> ValueRule:
        seen, kept, last = [], 0, PredictedFile(Path())
        for done, item in enumerate(items, 1):
            file = self.files.get(item.name)
            if file is not None:
                last, raw = file, self._read(file)
                seen.append(look(file.path, raw))
                kept += raw.values.nbytes
                if kept <= KEPT_BYTES:
                    self._kept[last] = raw
            listener.progress("masks", done, len(items))
        return find_rule(seen, self.dataset.label_space, self.dataset.reading)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the masks were read where they are no plain class ids, and files that belong to no picture."""
        words = "" if self.rule is None else self.rule.words
        found = [f"Predicted masks are read so: {words}."] if words else []
        if self._without_ids:
            found.append(f"{self._without_ids} predicted masks have no ids of objects in {INSTANCES}/.")
        if self.objects is not None:
            found += self.objects.notes
        if self.extra:
            names = ", ".join(self.extra[:MOST_NAMED]) + (" ..." if len(self.extra) > MOST_NAMED else "")
            found.append(f"{len(self.extra)} predicted files belong to no picture and were not used: {names}.")
        return tuple(found)

    def segment(self, sample: Sample) -> Prediction:
        """The mask found for `sample`; empty where there is none.

        Raises
        ------
        DataError : it has another size than the picture.
        """
        labels = self._labels(sample)
        objects = None if self.objects is None else self.objects.find(sample.name, sample.size_hw, labels)
        if labels is None:
            labels = np.zeros(sample.size_hw, np.uint8) if objects is None else objects.class_map()
        return Prediction(sample.name, labels, self.dataset.label_space, objects=objects)

    def _labels(self, sample: Sample) -> Labels | None:
        """The predicted class ids; None without a file."""
        file = self.files.get(sample.name)
        if file is None or self.rule is None:
            return None
        raw = self._kept.get(file) or self._read(file)
        if raw.values.shape != sample.size_hw:
            (height, width), (rows, columns) = sample.size_hw, raw.values.shape
            raise DataError(
                f"the predicted mask {file.path.name} is {rows} x {columns} (height x width), its picture {sample.name} is "
                f"{height} x {width}", expected="the same height and width", where=str(file.path),
                fix="bring the prediction back to the size of its picture, by nearest neighbour, before it is saved",
            )  # fmt: skip
        return self.rule.labels(raw)

    def _read(self, file: PredictedFile) -> RawMask:
        raw = read_raw_mask(file.path) if file.frame is None else read_raw_mask(file.path, frame=file.frame)
        if raw.values.ndim != 2:
            raise DataError(
                f"{file.path.name} holds an array of shape {raw.values.shape}", expected="one mask (height, width)",
                where=str(file.path), fix="save one class id per pixel",
            )  # fmt: skip
        return raw
