"""Tiles in, finished rows out: scores of a picture of any height from a band of it.

A row is finished when no later tile reaches it. What is held is the band between the last finished row and the lower end of the
present row of tiles::

    finished, handed out     ___________________________
    band: sums so far        |  tile  |  tile  |  tile  |   <- this row of tiles
                             |________|________|________|
    not read yet
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.preprocess import Working
from limner.inference.tiles import Axis
from limner.inference.working import WorkingRows

Scores = npt.NDArray[np.float32]
CHUNK_BYTES = 32 * 2**20  # of enlarged scores that are handed out at once


@dataclass(frozen=True)
class Grid:
    """The tiles of a picture.

    Parameters
    ----------
    rows, columns : their places and weights.
    batch : tiles of one row that are computed together.
    """

    rows: Axis
    columns: Axis
    batch: int = 1


def blended_rows(
    working: WorkingRows, grid: Grid, scores_of: Callable[[list[Working]], list[Scores]], *, maps: int, start: int = 0
) -> Iterator[tuple[int, Scores]]:
    """The first row and the scores ``(maps, n, w)`` of parts of a picture, from row `start` to its end, in order.

    Parameters
    ----------
    working : the picture, ``h x w``.
    grid : its tiles.
    scores_of : scores ``(maps, y, x)`` of each of some tiles ``(y, x, C)``.
    start : rows above are left out; rows of tiles that touch none of the others are not computed.
    """
    width = working.size_hw[1]
    carry = np.zeros((maps, 0, width), np.float32)
    finished = start
    begins = [span.start for span in grid.rows.spans[1:]] + [working.size_hw[0]]
    for rows, weight_y, upto in zip(grid.rows.spans, grid.rows.weights, begins, strict=True):
        if rows.stop <= start:
            continue
        band = np.zeros((maps, rows.stop - finished, width), np.float32)
        band[:, : carry.shape[1]] = carry
        top = max(rows.start, finished)  # above it everything was handed out before an interruption
        pixels = working.read(rows.start, rows.stop)
        for columns, weight_x, scores in _tile_scores(pixels, grid, scores_of):
            weight = np.outer(weight_y[top - rows.start :], weight_x)
            band[:, top - finished :, columns] += scores[:, top - rows.start :] * weight
        if upto > finished:
            yield finished, band[:, : upto - finished]
            carry = band[:, upto - finished :].copy()
            finished = upto
        else:
            carry = band


def _tile_scores(
    pixels: Working, grid: Grid, scores_of: Callable[[list[Working]], list[Scores]]
) -> Iterator[tuple[slice, npt.NDArray[np.float32], Scores]]:
    """Columns, weights and scores of each tile of one row of tiles."""
    windows = list(zip(grid.columns.spans, grid.columns.weights, strict=True))
    for begin in range(0, len(windows), grid.batch):
        group = windows[begin : begin + grid.batch]
        found = scores_of([pixels[:, columns] for columns, _ in group])
        for (columns, weight), scores in zip(group, found, strict=True):
            yield columns, weight, scores


def enlarged_rows(
    parts: Iterator[tuple[int, Scores]], working_hw: tuple[int, int], size_hw: tuple[int, int], *, start: int = 0
) -> Iterator[tuple[int, Scores]]:
    """The parts at native size ``(maps, n, W)``, bilinearly, as if the whole picture had been enlarged; from row `start` on.

    Parameters
    ----------
    parts : first row and scores ``(maps, n, w)`` at working scale, in order, from `first_needed` of `start` on.
    working_hw, size_hw : both sizes.
    """
    at, held = 0, None
    for first, scores in parts:
        at, held = (first, scores) if held is None else (at, np.concatenate([held, scores], axis=1))
        have = at + held.shape[1]
        ready = size_hw[0] if have == working_hw[0] else _rows_ready(have, working_hw[0], size_hw[0])
        step = max(1, CHUNK_BYTES // (4 * len(held) * size_hw[1]))
        while start < ready:
            # cut at multiples of `step`, so that whoever goes on behind a part gets the very same parts, bit for bit
            stop = min((start // step + 1) * step, ready)
            yield start, _enlarge(held, at, working_hw[0], size_hw, start, stop)
            start = stop
        keep = min(first_needed(start, working_hw[0], size_hw[0]), have - 1)
        held, at = held[:, keep - at :].copy(), keep


def first_needed(row: int, working: int, native: int) -> int:
    """The first working row that native row `row` is made of."""
    return max(0, int(np.floor((row + 0.5) * working / native - 0.5)))


def _rows_ready(have: int, working: int, native: int) -> int:
    """Native rows for which the first `have` working rows suffice; there are more to come."""
    ready = int(have * native / working)
    while ready > 0 and first_needed(ready - 1, working, native) + 1 >= have:
        ready -= 1
    return ready


def _enlarge(held: Scores, at: int, working: int, size_hw: tuple[int, int], start: int, stop: int) -> Scores:
    """Native rows ``start`` to ``stop - 1`` from working rows that begin with row `at`."""
    place = np.clip((np.arange(start, stop) + 0.5) * (working / size_hw[0]) - 0.5, 0, working - 1)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, working - 1)
    share = (place - low).astype(np.float32)[:, None]
    first, last = int(low[0]), int(high[-1]) + 1
    out = np.empty((len(held), stop - start, size_hw[1]), np.float32)
    for channel, rows in zip(out, held[:, first - at : last - at], strict=True):
        wide = rows
        if rows.shape[1] != size_hw[1]:  # of equal heights OpenCV changes the width alone
            wide = cv2.resize(rows, (size_hw[1], len(rows)), interpolation=cv2.INTER_LINEAR).reshape(-1, size_hw[1])
        if working == size_hw[0]:
            channel[:] = wide[low - first]
            continue
        below = wide[high - first]
        np.take(wide, low - first, axis=0, out=channel)
        below -= channel
        below *= share
        channel += below  # exact where both neighbours are equal
    return out


def activate(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logits ``(N, K, H, W)`` to scores: sigmoid for one map, softmax over K for several."""
    if logits.shape[1] == 1:
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)
