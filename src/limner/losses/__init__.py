"""Losses as functions of ``(logits, target, valid)``; the weighted sum that a recipe names, for one output or for several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from limner.core.errors import RecipeError, ShapeError
from limner.core.recipe_parts import LossPart
from limner.losses.binary_cross_entropy import binary_cross_entropy_loss
from limner.losses.boundary import boundary_loss
from limner.losses.cross_entropy import cross_entropy_loss
from limner.losses.dice import soft_dice_loss
from limner.losses.focal import focal_loss
from limner.losses.focal_tversky import focal_tversky_loss
from limner.losses.generalized_dice import generalized_dice_loss
from limner.losses.lovasz import lovasz_loss
from limner.losses.tversky import tversky_loss

LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": cross_entropy_loss,
    "binary_cross_entropy": binary_cross_entropy_loss,
    "dice": soft_dice_loss,
    "generalized_dice": generalized_dice_loss,
    "tversky": tversky_loss,
    "focal": focal_loss,
    "focal_tversky": focal_tversky_loss,
    "lovasz": lovasz_loss,
    "boundary": boundary_loss,
}

# loss: its argument and the field of `LossPart` that fills it
OPTIONS: dict[str, dict[str, str]] = {
    "cross_entropy": {"class_weights": "class_weights", "label_smoothing": "label_smoothing"},
    "dice": {"pooling": "dice_pooling", "squared": "dice_squared"},
    "generalized_dice": {"pooling": "dice_pooling"},
    "tversky": {"pooling": "dice_pooling", "alpha": "tversky_alpha"},
    "focal": {"gamma": "focal_gamma"},
    "focal_tversky": {"pooling": "dice_pooling", "alpha": "tversky_alpha", "gamma": "focal_tversky_gamma"},
    "lovasz": {"pooling": "dice_pooling"},
}


def compound_loss(logits: Tensor, target: Tensor, valid: Tensor, part: LossPart) -> Tensor:
    """The sum of the losses of `part`, each with its weight; a loss of weight 0 is not computed.

    Parameters
    ----------
    logits : ``(N, K, H, W)`` float; K = 1 means one yes/no map.
    target : ``(N, H, W)`` class ids, int64.
    valid : ``(N, H, W)`` bool; other pixels have no gradient.
    part : weights and options; `LossPart.dice_pooling` holds for all losses of overlap.

    Returns
    -------
    Scalar, float32; 0 when no pixel is valid.

    Raises
    ------
    RecipeError : no weight is above 0, or one is below.

    References
    ----------
    Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, for the sum of cross-entropy and Dice.
    """
    weights = {name: float(getattr(part, name)) for name in LOSSES}
    if min(weights.values()) < 0 or not any(weights.values()):
        raise RecipeError(
            f"loss weights {weights}",
            expected="weights of at least 0, and one above",
            where="loss",
            fix="--set loss.cross_entropy=1",
        )
    total = logits.new_zeros((), dtype=torch.float32)
    for name, weight in weights.items():
        if weight:
            options = {argument: getattr(part, field) for argument, field in OPTIONS.get(name, {}).items()}
            total = total + weight * LOSSES[name](logits, target, valid, **options)
    return total


def supervised_loss(levels: Sequence[Tensor], target: Tensor, valid: Tensor, part: LossPart) -> Tensor:
    """`compound_loss` of every output of a network with deep supervision; one output gives the same number as `compound_loss`.

    Output i weighs ``part.deep_supervision ** i``, and the weights are divided by their sum. Class ids and the mask of valid
    pixels are brought to the size of each output by nearest neighbour: ids have no mean.

    Parameters
    ----------
    levels : at least one ``(N, K, h, w)``, fine to coarse, each of its own size.
    target : ``(N, H, W)`` class ids, int64.
    valid : ``(N, H, W)`` bool.
    part : weights and options.

    Returns
    -------
    Scalar, float32; 0 when no pixel is valid.

    Raises
    ------
    ShapeError : no output at all.
    RecipeError : see `compound_loss`.

    References
    ----------
    Lee et al. 2015, arXiv:1409.5185; halved weights as in Isensee et al. 2021.
    """
    if not levels:
        raise ShapeError("a list of no outputs", expected="at least one, the finest first")
    weights = [part.deep_supervision**i for i in range(len(levels))]
    total = levels[0].new_zeros((), dtype=torch.float32)
    for weight, logits in zip(weights, levels, strict=True):
        if weight:
            size_hw = (logits.shape[-2], logits.shape[-1])
            share = weight / sum(weights)
            total = total + share * compound_loss(
                logits, resize_nearest(target, size_hw), resize_nearest(valid, size_hw), part
            )
    return total


def resize_nearest(maps: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """``(N, H, W)`` of any dtype at another size: each pixel takes the value that lies at its centre.

    Examples
    --------
    >>> resize_nearest(torch.arange(6).reshape(1, 1, 6), (1, 3)).tolist()
    [[[1, 3, 5]]]
    """
    if tuple(maps.shape[-2:]) == size_hw:
        return maps
    rows, columns = (
        ((torch.arange(new, device=maps.device) + 0.5) * (old / new)).long()
        for new, old in zip(size_hw, maps.shape[-2:], strict=True)
    )
    return maps[:, rows[:, None], columns]
