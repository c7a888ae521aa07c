"""Twice the height and width: by interpolation, or by a transposed convolution."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.choices import choose
from limner.models.blocks.doubling import DoublingConv

UPSAMPLINGS = {word: word for word in ("nearest", "bilinear", "transposed")}


class Interpolate(nn.Module):
    """``(N, C, H, W)`` to ``(N, C, 2H, 2W)``, nearest or bilinear; no weights."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """`x` enlarged."""
        return F.interpolate(
            x, scale_factor=2.0, mode=self.mode, align_corners=None if self.mode == "nearest" else False
        )


def make_enlarger(upsampling: str, num_in: int, num_out: int) -> nn.Module:
    """A layer from ``(N, in, H, W)`` to ``(N, out, 2H, 2W)``; only ``transposed`` can change the number of channels.

    Raises
    ------
    RecipeError : unknown `upsampling`.
    """
    if choose(UPSAMPLINGS, upsampling, kind="upsampling") == "transposed":
        return DoublingConv(num_in, num_out)
    return Interpolate(upsampling)
