"""An encoder described by its own arguments, without pre-trained weights: levels of two convolutions and 2x2 max pooling.

Ronneberger, Fischer, Brox 2015, arXiv:1505.04597.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import RecipeError
from limner.models.blocks.level import Level, LevelStyle
from limner.models.encoder import Encoder

PLAIN = "plain"  # the name of this encoder in a recipe


class PlainEncoder(nn.Module):
    """Feature maps from fine to coarse, the first at input size; the last is the bottleneck.

    Parameters
    ----------
    widths : channels per level, fine to coarse, two at least.
    channels : channels of the input.
    style : norms and biases of the levels.
    dropout : share inside each level; () = none.

    Raises
    ------
    RecipeError : fewer than two widths.
    """

    def __init__(
        self, widths: Sequence[int], *, channels: int, style: LevelStyle, dropout: Sequence[float] = ()
    ) -> None:
        super().__init__()
        if len(widths) < 2 or min(widths) < 1:
            raise RecipeError(
                f"encoder_widths = {list(widths)}",
                expected="two or more numbers above 0",
                where="model.options.encoder_widths",
                fix="as in encoder_widths = [16, 32, 64, 128, 256], fine to coarse, the bottleneck last",
            )
        self.channels = tuple(widths)
        self.strides = tuple(2**i for i in range(len(widths)))
        self.levels = nn.ModuleList(
            Level(num_in, num_out, style=style, dropout=share)
            for num_in, num_out, share in zip(
                (channels, *widths[:-1]), widths, tuple(dropout) or (0.0,) * len(widths), strict=True
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(N, C, H, W)`` to one map per level, ``(N, widths[i], H / 2**i, W / 2**i)``."""
        maps = [self.levels[0](x)]
        for level in self.levels[1:]:
            maps.append(level(F.max_pool2d(maps[-1], 2)))
        return maps


def make_encoder(
    name: str, *, channels: int, widths: Sequence[int], style: LevelStyle, dropout: Sequence[float] = ()
) -> Encoder | PlainEncoder:
    """The timm encoder `name`; for ``plain`` the one that the other arguments describe.

    Raises
    ------
    RecipeError : `name` is no encoder with a pyramid of maps, or fewer than two `widths`.
    """
    if name == PLAIN:
        return PlainEncoder(widths, channels=channels, style=style, dropout=dropout)
    return Encoder(name, channels=channels)


def own_widths(encoder: Encoder | PlainEncoder) -> tuple[int, ...]:
    """Decoder widths, coarse to fine, that belong to an encoder: a plain one mirrored, () for others (`OWN_WIDTHS`)."""
    return encoder.channels[-2::-1] if isinstance(encoder, PlainEncoder) else ()
