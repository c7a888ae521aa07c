"""Looks at every scored picture once more than the score does: kinds of mistakes, and objects by size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limner.core.labels import LabelSpace
from limner.evaluation.error_map import (
    BAND_SHARE,
    KINDS,
    NARROWEST_BAND,
    ErrorCounts,
    LabelArray,
    Mask,
    band_width,
    find_errors,
    no_errors,
)
from limner.evaluation.size_bins import ObjectTable, SizeBin, measure_objects, size_bins

LARGEST = 50_000_000  # pixels; the ids of the objects of a larger picture would take more than half a gigabyte


@dataclass(frozen=True)
class Inspection:
    """What the mistakes are made of.

    Parameters
    ----------
    errors : wrong pixels of all pictures by kind and class.
    sizes : objects by class and size.
    band : smallest and largest width of the band at borders, in pixels, over the pictures.
    pictures : how many were looked at.
    too_large : names of pictures above `LARGEST`, which were not.
    seconds : wall-clock time.
    """

    errors: ErrorCounts
    sizes: tuple[SizeBin, ...]
    band: tuple[int, int]
    pictures: int
    too_large: tuple[str, ...] = ()
    seconds: float = 0.0

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """JSON; `names` of the classes."""
        return {
            "pictures": self.pictures,
            "too_large": list(self.too_large),
            "band_pixels": list(self.band),
            "errors": self.errors.as_dict(names),
            "sizes": [one.as_dict() for one in self.sizes],
            "definitions": {kind.key: kind.definition for kind in KINDS}
            | {"band": f"{BAND_SHARE:.2%} of the picture's diagonal, at least {NARROWEST_BAND} pixels"},
        }


class Inspector:
    """Adds pictures up, as the Scorer does; holds four numbers per object and no pixels.

    Parameters
    ----------
    label_space : the classes; id 0 is the background.
    """

    def __init__(self, label_space: LabelSpace) -> None:
        self.label_space = label_space
        self._errors = no_errors(len(label_space))
        self._objects: list[ObjectTable] = [np.zeros((0, 4), np.int64)]
        self._bands: list[int] = []
        self._too_large: list[str] = []
        self._seconds = 0.0

    def add(self, name: str, pred_labels: LabelArray, target_labels: LabelArray, valid: Mask | None = None) -> None:
        """Look at one picture; arguments as of `limner.evaluation.evaluate.Scorer.add`.

        Raises
        ------
        ShapeError, DataError : see `limner.evaluation.error_map.find_errors`.
        """
        start, classes = time.perf_counter(), len(self.label_space)
        if target_labels.size > LARGEST:
            self._too_large.append(name)
            return
        _, counts = find_errors(pred_labels, target_labels, valid=valid, num_classes=classes)
        self._errors += counts
        self._objects.append(measure_objects(pred_labels, target_labels, valid=valid, num_classes=classes))
        self._bands.append(band_width((target_labels.shape[0], target_labels.shape[1])))
        self._seconds += time.perf_counter() - start

    def result(self) -> Inspection:
        """Everything seen so far."""
        return Inspection(
            errors=self._errors,
            sizes=size_bins(np.concatenate(self._objects), self.label_space.names),
            band=(min(self._bands, default=0), max(self._bands, default=0)),
            pictures=len(self._bands),
            too_large=tuple(self._too_large),
            seconds=self._seconds,
        )
