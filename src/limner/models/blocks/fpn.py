"""Feature pyramid: every map of the encoder in the same number of channels, enriched from coarse to fine.

Lin et al. 2017, arXiv:1612.03144, section 3. The 3x3 convolution behind each sum is left to whoever uses the map, since it may be
needed at another size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class TopDown(nn.Module):
    """Maps from fine to coarse, ``(N, channels[i], H_i, W_i)``, to ``(N, width, H_i, W_i)`` each.

    Parameters
    ----------
    channels : of each map.
    width : channels of each result.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(num_in, width, 1) for num_in in channels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Each map plus the enlarged sum of all coarser ones."""
        sums: list[Tensor] = []
        for lateral, x in zip(reversed(self.lateral), reversed(maps), strict=True):
            y = lateral(x)
            if sums:
                coarser = sums[-1].to(y.dtype)
                if coarser.shape[-2:] != y.shape[-2:]:
                    coarser = F.interpolate(coarser, size=y.shape[-2:], mode="nearest")
                y = y + coarser
            sums.append(y)
        return sums[::-1]
