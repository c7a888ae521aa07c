"""The optimizer of a recipe."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from limner.core.choices import choose
from limner.core.recipe_parts import OptimizerPart

OPTIMIZERS = {"adamw": partial(torch.optim.AdamW, fused=True)}  # one kernel per group instead of a dozen per weight


def make_optimizer(model: nn.Module, part: OptimizerPart, *, pretrained: bool) -> torch.optim.Optimizer:
    """AdamW in up to four groups: a pre-trained encoder learns slower, norms and biases do not decay.

    Each group carries its peak rate as ``peak``; the schedule multiplies it.
    """
    encoder = {id(p) for p in getattr(model, "encoder", nn.Module()).parameters()} if pretrained else set()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        rate = part.learning_rate * (part.encoder_rate if id(parameter) in encoder else 1.0)
        decay = part.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    listed = [{"params": ps, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), ps in groups.items()]
    return choose(OPTIMIZERS, part.name, kind="optimizer")(listed)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give every group its peak rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
