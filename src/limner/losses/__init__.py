"""Losses as functions of ``(logits, target, valid)``; the weighted sum of the two that a recipe names."""

from __future__ import annotations

from torch import Tensor

from limner.losses.cross_entropy import cross_entropy_loss
from limner.losses.dice import soft_dice_loss

LOSSES = {"cross_entropy": cross_entropy_loss, "dice": soft_dice_loss}


def compound_loss(
    logits: Tensor,
    target: Tensor,
    valid: Tensor,
    *,
    cross_entropy: float,
    dice: float,
    dice_pooling: str = "picture",
    class_weights: tuple[float, ...] = (),
) -> Tensor:
    """``cross_entropy * CE + dice * Dice``; a part of weight 0 is not computed.

    Parameters
    ----------
    logits : ``(N, K, H, W)`` float; K = 1 means one yes/no map.
    target : ``(N, H, W)`` class ids, int64.
    valid : ``(N, H, W)`` bool; other pixels have no gradient.
    dice_pooling : see `soft_dice_loss`.
    class_weights : one per class id for the cross-entropy, or empty.

    Returns
    -------
    Scalar; 0 when no pixel is valid.

    References
    ----------
    Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, for the sum.
    """
    total = logits.new_zeros((), dtype=logits.dtype).float()
    if cross_entropy:
        total = total + cross_entropy * cross_entropy_loss(logits, target, valid, class_weights=class_weights)
    if dice:
        total = total + dice * soft_dice_loss(logits, target, valid, pooling=dice_pooling)
    return total
