"""Dropout after ReLU whose random numbers do not hold up a CPU: torch draws them one by one on one core.

Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.html.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

WORDS = {torch.bfloat16: torch.int16, torch.float16: torch.int16, torch.float32: torch.int32}


class ReluDropout(nn.Module):
    """ReLU, then a share of the values set to zero while training and the others scaled up.

    On a CPU the mask comes from 15-bit numbers of NumPy's SFC64, seeded by one draw of torch's generator: it follows from
    ``torch.manual_seed`` alone. The share is met to 1 / 32768. The input is overwritten.

    Parameters
    ----------
    share : of the values, in [0, 1).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same shape."""
        if not self.training or not self.share:
            return F.relu(x, inplace=True)
        if x.device.type != "cpu" or x.dtype not in WORDS:
            return F.dropout(F.relu(x), self.share)
        return _ReluDropout.apply(x, self.share)  # type: ignore[no-any-return]


class _ReluDropout(torch.autograd.Function):
    """One pass each way: a value that is zero has no gradient, whether ReLU or dropout made it so; no mask is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float) -> Tensor:
        ctx.scale = 1 / (1 - share)
        ctx.mark_dirty(x)
        x.relu_().mul_(ctx.scale)
        kept = _all_ones_where_kept(x, share)
        x.view(kept.dtype).bitwise_and_(kept)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(grads[0], y, 0).mul_(ctx.scale), None


def _all_ones_where_kept(x: Tensor, share: float) -> Tensor:
    """Words as wide as the values of `x`, in its shape and order: -1 where a value stays, 0 where it goes.

    Sign arithmetic on 15-bit numbers is several times faster than comparing and converting.
    """
    seed = int(torch.randint(2**62, ()))
    words = np.random.SFC64(seed).random_raw(-(-x.numel() // 4)).view(np.int16)[: x.numel()]
    words &= 0x7FFF
    np.subtract(round(share * 2**15) - 1, words, out=words)  # negative where the number reaches the share
    words >>= 15
    number, channels, height, width = x.shape
    mask = torch.from_numpy(words).view(number, height, width, channels).permute(0, 3, 1, 2)  # channels-last
    return mask.to(WORDS[x.dtype])
