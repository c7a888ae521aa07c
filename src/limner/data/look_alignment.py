"""Lay one look over another as a slight crop of it.

The second look is moved by ``x' = x + a0 + a1 u`` and ``y' = y + b0 + b1 v``, u and v from -1 to 1 over the picture, and its
values by a gain and an offset, so that the squared difference becomes least: Gauss-Newton steps, from coarse to fine
(Lucas and Kanade 1981, "An iterative image registration technique with an application to stereo vision").
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.look import SIDE, Array
from limner.data.look_windows import RIM, coarse_structure, is_roughly_alike

STEPS = ((2.0, 2, 5), (0.8, 1, 4))  # standard deviation of the blur, every how manieth pixel counts, most steps
SMALL_STEP = 0.03  # pixels; below, nothing changes any more
MOST_CROPPED = 0.045  # of a side: a crop of 3 % and what the fit may be off
NOT_NESTED = 0.0055  # of a side: further out than this on both ends, it is a move and no crop
LEAST_COARSE = 0.75  # what must agree after the coarse steps, see `is_roughly_alike`
_U = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1).astype(np.float32)
_PLACE = np.arange(SIDE, dtype=np.float32)

Move = npt.NDArray[np.float64]


def lay_over(one: Array, other: Array) -> Array | None:
    """`other` ``(64, 64)`` moved so that it covers `one`; None where that needs more than a slight crop, or does not fit."""
    move = np.zeros(4)  # a0, a1, b0, b1 in pixels
    for sigma, every, steps in STEPS:
        a, b = _blurred(one, sigma), _blurred(other, sigma)
        gain = 1.0
        for _ in range(steps):
            step, gain = _step(a, _moved(b, move), gain, every)
            move += step
            if not np.isfinite(move).all() or abs(move).max() > 2 * MOST_CROPPED * SIDE:
                return None
            if abs(step).max() < SMALL_STEP:
                break
        if sigma == STEPS[0][0]:
            coarse = coarse_structure(one), coarse_structure(_moved(other, move))
            if not is_roughly_alike(*coarse, least=LEAST_COARSE):
                return None
    return _moved(other, move) if is_slight_crop(move / SIDE) else None


def is_slight_crop(move: Move) -> bool:
    """Whether ``(a0, a1, b0, b1)``, as shares of a side, puts one picture inside the other on each axis, and near its rim.

    A picture that merely moved, such as a tile, a frame or a slice beside it, leaves the other on one end of an axis.
    """
    for shift, stretch in (move[:2], move[2:]):
        low, high = shift - stretch, shift + stretch  # where the two ends of the axis go
        outside = min(max(-low, high), max(low, -high))
        if max(abs(low), abs(high)) > MOST_CROPPED or outside > NOT_NESTED:
            return False
    return True


def _blurred(pixels: Array, sigma: float) -> Array:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _moved(pixels: Array, move: Move) -> Array:
    across = (_PLACE + move[0] + move[1] * _U).astype(np.float32)
    down = (_PLACE + move[2] + move[3] * _U).astype(np.float32)
    moved = cv2.remap(pixels, np.tile(across, (SIDE, 1)), np.tile(down[:, None], (1, SIDE)), cv2.INTER_CUBIC,
                      borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    return np.asarray(moved, np.float32)


def _step(one: Array, other: Array, gain: float, every: int) -> tuple[Move, float]:
    """The change of the move that lessens the difference most, and the gain that belongs to it."""
    slope_x = cv2.Sobel(other, cv2.CV_32F, 1, 0, ksize=1, scale=0.5 * gain)
    slope_y = cv2.Sobel(other, cv2.CV_32F, 0, 1, ksize=1, scale=0.5 * gain)
    columns = (slope_x, slope_x * _U, slope_y, slope_y * _U[:, None], other, np.ones_like(other))
    inner = slice(RIM, -RIM, every)
    table = np.stack([column[inner, inner].ravel() for column in columns], axis=1)
    normal = (table.T @ table).astype(np.float64) + 1e-6 * len(table) * np.eye(6)
    solution = np.linalg.solve(normal, (table.T @ one[inner, inner].ravel()).astype(np.float64))
    return np.asarray(solution[:4], np.float64), float(solution[4])
