"""Thresholds on brightness: one or several for the whole picture by Otsu's criterion, or one around each pixel.

Otsu: of all ways to cut the brightness axis, take the one with the largest variance between the classes' means,
``sum_k w_k (m_k - m)^2``, w the share of a class and m its mean.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.classical.gray import WHITE, Gray, Mask, is_constant, smooth
from limner.classical.polarity import choose_object, is_bright_object

BINS = 1024  # of the histogram for several thresholds: integers of 8 bit keep one each


def otsu_threshold(values: npt.NDArray[Any]) -> float:
    """The last value of the lower class, exact: every distinct value is tried, there is no histogram.

    Parameters
    ----------
    values : any shape, at least one number.

    Returns
    -------
    A value of `values`; what is larger is the upper class. The value itself where all are equal.

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076.

    Examples
    --------
    >>> otsu_threshold(np.array([1, 2, 9, 2, 8]))
    2.0
    """
    ordered = np.sort(values, axis=None)
    ends = np.flatnonzero(ordered[1:] > ordered[:-1]) + 1  # size of the lower class at each possible cut
    if not ends.size:
        return float(ordered[0])
    sums = np.cumsum(ordered, dtype=np.float64)
    low, total = sums[ends - 1], sums[-1]
    between = (total * ends / ordered.size - low) ** 2 / (ends * (ordered.size - ends))
    return float(ordered[ends[np.argmax(between)] - 1])


def multi_otsu_thresholds(gray: Gray, *, classes: int = 3) -> tuple[float, ...]:
    """The last value of every class but the brightest.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255].
    classes : at least 2; fewer are made where there are not so many distinct values.

    Returns
    -------
    Rising thresholds, ``classes - 1`` or fewer; none for a constant picture.

    References
    ----------
    Otsu 1979 for the criterion; Liao, Chen, Chung 2001, J. Inf. Sci. Eng. 17, 713-727, for sums over pairs of levels.
    Here the best cuts follow by dynamic programming over the bins.

    Examples
    --------
    >>> multi_otsu_thresholds(np.array([[0, 1, 100, 101, 254, 255]], np.float32))
    (1.0, 101.0)
    """
    bins = np.rint(gray * ((BINS - 1) / WHITE)).astype(np.intp)
    counts = np.bincount(bins.ravel(), minlength=BINS)
    shown = np.flatnonzero(counts)
    classes = min(classes, len(shown))
    weight = np.concatenate([[0], np.cumsum(counts[shown])])
    moment = np.concatenate([[0], np.cumsum(counts[shown] * shown.astype(np.float64))])
    size = weight[None, :] - weight[:, None]
    # gain[a, b]: what a class of the shown bins a to b - 1 adds; impossible below the diagonal
    gain = np.where(size > 0, (moment[None, :] - moment[:, None]) ** 2 / np.maximum(size, 1), -np.inf)
    best, choices = gain[0], []
    for _ in range(classes - 1):
        candidates = best[:, None] + gain
        choices.append(candidates.argmax(axis=0))
        best = candidates.max(axis=0)
    cuts, end = [], len(shown)
    for choice in reversed(choices):
        end = int(choice[end])
        cuts.append(shown[end - 1])
    top = np.zeros(BINS, np.float32)  # the largest value of each bin
    np.maximum.at(top, bins.ravel(), gray.ravel())
    return tuple(float(top[cut]) for cut in reversed(cuts))


def otsu_mask(gray: Gray, *, polarity: str = "auto", smoothing: float = 1.0) -> Mask:
    """Object and background on the two sides of Otsu's threshold.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255], from `to_gray`.
    polarity : see `choose_object`.
    smoothing : standard deviation in pixels of a Gaussian before the threshold; 0 = none.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.
    """
    soft = smooth(gray, smoothing)
    return choose_object((soft > otsu_threshold(soft)).astype(np.uint8), polarity=polarity)


def multi_otsu_mask(gray: Gray, *, classes: int = 3, polarity: str = "auto", smoothing: float = 1.0) -> Mask:
    """All classes of brightness but the background and its shades.

    Parameters
    ----------
    gray, polarity, smoothing : see `otsu_mask`.
    classes : how many; with three, dim and bright objects are both found.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.
    """
    soft = smooth(gray, smoothing)
    thresholds = np.array(multi_otsu_thresholds(soft, classes=classes), np.float32)
    # a class is the number of thresholds below: equal to one still belongs to the class under it
    return choose_object(np.searchsorted(thresholds, soft, side="left"), soft, polarity=polarity)


def adaptive_mask(
    gray: Gray, *, window: int = 0, offset: float = 0.5, polarity: str = "auto", smoothing: float = 1.0
) -> Mask:
    """Pixels that differ from the mean of their surroundings; follows uneven light, hollows objects larger than the window.

    Parameters
    ----------
    gray, polarity, smoothing : see `otsu_mask`; which side is the object is decided at Otsu's threshold.
    window : side of the square that is averaged, in pixels; 0 = half the longer side of the picture.
    offset : least difference, in standard deviations of the whole picture, so that noise on even ground is not taken for objects.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.

    References
    ----------
    Local means as thresholds: Niblack 1986, An Introduction to Digital Image Processing; Bradley, Roth 2007,
    doi:10.1080/2151237X.2007.10129236.
    """
    if is_constant(gray):
        return np.zeros(gray.shape, bool)
    soft = smooth(gray, smoothing)
    side = (window or max(gray.shape) // 2) | 1
    around = cv2.boxFilter(soft, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REPLICATE)
    above = soft - around
    if not is_bright_object(soft, otsu_threshold(soft), polarity=polarity):
        above = -above
    return np.asarray(above > offset * float(soft.std()))
