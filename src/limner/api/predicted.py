"""A folder of predicted masks from any tool, as a `Segmenter` that looks the prediction up instead of making it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from limner.api.predicted_pairs import PredictedFile, pair_predictions
from limner.api.predicted_values import ValueRule, find_rule, look
from limner.core.errors import DataError
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
    folder : the masks, at any depth; see `limner.api.predicted_pairs` and `limner.api.predicted_values`.
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
        self.files, self.extra = pair_predictions(folder, dataset.items)
        self._kept: dict[PredictedFile, RawMask] = {}
        self.missing = tuple(item.name for item in items if item.name not in self.files)
        if len(self.missing) == len(items):
            raise DataError(
                "no predicted mask belongs to any picture", expected="masks named like the pictures",
                where=str(dataset.root), fix="rename them to <picture stem>.png",
            )  # fmt: skip
        self.rule = self._look_at_all(items, listener or Silent())

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
        found = [f"Predicted masks are read so: {self.rule.words}."] if self.rule.words else []
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
        file = self.files.get(sample.name)
        if file is None:
            return Prediction(sample.name, np.zeros(sample.size_hw, np.uint8), self.dataset.label_space)
        raw = self._kept.get(file) or self._read(file)
        if raw.values.shape != sample.size_hw:
            (height, width), (rows, columns) = sample.size_hw, raw.values.shape
            raise DataError(
                f"the predicted mask {file.path.name} is {rows} x {columns} (height x width), its picture {sample.name} is "
                f"{height} x {width}", expected="the same height and width", where=str(file.path),
                fix="bring the prediction back to the size of its picture, by nearest neighbour, before it is saved",
            )  # fmt: skip
        return Prediction(sample.name, self.rule.labels(raw), self.dataset.label_space)

    def _read(self, file: PredictedFile) -> RawMask:
        raw = read_raw_mask(file.path) if file.frame is None else read_raw_mask(file.path, frame=file.frame)
        if raw.values.ndim != 2:
            raise DataError(
                f"{file.path.name} holds an array of shape {raw.values.shape}", expected="one mask (height, width)",
                where=str(file.path), fix="save one class id per pixel",
            )  # fmt: skip
        return raw
