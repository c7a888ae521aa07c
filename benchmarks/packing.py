"""Prediction with packed convolutions beside unpacked ones: which kinds of convolution gain on this processor.

python -m benchmarks.packing
"""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from limner.runtimes.allocator import keep_freed_memory
from limner.runtimes.packed import PackedConv

SHAPES = [  # in, out, kernel, groups, side
    (16, 16, 3, 1, 256),
    (64, 64, 3, 1, 128),
    (256, 256, 3, 1, 32),
    (96, 24, 1, 1, 128),
    (320, 128, 1, 1, 32),
    (96, 96, 3, 96, 128),
    (240, 240, 5, 240, 32),
]


def milliseconds(call, repeats: int = 15) -> float:
    for _ in range(3):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


@torch.inference_mode()
def main() -> None:
    keep_freed_memory()
    print("in out kernel groups side | autocast ms | packed ms | ratio")
    for num_in, num_out, kernel, groups, side in SHAPES:
        conv = nn.Conv2d(num_in, num_out, kernel, padding=kernel // 2, groups=groups)
        conv = conv.to(memory_format=torch.channels_last).eval()
        packed = PackedConv(conv, dtype=torch.bfloat16, relu=False)
        x = torch.randn(1, num_in, side, side).bfloat16().contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            plain = milliseconds(lambda conv=conv, x=x: conv(x))
        quick = milliseconds(lambda packed=packed, x=x: packed(x))
        shape = f"{num_in:4} {num_out:4} {kernel:2} {groups:4} {side:4}"
        print(f"{shape} | {plain:8.3f} | {quick:8.3f} | {plain / quick:5.2f}")


if __name__ == "__main__":
    main()
