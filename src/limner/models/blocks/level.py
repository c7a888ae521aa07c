"""One level of a U-Net: two 3x3 convolutions, with batch norm where its style says.

norm     layers
conv     conv, norm, ReLU, (dropout,) conv, norm, ReLU
level    conv, ReLU, (dropout,) conv, ReLU, norm
none     conv, ReLU, (dropout,) conv, ReLU
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from limner.core.choices import choose
from limner.models.blocks.dropout import ReluDropout

NORMS = {word: word for word in ("conv", "level", "none")}


@dataclass(frozen=True)
class LevelStyle:
    """What all levels of a network have in common.

    Parameters
    ----------
    norm : ``conv``: batch norm after each convolution; ``level``: once, after both activations; ``none``.
    eps : added to the variance by batch norm.
    bias : convolutions that batch norm follows have a bias, which it cancels; the others always have one.

    Raises
    ------
    RecipeError : unknown `norm`.
    """

    norm: str = "conv"
    eps: float = 1e-5
    bias: bool = False

    def __post_init__(self) -> None:
        choose(NORMS, self.norm, kind="norm")


class Level(nn.Module):
    """Two 3x3 convolutions; ``(N, in, H, W)`` to ``(N, out, H, W)``.

    Parameters
    ----------
    num_in, num_out : channels.
    style : norms and biases.
    dropout : share of the values set to zero between the convolutions while training, in [0, 1).
    """

    def __init__(self, num_in: int, num_out: int, *, style: LevelStyle, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = _conv(num_in, num_out, style, dropout)
        self.second = _conv(num_out, num_out, style, 0.0)
        self.norm = nn.BatchNorm2d(num_out, eps=style.eps) if style.norm == "level" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The level's output."""
        return self.norm(self.second(self.first(x)))  # type: ignore[no-any-return]


def _conv(num_in: int, num_out: int, style: LevelStyle, dropout: float) -> nn.Sequential:
    per_conv = style.norm == "conv"
    layers: list[nn.Module] = [nn.Conv2d(num_in, num_out, 3, padding=1, bias=style.bias or not per_conv)]
    if per_conv:
        layers.append(nn.BatchNorm2d(num_out, eps=style.eps))
    layers.append(ReluDropout(dropout) if dropout else nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
