"""U-Net: an encoder's maps, joined from coarse to fine.

Ronneberger, Fischer, Brox 2015, arXiv:1505.04597. With a pre-trained encoder, nearest upsampling and batch norm, as usual since;
with ``encoder = "plain"`` the textbook network in its variants.

    encoder ---- level ------------- skip ------------- level ---- head
               down level ---------- skip ---------- level up
                    down ...                     ... up
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from limner.core.errors import RecipeError
from limner.models.blocks.enlarge import make_enlarger
from limner.models.blocks.initialize import initialize
from limner.models.blocks.level import Level, LevelStyle
from limner.models.blocks.sizes import cut, enlarged, padded
from limner.models.blocks.steps import plan_steps
from limner.models.plain_encoder import PLAIN, make_encoder, own_widths


class UNet(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    source: ClassVar[str] = "Ronneberger, Fischer, Brox 2015, arXiv:1505.04597"

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        encoder : timm name, or ``plain`` for one of `encoder_widths`.
        encoder_widths : channels of a plain encoder, fine to coarse; the last is the bottleneck.
        decoder_widths : channels of the up levels, coarse to fine; () = those of a plain encoder, or 128, 64, 48, 32, 16. As many
            as the encoder has halvings end at input size; with fewer, the rest is enlarged bilinearly.
        upsampling : ``nearest``, ``bilinear`` or ``transposed`` (2x2, stride 2).
        up_widths : channels that leave each transposed convolution; () = `decoder_widths`.
        norm, norm_eps, norm_bias : see `LevelStyle`; a pre-trained encoder keeps its own.
        level_dropout : share dropped between the convolutions of each level: plain encoder, fine to coarse, then decoder,
            coarse to fine; () = none.
        dropout : share of channels dropped before the last layer while training.
        initializer : ``default`` (torch), ``he_uniform``, ``he_normal`` or ``glorot_uniform``; a timm encoder keeps its own.
        head_kernel : side of the last convolution, odd.
        deep_supervision : the coarser up levels have heads too, see `forward_levels`.
        """

        encoder: str = "tf_efficientnet_lite0"
        encoder_widths: tuple[int, ...] = (16, 32, 64, 128, 256)
        decoder_widths: tuple[int, ...] = ()
        upsampling: str = "nearest"
        up_widths: tuple[int, ...] = ()
        norm: str = "conv"
        norm_eps: float = 1e-5
        norm_bias: bool = False
        level_dropout: tuple[float, ...] = ()
        dropout: float = 0.0
        initializer: str = "default"
        head_kernel: int = 3
        deep_supervision: bool = False

        def build(self, *, channels: int, maps: int) -> UNet:
            """The network for so many input channels and output maps."""
            return UNet(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        style = LevelStyle(norm=config.norm, eps=config.norm_eps, bias=config.norm_bias)
        shares = config.level_dropout
        plain_levels = len(config.encoder_widths) if config.encoder == PLAIN else 0
        self.encoder = make_encoder(
            config.encoder,
            channels=channels,
            widths=config.encoder_widths,
            style=style,
            dropout=shares[:plain_levels] if len(shares) > plain_levels else (),
        )
        self.steps = plan_steps(
            self.encoder.channels,
            self.encoder.strides,
            config.decoder_widths or own_widths(self.encoder),
            upsampling=config.upsampling,
            up_widths=config.up_widths,
        )
        _check_shares(shares, plain_levels, len(self.steps))
        shares = shares[plain_levels:] or (0.0,) * len(self.steps)
        self.enlarge = nn.ModuleList(make_enlarger(config.upsampling, s.num_in, s.num_up) for s in self.steps)
        self.decoder = nn.ModuleList(
            Level(s.num_up + s.num_skip, s.num_out, style=style, dropout=share)
            for s, share in zip(self.steps, shares, strict=True)
        )
        if config.head_kernel < 1 or config.head_kernel % 2 == 0:
            raise RecipeError(
                f"head_kernel = {config.head_kernel}", expected="an odd number", where="model.options.head_kernel",
                fix="use 1 or 3",
            )  # fmt: skip
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(self.steps[-1].num_out, maps, config.head_kernel, padding=config.head_kernel // 2)
        coarser = self.steps[-2::-1] if config.deep_supervision else ()
        self.level_heads = nn.ModuleList(nn.Conv2d(s.num_out, maps, 1) for s in coarser)
        own = [part for name, part in self.named_children() if plain_levels or name != "encoder"]
        initialize(config.initializer, *own)

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`; sizes that the encoder cannot halve evenly are padded inside and cut again."""
        size_hw = x.shape[-2:]
        x = padded(x, self.encoder.strides[-1])
        for y in self._levels(x):  # noqa: B007 - only the last is kept
            pass
        return cut(enlarged(self.head(self.dropout(y)), x.shape[-2:]), size_hw)

    def forward_levels(self, x: Tensor) -> list[Tensor]:
        """The logits of `forward`, then those of each coarser head, one value per ``stride`` x ``stride`` pixels."""
        size_hw = x.shape[-2:]
        x = padded(x, self.encoder.strides[-1])
        *coarser, y = self._levels(x)
        found = [cut(enlarged(self.head(self.dropout(y)), x.shape[-2:]), size_hw)]
        for head, step, y in zip(self.level_heads, self.steps[-2::-1], reversed(coarser), strict=False):
            found.append(cut(head(y), size_hw, stride=step.stride))
        return found

    def _levels(self, x: Tensor) -> Iterator[Tensor]:
        """The output of each up level, coarse to fine."""
        maps: list[Tensor] = self.encoder(x)
        skips, y = dict(zip(self.encoder.strides[:-1], maps[:-1], strict=True)), maps[-1]
        for step, enlarge, level in zip(self.steps, self.enlarge, self.decoder, strict=True):
            y = enlarge(y)
            if step.num_skip:
                y = torch.cat([y, skips[step.stride].to(y.dtype)], dim=1)
            y = level(y)
            yield y


def _check_shares(shares: tuple[float, ...], plain_levels: int, decoder_levels: int) -> None:
    wanted = plain_levels + decoder_levels
    if shares and (len(shares) != wanted or not all(0 <= share < 1 for share in shares)):
        raise RecipeError(
            f"level_dropout = {list(shares)}",
            expected=f"{wanted} shares from 0 to below 1: {plain_levels} of a plain encoder and {decoder_levels} of the decoder",
            where="model.options.level_dropout",
            fix="give one for each level, or leave them out",
        )
