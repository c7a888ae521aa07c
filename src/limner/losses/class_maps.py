"""Logits and target to maps ``(N, K, H, W)``: the only place that knows one yes/no map from many classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def class_maps(logits: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and truth as maps that are zero where not valid.

    Parameters
    ----------
    logits : ``(N, K, H, W)``; K = 1: sigmoid and `target` > 0, else softmax and one map per class.
    target : ``(N, H, W)`` int64 class ids.
    valid : ``(N, H, W)`` bool.

    Returns
    -------
    Two float32 tensors ``(N, K, H, W)``.
    """
    keep = valid.unsqueeze(1)
    if logits.shape[1] == 1:
        score, truth = torch.sigmoid(logits.float()), (target > 0).unsqueeze(1).float()
    else:
        score = torch.softmax(logits.float(), dim=1)
        truth = F.one_hot(target.clamp_min(0), logits.shape[1]).movedim(-1, 1).float()
    return score * keep, truth * keep
