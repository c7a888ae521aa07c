"""Cross-entropy over valid pixels: binary for one map, softmax for several."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import RecipeError


def cross_entropy_loss(
    logits: Tensor, target: Tensor, valid: Tensor, *, class_weights: tuple[float, ...] = ()
) -> Tensor:
    """Mean over valid pixels, each weighted by its class.

    Parameters
    ----------
    logits, target, valid : see `limner.losses.class_maps.class_maps`.
    class_weights : one per class id (two for a single map), or empty for 1 each.

    Returns
    -------
    Scalar >= 0; 0 when no pixel is valid.

    Raises
    ------
    RecipeError : another number of weights than of classes.
    """
    if logits.shape[1] == 1:
        pixel = F.binary_cross_entropy_with_logits(logits[:, 0].float(), (target > 0).float(), reduction="none")
    else:
        pixel = F.cross_entropy(logits.float(), target, reduction="none")
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
