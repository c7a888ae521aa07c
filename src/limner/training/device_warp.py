"""The geometry of a whole batch on a device: one interpolation per pixel, bilinear for images and nearest for labels.

Each pixel of a patch looks up its place in the crop (`limner.training.deform` has the formula) and fetches its four neighbours
from the one buffer in which all crops lie. torch's `grid_sample` would do the same for crops of one size only.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from limner.training.crops import Crops, send
from limner.training.deform import NEAREST_HORIZON


def warp_crops(crops: Crops, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images ``(N, h, w, C)`` float32 in 0..255 and labels ``(N, h, w)`` int64 with `crops.ignore`, on `device`."""
    pixels, labels, layout, inverse = (
        tensor.to(device, non_blocking=True) for tensor in (crops.pixels, crops.labels, crops.layout, crops.inverse)
    )
    start, height, width = (column[:, None, None] for column in layout.unbind(1))
    x, y = _positions(crops, inverse, device)
    x, y = _mirrored(x, width - 1), _mirrored(y, height - 1)
    target = labels.index_select(0, (start + _nearest(y, height) * width + _nearest(x, width)).flatten())
    left, top = x.floor(), y.floor()
    part_x, part_y = (x - left)[..., None], (y - top)[..., None]
    x0, y0 = left.int(), top.int()
    x1, y1 = torch.minimum(x0 + 1, width - 1), torch.minimum(y0 + 1, height - 1)

    def fetch(row: Tensor, column: Tensor) -> Tensor:
        values = pixels.index_select(0, (start + row * width + column).flatten())
        return values.float().view(*row.shape, pixels.shape[1])

    upper = torch.lerp(fetch(y0, x0), fetch(y0, x1), part_x)
    lower = torch.lerp(fetch(y1, x0), fetch(y1, x1), part_x)
    return _laid_down(crops, torch.lerp(upper, lower, part_y), target.view(x0.shape).long())


def _positions(crops: Crops, inverse: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each pixel of each piece lies in its crop: x and y, ``(P, h, w)``."""
    height, width = crops.patch_hw
    x = torch.arange(width, device=device, dtype=torch.float32)[None, None]
    y = torch.arange(height, device=device, dtype=torch.float32)[None, :, None]
    if crops.fields:
        shift = _displacements(crops, device)
        x, y = x + shift[..., 0], y + shift[..., 1]
    entries = inverse[:, :, :, None, None].unbind(1)
    across, down, below = (row[:, 0] * x + row[:, 1] * y + row[:, 2] for row in entries)
    if crops.is_affine:
        return across, down
    below = below.clamp_min(NEAREST_HORIZON)
    return across / below, down / below


def _displacements(crops: Crops, device: torch.device) -> Tensor:
    """``(P, h, w, 2)`` in pixels, x before y, zero outside the pieces' windows."""
    total = torch.zeros(len(crops.pieces), *crops.patch_hw, 2, device=device)
    for i in crops.fields:
        bent, window = crops.pieces[i].deformation, crops.windows[i]
        assert bent is not None
        for nodes, mode in ((bent.elastic, "bicubic"), (bent.grid, "bilinear")):
            if nodes is not None:
                coarse = torch.from_numpy(nodes).to(device, non_blocking=True).permute(2, 0, 1)[None]
                fine = functional.interpolate(coarse, size=window.size_hw, mode=mode, align_corners=False)
                total[(i, *window.slices)] += fine[0].permute(1, 2, 0)
    return total


def _mirrored(position: Tensor, last: Tensor) -> Tensor:
    """Positions on 0..last, mirrored at both ends as often as needed; the end pixels are not repeated."""
    period = (2 * last).clamp_min(1).float()
    position = position.abs().remainder(period)
    return torch.minimum(torch.minimum(position, period - position), last.float())


def _nearest(position: Tensor, size: Tensor) -> Tensor:
    return torch.minimum((position + 0.5).int(), size - 1)


def _laid_down(crops: Crops, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The N patches that P pieces make."""
    if len(crops.pieces) == len(crops.num_pieces):
        return images, labels
    first = [end - number for end, number in zip(accumulate(crops.num_pieces), crops.num_pieces, strict=True)]
    rows = send(first, images.device)
    whole, target = images.index_select(0, rows), labels.index_select(0, rows)
    for patch, (begin, number) in enumerate(zip(first, crops.num_pieces, strict=True)):
        for i in range(begin + 1, begin + number):
            where = crops.windows[i].slices
            whole[(patch, *where)] = images[(i, *where)]
            target[(patch, *where)] = labels[(i, *where)]
    return whole, target
