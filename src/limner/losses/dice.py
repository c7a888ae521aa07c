"""Soft Dice loss, ``1 - 2 |S T| / (|S| + |T|)``, one value per class, over the whole batch or over each picture."""

from __future__ import annotations

from torch import Tensor

from limner.core.choices import choose
from limner.losses.class_maps import class_maps

POOLING = {"batch": (0, 2, 3), "picture": (2, 3)}


def soft_dice_loss(logits: Tensor, target: Tensor, valid: Tensor, *, pooling: str = "picture") -> Tensor:
    """Mean over the foreground classes that the batch, or each picture, shows.

    The background has no term of its own when there are several maps: it follows from the others, and being large it
    would drown small classes. A class that is absent is left to the cross-entropy.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.
    pooling : ``batch`` counts all pictures together, so that large objects weigh more; ``picture`` counts each by itself, so
        that a picture with one small object weighs as much as any other.

    Returns
    -------
    Scalar in [0, 1]. When no foreground is shown at all: the mean foreground score over valid pixels.

    Raises
    ------
    RecipeError : unknown pooling.

    References
    ----------
    Milletari, Navab, Ahmadi 2016, arXiv:1606.04797; pooled over the batch as in Isensee et al. 2021.
    """
    score, truth = class_maps(logits, target, valid)
    if score.shape[1] > 1:
        score, truth = score[:, 1:], truth[:, 1:]
    axes = choose(POOLING, pooling, kind="pooling of the Dice loss")
    dice = 2 * (score * truth).sum(axes) / (score.sum(axes) + truth.sum(axes)).clamp_min(1.0)
    present = truth.sum(axes) > 0
    if bool(present.any()):
        return (1 - dice[present]).mean()
    return score.sum() / (valid.sum() * score.shape[1]).clamp_min(1)
