"""Binary cross-entropy, one yes/no question per class: ``-t log p - (1 - t) log(1 - p)`` with ``p = sigmoid(logit)``."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from limner.losses.class_maps import class_maps


def binary_cross_entropy_loss(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean over valid pixels and maps, the background's map included.

    With one map it equals `cross_entropy_loss`. With several, each map answers by itself (sigmoid, no softmax); the largest
    logit is still the answer, so that nothing changes in prediction. An absent class is a question that is answered with
    no everywhere.

    Parameters
    ----------
    logits, target, valid : see `class_maps`.

    Returns
    -------
    Scalar >= 0; 0 when no pixel is valid.

    References
    ----------
    Bishop 2006, Pattern Recognition and Machine Learning, equation 4.90.
    """
    _score, truth = class_maps(logits, target, valid)
    pixel = F.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
    return (pixel * valid.unsqueeze(1)).sum() / (valid.sum() * logits.shape[1]).clamp_min(1)
