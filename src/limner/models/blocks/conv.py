"""Convolution blocks, and the one place that knows which convolutions a processor runs badly in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNormAct(nn.Sequential):
    """Convolution, batch norm, ReLU; ``(N, in, H, W)`` to ``(N, out, H, W)``.

    Parameters
    ----------
    num_in, num_out : channels.
    kernel : side of the kernel, odd; the size of the map is kept.
    dilation : distance between the pixels that a kernel reads; 1 = neighbours.
    """

    def __init__(self, num_in: int, num_out: int, *, kernel: int = 3, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(num_in, num_out, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False),
            nn.BatchNorm2d(num_out),
            nn.ReLU(inplace=True),
        )


class Float32Depthwise(nn.Module):
    """Runs one depthwise convolution in float32 under autocast on a CPU.

    oneDNN's bfloat16 backward pass of depthwise convolutions with stride 2, a 5x5 kernel or dilation is 2 to 14 times slower than
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
        if isinstance(child, nn.Conv2d) and child.groups > 1 and _is_slow(child):
            setattr(module, child_name, Float32Depthwise(child))
        elif not isinstance(child, Float32Depthwise):
            speed_up_depthwise(child)


def _is_slow(conv: nn.Conv2d) -> bool:
    return conv.stride[0] > 1 or conv.kernel_size[0] > 3 or conv.dilation[0] > 1


class SeparableConvNormAct(nn.Sequential):
    """3x3 convolution of each channel alone, 1x1 convolution over channels, batch norm, ReLU; keeps the size.

    Chollet 2017, arXiv:1610.02357; dilated as in Chen et al. 2018, arXiv:1802.02611, section 3.1.
    """

    def __init__(self, num_in: int, num_out: int, *, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(num_in, num_in, 3, padding=dilation, dilation=dilation, groups=num_in, bias=False),
            nn.Conv2d(num_in, num_out, 1, bias=False),
            nn.BatchNorm2d(num_out),
            nn.ReLU(inplace=True),
        )
        speed_up_depthwise(self)
