"""Convolution blocks, and the one place that knows which convolutions a processor runs badly in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNormAct(nn.Sequential):
    """3x3 convolution, batch norm, ReLU; ``(N, in, H, W)`` to ``(N, out, H, W)``."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__(
            nn.Conv2d(num_in, num_out, 3, padding=1, bias=False), nn.BatchNorm2d(num_out), nn.ReLU(inplace=True)
        )


class Float32Depthwise(nn.Module):
    """Runs one depthwise convolution in float32 under autocast on a CPU.

    oneDNN's bfloat16 backward pass of depthwise convolutions with stride 2 or a 5x5 kernel is 2 to 14 times slower than
    the float32 one (`benchmarks/depthwise.py`); the rest of the network keeps bfloat16.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of `x`; float32 on a CPU."""
        if x.device.type != "cpu":
            return self.conv(x)  # type: ignore[no-any-return]
        with torch.autocast("cpu", enabled=False):
            return self.conv(x.float())  # type: ignore[no-any-return]


def speed_up_depthwise(module: nn.Module) -> None:
    """Wrap every depthwise convolution of `module` that bfloat16 makes slow; names in the state dict gain ``.conv``."""
    for child_name, child in list(module.named_children()):
        if isinstance(child, nn.Conv2d) and child.groups > 1 and (child.stride[0] > 1 or child.kernel_size[0] > 3):
            setattr(module, child_name, Float32Depthwise(child))
        else:
            speed_up_depthwise(child)
