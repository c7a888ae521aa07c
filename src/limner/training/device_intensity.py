"""The intensities of a whole batch on a device: the same formulas in the same order as `limner.training.intensity`.

Blur and low resolution are linear along each axis, so they are two matrix products whose matrices the processor makes with the
very functions that it would use itself. Noise comes from the device's generator: seeded alike, with other numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner.training.augment import Variation
from limner.training.crops import Crops, Filters, send
from limner.training.device_jpeg import compress


def vary(images: Tensor, crops: Crops) -> Tensor:
    """``images (N, h, w, C)`` float32 in 0..255 with everything that the variations of `crops` do to their values."""
    x, variations = images, crops.variations
    if any(variation.invert for variation in variations):
        x = torch.where(_column([float(v.invert) for v in variations], x) > 0, 255 - x, x)
    gain, offset = _column([v.gain for v in variations], x), _column([v.offset for v in variations], x)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - mean) * gain + (mean + offset)
    if any(variation.gamma != 1.0 for variation in variations):
        gamma = _column([v.gamma for v in variations], x)
        x = torch.where(gamma == 1, x, 255 * (x.clamp(0, 255) * (1 / 255)) ** gamma)
    if any(variation.channel_gain for variation in variations):
        ones = (1.0,) * x.shape[3]
        x = x * send([v.channel_gain or ones for v in variations], x.device).view(len(variations), 1, 1, -1)
    if crops.blurs:
        _filter(x, crops.blurs)
    _add_noise(x, variations)
    if crops.shrinks:
        _filter(x, crops.shrinks)
    stored = [i for i, variation in enumerate(variations) if variation.jpeg]
    if stored:
        rows, quality = send(stored, x.device), send([variations[i].jpeg for i in stored], x.device)
        x.index_copy_(0, rows.long(), compress(x.index_select(0, rows), quality))
    return x


def to_network(images: Tensor, *, normalization: str) -> Tensor:
    """As `limner.data.preprocess.to_network`, for ``(N, h, w, C)``; returns ``(N, C, h, w)``, channels last in memory."""
    scaled = images * (1 / 255) if normalization == "unit" else (images - 127.0) * (1 / 128)
    return scaled.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _filter(images: Tensor, filters: Filters) -> None:
    """Filter some of the images ``(N, h, w, C)`` along both axes, in place."""
    rows, along_y, along_x = (tensor.to(images.device, non_blocking=True) for tensor in filters)
    some = images.index_select(0, rows)
    columns = (along_y @ some.flatten(2)).view_as(some)
    images.index_copy_(0, rows.long(), torch.einsum("nxw,nhwc->nhxc", along_x, columns))


def _add_noise(images: Tensor, variations: tuple[Variation, ...]) -> None:
    """Each image's own noise, from its own seed, in place."""
    generator = torch.Generator(images.device)
    for i, variation in enumerate(variations):
        if variation.noise:
            generator.manual_seed(variation.seed)
            drawn = torch.randn(images[i].shape, generator=generator, device=images.device)
            images[i].add_(drawn, alpha=variation.noise)


def _column(values: list[float], like: Tensor) -> Tensor:
    return send(values, like.device).view(-1, 1, 1, 1)
