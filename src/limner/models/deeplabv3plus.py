"""DeepLab v3+: atrous pyramid pooling on the coarsest map, joined once with a fine one.

    encoder -- stride 16 -- ASPP -- x4 --+
            -- stride 4 --- 1x1, 48 -----+-- two separable 3x3 -- 1x1 -- x4

Chen et al. 2018, arXiv:1802.02611.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import RecipeError
from limner.models.blocks.aspp import ASPP, rates_at
from limner.models.blocks.conv import ConvNormAct, SeparableConvNormAct
from limner.models.blocks.sizes import cut, enlarged, padded
from limner.models.encoder import Encoder

FINE_STRIDE, FINE_WIDTH = 4, 48  # of the map that brings the edges back, section 4.1


class DeepLabV3Plus(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    source: ClassVar[str] = "Chen et al. 2018, arXiv:1802.02611"

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        encoder : timm name.
        output_stride : of the coarsest map, 8, 16 or 32; an encoder that cannot be dilated keeps its own.
        rates : dilations at stride 16; at another stride they reach as far in input pixels.
        width : channels of the pooling and the decoder.
        dropout : share of channels dropped before the last layer while training.
        """

        encoder: str = "tf_efficientnet_lite0"
        output_stride: int = 16
        rates: tuple[int, ...] = (6, 12, 18)
        width: int = 256
        dropout: float = 0.0

        def build(self, *, channels: int, maps: int) -> DeepLabV3Plus:
            """The network for so many input channels and output maps."""
            return DeepLabV3Plus(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        check_rates(config.rates)
        width = config.width
        self.encoder = Encoder(config.encoder, channels=channels, output_stride=config.output_stride)
        self.fine_level = self.encoder.level_at(FINE_STRIDE)
        rates = rates_at(self.encoder.strides[-1], config.rates)
        self.context = ASPP(self.encoder.channels[-1], width, rates=rates, separable=True)
        self.fine = ConvNormAct(self.encoder.channels[self.fine_level], FINE_WIDTH, kernel=1)
        self.refine = nn.Sequential(
            SeparableConvNormAct(width + FINE_WIDTH, width),
            SeparableConvNormAct(width, width),
        )
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(width, maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`."""
        size_hw = x.shape[-2:]
        x = padded(x, self.encoder.strides[-1])
        maps = self.encoder(x)
        fine = self.fine(maps[self.fine_level])
        y = F.interpolate(self.context(maps[-1]), size=fine.shape[-2:], mode="bilinear", align_corners=False)
        y = self.refine(torch.cat([y, fine], dim=1))
        return cut(enlarged(self.head(self.dropout(y)), x.shape[-2:]), size_hw)


def check_rates(rates: tuple[int, ...]) -> None:
    """Refuse dilations that are none.

    Raises
    ------
    RecipeError : no rates, or one below 1.
    """
    if not rates or min(rates) < 1:
        raise RecipeError(
            f"rates = {list(rates)}", expected="whole numbers above 0", where="model.options.rates",
            fix="as in rates = [6, 12, 18]",
        )  # fmt: skip
