"""U-Net with a residual encoder and a light decoder, without pre-training: the plan of nnU-Net's ResEnc networks in 2D.

Isensee et al. 2024, arXiv:2404.09556; nnU-Net: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from limner.core.choices import choose
from limner.core.errors import RecipeError
from limner.models.blocks.doubling import DoublingConv
from limner.models.blocks.residual import NORMS, SLOPE, ConvNormLeaky, ResidualBlock
from limner.models.blocks.sizes import cut, padded


class ResidualEncoder(nn.Module):
    """Feature maps from fine to coarse, the first at input size; each stage but the first begins by halving."""

    def __init__(self, widths: tuple[int, ...], blocks: tuple[int, ...], *, channels: int, norm: str) -> None:
        super().__init__()
        self.channels = widths
        self.strides = tuple(2**i for i in range(len(widths)))
        self.stem = ConvNormLeaky(channels, widths[0], norm=norm)
        self.stages = nn.ModuleList()
        inputs = (widths[0], *widths[:-1])
        for i, (num_in, num_out, number) in enumerate(zip(inputs, widths, blocks, strict=True)):
            first = ResidualBlock(num_in, num_out, norm=norm, stride=2 if i else 1)
            self.stages.append(
                nn.Sequential(first, *(ResidualBlock(num_out, num_out, norm=norm) for _ in range(number - 1)))
            )

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(N, C, H, W)`` to ``(N, widths[i], H / 2**i, W / 2**i)`` for each stage."""
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class ResidualUNet(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    source: ClassVar[str] = "Isensee et al. 2024, arXiv:2404.09556"

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        widths : channels per stage, fine to coarse.
        blocks : residual blocks per stage.
        decoder_convs : convolutions per level of the decoder.
        norm : ``instance``: each picture and channel by itself, for any batch; ``batch``.
        dropout : share of channels dropped before the last layer while training.
        deep_supervision : the coarser levels of the decoder have heads too, see `forward_levels`.
        """

        widths: tuple[int, ...] = (32, 64, 128, 256, 512, 512)
        blocks: tuple[int, ...] = (1, 3, 4, 6, 6, 6)
        decoder_convs: int = 1
        norm: str = "instance"
        dropout: float = 0.0
        deep_supervision: bool = False

        def build(self, *, channels: int, maps: int) -> ResidualUNet:
            """The network for so many input channels and output maps."""
            return ResidualUNet(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        widths, norm = config.widths, config.norm
        choose(NORMS, norm, kind="norm")
        _check(config)
        self.encoder = ResidualEncoder(widths, config.blocks, channels=channels, norm=norm)
        self.enlarge = nn.ModuleList(DoublingConv(i, o) for i, o in zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.decoder = nn.ModuleList(
            nn.Sequential(
                ConvNormLeaky(2 * width, width, norm=norm),
                *(ConvNormLeaky(width, width, norm=norm) for _ in range(config.decoder_convs - 1)),
            )
            for width in widths[-2::-1]
        )
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(widths[0], maps, 1)
        coarser = widths[1:-1] if config.deep_supervision else ()
        self.level_heads = nn.ModuleList(nn.Conv2d(width, maps, 1) for width in coarser)
        # the norm of a map of one pixel is undefined within a picture: the coarsest map gets two on a side
        self.least = 2 * self.encoder.strides[-1] if norm == "instance" else 1
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`."""
        size_hw = x.shape[-2:]
        for y in self._levels(x):  # noqa: B007 - only the last is kept
            pass
        return cut(self.head(self.dropout(y)), size_hw)

    def forward_levels(self, x: Tensor) -> list[Tensor]:
        """The logits of `forward`, then those of each coarser head, one value per 2x2, 4x4, ... pixels."""
        size_hw = x.shape[-2:]
        *coarser, y = self._levels(x)
        found = [cut(self.head(self.dropout(y)), size_hw)]
        for i, (head, y) in enumerate(zip(self.level_heads, reversed(coarser), strict=False), 1):
            found.append(cut(head(y), size_hw, stride=2**i))
        return found

    def _levels(self, x: Tensor) -> Iterator[Tensor]:
        """The output of each level of the decoder, coarse to fine."""
        *skips, y = self.encoder(padded(x, self.encoder.strides[-1], least=self.least))
        for enlarge, level, skip in zip(self.enlarge, self.decoder, reversed(skips), strict=True):
            y = level(torch.cat([enlarge(y), skip], dim=1))
            yield y


def _check(config: ResidualUNet.Config) -> None:
    counts = (*config.widths, *config.blocks, config.decoder_convs)
    if len(config.widths) < 2 or len(config.blocks) != len(config.widths) or min(counts) < 1:
        raise RecipeError(
            f"widths = {list(config.widths)}, blocks = {list(config.blocks)}, decoder_convs = {config.decoder_convs}",
            expected="two or more widths, as many blocks, all above 0",
            where="model.options",
            fix="as in widths = [32, 64, 128], blocks = [1, 3, 4]",
        )
