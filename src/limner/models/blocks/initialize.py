"""First weights of convolutions; biases start at zero.

He et al. 2015, arXiv:1502.01852 (uniform and normal); Glorot and Bengio 2010, proceedings.mlr.press/v9/glorot10a (uniform).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from limner.core.choices import choose

INITIALIZERS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "default": None,  # torch's own: uniform, a sixth of He's variance
    "he_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "he_normal": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "glorot_uniform": nn.init.xavier_uniform_,
}


def initialize(initializer: str, *parts: nn.Module) -> None:
    """Draw the weights of every convolution in `parts` anew; ``default`` leaves them.

    Raises
    ------
    RecipeError : unknown `initializer`.
    """
    draw = choose(INITIALIZERS, initializer, kind="initializer")
    if draw is None:
        return
    for part in parts:
        for module in part.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                draw(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
