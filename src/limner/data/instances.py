"""The objects of a picture with their classes: from object numbers over class ids, or connected areas where no file has numbers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.labels import Labels
from limner.core.objects import Objects
from limner.data.id_facts import runs_of_both, shared_pixels
from limner.data.instance_maps import clean_ids
from limner.data.masks import MaskReading, RawMask
from limner.data.raw_ids import RawIds


def objects_over(ids: npt.NDArray[np.int32], labels: npt.NDArray[np.integer], things: Sequence[int]) -> Objects:
    """Objects numbered in the order of their first pixel, row by row; each of the class of most of its pixels.

    Parameters
    ----------
    ids : ``(H, W)``; 0 = no object, the others in any order.
    labels : ``(H, W)`` class ids; of equally many pixels the lower class counts, and the background never.
    things : classes whose objects are told apart; an object of another class, or on background alone, is left out.

    Returns
    -------
    Pixels that `labels` give to another class than their object's are no part of it.

    Examples
    --------
    >>> found = objects_over(np.array([[7, 7, 0, 3]], np.int32), np.array([[1, 0, 1, 2]], np.uint8), [1, 2])
    >>> found.ids.tolist(), found.classes.tolist()
    ([[1, 0, 0, 2]], [1, 2])
    """
    starts, lengths, numbers, found = runs_of_both(ids, labels)
    count = int(numbers.max(initial=0))
    classes = classes_by_votes(*shared_pixels(numbers, found, lengths), count)
    classes[~np.isin(classes, things)] = 0
    kept = (classes[numbers] == found) & (found > 0)
    first = np.full(count + 1, ids.size)
    first[numbers[kept][::-1]] = starts[kept][::-1]  # the first run of each comes last, and stays
    order = np.argsort(first, kind="stable")[: np.count_nonzero(first < ids.size)]
    table = np.zeros(count + 1, np.int32)
    table[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    new = np.where(kept, table[numbers], 0).astype(np.int32)
    return Objects(np.repeat(new, lengths).reshape(ids.shape), classes[order])


def objects_of_mask(
    raw: RawMask, labels: Labels, valid: npt.NDArray[np.bool_], reading: MaskReading, things: Sequence[int]
) -> tuple[Objects, npt.NDArray[np.bool_]]:
    """The objects of a picture with a mask file, and where its labels are known.

    Parameters
    ----------
    raw : the mask and, where there are any, its object numbers.
    labels, valid : `raw` as `reading` reads it, ``(H, W)``.
    reading : says whether the values of masks are numbers of objects themselves.
    things : classes whose objects are told apart.

    Returns
    -------
    Where object numbers are missing or cannot be read, each connected area of a class is an object. Boundaries between objects
    are not known; pixels that are not known belong to no object.
    """
    found = raw.objects
    if found is None and reading.is_numbered:
        found = clean_ids(raw.values, by_color=raw.kind == "colour")
    if not isinstance(found, RawIds):
        return connected_objects(np.where(valid, labels, 0), things), valid
    if found.unknown is not None:
        valid = valid & ~found.unknown
    return objects_over(np.where(valid, found.ids, 0).astype(np.int32), labels, things), valid


def classes_by_votes(
    ids: npt.NDArray[np.int64], classes: npt.NDArray[np.int64], pixels: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int32]:
    """``(count + 1,)`` the class above 0 with most pixels of each id; of equal ones the lower, 0 where there is none."""
    kept = (classes > 0) & (ids > 0)
    ids, classes, pixels = ids[kept], classes[kept], pixels[kept]
    order = np.lexsort((-classes, pixels, ids))  # the last of each id is the one
    table = np.zeros(count + 1, np.int32)
    table[ids[order]] = classes[order]
    return table


def connected_objects(labels: npt.NDArray[np.integer], things: Sequence[int]) -> Objects:
    """Each connected area of a class (corners connect) as one object: the rule for pictures without object numbers."""
    ids, count = np.zeros(labels.shape, np.int32), 0
    for index in things:
        mask = labels == index
        if mask.any():
            more, areas = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
            ids = np.where(mask, areas + count, ids).astype(np.int32)
            count += more - 1
    return objects_over(ids, labels, things)
