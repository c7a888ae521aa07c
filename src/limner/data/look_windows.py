"""Correlation of two looks in small windows, and a quick test whether their coarse structure agrees."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.look import Array

RIM = 3  # pixels along the border of a look that are not compared: a crop has changed them
FLOOR = 0.08  # standard deviation in a window, in units of the look's own, below which a window says nothing


def is_roughly_alike(one: Array, other: Array, *, least: float) -> bool:
    """Whether the coarse structure correlates by `least` in three quarters of the windows; takes a tenth of laying over.

    A slight crop leaves correlations of at least 0.5; once one look is laid over the other, copies have more than 0.8, and most pairs
    of different pictures less.
    """
    a, b = (cv2.GaussianBlur(look, (0, 0), 2) - cv2.GaussianBlur(look, (0, 0), 5) for look in (one, other))
    correlation, telling, _ = correlate_windows(a[::2, ::2], b[::2, ::2], 7, 2, FLOOR, 0.2)
    return float(np.quantile(correlation[telling], 0.25)) >= least


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
    bottom = max(min(floor**2, float(np.quantile(larger, 1 - least))), 1e-12)
    correlation = both / np.sqrt(np.maximum(spread_a, bottom) * np.maximum(spread_b, bottom))
    return correlation, larger >= bottom, bottom
