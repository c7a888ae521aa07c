"""Residual block with a mean over pixels in its shortcut, and norms by name.

He et al. 2016, arXiv:1512.03385; the averaging shortcut: He et al. 2019, arXiv:1812.01187 (ResNet-D).
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.01  # of the leaky ReLU below zero

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "batch": nn.BatchNorm2d,
}


class ConvNormLeaky(nn.Sequential):
    """3x3 convolution, norm, leaky ReLU; ``(N, in, H, W)`` to ``(N, out, H / stride, W / stride)``."""

    def __init__(self, num_in: int, num_out: int, *, norm: str, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(num_in, num_out, 3, stride=stride, padding=1, bias=False),
            NORMS[norm](num_out),
            nn.LeakyReLU(SLOPE, inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; ``(N, in, H, W)`` to ``(N, out, H / stride, W / stride)``."""

    def __init__(self, num_in: int, num_out: int, *, norm: str, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvNormLeaky(num_in, num_out, norm=norm, stride=stride)
        self.second = nn.Sequential(nn.Conv2d(num_out, num_out, 3, padding=1, bias=False), NORMS[norm](num_out))
        shortcut: list[nn.Module] = [nn.AvgPool2d(stride)] if stride > 1 else []
        if num_in != num_out:
            shortcut += [nn.Conv2d(num_in, num_out, 1, bias=False), NORMS[norm](num_out)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output; the side is a multiple of the stride."""
        return F.leaky_relu(self.second(self.first(x)) + self.shortcut(x), SLOPE, inplace=True)
