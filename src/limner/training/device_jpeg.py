"""What a JPEG file does to a picture, without the file, on any device.

The loss of JPEG is rounding: the 8 x 8 cosine transform of luminance and of halved colour differences is rounded to multiples
of a table (ITU-T T.81, annexes A.3 and K.1; the scaling by quality is that of the Independent JPEG Group's library). The coding
after it is lossless and left out.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 8
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
COLOR = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * SIDE,) * 4,
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def compress(images: Tensor, quality: Tensor) -> Tensor:
    """``images (n, h, w, C)`` float32 as they come back from JPEG files: whole numbers in 0..255.

    Parameters
    ----------
    images : three channels are red, green and blue; any other number is that many gray pictures.
    quality : ``(n,)`` int32 of 1 to 100, on the same device.
    """
    _, height, width, channels = images.shape
    planes = images.round().clamp(0, 255).permute(0, 3, 1, 2)
    block = SIDE if channels != 3 else 2 * SIDE
    padded = _padded(planes, down=-height % block, right=-width % block)
    light_steps, color_steps = (_steps(table, images.device)[quality] for table in (LUMINANCE, COLOR))
    if channels != 3:
        return _rounded(padded, light_steps)[:, :, :height, :width].permute(0, 2, 3, 1)
    to_ycc, to_rgb, center = _color_space(images.device)
    ycc = (torch.einsum("ij,njhw->nihw", to_ycc, padded) + center).round()
    light = _rounded(ycc[:, :1], light_steps)
    halved = functional.avg_pool2d(ycc[:, 1:, : height + height % 2], 2).round()
    halved = _padded(halved, down=-halved.shape[2] % SIDE, right=0)  # below, colour is repeated after halving
    color = _rounded(halved, color_steps)
    color = functional.interpolate(color, scale_factor=2, mode="bilinear", align_corners=False)
    back = torch.einsum("ij,njhw->nihw", to_rgb, torch.cat([light, color], 1) - center)
    return back.round().clamp(0, 255)[:, :, :height, :width].permute(0, 2, 3, 1)


def _padded(planes: Tensor, *, down: int, right: int) -> Tensor:
    return functional.pad(planes, (0, right, 0, down), mode="replicate")


def _rounded(planes: Tensor, steps: Tensor) -> Tensor:
    """Planes ``(n, C, H, W)`` of whole blocks after rounding to `steps (n, 8, 8)` in the cosine transform."""
    number, count, height, width = planes.shape
    steps, cosine = steps[:, None, None, None], _cosine(planes.device)
    blocks = (planes - 128).reshape(number, count, height // SIDE, SIDE, width // SIDE, SIDE).transpose(3, 4)
    kept = (cosine @ blocks @ cosine.T / steps).round() * steps
    out = (cosine.T @ kept @ cosine).transpose(3, 4).reshape(planes.shape)
    return (out + 128).round().clamp(0, 255)


@cache
def _steps(table: tuple[tuple[int, ...], ...], device: torch.device) -> Tensor:
    """``(101, 8, 8)``: what is rounded to, for each quality from 1; made once, since a copy to the device would be waited for."""
    percents = [5000 // quality if quality < 50 else 200 - 2 * quality for quality in range(1, 101)]
    scaled = (torch.tensor(table) * torch.tensor([0, *percents])[:, None, None] + 50) // 100
    return scaled.clamp(1, 255).float().to(device)


@cache
def _color_space(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices to luminance and colour differences and back, and the middle of those, ``(3, 1, 1)``."""
    center = torch.tensor([0.0, 128.0, 128.0], device=device)[:, None, None]
    return torch.tensor(TO_YCC, device=device), torch.tensor(TO_RGB, device=device), center


@cache
def _cosine(device: torch.device) -> Tensor:
    """``(8, 8)`` orthonormal; rows are frequencies."""
    rows = [
        [math.sqrt((1 if k == 0 else 2) / SIDE) * math.cos((2 * n + 1) * k * math.pi / (2 * SIDE)) for n in range(SIDE)]
        for k in range(SIDE)
    ]
    return torch.tensor(rows, dtype=torch.float32, device=device)
