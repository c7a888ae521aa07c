"""Every wrong pixel has one kind: which mistakes a score is made of.

    truth shows   prediction shows   kind
    a class       background         missed_object   less than a tenth of the true object was predicted as any class
                                     boundary        the object was found, and a true border is near
                                     missed_part     the object was found, no border is near
    background    a class            invented_object the predicted object hits nothing that is there
                                     boundary        it hits something, and a true border is near
                                     spurious        it hits something, no border is near
    a class       another class      boundary        the object was found as its class, and a true border is near
                                     confused        otherwise

Objects are connected regions of one class (8 neighbours). The kinds follow the idea of Bolya et al. 2020 (TIDE,
doi:10.1007/978-3-030-58580-8_33) to split a score into the mistakes behind it; the band at the border follows Cheng et al. 2021
(Boundary IoU, doi:10.1109/CVPR46437.2021.01508), narrower than there, because 2 % of the diagonal holds small objects whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError, ShapeError

LabelArray = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

BAND_SHARE, NARROWEST_BAND = 0.0025, 2  # of the diagonal; pixels


@dataclass(frozen=True)
class ErrorKind:
    """One kind of mistake.

    Parameters
    ----------
    key : in JSON.
    title, definition : for people.
    color : RGB; any two kinds can be told apart with each of the three common defects of colour vision.
    """

    key: str
    title: str
    definition: str
    color: tuple[int, int, int]


KINDS: tuple[ErrorKind, ...] = (
    ErrorKind(
        "boundary", "border drawn elsewhere",
        "wrong within the band at a true border, at an object that was found", (255, 237, 0),
    ),
    ErrorKind(
        "missed_part", "part missed", "missed inside an object that was found, away from its border", (217, 136, 29),
    ),
    ErrorKind(
        "missed_object", "object missed",
        "missed, and less than a tenth of the whole object was predicted as any class", (153, 28, 0),
    ),
    ErrorKind(
        "spurious", "too much beside an object",
        "predicted where nothing is, by a prediction that hits an object, away from its border", (51, 231, 255),
    ),
    ErrorKind(
        "invented_object", "object invented",
        "predicted where nothing is: less than a tenth of the predicted object lies on any true one, and it holds less than a "
        "tenth of every true one", (5, 0, 255),
    ),
    ErrorKind(
        "confused", "one class taken for another",
        "the truth shows one class, the prediction another, away from a true border or all over an object", (128, 0, 159),
    ),
)  # fmt: skip
BOUNDARY, MISSED_PART, MISSED_OBJECT, SPURIOUS, INVENTED_OBJECT, CONFUSED = range(1, 7)  # values of a map; 0 = right


@dataclass(frozen=True)
class ErrorCounts:
    """Wrong pixels by kind and class; counts of pictures add up.

    Parameters
    ----------
    missing : ``(6, K)`` int64, in the order of `KINDS`: pixels of each true class that were predicted as something else. Its
        column sums are the FN of the classes.
    extra : ``(6, K)`` int64: pixels predicted as each class that are something else. Its column sums are the FP of the classes.
    true_objects, missed_objects : objects that the truth shows, and how many of them were missed whole.
    predicted_objects, invented_objects : objects that the prediction shows, and how many of them were invented whole.
    """

    missing: npt.NDArray[np.int64]
    extra: npt.NDArray[np.int64]
    true_objects: int = 0
    missed_objects: int = 0
    predicted_objects: int = 0
    invented_objects: int = 0

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.missing + other.missing,
            self.extra + other.extra,
            self.true_objects + other.true_objects,
            self.missed_objects + other.missed_objects,
            self.predicted_objects + other.predicted_objects,
            self.invented_objects + other.invented_objects,
        )

    @property
    def pixels(self) -> tuple[int, ...]:
        """Wrong pixels of each kind; together, all wrong pixels. With two classes that is FP + FN of the class."""
        return tuple(int(value) for value in self.missing.sum(1))

    @property
    def total(self) -> int:
        """All wrong pixels."""
        return sum(self.pixels)

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """JSON; `names` of the K classes."""
        return {
            "wrong_pixels": self.total,
            "kinds": {
                kind.key: {
                    "pixels": pixels,
                    "share": pixels / self.total if self.total else None,
                    "missing": {name: int(self.missing[row, i]) for i, name in enumerate(names)},
                    "extra": {name: int(self.extra[row, i]) for i, name in enumerate(names)},
                }
                for row, (kind, pixels) in enumerate(zip(KINDS, self.pixels, strict=True))
            },
            "true_objects": self.true_objects, "missed_objects": self.missed_objects,
            "predicted_objects": self.predicted_objects, "invented_objects": self.invented_objects,
        }  # fmt: skip


def no_errors(num_classes: int) -> ErrorCounts:
    """Counts of no picture at all, to add others to."""
    return ErrorCounts(np.zeros((len(KINDS), num_classes), np.int64), np.zeros((len(KINDS), num_classes), np.int64))


def band_width(size_hw: tuple[int, int]) -> int:
    """How near a true border a pixel counts as lying at it: 0.25 % of the diagonal, at least 2 pixels.

    Examples
    --------
    >>> band_width((5, 7)), band_width((480, 640)), band_width((3000, 4000))
    (2, 2, 12)
    """
    return max(NARROWEST_BAND, round(BAND_SHARE * math.hypot(*size_hw)))


def find_errors(
    pred: LabelArray, target: LabelArray, *, valid: Mask | None = None, num_classes: int
) -> tuple[npt.NDArray[np.uint8], ErrorCounts]:
    """The kind of every wrong pixel of one picture, and the counts.

    Parameters
    ----------
    pred, target : ``(H, W)`` class ids, 0 = background.
    valid : ``(H, W)`` bool; False pixels are never wrong, belong to no object and make no border. None: all are valid.
    num_classes : K; valid ids are 0 to K - 1.

    Returns
    -------
    ``(H, W)`` uint8: 0 where nothing is wrong, else 1 + the place in `KINDS`; exactly the valid pixels where prediction and truth
    differ are above 0. And their `ErrorCounts`.

    Raises
    ------
    ShapeError : the arrays differ in shape.
    DataError : a valid pixel has an id outside 0 to K - 1.
    """
    if pred.shape != target.shape or (valid is not None and valid.shape != target.shape):
        raise ShapeError(
            f"prediction {pred.shape}, labels {target.shape}, valid {None if valid is None else valid.shape}",
            expected="the same shape",
        )
    known = np.ones(target.shape, np.bool_) if valid is None else valid
    truth, found = np.where(known, target, 0), np.where(known, pred, 0)
    if truth.size and (max(truth.max(), found.max()) >= num_classes or min(truth.min(), found.min()) < 0):
        raise DataError("a class id that is no class", expected=f"ids 0 to {num_classes - 1}")
    wrong = truth != found
    true_ids, num_true = label_objects(truth)
    found_ids, num_found = label_objects(found)
    missed = _thin(true_ids, num_true, found > 0)
    lost = _thin(true_ids, num_true, truth == found)
    invented = _hits_nothing(found_ids, num_found, true_ids, num_true)
    near = near_border(truth, known, band_width(target.shape)) if wrong.any() else wrong
    kinds = np.zeros(target.shape, np.uint8)
    shown, marked = truth > 0, found > 0
    for where, whole, apart, all_over in (
        (wrong & ~marked, missed[true_ids], MISSED_PART, MISSED_OBJECT),
        (wrong & ~shown, invented[found_ids], SPURIOUS, INVENTED_OBJECT),
        (wrong & shown & marked, lost[true_ids], CONFUSED, CONFUSED),
    ):
        kinds[where] = np.where(whole, all_over, np.where(near, BOUNDARY, apart))[where]
    counts = ErrorCounts(
        _by_class(kinds, truth, num_classes), _by_class(kinds, found, num_classes),
        num_true, int(missed[1:].sum()), num_found, int(invented[1:].sum()),
    )  # fmt: skip
    return kinds, counts


def label_objects(labels: LabelArray) -> tuple[npt.NDArray[np.int32], int]:
    """Connected regions of one class (8 neighbours), numbered through all classes.

    Parameters
    ----------
    labels : ``(H, W)`` class ids; 0 is no object.

    Returns
    -------
    ``(H, W)`` int32, 0 where no object is, and the number of objects M; ids are 1 to M.
    """
    ids, count = np.zeros(labels.shape, np.int32), 0
    for class_id in np.unique(labels):
        if class_id == 0:
            continue
        mask = (labels == class_id).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(mask)
        window = np.s_[top : top + height, left : left + width]
        number, regions = cv2.connectedComponents(mask[window], connectivity=8)
        ids[window][regions > 0] = regions[regions > 0] + count
        count += number - 1
    return ids, count


def near_border(truth: LabelArray, known: Mask, width: int) -> Mask:
    """Pixels less than `width` away from a pixel that has a valid neighbour (of 4) of another class in the truth."""
    border = np.zeros(truth.shape, np.bool_)
    for first, second in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        change = (truth[first] != truth[second]) & known[first] & known[second]
        border[first] |= change
        border[second] |= change
    if not border.any():
        return border
    distance = cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance < width, np.bool_)


def _thin(ids: npt.NDArray[np.int32], count: int, hit: Mask) -> Mask:
    """For each object id, 0 included, whether less than a tenth of its pixels are `hit`."""
    area = np.bincount(ids.ravel(), minlength=count + 1)
    return np.asarray(10 * np.bincount(ids[hit], minlength=count + 1) < area, np.bool_)


def _hits_nothing(
    found_ids: npt.NDArray[np.int32], num_found: int, true_ids: npt.NDArray[np.int32], num_true: int
) -> Mask:
    """For each predicted object, whether it neither lies on true objects by a tenth nor holds a tenth of one."""
    nothing = _thin(found_ids, num_found, true_ids > 0)
    shared = nothing[found_ids] & (found_ids > 0) & (true_ids > 0)
    pairs, number = np.unique(
        found_ids[shared].astype(np.int64) * (num_true + 1) + true_ids[shared], return_counts=True
    )
    area = np.bincount(true_ids.ravel(), minlength=num_true + 1)
    holds = 10 * number >= area[pairs % (num_true + 1)]
    nothing[pairs[holds] // (num_true + 1)] = False
    return nothing


def _by_class(kinds: npt.NDArray[np.uint8], labels: LabelArray, num_classes: int) -> npt.NDArray[np.int64]:
    wrong = kinds > 0
    places = (kinds[wrong].astype(np.int64) - 1) * num_classes + labels[wrong]
    table = np.bincount(places, minlength=len(KINDS) * num_classes)
    return table.reshape(len(KINDS), num_classes).astype(np.int64)
