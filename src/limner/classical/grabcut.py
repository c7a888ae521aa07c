"""GrabCut: colours of object and background as mixtures of Gaussians, and the cheapest cut between them, in turn."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from limner.classical.gray import Channels, Gray, Mask, is_constant, smooth, smooth_channels
from limner.classical.seeds import make_seeds

NO_BOX = (0, 0, 0, 0)  # the marks say where object and background are
SEED = 0  # OpenCV starts the mixtures by k-means from random pixels


def grabcut_mask(
    gray: Gray,
    channels: Channels,
    *,
    sure: float = 0.5,
    rounds: int = 3,
    polarity: str = "auto",
    smoothing: float = 1.0,
) -> Mask:
    """The object's side of the cheapest cut, from seeds by two thresholds of the brightness.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255], from `to_gray`; the seeds come from it.
    channels : ``(H, W, C)`` in [0, 255], from `to_channels`; the mixtures see them, see `three_channels`.
    sure, polarity : see `make_seeds`. Sure pixels stay what they are; the others may change sides.
    rounds : how often mixtures and cut are computed in turn, >= 1.
    smoothing : standard deviation in pixels of a Gaussian before all else; 0 = none.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.

    References
    ----------
    Rother, Kolmogorov, Blake 2004, doi:10.1145/1015706.1015720.
    """
    if is_constant(gray):
        return np.zeros(gray.shape, bool)
    soft = smooth(gray, smoothing)
    seeds = make_seeds(soft, sure=sure, polarity=polarity)
    if seeds.decide_all:
        return seeds.side
    marks = np.where(seeds.side, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[seeds.sure_object] = cv2.GC_FGD
    marks[seeds.sure_background] = cv2.GC_BGD
    picture = three_channels(smooth_channels(channels, smoothing))
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(SEED)
    cv2.grabCut(picture, marks, NO_BOX, models[0], models[1], rounds, cv2.GC_INIT_WITH_MASK)
    return np.asarray((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD))


def three_channels(channels: Channels) -> npt.NDArray[np.uint8]:
    """What OpenCV's GrabCut takes: three channels of 8 bit.

    Parameters
    ----------
    channels : ``(H, W, C)`` in [0, 255].

    Returns
    -------
    ``(H, W, 3)``: one channel is repeated, two get their mean as a third, of four or more the three principal components are
    taken and stretched together.
    """
    count = channels.shape[2]
    if count == 1:
        channels = np.repeat(channels, 3, axis=2)
    elif count == 2:
        channels = np.concatenate([channels, channels.mean(axis=2, keepdims=True)], axis=2)
    elif count > 3:
        centred = channels.reshape(-1, count).astype(np.float64)
        centred -= centred.mean(axis=0)
        _spread, axes = np.linalg.eigh(centred.T @ centred)  # in rising order
        main = (centred @ axes[:, -3:]).reshape(*channels.shape[:2], 3)
        low, high = main.min(), main.max()
        channels = (main - low) * (255 / (high - low) if high > low else 0.0)
    return np.ascontiguousarray(np.rint(channels), np.uint8)
