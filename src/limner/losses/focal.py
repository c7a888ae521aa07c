"""Focal loss, ``-(1 - p)^gamma log p`` with p the score of the true class: pixels that are right already count for little."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST = 1e-12  # of the base: the slope of a power below 1 is infinite at 0


def focal_loss(logits: Tensor, target: Tensor, valid: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Mean over valid pixels; sigmoid for one map, softmax for several.

    The paper divides by the number of boxes that hold an object; pixels are all counted, so that a picture without any object has
    a loss too. An absent class needs no rule: its score is pushed down in every pixel of the others.

    Parameters
    ----------
    logits, target, valid : see `limner.losses.class_maps.class_maps`.
    gamma : >= 0; 0 is the cross-entropy.

    Returns
    -------
    Scalar >= 0; 0 when no pixel is valid.

    References
    ----------
    Lin et al. 2017, arXiv:1708.02002, equation 4.
    """
    if logits.shape[1] == 1:
        surprise = F.binary_cross_entropy_with_logits(logits[:, 0].float(), (target > 0).float(), reduction="none")
    else:
        surprise = F.cross_entropy(logits.float(), target, reduction="none")
    doubt = -torch.expm1(-surprise)  # 1 - p, exact also where p is nearly 1
    pixel = doubt.clamp_min(_LEAST).pow(gamma) * surprise
    return (pixel * valid).sum() / valid.sum().clamp_min(1)
