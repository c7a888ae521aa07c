"""RMSprop as Keras computes it, which published recipes of Keras mean by that name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]


class RMSprop(torch.optim.Optimizer):
    """Each weight's step is its gradient over the root of its mean square, plus `epsilon` **under** the root.

    ``torch.optim.RMSprop`` adds epsilon beside the root. With the same number, 1e-7, small gradients are then divided by
    something three thousand times as small, and deep networks without normalization are thrown into a constant answer.

    Parameters
    ----------
    params : parameters, or groups of them, with ``lr`` and ``weight_decay`` (added to the gradient).
    rho : decay of the mean square per step, in [0, 1).
    epsilon : above 0.
    momentum : share of the step before that is added; 0 = none.

    Source
    ------
    Tieleman and Hinton, Lecture 6.5, Neural Networks for Machine Learning, Coursera 2012; defaults and the place of epsilon
    as in the documentation of ``keras.optimizers.RMSprop``, Keras 3.
    """

    def __init__(
        self, params: Any, *, rho: float = 0.9, epsilon: float = 1e-7, momentum: float = 0.0, lr: float = 1e-3
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0, "rho": rho, "epsilon": epsilon, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change all weights that have a gradient; the loss of `closure`, where one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                self._change(weights, group)
        return loss

    def _change(self, weights: list[torch.Tensor], group: dict[str, Any]) -> None:
        gradients: Tensors = [p.grad for p in weights if p.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["mean_square"] = torch.zeros_like(weight)
                if group["momentum"]:
                    self.state[weight]["momentum"] = torch.zeros_like(weight)
        squares = [self.state[weight]["mean_square"] for weight in weights]
        if group["weight_decay"]:
            gradients = torch._foreach_add(gradients, weights, alpha=group["weight_decay"])
        torch._foreach_mul_(squares, group["rho"])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["rho"])
        roots = torch._foreach_add(squares, group["epsilon"])
        torch._foreach_sqrt_(roots)
        if group["momentum"]:
            momenta = [self.state[weight]["momentum"] for weight in weights]
            torch._foreach_mul_(momenta, group["momentum"])
            torch._foreach_addcdiv_(momenta, gradients, roots, group["lr"])
            torch._foreach_sub_(weights, momenta)
        else:
            torch._foreach_addcdiv_(weights, gradients, roots, -group["lr"])
