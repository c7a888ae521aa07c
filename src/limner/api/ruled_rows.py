"""A picture whose rows were finished by bands, after the rules for small parts and holes, which need all of it in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.labels import Labels, LabelSpace
from limner.core.memory import free_memory
from limner.core.objects import Objects
from limner.core.postprocess import Rules
from limner.inference.capacity import SHARE
from limner.inference.object_runs import Found, Ids, measure, runs_of
from limner.inference.postprocess import apply_rules, remaining
from limner.inference.unfinished import Unfinished
from limner.inference.unfinished_objects import UnfinishedObjects

BYTES = 24  # of a pixel while rules are applied: labels, numbers of parts, distances
BYTES_OF_OBJECTS = 48  # more, where objects are numbered anew
COUNTED_ROWS = 256  # at once


@dataclass(frozen=True)
class RuledObjects:
    """The objects that are left; what `limner.api.huge_objects` asks of `UnfinishedObjects`."""

    objects: Objects

    def numbers(self) -> Ids:
        """The number of each id: itself."""
        return np.arange(len(self.objects) + 1, dtype=np.int32)

    def found(self) -> Found:
        """``(M,)`` records of all objects."""
        found = measure(runs_of(self.objects.ids))
        found["class_id"] = self.objects.classes[found["id"] - 1]
        if self.objects.scores is not None:
            found["score"] = self.objects.scores[found["id"] - 1]
        return found

    def read(self, start: int, stop: int, numbers: Ids) -> Ids:
        """Numbers of rows ``start`` to ``stop - 1``."""
        return numbers.take(self.objects.ids[start:stop])


@dataclass(frozen=True)
class RuledRows:
    """Labels that obey rules; what the writers of huge pictures ask of `Unfinished`.

    Parameters
    ----------
    labels : ``(H, W)``.
    counts : pixels of each class.
    objects : None where they are not told apart.
    """

    labels: Labels
    counts: tuple[int, ...]
    objects: RuledObjects | None

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.labels.shape[0], self.labels.shape[1]

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """Of the labels."""
        return self.labels.dtype

    def read(self, start: int, stop: int) -> Labels:
        """Rows ``start`` to ``stop - 1``."""
        return self.labels[start:stop]


def has_room(rows: Unfinished) -> bool:
    """Whether the memory that is free suffices for rules."""
    needed = BYTES + (BYTES_OF_OBJECTS if rows.objects is not None else 0)
    return rows.size_hw[0] * rows.size_hw[1] * needed <= SHARE * free_memory()


def obeying(rows: Unfinished, rules: Rules, space: LabelSpace) -> RuledRows:
    """Finished rows after the rules, as `limner.inference.postprocess.RuledSegmenter` applies them to small pictures."""
    height = rows.size_hw[0]
    labels = apply_rules(rows.read(0, height), rules, space)
    counts = np.zeros(len(space), np.int64)
    for start in range(0, height, COUNTED_ROWS):
        counts += np.bincount(labels[start : start + COUNTED_ROWS].ravel(), minlength=len(space))
    objects = None
    if rows.objects is not None:
        objects = RuledObjects(remaining(_objects_of(rows.objects, height), labels, space))
    return RuledRows(labels, tuple(counts.tolist()), objects)


def _objects_of(kept: UnfinishedObjects, height: int) -> Objects:
    """The objects of a picture in memory."""
    numbers, found = kept.numbers(), kept.found()
    ids = kept.read(0, height, numbers)
    classes = np.zeros(int(numbers.max(initial=0)), np.int32)
    classes[found["id"] - 1] = found["class_id"]
    if np.isnan(found["score"]).any():
        return Objects(ids, classes)
    scores = np.zeros(len(classes), np.float32)
    scores[found["id"] - 1] = found["score"]
    return Objects(ids, classes, scores)
