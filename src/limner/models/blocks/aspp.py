"""Atrous spatial pyramid pooling: the same map seen by kernels of several reaches, and as a whole.

Chen et al. 2017, arXiv:1706.05587, section 3.3; separable as in Chen et al. 2018, arXiv:1802.02611.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from limner.models.blocks.conv import ConvNormAct, SeparableConvNormAct


class ImagePooling(nn.Sequential):
    """The mean over the picture, a 1x1 convolution and ReLU, at every pixel again; keeps the size.

    No batch norm: there is one value per picture and channel, and for a batch of one picture no variance at all.
    """

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__(nn.Conv2d(num_in, num_out, 1), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in, H, W)`` to ``(N, out, H, W)``."""
        y: Tensor = super().forward(x.mean((2, 3), keepdim=True))  # type: ignore[no-untyped-call]
        return y.expand(-1, -1, *x.shape[-2:])


class ASPP(nn.Module):
    """``(N, in, H, W)`` to ``(N, out, H, W)``.

    Parameters
    ----------
    num_in, num_out : channels; every branch has `num_out`.
    rates : dilation of each 3x3 branch, at least 1; beside them stand a 1x1 convolution and the pooled picture.
    separable : the 3x3 branches are depthwise separable.
    """

    def __init__(self, num_in: int, num_out: int, *, rates: Sequence[int], separable: bool = False) -> None:
        super().__init__()
        atrous = SeparableConvNormAct if separable else ConvNormAct
        self.point = ConvNormAct(num_in, num_out, kernel=1)
        self.atrous = nn.ModuleList(atrous(num_in, num_out, dilation=rate) for rate in rates)
        self.pooling = ImagePooling(num_in, num_out)
        self.project = ConvNormAct((len(rates) + 2) * num_out, num_out, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """All branches, joined and projected."""
        branches = [self.point(x), *(branch(x) for branch in self.atrous), self.pooling(x)]
        return self.project(torch.cat(branches, dim=1))  # type: ignore[no-any-return]


def rates_at(stride: int, rates: Sequence[int]) -> tuple[int, ...]:
    """`rates`, which are meant for stride 16, for a map of another stride: the same reach in input pixels, at least 1.

    Examples
    --------
    >>> rates_at(32, (6, 12, 18))
    (3, 6, 9)
    """
    return tuple(max(1, rate * 16 // stride) for rate in rates)
