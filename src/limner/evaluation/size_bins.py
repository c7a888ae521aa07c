"""Scores of objects by their size: what the mean over pixels hides, since large objects have most of the pixels.

An object is a connected region of one class in the truth (8 neighbours); touching objects of one class count as one. For each:

    covered  its pixels that were predicted as its class
    spill    pixels wrongly predicted as its class, by a prediction that touches such objects, of which this one is the nearest
    recall = covered / area      dice = 2 covered / (area + covered + spill)      found: covered >= area / 2

Sizes matter because small objects fail first: COCO splits its scores at fixed areas (Lin et al. 2014,
doi:10.1007/978-3-319-10602-1_48); here the quarters of the objects that there are make the bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.evaluation.error_map import LabelArray, Mask

NUM_BINS = 4
FEWEST_FOR_BINS = 8  # with fewer objects of a class a bin would hold one or two

ObjectTable = npt.NDArray[np.int64]  # (M, 4): class id, area, covered, spill


@dataclass(frozen=True)
class SizeBin:
    """Objects of one class and about one size.

    Parameters
    ----------
    class_name : of the objects.
    smallest, largest : areas in pixels that belong to it, both included; smallest > largest in a bin that no object can be in.
    objects : how many the truth shows.
    found : how many of them are covered by at least half.
    recall : mean over the objects of the covered share; NaN when there is none.
    dice : mean over the objects of their Dice; NaN when there is none.
    """

    class_name: str
    smallest: int
    largest: int
    objects: int
    found: int
    recall: float
    dice: float

    def as_dict(self) -> dict[str, Any]:
        """JSON; undefined becomes null."""
        numbers = {key: None if value != value else value for key, value in vars(self).items()}
        return {**numbers, "found_share": self.found / self.objects if self.objects else None}


def measure_objects(
    pred: LabelArray, target: LabelArray, *, valid: Mask | None = None, num_classes: int
) -> ObjectTable:
    """Area, covered pixels and spill of every object of one picture.

    Parameters
    ----------
    pred, target : ``(H, W)`` class ids, 0 = background, the same shape.
    valid : ``(H, W)`` bool; False pixels belong to no object. None: all are valid.
    num_classes : K.

    Returns
    -------
    ``(M, 4)`` int64: class id, area, covered, spill. ``(0, 4)`` when the truth shows no object.
    """
    truth = target if valid is None else np.where(valid, target, 0)
    found = pred if valid is None else np.where(valid, pred, 0)
    present = np.unique(truth)
    tables = [_measure_class(found == k, truth == k, int(k)) for k in present if 0 < k < num_classes]
    return np.concatenate(tables) if tables else np.zeros((0, 4), np.int64)


def size_bins(objects: ObjectTable, names: Sequence[str]) -> tuple[SizeBin, ...]:
    """Objects of many pictures, each class in quarters by area.

    Parameters
    ----------
    objects : ``(M, 4)``, see `measure_objects`; those of several pictures one below the other.
    names : of the K classes; the first, the background, has no objects.

    Returns
    -------
    `NUM_BINS` bins per class that has objects, smallest first; one bin where there are fewer than `FEWEST_FOR_BINS`. Bins are empty
    where many objects share one area.

    Examples
    --------
    >>> table = np.array([[1, area, area, 0] for area in (2, 3, 5, 8, 13, 21, 34, 55)])
    >>> [(b.smallest, b.largest, b.objects) for b in size_bins(table, ("background", "cell"))]
    [(2, 3, 2), (4, 8, 2), (9, 21, 2), (22, 55, 2)]
    """
    bins: list[SizeBin] = []
    for class_id, name in enumerate(names):
        rows = objects[objects[:, 0] == class_id]
        if class_id == 0 or not len(rows):
            continue
        number = NUM_BINS if len(rows) >= FEWEST_FOR_BINS else 1
        tops = np.quantile(rows[:, 1], np.arange(1, number + 1) / number, method="inverted_cdf").astype(np.int64)
        low = int(rows[:, 1].min())
        for top in tops:
            inside = rows[(rows[:, 1] >= low) & (rows[:, 1] <= top)]
            bins.append(_bin(name, low, int(top), inside))
            low = max(low, int(top) + 1)
    return tuple(bins)


def _bin(name: str, smallest: int, largest: int, rows: ObjectTable) -> SizeBin:
    area, covered, spill = rows[:, 1], rows[:, 2], rows[:, 3]
    recall = float((covered / area).mean()) if len(rows) else float("nan")
    dice = float((2 * covered / (area + covered + spill)).mean()) if len(rows) else float("nan")
    return SizeBin(name, smallest, largest, len(rows), int((2 * covered >= area).sum()), recall, dice)


def _measure_class(found: Mask, truth: Mask, class_id: int) -> ObjectTable:
    left, top, width, height = cv2.boundingRect((found | truth).astype(np.uint8))
    window = np.s_[top : top + height, left : left + width]
    found, truth = found[window], truth[window]
    count, ids = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
    area = np.bincount(ids.ravel(), minlength=count)
    covered = np.bincount(ids[found & truth], minlength=count)
    spilled = _touching(found, truth) & ~truth
    spill = np.zeros(count, np.int64)
    if spilled.any():
        _, nearest = cv2.distanceTransformWithLabels(
            (~truth).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        owner = np.zeros(int(nearest.max()) + 1, np.int64)  # each true pixel has a number of its own; its object
        owner[nearest[truth]] = ids[truth]
        spill = np.bincount(owner[nearest[spilled]], minlength=count)
    table = np.stack([np.full(count, class_id), area, covered, spill], axis=1).astype(np.int64)
    return table[1:]


def _touching(found: Mask, truth: Mask) -> Mask:
    """The predicted regions that share a pixel with the truth."""
    count, regions = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    touches = np.bincount(regions[truth], minlength=count) > 0
    touches[0] = False
    return np.asarray(touches[regions], np.bool_)
