"""Correlation of two looks in small windows, and a quick test whether their coarse structure agrees."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.look import Array

RIM = 3  # pixels along the border of a look that are not compared: a crop has changed them
FLOOR = 0.08  # standard deviation in a window, in units of the look's own, below which a window has no coarse structure


def coarse_structure(look: Array) -> Array:
    """What is between about 4 and 20 pixels wide in a look ``(64, 64)``."""
    return np.asarray(cv2.GaussianBlur(look, (0, 0), 2) - cv2.GaussianBlur(look, (0, 0), 5), np.float32)


def is_roughly_alike(one: Array, other: Array, *, least: float) -> bool:
    """Whether two coarse structures correlate by `least` in three quarters of the windows; takes a tenth of laying over.

    A slight crop leaves correlations of at least 0.5; once one look is laid over the other, copies have more than 0.8, and most
    pairs of different pictures less.
    """
    correlation, telling, _ = correlate_windows(one[::2, ::2], other[::2, ::2], 7, 2, FLOOR, 0.2)
    return ranked(correlation[telling], 0.25) >= least


def ranked(values: npt.NDArray[Any], share: float) -> float:
    """The value that a share of `values` is below."""
    place = int(share * (values.size - 1))
    return float(np.partition(values, place, axis=None)[place])


def correlate_windows(
    a: Array, b: Array, window: int, rim: int, floor: float, least: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], float]:
    """Correlate two looks window by window.

    Parameters
    ----------
    a, b : ``(H, W)``.
    window : pixels on a side, odd.
    rim : pixels along the border that are left out.
    floor : least standard deviation of a window that says something.
    least : share of the windows that always count, those with the most structure.

    Returns
    -------
    The correlation in each window, which windows have structure in one of the two, and the least variance of those: the square of
    `floor`, or less where fewer than the share `least` of the windows reach it.
    """
    size = (window, window)
    mean_a, mean_b = cv2.blur(a, size), cv2.blur(b, size)
    inner = slice(rim + window // 2, -rim - window // 2)
    spread_a = np.maximum(cv2.blur(a * a, size) - mean_a**2, 0)[inner, inner]
    spread_b = np.maximum(cv2.blur(b * b, size) - mean_b**2, 0)[inner, inner]
    both = (cv2.blur(a * b, size) - mean_a * mean_b)[inner, inner]
    larger = np.maximum(spread_a, spread_b)
    bottom = max(min(floor**2, ranked(larger, 1 - least)), 1e-12)
    correlation = both / np.sqrt(np.maximum(spread_a, bottom) * np.maximum(spread_b, bottom))
    return correlation, larger >= bottom, bottom
