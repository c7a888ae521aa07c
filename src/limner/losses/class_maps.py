"""Logits and target to maps ``(N, K, H, W)``: the only place that knows one yes/no map from many classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.choices import choose

POOLING = {"batch": (0, 2, 3), "picture": (2, 3)}  # axes that an overlap is summed over


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


def foreground_maps(logits: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """`class_maps` without the background: ``(N, 1, H, W)`` for one map, else ``(N, K - 1, H, W)``.

    The background has no term of its own in the overlap losses: it follows from the others, and being large it would drown
    small classes.
    """
    score, truth = class_maps(logits, target, valid)
    if score.shape[1] > 1:
        return score[:, 1:], truth[:, 1:]
    return score, truth


def pooling_axes(pooling: str) -> tuple[int, ...]:
    """Axes of ``(N, K, H, W)`` that ``batch`` or ``picture`` sums over.

    Raises
    ------
    RecipeError : another word.
    """
    return choose(POOLING, pooling, kind="pooling of the Dice loss")


def mean_score(score: Tensor, valid: Tensor) -> Tensor:
    """Mean foreground score over valid pixels: what the overlap losses are where no foreground is shown at all.

    Parameters
    ----------
    score : ``(N, K, H, W)``, zero where not valid.
    valid : ``(N, H, W)`` bool.

    Returns
    -------
    Scalar in [0, 1]; 0 when no pixel is valid.
    """
    return score.sum() / (valid.sum() * score.shape[1]).clamp_min(1)
