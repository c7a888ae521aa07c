"""The boundary of a mask, and exact distances from pixels to the nearest pixel of a mask.

    d(p) = min over q of sqrt((p_y - q_y)^2 s_y^2 + (p_x - q_x)^2 s_x^2)      s: height and width of a pixel

The minimum is taken along the rows first and then along the columns, which is exact because the squares add up. OpenCV
does it for square pixels. Its numbers have 24 bits, which hold the squares of sides up to `MOST_SQUARES` without
rounding; beyond, and for pixels that are not square, the lower envelope of parabolas is found here, for all columns at
once (Felzenszwalb and Huttenlocher 2012, doi:10.4086/toc.2012.v008a019).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.errors import ShapeError

Mask = npt.NDArray[np.bool_]
Lengths = npt.NDArray[np.float64]
Spacing = tuple[float, float]

PIXELS: Spacing = (1.0, 1.0)
MOST_SQUARES = 2**24  # height^2 + width^2 up to which whole numbers are exact in 32-bit floating point
FAR = 2**28  # columns to the nearest pixel of a row that has none; its square is still exact in 64 bits


def boundary(mask: Mask) -> Mask:
    """The pixels of a mask that have a neighbour above, below, left or right outside it.

    Parameters
    ----------
    mask : ``(H, W)`` bool.

    Returns
    -------
    ``(H, W)`` bool: the mask minus its 4-connected erosion. What lies beyond the picture counts as outside, so a mask
    that is cut off by the border of the picture has boundary pixels there. Nothing for an empty mask.
    """
    edge = mask.copy()
    surrounded = mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    edge[1:-1, 1:-1] &= ~surrounded
    return edge


def known_masks(pred_mask: Mask, target_mask: Mask, valid: Mask | None) -> tuple[Mask, Mask]:
    """Both masks as bool; pixels that are not known are in neither.

    Raises
    ------
    ShapeError : the masks differ in shape or have other than two axes.
    """
    if pred_mask.ndim != 2 or pred_mask.shape != target_mask.shape:
        raise ShapeError(
            f"prediction of shape {pred_mask.shape} for labels of shape {target_mask.shape}",
            expected="two masks (H, W) of the same shape", fix="bring the prediction back to the size of the picture",
        )  # fmt: skip
    pred_mask, target_mask = pred_mask.astype(bool, copy=False), target_mask.astype(bool, copy=False)
    if valid is not None:
        pred_mask, target_mask = pred_mask & valid, target_mask & valid
    return pred_mask, target_mask


def bounding_box(mask: Mask) -> tuple[slice, slice]:
    """The smallest rectangle around the True pixels of ``(H, W)``; two empty slices when there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def nearest_distances(source: Mask, target: Mask, *, spacing: Spacing = PIXELS) -> Lengths:
    """The distance from each True pixel of one mask to the nearest True pixel of another.

    Parameters
    ----------
    source, target : ``(H, W)`` bool, the same shape.
    spacing : height and width of a pixel, > 0.

    Returns
    -------
    ``(M,)`` float64, M = True pixels of `source` in the order of rows, in the unit of `spacing`; infinite when `target`
    is empty.
    """
    if not target.any():
        return np.full(int(np.count_nonzero(source)), np.inf)
    height, width = target.shape
    if spacing[0] == spacing[1] and height**2 + width**2 <= MOST_SQUARES:
        found = cv2.distanceTransform((~target).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[source]
        return np.asarray(np.sqrt(np.rint(found.astype(np.float64) ** 2)) * spacing[0])  # the squares are whole numbers
    squares = (_along_rows(target) * spacing[1]) ** 2
    return np.asarray(np.sqrt(_lower_envelope(squares, spacing[0])[source]))


def _along_rows(target: Mask) -> npt.NDArray[np.float64]:
    """Columns to the nearest True pixel in the same row; at least `FAR` minus the width in rows without one."""
    place = np.arange(target.shape[1], dtype=np.int64)
    before = np.maximum.accumulate(np.where(target, place, -FAR), axis=1)
    behind = np.minimum.accumulate(np.where(target, place, FAR)[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(place - before, behind - place).astype(np.float64)


def _lower_envelope(squares: Lengths, step: float) -> Lengths:
    """``min over i of squares[i, x] + (y - i)^2 step^2`` for each ``(y, x)``.

    Each row adds a parabola with its lowest point there. A column keeps, as a stack, those that are lowest somewhere
    (`apex`) and from which y on (`start`); a parabola that begins to be lowest before the one on top of the stack puts
    that one away for good.
    """
    height, width = squares.shape
    squares = squares / step**2
    columns = np.arange(width)
    apex, start = np.zeros((height, width), np.int64), np.full((height + 1, width), np.inf)
    start[0], top = -np.inf, np.zeros(width, np.int64)
    for row in range(1, height):
        live = columns
        while live.size:
            below = apex[top[live], live]
            cross = ((squares[row, live] - squares[below, live]) / (row - below) + row + below) / 2
            fits = cross > start[top[live], live]
            done = live[fits]
            top[done] += 1
            apex[top[done], done], start[top[done], done], start[top[done] + 1, done] = row, cross[fits], np.inf
            live = live[~fits]
            top[live] -= 1
    lowest, place = np.empty_like(squares), np.zeros(width, np.int64)
    for row in range(height):
        live = columns[start[place + 1, columns] < row]
        while live.size:
            place[live] += 1
            live = live[start[place[live] + 1, live] < row]
        best = apex[place, columns]
        lowest[row] = squares[best, columns] + (row - best) ** 2.0
    return np.asarray(lowest * step**2)
