"""The optimizer of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from limner.core.choices import choose
from limner.core.errors import RecipeError
from limner.core.recipe_parts import OptimizerPart
from limner.training.rmsprop import RMSprop

Groups = list[dict[str, Any]]


# fused: one kernel per group instead of a dozen per weight
def _adamw(groups: Groups, part: OptimizerPart) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, eps=part.epsilon, fused=True)


def _adam(groups: Groups, part: OptimizerPart) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, eps=part.epsilon, fused=True)


def _sgd(groups: Groups, part: OptimizerPart) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, momentum=part.momentum, nesterov=part.nesterov, fused=True)


def _rmsprop(groups: Groups, part: OptimizerPart) -> torch.optim.Optimizer:
    return RMSprop(groups, rho=part.rho, epsilon=part.epsilon, momentum=part.momentum)


OPTIMIZERS: dict[str, Callable[[Groups, OptimizerPart], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "adam": _adam,
    "sgd": _sgd,
    "rmsprop": _rmsprop,
}


def make_optimizer(model: nn.Module, part: OptimizerPart, *, pretrained: bool) -> torch.optim.Optimizer:
    """The optimizer in up to four groups: a pre-trained encoder learns slower, norms and biases do not decay.

    Each group carries its peak rate as ``peak``; the schedule multiplies it. Weight decay is taken off the weights under
    ``adamw`` (Loshchilov and Hutter 2019, arXiv:1711.05101) and added to the gradient under the others.

    Raises
    ------
    RecipeError : unknown name, or numbers that make no sense.
    """
    make = choose(OPTIMIZERS, part.name, kind="optimizer")
    _check_numbers(part)
    encoder = {id(p) for p in getattr(model, "encoder", nn.Module()).parameters()} if pretrained else set()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        rate = part.learning_rate * (part.encoder_rate if id(parameter) in encoder else 1.0)
        decay = part.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    listed = [{"params": ps, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), ps in groups.items()]
    return make(listed, part)


def _check_numbers(part: OptimizerPart) -> None:
    """Torch looks at the numbers of a whole optimizer, but not at those of its groups."""
    for name in ("learning_rate", "encoder_rate", "weight_decay", "clip_norm"):
        value = getattr(part, name)
        if value < 0:
            raise RecipeError(
                f"optimizer.{name} = {value}", expected="at least 0", where=f"optimizer.{name}", fix=f"correct {name}"
            )
    if part.name == "sgd" and part.nesterov and not part.momentum:
        raise RecipeError(
            "optimizer.nesterov without momentum",
            expected="momentum above 0",
            where="optimizer.momentum",
            fix="--set optimizer.momentum=0.9, or --set optimizer.nesterov=false",
        )


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give every group its peak rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
