"""DeepLab v3+ with attention and a feature pyramid, built to be read from top to bottom.

    encoder   level 2 (stride 4)   3 (8)   4 (16)   5 (16)      efficient channel attention in every residual block
    pyramid   256 channels each, from coarse to fine
    fuse      all four at stride 16, 3x3 convolution            squeeze and excitation
    context   ASPP: 1x1, rates 6, 12, 18, 24, image pooling
    middle    x2 to stride 8, joined with level 3 of the pyramid, 3x3
    fine      x2 to stride 4, joined with 48 channels of level 2, two 3x3
    head      1x1, x4 to input size

Order of the linear layers: the 3x3 convolutions that a pyramid has at each of its strides are one at stride 16, behind pooling;
1x1 convolutions come before enlarging, and the head before the last one.

Chen et al. 2018, arXiv:1802.02611; attention: Wang et al. 2020, arXiv:1910.03151 (ECA), Hu et al. 2018, arXiv:1709.01507 (SE);
pyramid: Lin et al. 2017, arXiv:1612.03144; residual network: He et al. 2016, arXiv:1512.03385.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn

from limner.core.errors import RecipeError
from limner.models.blocks.aspp import ASPP, rates_at
from limner.models.blocks.conv import ConvNormAct
from limner.models.blocks.fpn import TopDown
from limner.models.blocks.sizes import cut, enlarged, padded
from limner.models.deeplabv3plus import FINE_STRIDE, FINE_WIDTH, check_rates
from limner.models.encoder import Encoder

LEVELS = 4  # maps of the pyramid


class EnhancedDeepLabV3Plus(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    source: ClassVar[str] = (
        "Chen et al. 2018, arXiv:1802.02611, with ECA (arXiv:1910.03151), SE (arXiv:1709.01507) and FPN (arXiv:1612.03144)"
    )

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        encoder : timm name of a ResNet; any other with `eca` off.
        eca : efficient channel attention in the residual blocks; published weights of the ResNet still fit.
        output_stride : of the coarsest map, 8, 16 or 32; an encoder that cannot be dilated keeps its own.
        rates : dilations at stride 16; at another stride they reach as far in input pixels.
        width : channels of pyramid, pooling and decoder.
        dropout : share of channels dropped before the last layer while training.
        """

        encoder: str = "resnet101"
        eca: bool = True
        output_stride: int = 16
        rates: tuple[int, ...] = (6, 12, 18, 24)
        width: int = 256
        dropout: float = 0.0

        def build(self, *, channels: int, maps: int) -> EnhancedDeepLabV3Plus:
            """The network for so many input channels and output maps."""
            return EnhancedDeepLabV3Plus(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        check_rates(config.rates)
        width = config.width
        self.encoder = Encoder(config.encoder, channels=channels, output_stride=config.output_stride, eca=config.eca)
        self.first = self.encoder.level_at(FINE_STRIDE)
        levels = self.encoder.channels[self.first :]
        _check_levels(config.encoder, len(levels))
        self.ratios = tuple(self.encoder.strides[-1] // stride for stride in self.encoder.strides[self.first :])
        self.pyramid = TopDown(levels, width)
        self.fuse = ConvNormAct(LEVELS * width, width)
        self.attention = SEModule(width)
        self.context = ASPP(width, width, rates=rates_at(self.encoder.strides[-1], config.rates))
        self.middle = ConvNormAct(2 * width, width)
        self.edges = ConvNormAct(levels[0], FINE_WIDTH, kernel=1)
        self.fine = nn.Sequential(ConvNormAct(width + FINE_WIDTH, width), ConvNormAct(width, width))
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(width, maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`."""
        size_hw = x.shape[-2:]
        x = padded(x, self.encoder.strides[-1])
        maps = self.encoder(x)[self.first :]
        pyramid = self.pyramid(maps)
        pooled = [F.avg_pool2d(y, ratio) if ratio > 1 else y for y, ratio in zip(pyramid, self.ratios, strict=True)]
        y = self.context(self.attention(self.fuse(torch.cat(pooled, dim=1))))
        y = self.middle(torch.cat([_at(y, pyramid[1]), pyramid[1]], dim=1))
        edges = self.edges(maps[0])
        y = self.fine(torch.cat([_at(y, edges), edges], dim=1))
        return cut(enlarged(self.head(self.dropout(y)), x.shape[-2:]), size_hw)


def _at(y: Tensor, like: Tensor) -> Tensor:
    """`y` at the size of another map."""
    return F.interpolate(y.to(like.dtype), size=like.shape[-2:], mode="bilinear", align_corners=False)


def _check_levels(encoder: str, found: int) -> None:
    if found != LEVELS:
        raise RecipeError(
            f"encoder '{encoder}' has {found} maps from stride {FINE_STRIDE} on",
            expected=f"{LEVELS}: strides 4, 8, 16 and 32",
            where="encoder.name",
            fix="use resnet101, or model.architecture = deeplabv3plus",
        )
