"""Count once what a mask file holds: pixels of each value, how many fill areas, connected objects and how many of them are tiny."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.data.areas import area_sizes, runs_of
from limner.data.id_facts import count_ids, shape_of_numbers
from limner.data.masks import MaskReading, MaskStats, RawMask, read_raw_mask, scale_of, without_alpha

TINY_PIXELS = 16  # an object of fewer pixels is lost in a network that halves five times
ABOVE_HALF = -1  # stands for all values above half of the scale: one class where edges are soft
MOST_VALUES = 4096  # of more different values the statistics keep the commonest; a mask has far fewer
_MOST_CLASSES = 16  # a file with more values numbers its objects, or its edges are soft

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Objects:
    """Connected areas of one value or class; corners connect.

    Parameters
    ----------
    count : how many.
    tiny : how many of them have fewer than `TINY_PIXELS` pixels.
    """

    count: int = 0
    tiny: int = 0

    def __add__(self, other: Objects) -> Objects:
        return Objects(self.count + other.count, self.tiny + other.tiny)


def survey_mask(path: Path, *, alpha: bool = False) -> MaskStats:
    """Read a mask file whole and count its values.

    Raises
    ------
    DataError : see `read_raw_mask`.
    """
    return count_mask(read_raw_mask(path, alpha=alpha), path)


def read_again(stats: MaskStats, *, alpha: bool = False) -> RawMask | None:
    """The mask that was surveyed; None when its file holds several or cannot be read any more."""
    try:
        raw = read_raw_mask(stats.path, alpha=alpha)
    except DataError:
        return None
    raw = raw if alpha or stats.kind == "alpha" else without_alpha(raw)
    return raw if raw.values.shape == stats.size_hw else None


def count_mask(raw: RawMask, path: Path) -> MaskStats:
    """The statistics of a mask that was read from `path`; of very many values those of the commonest ones."""
    grid = raw.values
    values, counts, flat = _count(grid, _is_inside(grid))
    keep = np.arange(len(values))
    if len(values) > MOST_VALUES:
        keep = np.sort(np.argsort(-counts, kind="stable")[:MOST_VALUES])
    return MaskStats(
        path, (grid.shape[0], grid.shape[1]), raw.kind, raw.palette, raw.has_alpha,
        tuple(values[keep].tolist()), tuple(counts[keep].tolist()), tuple(flat[keep].tolist()), len(values),
        *shape_of_numbers(grid, len(values)), count_ids(raw.objects, grid),
    )  # fmt: skip


def _is_inside(grid: Values) -> npt.NDArray[np.bool_]:
    """Where the four neighbours have the same value, as far as there are any."""
    same = np.ones(grid.shape, bool)
    equal = grid[1:] == grid[:-1]
    same[1:] &= equal
    same[:-1] &= equal
    equal = grid[:, 1:] == grid[:, :-1]
    same[:, 1:] &= equal
    same[:, :-1] &= equal
    return same


def _count(grid: Values, inside: npt.NDArray[np.bool_]) -> tuple[Values, Values, Values]:
    """The different values, ascending, their pixels, and those that are inside; by runs of equal values, which are few."""
    _, lengths, heads = runs_of(grid)
    edges = grid.ravel()[np.flatnonzero(~inside)]  # few as well
    if heads.dtype in (np.uint8, np.uint16):  # without sorting, since a file that is no mask has many runs
        totals = np.bincount(heads, weights=lengths).astype(np.int64)
        values = np.flatnonzero(totals)
        counts, on_edge = totals[values], np.bincount(edges, minlength=len(totals))[values]
    else:
        values, place = np.unique(heads, return_inverse=True)
        counts = np.bincount(place, weights=lengths).astype(np.int64)
        on_edge = np.bincount(np.searchsorted(values, edges), minlength=len(values))
    return values, counts, counts - on_edge


def count_objects(grid: Values, stats: MaskStats) -> dict[int, Objects]:
    """Objects of each stored value but 0, and of `ABOVE_HALF` where a file has more than `_MOST_CLASSES` values.

    A file of so many values numbers its objects, each of which counts as one, or its edges are soft.
    """
    if len(stats.values) > _MOST_CLASSES:
        sizes = dict(zip(stats.values, stats.counts, strict=True))
        found = {value: Objects(1, int(size < TINY_PIXELS)) for value, size in sizes.items() if value != 0}
        return found if stats.kind == "colour" else found | {ABOVE_HALF: count_area(grid > scale_of(max(sizes)) / 2)}
    sizes_of = area_sizes(grid)
    return {value: _objects(sizes) for value, sizes in sizes_of.items()}


def count_area(mask: npt.NDArray[np.bool_]) -> Objects:
    """The connected areas of a mask ``(H, W)``."""
    return _objects(area_sizes(mask).get(1, np.zeros(0)))


def _objects(sizes: Values) -> Objects:
    return Objects(len(sizes), int((sizes < TINY_PIXELS).sum()))


def objects_by_class(reading: MaskReading, stats: MaskStats, objects: Mapping[int, Objects]) -> dict[int, Objects]:
    """Objects of each class id above 0 under a reading, from what `count_objects` found."""
    if reading.rule == "half":
        top = max(stats.values)
        found = objects.get(ABOVE_HALF, objects.get(top, Objects()) if top * 2 > scale_of(top) else Objects())
        return {1: found} if found.count else {}
    if stats.kind == "alpha":  # of another source: all that is opaque has one colour, whatever the opacity
        top = max(stats.values)
        objects = {top: objects.get(ABOVE_HALF, objects.get(top, Objects()))}
    values = reading.meant(np.array(stats.values), stats.kind, stats.palette)
    by_class: dict[int, Objects] = {}
    for value, index in zip(stats.values, reading.ids(values, scale_of(int(values.max()))).tolist(), strict=True):
        if index > 0 and value in objects:
            by_class[index] = by_class.get(index, Objects()) + objects[value]
    return by_class
