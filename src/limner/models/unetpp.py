"""U-Net++: between encoder and decoder stand further nodes, so that every skip is refined on its way.

    stride  2   X00 - X01 - X02 - X03 - X04      X(i, j) sees X(i, 0) ... X(i, j - 1)
            4   X10 - X11 - X12 - X13            and X(i + 1, j - 1), enlarged
            8   X20 - X21 - X22
           16   X30 - X31                        X(i, 0) are the encoder's maps
           32   X40

Zhou et al. 2018, arXiv:1807.10165. Where the finest map is not at input size, further levels follow X(0, last) alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from limner.core.errors import RecipeError
from limner.models.blocks.enlarge import make_enlarger
from limner.models.blocks.level import Level, LevelStyle
from limner.models.blocks.sizes import cut, enlarged, padded
from limner.models.blocks.steps import plan_steps
from limner.models.plain_encoder import make_encoder, own_widths


class Node(nn.Module):
    """Enlarge the coarser map, join the finer ones, two convolutions."""

    def __init__(
        self, num_coarse: int, num_up: int, num_fine: int, num_out: int, *, upsampling: str, norm: str
    ) -> None:
        super().__init__()
        self.enlarge = make_enlarger(upsampling, num_coarse, num_up)
        self.level = Level(num_up + num_fine, num_out, style=LevelStyle(norm=norm))

    def forward(self, coarse: Tensor, finer: Sequence[Tensor]) -> Tensor:
        """``(N, coarse, h, w)`` and maps of twice the size, `fine` channels together, to ``(N, out, 2h, 2w)``."""
        y = self.enlarge(coarse)
        return self.level(torch.cat([y, *(x.to(y.dtype) for x in finer)], dim=1))  # type: ignore[no-any-return]


class UNetPlusPlus(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    source: ClassVar[str] = "Zhou et al. 2018, arXiv:1807.10165"

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        encoder, encoder_widths, upsampling, norm, dropout : as for `UNet`.
        decoder_widths : channels of the nodes at each stride, coarse to fine, then of the levels behind them; () as for `UNet`.
        deep_supervision : the nodes X(0, 1), X(0, 2), ... have heads too, see `forward_levels`.
        """

        encoder: str = "tf_efficientnet_lite0"
        encoder_widths: tuple[int, ...] = (16, 32, 64, 128, 256)
        decoder_widths: tuple[int, ...] = ()
        upsampling: str = "nearest"
        norm: str = "conv"
        dropout: float = 0.0
        deep_supervision: bool = False

        def build(self, *, channels: int, maps: int) -> UNetPlusPlus:
            """The network for so many input channels and output maps."""
            return UNetPlusPlus(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        style = LevelStyle(norm=config.norm)
        self.encoder = make_encoder(config.encoder, channels=channels, widths=config.encoder_widths, style=style)
        steps = plan_steps(
            self.encoder.channels,
            self.encoder.strides,
            config.decoder_widths or own_widths(self.encoder),
            upsampling=config.upsampling,
        )
        self.depth = len(self.encoder.channels) - 1
        _check_strides(self.encoder.strides, config.encoder, len(steps))
        transposed = config.upsampling == "transposed"
        start = self.encoder.channels
        widths = tuple(s.num_out for s in reversed(steps[: self.depth]))  # of the nodes, fine to coarse
        self.nodes = nn.ModuleDict()
        for j in range(1, self.depth + 1):
            for i in range(self.depth + 1 - j):
                coarse = start[i + 1] if j == 1 else widths[i + 1]
                up = widths[i] if transposed else coarse
                self.nodes[f"{i}_{j}"] = Node(
                    coarse,
                    up,
                    start[i] + (j - 1) * widths[i],
                    widths[i],
                    upsampling=config.upsampling,
                    norm=config.norm,
                )
        self.finish = nn.ModuleList(
            Node(s.num_in, s.num_up, 0, s.num_out, upsampling=config.upsampling, norm=config.norm)
            for s in steps[self.depth :]
        )
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(steps[-1].num_out, maps, 1)
        self.level_heads = nn.ModuleList(
            nn.Conv2d(widths[0], maps, 1) for _ in range(self.depth - 1 if config.deep_supervision else 0)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`."""
        size_hw = x.shape[-2:]
        x = padded(x, self.encoder.strides[-1])
        return self._answer(self._finest(x)[-1], x.shape[-2:], size_hw)

    def forward_levels(self, x: Tensor) -> list[Tensor]:
        """The logits of `forward`, then those of X(0, last - 1), ..., X(0, 1): each at the size of the encoder's finest map."""
        size_hw = x.shape[-2:]
        x = padded(x, self.encoder.strides[-1])
        finest = self._finest(x)
        found = [self._answer(finest[-1], x.shape[-2:], size_hw)]
        for head, y in zip(self.level_heads, finest[-2:0:-1], strict=False):
            found.append(cut(head(y), size_hw, stride=self.encoder.strides[0]))
        return found

    def _finest(self, x: Tensor) -> list[Tensor]:
        """X(0, 0), ..., X(0, last)."""
        rows: list[list[Tensor]] = [[y] for y in self.encoder(x)]
        for j in range(1, self.depth + 1):
            for i in range(self.depth + 1 - j):
                rows[i].append(self.nodes[f"{i}_{j}"](rows[i + 1][j - 1], rows[i]))
        return rows[0]

    def _answer(self, y: Tensor, padded_hw: tuple[int, ...], size_hw: tuple[int, ...]) -> Tensor:
        for level in self.finish:
            y = level(y, [])
        return cut(enlarged(self.head(self.dropout(y)), padded_hw), size_hw)


def _check_strides(strides: tuple[int, ...], encoder: str, num_widths: int) -> None:
    if any(b != 2 * a for a, b in pairwise(strides)):
        raise RecipeError(
            f"encoder '{encoder}' has maps of strides {', '.join(map(str, strides))}",
            expected="each twice the one before",
            where="encoder.name",
            fix="use tf_efficientnet_lite0, resnet34 or convnext_tiny, or model.architecture = unet",
        )
    if num_widths < len(strides) - 1:
        raise RecipeError(
            f"{num_widths} decoder_widths",
            expected=f"{len(strides) - 1} at least, one for each row of nodes",
            where="model.decoder_widths",
            fix="give one for each doubling, coarse to fine, or [] for the architecture's own",
        )
