"""The countable things of one picture: which pixels belong to which object, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.core.labels import Labels

Instances = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Objects:
    """Objects of one picture; no pixel belongs to two.

    Parameters
    ----------
    ids : ``(H, W)`` int32; 0 = no object, else object i + 1 of `classes`.
    classes : ``(M,)`` class id of each object, above 0.
    scores : ``(M,)`` float32 in [0, 1], how sure each object is; None = drawn by a person.

    Raises
    ------
    DataError : ids above M or below 0, or tables of different lengths.
    """

    ids: Instances
    classes: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        highest, lowest = int(self.ids.max(initial=0)), int(self.ids.min(initial=0))
        if highest > len(self.classes) or lowest < 0:
            raise DataError(
                f"object ids from {lowest} to {highest}",
                expected=f"from 0 to the number of objects, {len(self.classes)}",
            )
        if self.scores is not None and len(self.scores) != len(self.classes):
            raise DataError(f"{len(self.scores)} scores", expected=f"one for each of {len(self.classes)} objects")

    def __len__(self) -> int:
        return len(self.classes)

    def areas(self) -> npt.NDArray[np.int64]:
        """``(M,)`` pixels of each object; 0 for one that is hidden altogether."""
        return np.bincount(self.ids.ravel(), minlength=len(self) + 1)[1:].astype(np.int64)

    def class_map(self) -> Labels:
        """``(H, W)`` class id of each pixel's object, 0 where there is none; uint8, uint16 above 255."""
        table = np.concatenate([[0], self.classes])
        return table.astype(np.uint8)[self.ids] if table.max() < 256 else table.astype(np.uint16)[self.ids]

    @classmethod
    def none(cls, size_hw: tuple[int, int]) -> Objects:
        """A picture without objects."""
        return cls(np.zeros(size_hw, np.int32), np.zeros(0, np.int32))


def number_objects(
    ids: npt.NDArray[np.integer], labels: Labels, *, scores: npt.NDArray[np.float32] | None = None
) -> Objects:
    """Objects from any ids: numbered 1 to M in the order of their first pixel, row by row; each of the class of most of its pixels.

    Parameters
    ----------
    ids : ``(H, W)`` whole numbers of at least 0; 0 = no object.
    labels : ``(H, W)`` class ids. An object whose pixels are mostly background keeps its most frequent other class; one that
        lies on background alone is dropped.
    scores : by old id, ``(max id + 1,)``; None = none.

    Examples
    --------
    >>> found = number_objects(np.array([[7, 7, 0, 3]]), np.array([[1, 1, 0, 2]], np.uint8))
    >>> found.ids.tolist(), found.classes.tolist()
    ([[1, 1, 0, 2]], [1, 2])
    """
    flat, kinds = ids.ravel(), labels.ravel()
    places = np.flatnonzero(flat)
    if not len(places):
        return Objects.none((ids.shape[0], ids.shape[1]))
    old, own = flat[places], kinds[places].astype(np.int64)
    if int(old.max()) > 4 * flat.size:  # wide apart: numbered first, so that tables stay small
        known, old = np.unique(old, return_inverse=True)
        old += 1
    else:
        known = np.arange(1, int(old.max()) + 1)
    old = old.astype(np.int64)
    num_classes = int(own.max()) + 1
    votes = np.bincount(old * num_classes + own, minlength=(len(known) + 1) * num_classes)
    votes = votes.reshape(len(known) + 1, num_classes)
    votes[:, 0] = 0  # of the background
    first = np.full(len(known) + 1, flat.size)
    first[old[::-1]] = places[::-1]
    kept = np.flatnonzero(votes.any(axis=1))
    order = kept[np.argsort(first[kept], kind="stable")]
    table = np.zeros(len(known) + 1, np.int32)
    table[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    found = np.zeros(flat.size, np.int32)
    found[places] = table[old]
    chosen = None if scores is None else scores[known[order - 1]].astype(np.float32)
    return Objects(found.reshape(ids.shape), votes[order].argmax(1).astype(np.int32), chosen)
