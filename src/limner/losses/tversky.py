"""Tversky loss: Dice with separate prices for what is invented (FP) and what is missed (FN).

With the three summed over soft scores: ``1 - TP / (TP + alpha FP + (1 - alpha) FN)``.
"""

from __future__ import annotations

from torch import Tensor

from limner.losses.class_maps import foreground_maps, mean_score, pooling_axes


def tversky_loss(
    logits: Tensor, target: Tensor, valid: Tensor, *, alpha: float = 0.3, pooling: str = "picture"
) -> Tensor:
    """Mean over the foreground classes that the batch, or each picture, shows; an absent class is left to the cross-entropy.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.
    alpha : price of a false positive in [0, 1]; a false negative costs 1 - alpha. 0.5 is the Dice loss; below, small objects
        are missed less often.
    pooling : ``batch`` or ``picture``, see `soft_dice_loss`.

    Returns
    -------
    Scalar in [0, 1]. When no foreground is shown at all: the mean foreground score over valid pixels.

    Raises
    ------
    RecipeError : unknown pooling.

    References
    ----------
    Salehi, Erdogmus, Gholipour 2017, arXiv:1706.05721; alpha 0.3 is the best of their table.
    """
    score, truth = foreground_maps(logits, target, valid)
    axes = pooling_axes(pooling)
    present = truth.sum(axes) > 0
    if bool(present.any()):
        return tversky_distances(score, truth, alpha=alpha, axes=axes)[present].mean()
    return mean_score(score, valid)


def tversky_distances(score: Tensor, truth: Tensor, *, alpha: float, axes: tuple[int, ...]) -> Tensor:
    """``1 - Tversky index`` of each map, summed over `axes`.

    Parameters
    ----------
    score, truth : ``(N, K, H, W)``, zero where not valid.

    Returns
    -------
    ``(N, K)`` or ``(K,)`` in [0, 1], never below 0 by rounding; 0 where neither score nor truth shows anything.
    """
    hit = (score * truth).sum(axes)
    cost = alpha * (score * (1 - truth)).sum(axes) + (1 - alpha) * ((1 - score) * truth).sum(axes)
    return cost / (hit + cost).clamp_min(1e-6)
