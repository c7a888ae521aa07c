"""Soft Dice loss, ``1 - 2 |S T| / (|S| + |T|)``, one value per class, over the whole batch or over each picture."""

from __future__ import annotations

from torch import Tensor

from limner.losses.class_maps import foreground_maps, mean_score, pooling_axes


def soft_dice_loss(
    logits: Tensor, target: Tensor, valid: Tensor, *, pooling: str = "picture", squared: bool = False
) -> Tensor:
    """Mean over the foreground classes that the batch, or each picture, shows.

    A class that is absent is left to the cross-entropy.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.
    pooling : ``batch`` counts all pictures together, so that large objects weigh more; ``picture`` counts each by itself, so
        that a picture with one small object weighs as much as any other.
    squared : sum the squares of scores and truth in the denominator, as Milletari et al. do: unsure scores cost less there.

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
    score, truth = foreground_maps(logits, target, valid)
    axes = pooling_axes(pooling)
    extent = score.square() if squared else score  # truth is 0 or 1: its own square
    dice = 2 * (score * truth).sum(axes) / (extent.sum(axes) + truth.sum(axes)).clamp_min(1.0)
    present = truth.sum(axes) > 0
    if bool(present.any()):
        return (1 - dice[present]).mean()
    return mean_score(score, valid)
