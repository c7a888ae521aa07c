"""Attention gate: a coarser map decides which pixels of a skip count.

    a = sigmoid(w . relu(S skip + G gate + b) + c),   out = a * skip

Oktay et al. 2018, arXiv:1804.03999, equations 1 and 2: S reads the skip at the gate's size, a is enlarged bilinearly.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AttentionGate(nn.Module):
    """Weighs the pixels of a skip, all channels alike.

    Parameters
    ----------
    num_skip, num_gate : channels of the skip and of the map one level coarser; half of `num_skip` channels lie between.
    """

    def __init__(self, num_skip: int, num_gate: int) -> None:
        super().__init__()
        inner = max(num_skip // 2, 1)
        self.skip = nn.Conv2d(num_skip, inner, 2, stride=2, bias=False)
        self.gate = nn.Conv2d(num_gate, inner, 1)
        self.score = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        """`skip` ``(N, skip, 2h, 2w)`` and `gate` ``(N, gate, h, w)`` to the size of `skip`."""
        return skip * self.weights(skip, gate).to(skip.dtype)

    def weights(self, skip: Tensor, gate: Tensor) -> Tensor:
        """How much each pixel counts, ``(N, 1, 2h, 2w)`` in (0, 1)."""
        scores = torch.sigmoid(self.score(F.relu(self.skip(skip) + self.gate(gate))))
        return F.interpolate(scores, scale_factor=2.0, mode="bilinear", align_corners=False)
