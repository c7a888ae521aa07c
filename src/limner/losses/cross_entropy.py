"""Cross-entropy over valid pixels, ``-sum_k q_k log p_k``: binary for one map, softmax for several.

``q`` is 1 for the true class; with label smoothing e it is ``1 - e + e / K`` there and ``e / K`` elsewhere.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import RecipeError


def cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    valid: Tensor,
    *,
    class_weights: tuple[float, ...] = (),
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean over valid pixels, each weighted by its true class.

    An absent class needs no rule: its score is pushed down in every pixel of the others.

    Parameters
    ----------
    logits, target, valid : see `limner.losses.class_maps.class_maps`.
    class_weights : one per class id (two for a single map), or empty for 1 each.
    label_smoothing : e in [0, 1]; a single map counts as two classes. Above 0 the least possible loss is above 0.

    Returns
    -------
    Scalar >= 0; 0 when no pixel is valid.

    Raises
    ------
    RecipeError : another number of weights than of classes.

    References
    ----------
    Szegedy et al. 2016, arXiv:1512.00567, section 7, for label smoothing.
    """
    if logits.shape[1] == 1:
        truth = (target > 0).float()
        if label_smoothing:
            truth = truth * (1 - label_smoothing) + label_smoothing / 2
        pixel = F.binary_cross_entropy_with_logits(logits[:, 0].float(), truth, reduction="none")
    else:
        pixel = F.cross_entropy(logits.float(), target, reduction="none", label_smoothing=label_smoothing)
    weight = valid.float()
    classes = max(2, logits.shape[1])
    if class_weights and len(class_weights) != classes:
        raise RecipeError(
            f"{len(class_weights)} class_weights for {classes} classes",
            expected="one for each class, the background first",
            where="loss.class_weights",
            fix="correct the list, or leave it out",
        )
    if class_weights:
        weight = weight * torch.tensor(class_weights, device=target.device)[target]
    return (pixel * weight).sum() / weight.sum().clamp_min(1e-6)
