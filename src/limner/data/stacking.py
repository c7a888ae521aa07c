"""An order of drawing for regions that have none: what such a format shows is what a format with an order shows after it.

Formats without an order are read so that the class of a pixel is that of the later region, and of several objects of this class the
one of the fewest pixels has it (see `limner.data.drawing`). Drawn one over the other, regions of several classes stay in their
order, and of one class the larger lies below the smaller. Where both cannot be had, the classes go first.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Annotation, Box, Region
from limner.data.extents import extent
from limner.data.formats.cover import cover, has_area
from limner.data.formats.geometry import Refusal
from limner.data.formats.relative import is_normalized

MOST_REGIONS = 20_000  # every two of them are compared


def smaller_on_top(image: Annotation) -> Annotation:
    """The regions in an order in which those drawn later lie on top.

    Parameters
    ----------
    image : of a format without an order; without its size, which areas need, it stays as it is.
    """
    regions = image.regions
    if image.size_hw is None or is_normalized(image) or not 1 < len(regions) <= MOST_REGIONS:
        return image
    places = _order(regions, image.size_hw)
    return dataclasses.replace(image, regions=tuple(regions[place] for place in places))


def _order(regions: Sequence[Region], size_hw: tuple[int, int]) -> list[int]:
    """Places of the regions, the lowest first: of those that nothing needs to lie below, the first in the file."""
    above: list[list[int]] = [[] for _ in regions]  # those that must lie above each
    below_hard, below = np.zeros(len(regions), int), np.zeros(len(regions), int)  # how many must still be drawn before
    hard: list[list[int]] = [[] for _ in regions]
    boxes = np.array([_box(region) for region in regions])
    keys = [_key(region) for region in regions]
    area = cache(lambda place: _area(regions[place], size_hw))
    for first in range(len(regions)):
        for second in _touching(boxes, first):
            is_same = keys[first] == keys[second] and area(first) > 0 and area(second) > 0
            low, high = (second, first) if is_same and area(first) < area(second) else (first, second)
            above[low].append(high)
            below[high] += 1
            if not is_same:
                hard[low].append(high)
                below_hard[high] += 1
    ready = [place for place in range(len(regions)) if not below[place]]
    left = set(range(len(regions)))
    result: list[int] = []
    while left:
        place = heapq.heappop(ready) if ready else min(place for place in left if not below_hard[place])  # a circle
        if place not in left:
            continue
        left.remove(place)
        result.append(place)
        for other in hard[place]:
            below_hard[other] -= 1
        for other in above[place]:
            below[other] -= 1
            if not below[other] and other in left:
                heapq.heappush(ready, other)
    return result


def _touching(boxes: npt.NDArray[np.float64], place: int) -> list[int]:
    """Later regions whose bounding boxes share something with that of `place`."""
    x0, y0, x1, y1 = boxes[place]
    rest = boxes[place + 1 :]
    shared = (rest[:, 0] < x1) & (rest[:, 2] > x0) & (rest[:, 1] < y1) & (rest[:, 3] > y0)
    return [place + 1 + index for index in np.flatnonzero(shared).tolist()]


def _box(region: Region) -> tuple[float, float, float, float]:
    try:
        return extent(region.shape)
    except ValueError:  # reaches nowhere
        return 0.0, 0.0, 0.0, 0.0


def _key(region: Region) -> tuple[str, bool, bool, bool]:
    """Regions of one key are objects of one class; all others lie in the order of the file."""
    return region.label, region.is_ignored, region.is_crowd, isinstance(region.shape, Box)


def _area(region: Region, size_hw: tuple[int, int]) -> int:
    """Pixels of a region; 0 for those without area or too large to be counted."""
    if not has_area(region.shape):
        return 0
    try:
        found = cover(region.shape, size_hw)
    except Refusal:
        return 0
    return 0 if found is None else int(found.mask.sum())
