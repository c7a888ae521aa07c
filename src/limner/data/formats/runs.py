"""Masks as run lengths: how many pixels are background, then painted, then background, line after line.

COCO counts down the columns of the whole picture, CVAT along the rows of the mask's own box. Masks are unpacked to their bounding
box alone, so that a small object on a large picture costs what it covers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Bitmap
from limner.data.formats.fields import whole
from limner.data.formats.geometry import Refusal

Counts = npt.NDArray[np.int64]
MOST_PIXELS = 2**30  # of one mask, whoever asks for it


def any_size(count: int) -> None:
    """No limit on pixels: for masks that have been accepted before."""


def counts_of(values: Sequence[Any], total: int) -> Counts:
    """Run lengths out of a file.

    Parameters
    ----------
    values : beginning with background; a run may be 0.
    total : pixels that they must add up to.

    Raises
    ------
    Refusal : not whole numbers, negative, or another sum.
    """
    numbers = [value if type(value) is int else whole(value) for value in values]
    if any(number is None or number < 0 for number in numbers):
        raise Refusal("bad-runs", "a run length is not a whole number from 0 on")
    found = sum(number for number in numbers if number is not None)
    if found != total:
        raise Refusal("bad-runs", f"the run lengths add up to {str(found)[:24]}, and the mask has {total} pixels")
    return np.array(numbers, np.int64)


def bitmap_of_runs(
    counts: Counts, size_hw: tuple[int, int], *, by_column: bool, take: Callable[[int], None] = any_size
) -> Bitmap:
    """The painted pixels, cropped to their bounding box.

    Parameters
    ----------
    counts : from `counts_of`, adding up to the pixels of `size_hw`.
    size_hw, by_column, take : see `bitmap_of_spans`.

    Raises
    ------
    Refusal : nothing is painted, or it is too large.
    """
    ends = np.cumsum(counts)
    stops = ends[1::2]
    return bitmap_of_spans(ends[0::2][: len(stops)], stops, size_hw, by_column=by_column, take=take)


def bitmap_of_spans(
    starts: Counts,
    stops: Counts,
    size_hw: tuple[int, int],
    *,
    by_column: bool,
    take: Callable[[int], None] = any_size,
) -> Bitmap:
    """The pixels from each start to before its stop, cropped to their bounding box.

    Parameters
    ----------
    starts, stops : numbers of pixels in the order in which they are counted; rising, none overlapping another.
    size_hw : height and width of the area in which they are counted.
    by_column : down the columns, from left to right; else along the rows.
    take : is asked before the pixels are made, and may refuse.

    Raises
    ------
    Refusal : nothing is painted, or it is too large.
    """
    length = size_hw[0] if by_column else size_hw[1]
    painted = stops > starts
    starts, stops = starts[painted], stops[painted]
    if not len(starts):
        raise Refusal("empty-mask", "the mask has no pixel")
    first, last = int(starts[0]) // length, (int(stops[-1]) - 1) // length
    low, high = 0, length
    is_apart = bool((starts // length == (stops - 1) // length).all())  # no run goes on in the next line
    if is_apart:
        low, high = int((starts % length).min()), int(((stops - 1) % length).max()) + 1
    lines, width = last + 1 - first, high - low
    if lines * width > MOST_PIXELS:
        raise Refusal("too-many-pixels", f"a mask of {lines} lines of {width} pixels")
    take(lines * width)
    if is_apart:  # each line ends with a pixel more, in which its last run may end
        row = (starts // length - first) * (width + 1) - low
        filled = _filled(row + starts % length, row + (stops - 1) % length + 1, lines * (width + 1))
        crop = filled.reshape(lines, width + 1)[:, :-1]
    else:
        crop = _filled(starts - first * length, stops - first * length, lines * width).reshape(lines, width)
    if by_column:
        return Bitmap(first, low, np.ascontiguousarray(crop.T))
    return Bitmap(low, first, np.ascontiguousarray(crop))


def _filled(starts: Counts, stops: Counts, total: int) -> npt.NDArray[np.bool_]:
    """``(total,)`` bool, True from each start to before its stop."""
    steps = np.zeros(total + 1, np.int8)
    steps[starts] += 1
    steps[stops] -= 1  # a run that begins where another ends cancels it
    np.cumsum(steps, out=steps)
    return steps[:-1].view(np.bool_)


def runs_of_bitmap(bitmap: Bitmap, size_hw: tuple[int, int], *, by_column: bool) -> list[int]:
    """Run lengths of a mask within an area of `size_hw`, beginning with background; pixels outside are cut off.

    The sum is that of the area; an empty mask is one run of background.
    """
    height, width = size_hw
    top, left = max(0, -bitmap.y), max(0, -bitmap.x)
    mask = bitmap.mask[top : max(top, height - bitmap.y), left : max(left, width - bitmap.x)]
    y, x = max(0, bitmap.y), max(0, bitmap.x)
    lines, first, low, length = (mask.T, x, y, height) if by_column else (mask, y, x, width)
    edges = np.diff(np.pad(lines.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    bounds = []
    for step in (1, -1):
        line, place = np.nonzero(edges == step)
        bounds.append((line + first) * length + place + low)
    starts, stops = bounds
    total = height * width
    if not len(starts):
        return [total]
    apart = stops[:-1] != starts[1:]  # a run that fills a line to its end may go on in the next
    starts, stops = starts[np.append(True, apart)], stops[np.append(apart, True)]
    counts: list[int] = np.diff(np.concatenate([[0], np.stack([starts, stops], axis=1).ravel(), [total]])).tolist()
    return counts[:-1] if counts[-1] == 0 else counts
