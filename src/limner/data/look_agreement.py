"""How well two looks agree, window by window: 1 where they show the same, whatever the brightness, about 0 where they do not.

Both are freed of what changes slowly over the picture (light that falls off to the sides is the same in all pictures of a series),
then correlated in windows of 9 x 9 pixels. Windows without structure in both say nothing and are left out.
"""

from __future__ import annotations

import cv2
import numpy as np

from limner.data.look import Array
from limner.data.look_windows import RIM, correlate_windows, ranked

WINDOW = 9
LEAST_TELLING = 0.05  # share of the windows that always count: those with the most structure
SLOW = (4.0, 8.0)  # standard deviation of what is taken away; the second where the first leaves too little
WORST, VERY_WORST = 0.1, 0.02  # shares of the windows that may agree less: clipped, compressed or drawn over
ALLOWANCE = 0.2  # by how much less the last fiftieth may agree than the last tenth; where something moved, it is more
OTHER_VALUES = 0.04  # root mean square difference of values of equal rank that a gain and an offset explain


def agreement(one: Array, other: Array, *, grain: float) -> float:
    """The least correlation of two looks in nine tenths of the windows that have structure; less where a few do not agree at all.

    Parameters
    ----------
    one, other : ``(64, 64)``, laid over each other.
    grain : the larger `Look.grain` of the two: windows with less structure say nothing, unless hardly a window has more.

    Returns
    -------
    In [-1, 1]; 1 for looks that are equal up to a rising function of their values (gain, offset, gamma, clipping). The function is
    taken in both directions and the better one counts, since clipped values cannot be undone.
    """
    if not differ_by_more_than_gain(one, other):
        return _least(one, other, grain)
    return max(
        _least(one, same_values(other, one), grain),
        _least(same_values(one, other), other, grain),
    )


def differ_by_more_than_gain(one: Array, other: Array) -> bool:
    """Whether the values of two looks are distributed differently once both have mean 0 and standard deviation 1."""
    return float(np.square(_ranks(one) - _ranks(other)).mean()) > OTHER_VALUES**2


def same_values(pixels: Array, like: Array) -> Array:
    """`pixels` through the rising function that gives them the distribution of `like`."""
    return np.interp(pixels, _ranks(pixels), _ranks(like)).astype(np.float32)


def _ranks(pixels: Array) -> Array:
    """Every eighth value away from the rim, ascending."""
    return np.asarray(np.sort(pixels[RIM:-RIM, RIM:-RIM], axis=None)[::8])


def _least(one: Array, other: Array, grain: float) -> float:
    a, b = (cv2.GaussianBlur(pixels, (0, 0), 0.7) for pixels in (one, other))
    for slow in SLOW:
        fine_a, fine_b = (pixels - cv2.GaussianBlur(pixels, (0, 0), slow) for pixels in (a, b))
        correlation, telling, bottom = correlate_windows(fine_a, fine_b, WINDOW, RIM, grain, LEAST_TELLING)
        if bottom >= grain**2:
            break
    told = correlation[telling]
    return min(ranked(told, WORST), ranked(told, VERY_WORST) + ALLOWANCE)
