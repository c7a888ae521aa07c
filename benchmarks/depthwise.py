"""Forward and backward of depthwise convolutions in float32 and bfloat16 (channels-last): why some stay in float32.

python benchmarks/depthwise.py
"""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

SHAPES = [  # channels, kernel, stride, side, dilation
    (32, 3, 1, 128, 1),
    (96, 3, 2, 128, 1),
    (144, 5, 2, 64, 1),
    (240, 5, 1, 32, 1),
    (240, 3, 2, 32, 1),
    (672, 5, 1, 16, 1),
    (672, 5, 2, 16, 1),
    (1152, 5, 1, 8, 1),
    (304, 3, 1, 64, 2),
    (304, 3, 1, 64, 6),
    (304, 3, 1, 64, 12),
]


def milliseconds(call, repeats: int = 7) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def main() -> None:
    print("channels kernel stride side dilation | float32 step ms | bfloat16 step ms | ratio")
    for channels, kernel, stride, side, dilation in SHAPES:
        found = []
        for dtype in (torch.float32, torch.bfloat16):
            layer = nn.Conv2d(
                channels, channels, kernel, stride, dilation * (kernel // 2), dilation, groups=channels, bias=False
            ).to(dtype, memory_format=torch.channels_last)
            x = (
                torch.randn(8, channels, side, side, dtype=dtype)
                .contiguous(memory_format=torch.channels_last)
                .requires_grad_()
            )
            grad = torch.randn_like(layer(x).detach())
            found.append(milliseconds(lambda layer=layer, x=x, grad=grad: layer(x).backward(grad)))
        print(
            f"{channels:8} {kernel:6} {stride:6} {side:4} {dilation:8} | {found[0]:15.1f} | {found[1]:16.1f} | "
            f"{found[1] / found[0]:5.2f}"
        )


if __name__ == "__main__":
    main()
