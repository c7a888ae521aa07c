"""Boundary loss: each wrong pixel costs its distance to the true outline.

    mean of  d (S - T),    d < 0 inside of the object, d > 0 outside

The paper leaves out the part ``-d T``, which no network can change; with it the loss is 0 for a perfect prediction and never
below. Distances are in diagonals of the picture, so that patches and coarse outputs of any size cost alike.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from limner.losses.class_maps import foreground_maps, mean_score


def boundary_loss(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean over the foreground classes that each picture shows, of the mean over its valid pixels.

    It says where, not how much: use it beside the cross-entropy or an overlap loss. An absent class has no outline and is left to
    them. Distances are computed on the processor in every step.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.

    Returns
    -------
    Scalar in [0, 1]. When no foreground is shown at all: the mean foreground score over valid pixels.

    References
    ----------
    Kervadec et al. 2019, arXiv:1812.07032.
    """
    score, truth = foreground_maps(logits, target, valid)
    present = truth.sum((2, 3)) > 0
    if not bool(present.any()):
        return mean_score(score, valid)
    inside, known = truth.bool().cpu().numpy(), valid.cpu().numpy()
    distances = np.stack([[signed_distance(mask, known[n]) for mask in masks] for n, masks in enumerate(inside)])
    gap = torch.from_numpy(distances).to(score.device) * (score - truth)  # 0 where not valid
    pixels = valid.sum((1, 2)).clamp_min(1).unsqueeze(1)
    return (gap.sum((2, 3)) / pixels)[present].mean()


def signed_distance(inside: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Distance to the outline in units of the picture's diagonal, negative inside.

    Parameters
    ----------
    inside : ``(H, W)`` the object.
    known : ``(H, W)``; other pixels are neither object nor background: distances are to the nearest known pixel of the other kind,
        less the half pixel that the outline runs before it.

    Returns
    -------
    ``(H, W)`` float32 in [-1, 1], never 0 at a known pixel. Without an object 1 everywhere; -1 in an object without surroundings.

    References
    ----------
    Felzenszwalb, Huttenlocher 2012, doi:10.4086/toc.2012.v008a019, for the exact transform that OpenCV computes.

    Examples
    --------
    >>> row = np.array([[True, True, False, False, False]])
    >>> np.round(signed_distance(row, np.ones_like(row)) * 26**0.5, 3).tolist()
    [[-1.5, -0.5, 0.5, 1.5, 2.5]]
    """
    diagonal = math.hypot(*inside.shape)
    to_object = _distance_to(inside & known, diagonal)
    to_background = _distance_to(~inside & known, diagonal)
    signed = np.where(inside, -to_background, to_object)
    return np.asarray(signed / diagonal, np.float32)


def _distance_to(mask: npt.NDArray[np.bool_], diagonal: float) -> npt.NDArray[np.float32]:
    """Distance in pixels to the edge of the nearest pixel of `mask`; `diagonal` where there is none."""
    if not mask.any():
        return np.full(mask.shape, diagonal, np.float32)
    centres = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(centres - np.float32(0.5), np.float32)
