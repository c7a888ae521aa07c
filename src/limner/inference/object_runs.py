"""Object ids as runs of equal ids, from which areas, centroids and boxes are summed exactly; and records that can be added.

A picture of objects has some twenty times fewer runs than pixels, so that whatever is known of the objects costs little more than
finding the places where the id changes: 1.4 ns a pixel (`benchmarks/huge_objects.py`), against 100 ns of `numpy.unique`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Found = npt.NDArray[np.void]  # records of RECORD

# what is known of an object: sums of row and column numbers over its pixels, its box (bottom and right exclusive)
RECORD = np.dtype(
    [
        ("id", np.int32), ("class_id", np.int32), ("score", np.float64), ("area", np.int64), ("sum_y", np.int64),
        ("sum_x", np.int64), ("top", np.int32), ("left", np.int32), ("bottom", np.int32), ("right", np.int32),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Runs:
    """Runs of equal ids above 0 in the rows of a map, row by row.

    Parameters
    ----------
    ids : ``(R,)`` int32, the id of each.
    starts, lengths : ``(R,)`` int64, the first pixel in the flattened map, and the number of pixels.
    width : of the map.
    """

    ids: Ids
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    width: int

    def above(self, row: int) -> Runs:
        """The runs of the rows above `row`."""
        stop = int(np.searchsorted(self.starts, row * self.width))
        return Runs(self.ids[:stop], self.starts[:stop], self.lengths[:stop], self.width)


def runs_of(ids: Ids) -> Runs:
    """The runs of a map of ids ``(H, W)``, 0 left out; the two neighbouring rows are never one run.

    Examples
    --------
    >>> found = runs_of(np.array([[5, 5, 0], [0, 7, 5]], np.int32))
    >>> found.ids.tolist(), found.starts.tolist(), found.lengths.tolist()
    ([5, 7, 5], [0, 4, 5], [2, 1, 1])
    """
    height, width = ids.shape
    change = np.ones((height, width), np.bool_)
    if width > 1:
        np.not_equal(ids[:, 1:], ids[:, :-1], out=change[:, 1:])
    starts = np.flatnonzero(change)
    values = ids.reshape(-1)[starts]
    lengths = np.diff(starts, append=ids.size)
    kept = values != 0
    return Runs(values[kept], starts[kept], lengths[kept], width)


def pair_counts(first: Ids, second: Ids) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which ids of two maps of one shape lie on each other, and on how many pixels; pairs with a 0 are left out.

    Returns
    -------
    ``(P,)`` ids of the first map, of the second, and pixels; in rising order of both.
    """
    span = int(second.max(initial=0)) + 1
    both = np.where((first > 0) & (second > 0), first.astype(np.int64) * span + second, 0).reshape(-1)
    starts = np.flatnonzero(np.diff(both, prepend=-1))
    keys, inverse = np.unique(both[starts], return_inverse=True)
    pixels = np.bincount(inverse, weights=np.diff(starts, append=both.size), minlength=len(keys)).astype(np.int64)
    kept = keys > 0
    return keys[kept] // span, keys[kept] % span, pixels[kept]


def measure(runs: Runs, *, top: int = 0) -> Found:
    """One record for each id that occurs, by rising id; class 0, no score.

    Parameters
    ----------
    runs : of a part of a picture.
    top : the row of the picture in which the part begins.

    Returns
    -------
    ``(M,)`` of `RECORD`. Sums are whole numbers below 2^53 for every picture whose ids fit, hence exact in floating point.
    """
    ids, place = np.unique(runs.ids, return_inverse=True)
    found = np.zeros(len(ids), RECORD)
    rows, left = np.divmod(runs.starts, runs.width)
    rows, right = rows + top, left + runs.lengths

    def summed(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.bincount(place, weights=values, minlength=len(ids)).astype(np.int64)

    found["id"], found["score"] = ids, np.nan
    found["area"] = summed(runs.lengths)
    found["sum_y"] = summed(rows * runs.lengths)
    found["sum_x"] = summed((left + right - 1) * runs.lengths // 2)
    found["top"][place[::-1]] = rows[::-1]  # of several values for one place NumPy keeps the last
    found["bottom"][place] = rows + 1
    found["left"] = np.iinfo(np.int32).max
    np.minimum.at(found["left"], place, left.astype(np.int32))
    np.maximum.at(found["right"], place, right.astype(np.int32))
    return found


def added(first: Found, second: Found) -> Found:
    """Records of the parts of objects as records of the objects, by rising id.

    The class is that of the larger part (of equal ones the first), the score the mean over the pixels.
    """
    both = np.concatenate([first, second])
    ids, place = np.unique(both["id"], return_inverse=True)
    if len(ids) == len(both):
        ordered: Found = both[np.argsort(both["id"], kind="stable")]
        return ordered
    found = np.zeros(len(ids), RECORD)
    found["id"] = ids
    for name in ("area", "sum_y", "sum_x"):
        np.add.at(found[name], place, both[name])
    for name, far, nearest in (("top", 2**31 - 1, np.minimum), ("left", 2**31 - 1, np.minimum)):
        found[name] = far
        nearest.at(found[name], place, both[name])
    for name in ("bottom", "right"):
        np.maximum.at(found[name], place, both[name])
    weighted = np.bincount(place, weights=both["score"] * both["area"], minlength=len(ids))
    # a float32 score times a pixel count below 2^29 is exact, so that a score that all parts share comes back as it is
    found["score"] = weighted / np.maximum(1, found["area"])
    by_size = np.lexsort((-np.arange(len(both)), both["area"]))
    found["class_id"][place[by_size]] = both["class_id"][by_size]
    return found


def renumbered(found: Found, table: Ids) -> Found:
    """Records with the ids that `table` gives for the old ones; those of one new id are added."""
    changed = found.copy()
    changed["id"] = table[found["id"]]
    return added(changed[:0], changed)


def final_ids(count: int, joined: npt.NDArray[np.int32]) -> Ids:
    """The numbers 1 to M without gaps, after some of `count` ids turned out to be parts of others.

    Parameters
    ----------
    count : the largest id.
    joined : ``(J, 2)``: the id that stays and the larger one that goes; each goes once.

    Returns
    -------
    ``(count + 1,)``: the new id of each old one. Ids in the order of first pixels stay so.

    Examples
    --------
    >>> final_ids(5, np.array([[2, 4], [1, 2]])).tolist()
    [0, 1, 1, 2, 1, 3]
    """
    parent = np.arange(count + 1, dtype=np.int32)
    for stays, goes in joined[np.argsort(joined[:, 1], kind="stable")].tolist():
        parent[goes] = parent[stays]  # a smaller id, whose own fate is settled already
    is_first = parent == np.arange(count + 1)
    numbers = np.cumsum(is_first, dtype=np.int32) - np.int32(1)
    table: Ids = numbers[parent]
    return table
