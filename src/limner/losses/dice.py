"""Soft Dice loss, ``1 - 2 |S T| / (|S| + |T|)``, pooled over the batch: one value per class."""

from __future__ import annotations

from torch import Tensor

from limner.losses.class_maps import class_maps


def soft_dice_loss(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean over the foreground classes that the batch shows.

    The background has no term of its own when there are several maps: it follows from the others, and being large it
    would drown small classes. A class that is absent from the batch is left to the cross-entropy.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.

    Returns
    -------
    Scalar in [0, 1]. When the batch shows no foreground at all: the mean foreground score over valid pixels.

    References
    ----------
    Milletari, Navab, Ahmadi 2016, arXiv:1606.04797; pooled over the batch as in Isensee et al. 2021.
    """
    score, truth = class_maps(logits, target, valid)
    if score.shape[1] > 1:
        score, truth = score[:, 1:], truth[:, 1:]
    axes = (0, 2, 3)
    dice = 2 * (score * truth).sum(axes) / (score.sum(axes) + truth.sum(axes)).clamp_min(1.0)
    present = truth.sum(axes) > 0
    if bool(present.any()):
        return (1 - dice[present]).mean()
    return score.sum() / (valid.sum() * score.shape[1]).clamp_min(1)
