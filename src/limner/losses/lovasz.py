"""Lovasz loss: the convex extension of ``1 - IoU`` to errors between right and wrong.

Errors are sorted from the largest down; each is weighted by what the IoU loses when that pixel, after all worse ones, is wrong
too. With T the size of the truth, I what is left of it and U the union after i pixels:

    a pixel of the object:       I falls by 1        weight = 1 / U
    a pixel of something else:   U grows by 1        weight = I / (U (U - 1))

(the two closed forms of the differences ``J_i - J_(i-1)``, ``J = 1 - I / U``; they do not lose digits as a subtraction would.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner.losses.class_maps import foreground_maps, mean_score, pooling_axes


def lovasz_loss(logits: Tensor, target: Tensor, valid: Tensor, *, pooling: str = "picture") -> Tensor:
    """Mean over the foreground classes that the batch, or each picture, shows; an absent class is left to the cross-entropy.

    One map: the hinge errors ``max(0, 1 - logit)`` of object and ``max(0, 1 + logit)`` of background pixels. Several maps:
    the errors ``|truth - score|`` of the softmax scores.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.
    pooling : ``batch`` or ``picture``, see `soft_dice_loss`.

    Returns
    -------
    Scalar >= 0, in [0, 1] for several maps. When no foreground is shown at all: the mean foreground score over valid pixels.
    Background pixels whose errors are smaller than those of all object pixels have no gradient, nor have hinge errors of 0.

    Raises
    ------
    RecipeError : unknown pooling.

    References
    ----------
    Berman, Triki, Blaschko 2018, arXiv:1705.08790, algorithm 1 and section 3.
    """
    score, truth = foreground_maps(logits, target, valid)
    axes = pooling_axes(pooling)
    present = truth.sum(axes) > 0
    if not bool(present.any()):
        return mean_score(score, valid)
    hinge = logits.shape[1] == 1
    errors = 1 - logits.float() * (2 * truth - 1) if hinge else (truth - score).abs()
    keep = valid.unsqueeze(1).expand_as(errors)
    if axes[0] == 0:  # the whole batch is one long picture
        errors, truth, keep = (maps.movedim(0, 1).flatten(1) for maps in (errors, truth, keep))
    else:
        errors, truth, keep = (maps.flatten(2) for maps in (errors, truth, keep))
    errors, truth, keep = errors[present], truth[present], keep[present]
    return (torch.where(keep, errors, 0.0).relu() * lovasz_weights(errors, truth, keep)).sum(-1).mean()


@torch.no_grad()
def lovasz_weights(errors: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Weight of each error of one row.

    Parameters
    ----------
    errors : ``(R, P)`` float32.
    truth : ``(R, P)`` 0 or 1.
    valid : ``(R, P)`` bool; other pixels have weight 0 and no influence.

    Returns
    -------
    ``(R, P)`` float32 >= 0; a row sums to 1 when it shows the object.
    """
    order = errors.masked_fill(~valid, -torch.inf).argsort(dim=-1, descending=True)
    known = valid.gather(-1, order)
    hit = truth.gather(-1, order).bool() & known
    whole = hit.sum(-1, keepdim=True)
    # whole numbers: exact, and the same in every run on a GPU
    left = (whole - hit.cumsum(-1)).float()
    union = (whole + (~hit & known).cumsum(-1)).float()
    weights = torch.where(hit, 1 / union.clamp_min(1), left / (union * (union - 1)).clamp_min(1))
    return torch.zeros_like(errors).scatter(-1, order, weights * known)
