"""Class maps in which objects that touch differ, so that whatever outlines classes outlines each object."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.labels import LabelSpace
from limner.core.objects import Objects
from limner.data.object_shapes import touching_pairs

PHASES = [
    (0.5, 0.5),
    *((down / 4, across / 4) for down in range(4) for across in range(4)),
]  # where a small pixel looks


def tinted(
    labels: npt.NDArray[np.integer], objects: Objects, space: LabelSpace, *, side: int
) -> tuple[npt.NDArray[np.int32], LabelSpace]:
    """Each class as several of the same colour, dealt so that no two objects that touch are of one.

    Parameters
    ----------
    labels : ``(H, W)`` class ids.
    objects : of the same picture.
    space : the classes.
    side : longer side of the picture as it will be shown; objects between which no pixel is left there count as touching.

    Returns
    -------
    The ids of the classes that were made, ``(H, W)``; without touching objects those of `labels`. And these classes.
    """
    pairs = touching_pairs(objects.ids)
    if side < max(objects.ids.shape):
        pairs = np.concatenate([pairs, touching_pairs(_small(objects.ids, side))])
    tint = _tints(pairs, len(objects))
    count = int(tint.max(initial=0)) + 1
    names = tuple(name if i == 0 else f"{name} #{i}" for i in range(count) for name in space.names)
    return labels + np.int32(len(space)) * tint[objects.ids], LabelSpace(names, space.colors * count)


def _small(ids: npt.NDArray[np.int32], side: int) -> npt.NDArray[np.int32]:
    """The ids in a picture whose longer side is `side`: each pixel has one of the ids that it covers, where it covers any."""
    height, width = (max(1, round(length * side / max(ids.shape))) for length in ids.shape)
    small = np.zeros((height, width), np.int32)
    for down, across in PHASES:
        rows = (np.arange(height) + down) * ids.shape[0] / height
        columns = (np.arange(width) + across) * ids.shape[1] / width
        small = np.where(small > 0, small, ids[np.ix_(rows.astype(np.int64), columns.astype(np.int64))])
    return small


def _tints(pairs: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int32]:
    """``(count + 1,)`` numbers from 0, by id: each object takes the lowest that no neighbour before it has."""
    beside: list[list[int]] = [[] for _ in range(count + 1)]
    for one, other in pairs.tolist():
        beside[max(one, other)].append(min(one, other))
    tint = np.zeros(count + 1, np.int32)
    for number in range(1, count + 1):
        taken = {int(tint[other]) for other in beside[number]}
        tint[number] = next(value for value in range(len(taken) + 1) if value not in taken)
    return tint
