"""Rules applied to labels: enclosed background is filled, parts that are too small or not the largest are taken away."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.errors import ShapeError
from limner.core.labels import Labels, LabelSpace
from limner.core.objects import Objects, number_objects
from limner.core.postprocess import Rules
from limner.core.prediction import Prediction
from limner.core.protocols import Segmenter
from limner.core.sample import Sample
from limner.inference.segmenter import NetworkSegmenter

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RuledSegmenter:
    """A segmenter whose labels obey rules; a `Segmenter`.

    Parameters
    ----------
    inner : what decides first; scores pass as they are.
    rules : see `Rules`.
    """

    inner: Segmenter
    rules: Rules

    def segment(self, sample: Sample) -> Prediction:
        """The answer of `inner`, its labels changed by the rules."""
        return self._obeying(self.inner.segment(sample))

    def segment_many(self, samples: Sequence[Sample]) -> list[Prediction]:
        """The answers of `inner`, computed together where it can do so, their labels changed by the rules."""
        if isinstance(self.inner, NetworkSegmenter):
            return [self._obeying(found) for found in self.inner.segment_many(samples)]
        return [self.segment(sample) for sample in samples]

    def _obeying(self, found: Prediction) -> Prediction:
        start = time.perf_counter()
        labels = apply_rules(found.labels, self.rules, found.label_space)
        objects = None if found.objects is None else remaining(found.objects, labels, found.label_space)
        seconds = found.seconds + time.perf_counter() - start
        return dataclasses.replace(found, labels=labels, objects=objects, seconds=seconds)


def remaining(objects: Objects, labels: Labels, label_space: LabelSpace) -> Objects:
    """The objects that are still there when labels have changed: of each the pixels of things, numbered anew.

    Pixels that rules have added to a class belong to no object.
    """
    ids = np.where(np.isin(labels, label_space.thing_ids), objects.ids, 0)
    scores = None if objects.scores is None else np.concatenate([np.zeros(1, np.float32), objects.scores])
    return number_objects(ids, labels, scores=scores)


def with_rules(segmenter: Segmenter, rules: Rules | None) -> Segmenter:
    """The segmenter whose labels obey `rules`; itself where they change no labels."""
    return RuledSegmenter(segmenter, rules) if rules is not None and rules.change_labels else segmenter


def apply_rules(labels: Labels, rules: Rules, label_space: LabelSpace) -> Labels:
    """Labels that obey `rules`; the array that was given where they change nothing.

    Parameters
    ----------
    labels : ``(H, W)`` class ids.
    rules : one number of each kind for each class.
    label_space : the classes.

    Returns
    -------
    ``(H, W)`` of the same type. First holes are filled, then parts are taken away, each class by itself. A pixel that is taken
    away gets the class of the nearest pixel that stays, which is the background where that lies around the part. An empty
    picture, and one in which nothing stays, comes back as it is and as background.

    Raises
    ------
    ShapeError : rules of another number of classes.

    Examples
    --------
    >>> ring = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 0, 0]], np.uint8)
    >>> rules = Rules(smallest=(0, 2), holes=(0, 1), largest=(False, False))
    >>> apply_rules(ring, rules, LabelSpace(("background", "ring"))).tolist()
    [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0]]
    """
    if len(rules) != len(label_space):
        raise ShapeError(f"rules of {len(rules)} classes", expected=f"{len(label_space)}, one for each class")
    if not rules.change_labels or not labels.size:
        return labels
    filled, removed = labels, None
    for index, most in enumerate(rules.holes):
        if most:
            filled = _fill(filled, index, most)
    for index in range(1, len(rules)):
        if rules.smallest[index] or rules.largest[index]:
            removed = _unwanted(filled, index, rules, removed)
    return filled if removed is None else _take_away(filled, removed)


def _fill(labels: Labels, index: int, most: int) -> Labels:
    """Background enclosed by one class, at most so many pixels, as that class.

    Only the rectangle around the class is looked at: what leaves it is not enclosed.
    """
    mask = labels == index
    if not mask.any():
        return labels
    rows, columns = _extent(mask)
    part = labels[rows, columns]
    outside = ~mask[rows, columns]
    _, regions, stats, _ = cv2.connectedComponentsWithStats(outside.astype(np.uint8), connectivity=4)
    height, width = part.shape
    left, top, wide, tall = (stats[:, place] for place in (0, 1, 2, 3))
    enclosed = (left > 0) & (top > 0) & (left + wide < width) & (top + tall < height)
    chosen = enclosed & (stats[:, cv2.CC_STAT_AREA] <= most)
    chosen[0] = False  # the class itself
    if not chosen.any():
        return labels
    chosen[regions[outside & (part != 0)]] = False  # what holds an object of another class is no hole
    holes = chosen[regions]
    if not holes.any():
        return labels
    changed = labels.copy()
    changed[rows, columns][holes] = index
    return changed


def _unwanted(labels: Labels, index: int, rules: Rules, removed: Mask | None) -> Mask | None:
    """`removed` with the parts of one class that do not stay; None where nothing goes."""
    mask = labels == index
    if not mask.any():
        return removed
    rows, columns = _extent(mask)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(mask[rows, columns].astype(np.uint8), connectivity=8)
    sizes = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    goes = sizes < rules.smallest[index]
    if rules.largest[index]:
        goes |= np.arange(count) != _largest(regions, sizes)
    goes[0] = False
    if not goes.any():
        return removed
    removed = np.zeros(labels.shape, np.bool_) if removed is None else removed
    removed[rows, columns] |= goes[regions]
    return removed


def _largest(regions: npt.NDArray[np.int32], sizes: npt.NDArray[np.int64]) -> int:
    """The number of the largest part; of equal ones that with the first pixel, row by row.

    OpenCV numbers parts in blocks of 2 x 2 pixels, so that their numbers do not say which comes first.
    """
    equal = np.flatnonzero(sizes[1:] == sizes[1:].max()) + 1
    return int(equal[0]) if len(equal) == 1 else int(regions.flat[int(np.isin(regions, equal).argmax())])


def _take_away(labels: Labels, removed: Mask) -> Labels:
    """Removed pixels as the class of the nearest pixel that stays (Euclidean distance; of equals one, always the same)."""
    if labels.max() == 1 or removed.all():  # around a part of the only class lies the background
        changed = labels.copy()
        changed[removed] = 0
        return changed
    _, nearest = cv2.distanceTransformWithLabels(
        removed.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    class_of = np.zeros(int(nearest.max()) + 1, labels.dtype)
    stays = ~removed
    class_of[nearest[stays]] = labels[stays]
    changed = labels.copy()
    changed[removed] = class_of[nearest[removed]]
    return changed


def _extent(mask: Mask) -> tuple[slice, slice]:
    """The rows and columns that hold all of a mask; it must not be empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
