"""Generalized Dice loss: one Dice over all classes, each weighted by the inverse square of its size.

With score S and truth T of class k: ``1 - 2 sum_k w_k |S_k T_k| / sum_k w_k (|S_k| + |T_k|),    w_k = 1 / |T_k|^2``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner.losses.class_maps import class_maps, pooling_axes


def generalized_dice_loss(logits: Tensor, target: Tensor, valid: Tensor, *, pooling: str = "picture") -> Tensor:
    """Mean over the batch, or over the pictures that have valid pixels, of one value for all classes together.

    The background counts as a class here, as in the paper: its weight is small because it is large, and without it two
    classes would leave nothing to balance. A single map is read as background and foreground.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.
    pooling : ``batch`` or ``picture``, see `soft_dice_loss`.

    Returns
    -------
    Scalar in [0, 1]. An absent class would weigh infinitely much and is left out; what is predicted of it is missing from
    the classes that are shown. 0 when no pixel is valid.

    Raises
    ------
    RecipeError : unknown pooling.

    References
    ----------
    Sudre et al. 2017, arXiv:1707.03237, with the weights that the paper calls GDL_v.
    """
    score, truth = class_maps(logits, target, valid)
    if score.shape[1] == 1:
        keep = valid.unsqueeze(1)
        score, truth = torch.cat([(1 - score) * keep, score], 1), torch.cat([(1 - truth) * keep, truth], 1)
    axes = pooling_axes(pooling)
    size = truth.sum(axes)
    weight = torch.where(size > 0, size.clamp_min(1).square().reciprocal(), 0.0)
    # |S| + |T| - 2 |S T|, pixel by pixel, so that rounding cannot make it negative
    apart = (weight * (score * (1 - truth) + (1 - score) * truth).sum(axes)).sum(-1)
    whole = (weight * (score + truth).sum(axes)).sum(-1)
    counted = size.sum(-1) > 0
    if not bool(counted.any()):
        return score.sum()
    return (apart[counted] / whole[counted]).mean()
