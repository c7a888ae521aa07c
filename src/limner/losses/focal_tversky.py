"""Focal Tversky loss, ``(1 - Tversky index) ^ gamma``: below 1, gamma keeps up the pull of classes that are nearly right."""

from __future__ import annotations

from torch import Tensor

from limner.losses.class_maps import foreground_maps, mean_score, pooling_axes
from limner.losses.tversky import tversky_distances

_LEAST = 1e-12  # of the base: the slope of a power below 1 is infinite at 0


def focal_tversky_loss(
    logits: Tensor,
    target: Tensor,
    valid: Tensor,
    *,
    alpha: float = 0.3,
    gamma: float = 0.75,
    pooling: str = "picture",
) -> Tensor:
    """Mean over the foreground classes that the batch, or each picture, shows; an absent class is left to the cross-entropy.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.
    alpha : price of a false positive, see `tversky_loss`.
    gamma : the exponent itself, > 0. The paper writes it as 1 / gamma with gamma = 4/3, which is 0.75 here.
    pooling : ``batch`` or ``picture``, see `soft_dice_loss`.

    Returns
    -------
    Scalar in [0, 1]. When no foreground is shown at all: the mean foreground score over valid pixels.

    Raises
    ------
    RecipeError : unknown pooling.

    References
    ----------
    Abraham, Khan 2018, arXiv:1810.07842.
    """
    score, truth = foreground_maps(logits, target, valid)
    axes = pooling_axes(pooling)
    present = truth.sum(axes) > 0
    if bool(present.any()):
        distances = tversky_distances(score, truth, alpha=alpha, axes=axes)[present]
        return distances.clamp_min(_LEAST).pow(gamma).mean()
    return mean_score(score, valid)
