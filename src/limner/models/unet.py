"""U-Net on a pre-trained encoder: the encoder's maps, joined from coarse to fine.

Ronneberger, Fischer, Brox 2015, arXiv:1505.04597; encoder and nearest upsampling as usual since.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import RecipeError
from limner.models.blocks.conv import ConvNormAct
from limner.models.encoder import Encoder


class UpBlock(nn.Module):
    """Double the size, join the skip, two convolutions."""

    def __init__(self, num_in: int, num_skip: int, num_out: int) -> None:
        super().__init__()
        self.first = ConvNormAct(num_in + num_skip, num_out)
        self.second = ConvNormAct(num_out, num_out)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """``(N, in, h, w)`` and the skip ``(N, skip, 2h, 2w)`` to ``(N, out, 2h, 2w)``."""
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        if skip is not None:
            x = torch.cat([x, skip.to(x.dtype)], dim=1)
        return self.second(self.first(x))  # type: ignore[no-any-return]


class UNet(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        encoder : timm name.
        decoder_widths : channels of the up blocks, coarse to fine; as many as the encoder has halvings ends at input
            size, one fewer at half of it, which is then enlarged bilinearly.
        dropout : share of channels dropped before the last layer while training.
        """

        encoder: str = "tf_efficientnet_lite0"
        decoder_widths: tuple[int, ...] = (128, 64, 48, 32, 16)
        dropout: float = 0.0

        def build(self, *, channels: int, maps: int) -> UNet:
            """The network for so many input channels and output maps."""
            return UNet(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder, channels=channels)
        if not 1 <= len(config.decoder_widths) <= len(self.encoder.channels):
            raise RecipeError(
                f"{len(config.decoder_widths)} decoder_widths",
                expected=f"1 to {len(self.encoder.channels)}, one for each doubling after {config.encoder}",
                where="model.decoder_widths",
                fix=f"give {len(self.encoder.channels)} numbers, coarse to fine",
            )
        skips = (*reversed(self.encoder.channels[:-1]), 0)
        inputs = (self.encoder.channels[-1], *config.decoder_widths[:-1])
        self.decoder = nn.ModuleList(
            UpBlock(num_in, num_skip, num_out)
            for num_in, num_skip, num_out in zip(inputs, skips, config.decoder_widths, strict=False)
        )
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(config.decoder_widths[-1], maps, 3, padding=1)
        self.divisor = self.encoder.strides[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`; sizes that the encoder cannot halve evenly are padded inside and cut again."""
        height, width = x.shape[-2:]
        pad_y, pad_x = -height % self.divisor, -width % self.divisor
        if pad_y or pad_x:
            x = F.pad(x, (0, pad_x, 0, pad_y), mode="replicate")
        maps = self.encoder(x)
        y: Tensor = maps[-1]
        skips: list[Tensor | None] = [*reversed(maps[:-1]), None]
        for block, skip in zip(self.decoder, skips, strict=False):
            y = block(y, skip)
        y = self.head(self.dropout(y))
        if y.shape[-2:] != x.shape[-2:]:
            y = F.interpolate(y.float(), size=x.shape[-2:], mode="bilinear", align_corners=False)
        return y[..., :height, :width]
