"""Any height and width: pad before the network, enlarge and cut behind it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def padded(x: Tensor, divisor: int, *, least: int = 1) -> Tensor:
    """`x` with its last rows and columns repeated until both sides are multiples of `divisor` and at least `least`.

    Padding by nothing would still copy, and lose the channels-last order; `x` itself is returned then.
    """
    height, width = x.shape[-2:]
    pad_y = max(-height % divisor, least - height)
    pad_x = max(-width % divisor, least - width)
    return F.pad(x, (0, pad_x, 0, pad_y), mode="replicate") if pad_y or pad_x else x


def enlarged(logits: Tensor, size_hw: tuple[int, ...]) -> Tensor:
    """`logits` at a size, bilinearly and in float32; themselves where they have it."""
    if tuple(logits.shape[-2:]) == tuple(size_hw):
        return logits
    return F.interpolate(logits.float(), size=tuple(size_hw), mode="bilinear", align_corners=False)


def cut(logits: Tensor, size_hw: tuple[int, ...], *, stride: int = 1) -> Tensor:
    """The part of padded logits, one per `stride` x `stride` pixels, that shows a picture of `size_hw`."""
    height, width = (-(-side // stride) for side in size_hw)
    return logits[..., :height, :width]
