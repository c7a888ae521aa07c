"""The textbook U-Net without pre-training: system C of the teaching systems that Limner starts from.

Two 3x3 ReLU convolutions per level with dropout between them, 2x2 max pooling, 2x2 transposed convolutions.
Ronneberger, Fischer, Brox 2015, arXiv:1505.04597; initialiser He et al. 2015, arXiv:1502.01852 (uniform).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.models.blocks.doubling import DoublingConv
from limner.models.blocks.dropout import ReluDropout


class Level(nn.Sequential):
    """Convolution, dropout, convolution; ``(N, in, H, W)`` to ``(N, out, H, W)``."""

    def __init__(self, num_in: int, num_out: int, dropout: float) -> None:
        super().__init__(
            nn.Conv2d(num_in, num_out, 3, padding=1),
            ReluDropout(dropout),
            nn.Conv2d(num_out, num_out, 3, padding=1),
            nn.ReLU(inplace=True),
        )


class PlainUNet(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        widths : channels per level, fine to coarse; the last is the bottleneck.
        dropout : share dropped inside each level: encoder and bottleneck, then decoder, coarse to fine.
        """

        widths: tuple[int, ...] = (16, 32, 64, 128, 256)
        dropout: tuple[float, ...] = (0.1, 0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.1, 0.1)

        def build(self, *, channels: int, maps: int) -> PlainUNet:
            """The network for so many input channels and output maps."""
            return PlainUNet(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        widths, depth = config.widths, len(config.widths)
        down, up = config.dropout[:depth], config.dropout[depth:]
        self.encoder = nn.ModuleList(
            Level(i, o, p) for i, o, p in zip((channels, *widths[:-1]), widths, down, strict=True)
        )
        self.enlarge = nn.ModuleList(DoublingConv(i, o) for i, o in zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.decoder = nn.ModuleList(Level(2 * o, o, p) for o, p in zip(widths[-2::-1], up, strict=True))
        self.head = nn.Conv2d(widths[0], maps, 1)
        self.divisor = 2 ** (depth - 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`."""
        height, width = x.shape[-2:]
        pad_y, pad_x = -height % self.divisor, -width % self.divisor
        if pad_y or pad_x:  # padding by nothing would still copy, and lose the channels-last order
            x = F.pad(x, (0, pad_x, 0, pad_y), mode="replicate")
        skips: list[Tensor] = []
        for level in self.encoder[:-1]:
            skips.append(level(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.encoder[-1](x)
        for enlarge, level, skip in zip(self.enlarge, self.decoder, reversed(skips), strict=True):
            x = level(torch.cat([enlarge(x), skip], dim=1))
        return self.head(x)[..., :height, :width]  # type: ignore[no-any-return]
