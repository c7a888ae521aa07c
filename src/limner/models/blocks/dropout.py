"""Dropout whose random numbers do not hold up a CPU: torch draws them one by one on one core.

Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.html.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class QuickDropout(nn.Module):
    """Sets a share of the values to zero while training and scales the others up; the same elsewhere.

    On a CPU the mask comes from 16-bit numbers of NumPy's SFC64, seeded by one draw of torch's generator: it follows from
    ``torch.manual_seed`` alone. The share is met to 1 / 65536.

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
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.share)
        seed = int(torch.randint(2**62, ()))
        bits = np.random.SFC64(seed).random_raw(-(-x.numel() // 4)).view(np.uint16)[: x.numel()]
        kept = torch.from_numpy(bits >= round(self.share * 2**16))
        number, channels, height, width = x.shape
        mask = kept.view(number, height, width, channels).permute(0, 3, 1, 2)  # channels-last, as the values are
        return x * mask.to(x.dtype).mul_(1 / (1 - self.share))
