"""Fuzzy c-means on brightness: every pixel belongs to every cluster, to a degree that falls with the distance from its centre.

Alternate until the centres rest, with m > 1 the fuzziness:

    u_ik = 1 / sum_j (|x_k - c_i| / |x_k - c_j|)^(2 / (m - 1))        c_i = sum_k u_ik^m x_k / sum_k u_ik^m

One number per pixel means that pixels of one level move together: a histogram replaces the pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from limner.classical.gray import WHITE, Gray, Mask, is_constant, smooth
from limner.classical.level_set import evolve
from limner.classical.polarity import choose_object

LEVELS = 4096  # of the histogram
MOST_ROUNDS = 300
LEAST = 1e-12  # of a squared distance: a value that is a centre belongs to it alone

Floats = npt.NDArray[np.float64]


def memberships(values: npt.NDArray[Any], centres: npt.NDArray[Any], *, fuzziness: float = 2.0) -> Floats:
    """Degrees of belonging, ``(c, *values.shape)`` float64 in [0, 1]; they sum to 1 for every value.

    Examples
    --------
    >>> memberships(np.array([0.0, 1.0, 4.0]), np.array([0.0, 4.0])).round(3).tolist()
    [[1.0, 0.9, 0.0], [0.0, 0.1, 1.0]]
    """
    centres = centres.reshape(-1, *[1] * values.ndim)
    near = np.maximum((values - centres).astype(np.float64) ** 2, LEAST) ** (-1 / (fuzziness - 1))
    return np.asarray(near / near.sum(axis=0))


def fuzzy_centres(
    values: npt.NDArray[Any],
    weights: npt.NDArray[Any] | None = None,
    *,
    clusters: int = 2,
    fuzziness: float = 2.0,
    tolerance: float = 1e-4,
) -> Floats:
    """Centres of the clusters of numbers.

    Parameters
    ----------
    values : ``(n,)``, n >= 1.
    weights : ``(n,)`` how often each value counts; None = once.
    clusters : c >= 1; the centres start evenly spaced over the range of the values, so that a run can be repeated.
    fuzziness : m > 1; near 1 the memberships become yes or no.
    tolerance : the centres rest when none moves by more, as a share of that range.

    Returns
    -------
    ``(c,)`` rising; all equal for values that are all equal.

    References
    ----------
    Bezdek 1981, Pattern Recognition with Fuzzy Objective Function Algorithms, doi:10.1007/978-1-4757-0450-1, chapter 3.
    """
    counts = np.ones(values.shape) if weights is None else weights
    low, span = float(values.min()), float(values.max() - values.min())
    centres = low + span * (np.arange(clusters) + 0.5) / clusters
    for _ in range(MOST_ROUNDS if span else 0):
        degrees = memberships(values, centres, fuzziness=fuzziness) ** fuzziness * counts
        moved = (degrees @ values) / degrees.sum(axis=1)
        rests = np.abs(moved - centres).max() <= tolerance * span
        centres = moved
        if rests:
            break
    return np.asarray(np.sort(centres) if span else np.full(clusters, low))


def picture_centres(gray: Gray, *, clusters: int, fuzziness: float) -> Floats:
    """`fuzzy_centres` of the levels of a picture ``(H, W)`` in [0, 255]."""
    step = WHITE / (LEVELS - 1)
    counts = np.bincount(np.rint(gray / step).astype(np.intp).ravel(), minlength=LEVELS)
    shown = np.flatnonzero(counts)
    return fuzzy_centres(shown * step, counts[shown], clusters=clusters, fuzziness=fuzziness)


def fuzzy_cmeans_mask(
    gray: Gray, *, clusters: int = 2, fuzziness: float = 2.0, polarity: str = "auto", smoothing: float = 1.0
) -> Mask:
    """Each pixel in the cluster that it belongs to most; all clusters but the background and its shades.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255], from `to_gray`.
    clusters, fuzziness : see `fuzzy_centres`.
    polarity : see `choose_object`.
    smoothing : standard deviation in pixels of a Gaussian before all else; 0 = none.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.
    """
    if is_constant(gray):
        return np.zeros(gray.shape, bool)
    soft = smooth(gray, smoothing)
    centres = picture_centres(soft, clusters=clusters, fuzziness=fuzziness)
    # the largest membership is that of the nearest centre: cut half-way between neighbours
    cuts = (centres[1:] + centres[:-1]) / 2
    return choose_object(np.searchsorted(cuts, soft, side="left"), soft, polarity=polarity)


def fuzzy_level_set_mask(
    gray: Gray,
    *,
    clusters: int = 2,
    fuzziness: float = 2.0,
    stiffness: float = 2.0,
    force: float = 0.5,
    polarity: str = "auto",
    smoothing: float = 1.0,
) -> Mask:
    """Fuzzy c-means, then a contour that starts at its object, is drawn by the memberships and held short.

    Parameters
    ----------
    gray, clusters, fuzziness, polarity, smoothing : see `fuzzy_cmeans_mask`.
    stiffness, force : see `evolve`.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.

    References
    ----------
    Li, Chui, Chang, Ong 2011, doi:10.1016/j.compbiomed.2010.10.007, for a level set that fuzzy clusters start and steer.
    """
    if is_constant(gray):
        return np.zeros(gray.shape, bool)
    soft = smooth(gray, smoothing)
    centres = picture_centres(soft, clusters=clusters, fuzziness=fuzziness)
    classes = np.searchsorted((centres[1:] + centres[:-1]) / 2, soft, side="left")
    start = choose_object(classes, soft, polarity=polarity)
    if not start.any():
        return start
    is_object = np.array([bool(start[classes == k].any()) for k in range(clusters)])
    membership = memberships(soft, centres, fuzziness=fuzziness)[is_object].sum(axis=0)
    return evolve(start, membership.astype(np.float32), stiffness=stiffness, force=force)
