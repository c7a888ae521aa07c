"""U-Net whose skips pass an attention gate: the map one level coarser decides which pixels count.

Oktay et al. 2018, arXiv:1804.03999. As there, the finest skip is not gated: it knows too little to be judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from limner.models.blocks.attention import AttentionGate
from limner.models.blocks.enlarge import make_enlarger
from limner.models.blocks.initialize import initialize
from limner.models.blocks.level import Level, LevelStyle
from limner.models.blocks.sizes import cut, enlarged, padded
from limner.models.blocks.steps import plan_steps
from limner.models.plain_encoder import PLAIN, make_encoder, own_widths


class AttentionUNet(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    source: ClassVar[str] = "Oktay et al. 2018, arXiv:1804.03999"

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        encoder, encoder_widths, decoder_widths, upsampling, dropout, initializer : as for `UNet`.
        norm : ``conv`` or ``none``, see `LevelStyle`.
        """

        encoder: str = "tf_efficientnet_lite0"
        encoder_widths: tuple[int, ...] = (16, 32, 64, 128, 256)
        decoder_widths: tuple[int, ...] = ()
        upsampling: str = "nearest"
        norm: str = "conv"
        dropout: float = 0.0
        initializer: str = "default"

        def build(self, *, channels: int, maps: int) -> AttentionUNet:
            """The network for so many input channels and output maps."""
            return AttentionUNet(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        style = LevelStyle(norm=config.norm)
        self.encoder = make_encoder(config.encoder, channels=channels, widths=config.encoder_widths, style=style)
        self.steps = plan_steps(
            self.encoder.channels,
            self.encoder.strides,
            config.decoder_widths or own_widths(self.encoder),
            upsampling=config.upsampling,
        )
        finest = min((s.stride for s in self.steps if s.num_skip), default=0)
        self.gates = nn.ModuleDict(
            {str(s.stride): AttentionGate(s.num_skip, s.num_in) for s in self.steps if s.num_skip and s.stride > finest}
        )
        self.enlarge = nn.ModuleList(make_enlarger(config.upsampling, s.num_in, s.num_up) for s in self.steps)
        self.decoder = nn.ModuleList(Level(s.num_up + s.num_skip, s.num_out, style=style) for s in self.steps)
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(self.steps[-1].num_out, maps, 1)
        own = [part for name, part in self.named_children() if config.encoder == PLAIN or name != "encoder"]
        initialize(config.initializer, *own)

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`."""
        size_hw = x.shape[-2:]
        x = padded(x, self.encoder.strides[-1])
        maps: list[Tensor] = self.encoder(x)
        skips, y = dict(zip(self.encoder.strides[:-1], maps[:-1], strict=True)), maps[-1]
        for step, enlarge, level in zip(self.steps, self.enlarge, self.decoder, strict=True):
            larger = enlarge(y)
            if step.num_skip:
                skip, name = skips[step.stride], str(step.stride)
                if name in self.gates:
                    skip = self.gates[name](skip, y)
                larger = torch.cat([larger, skip.to(larger.dtype)], dim=1)
            y = level(larger)
        return cut(enlarged(self.head(self.dropout(y)), x.shape[-2:]), size_hw)
