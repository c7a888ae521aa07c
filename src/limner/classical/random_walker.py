"""Random walker: a pixel belongs to the seed that a walk from it most probably meets first.

Steps between neighbours i and j have weight w_ij = exp(-beta (g_i - g_j)^2 / s^2), s the picture's standard deviation, so that
edges are rarely crossed. The probability x of meeting the object first is harmonic: x_i sum_j w_ij = sum_j w_ij x_j at every pixel
that is no seed, 1 at the object's seeds and 0 at the background's.
"""

from __future__ import annotations

import numpy as np

from limner.classical.gray import Gray, Mask, is_constant, smooth
from limner.classical.harmonic import Floats, fill_harmonic
from limner.classical.seeds import make_seeds

LEAST = 1e-3  # of a weight: the walk can cross any edge, so that every pixel is reached, and the system can be solved


def object_probability(gray: Gray, sure_object: Mask, sure_background: Mask, *, beta: float = 3.0) -> Floats:
    """Probability that a walk meets the object's seeds before the background's.

    Parameters
    ----------
    gray : ``(H, W)``.
    sure_object, sure_background : ``(H, W)`` bool, at least one pixel of either.
    beta : how much edges hold a walk back, >= 0; 0 makes nearness alone count. scikit-image's 130 is 2.6 here for a picture whose
        standard deviation is a fifth of its range.

    Returns
    -------
    ``(H, W)`` float64 in [0, 1], 1 and 0 at the seeds.

    References
    ----------
    Grady 2006, doi:10.1109/TPAMI.2006.233.
    """
    along_x, along_y = _weights(gray, beta)
    known = sure_object | sure_background
    return np.clip(fill_harmonic(along_x, along_y, np.where(known, sure_object, 0.5), known), 0.0, 1.0)


def _weights(gray: Gray, beta: float) -> tuple[Floats, Floats]:
    """Of steps to the right ``(H, W - 1)`` and down ``(H - 1, W)``."""
    values = gray.astype(np.float64)
    scale = beta / max(float(values.var()), 1e-12)
    along_x, along_y = (np.exp(-scale * np.diff(values, axis=axis) ** 2) for axis in (1, 0))
    return np.maximum(along_x, LEAST), np.maximum(along_y, LEAST)


def random_walker_mask(
    gray: Gray, *, sure: float = 0.5, beta: float = 3.0, polarity: str = "auto", smoothing: float = 1.0
) -> Mask:
    """Pixels from which a walk meets the object first, from seeds by two thresholds.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255], from `to_gray`.
    sure, polarity : see `make_seeds`.
    beta : see `object_probability`.
    smoothing : standard deviation in pixels of a Gaussian before all else; 0 = none.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.
    """
    if is_constant(gray):
        return np.zeros(gray.shape, bool)
    soft = smooth(gray, smoothing)
    seeds = make_seeds(soft, sure=sure, polarity=polarity)
    if seeds.decide_all:
        return seeds.side
    return object_probability(soft, seeds.sure_object, seeds.sure_background, beta=beta) > 0.5
