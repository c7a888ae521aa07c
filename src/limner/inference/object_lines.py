"""Objects as level lines of pixels: a picture has far fewer of them than pixels, and sums over a line have closed forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.objects import Instances

Integers = npt.NDArray[np.int64]
Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Lines:
    """The lines of all objects, object after object.

    Parameters
    ----------
    ids : ``(M,)`` the objects that show, rising.
    first : ``(M,)`` index of the first line of each.
    x, y, length : ``(R,)`` column of the first pixel, row, and number of pixels of each line.
    order, starts : lines among all lines of the picture, background included, and where those begin in the flattened picture.
    """

    ids: Integers
    first: Integers
    x: Integers
    y: Integers
    length: Integers
    order: Integers
    starts: Integers

    def sums(self, values: Values) -> Values:
        """``(M,)`` sum of ``(R,)`` values over the lines of each object."""
        return np.asarray(np.add.reduceat(values, self.first)) if len(self.first) else values[:0]

    def lowest(self, values: Values) -> Values:
        """``(M,)`` least of ``(R,)`` values over the lines of each object."""
        return np.asarray(np.minimum.reduceat(values, self.first)) if len(self.first) else values[:0]

    def highest(self, values: Values) -> Values:
        """``(M,)`` largest of ``(R,)`` values over the lines of each object."""
        return np.asarray(np.maximum.reduceat(values, self.first)) if len(self.first) else values[:0]

    def spread(self, values: Values) -> Values:
        """``(R,)`` the value of each line's object, from ``(M,)`` values of objects."""
        return np.repeat(values, np.diff(np.append(self.first, len(self.x))))


def lines_of(ids: Instances) -> Lines:
    """The lines of a map of object ids ``(H, W)``, 0 = no object."""
    height, width = ids.shape
    if not ids.size:
        none = np.zeros(0, np.int64)
        return Lines(none, none, none, none, none, none, none)
    changes = np.empty((height, width), np.bool_)
    changes[:, 0] = True
    np.not_equal(ids[:, 1:], ids[:, :-1], out=changes[:, 1:])
    starts = np.flatnonzero(changes).astype(np.int64)
    owner = ids.reshape(-1)[starts]
    length = np.diff(np.append(starts, ids.size))
    order = np.argsort(owner, kind="stable").astype(np.int64)
    order = order[int((owner == 0).sum()) :]
    sorted_owner = owner[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = sorted_owner[1:] != sorted_owner[:-1]
    first = np.flatnonzero(is_first).astype(np.int64)
    y, x = np.divmod(starts[order], width)
    return Lines(sorted_owner[first].astype(np.int64), first, x, y, length[order], order, starts)
