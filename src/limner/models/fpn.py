"""Feature pyramid with a light semantic branch: each map is brought to stride 4, their sum is the answer.

    stride 32   conv, x2   conv, x2   conv, x2 --+
           16              conv, x2   conv, x2 --+
            8                         conv, x2 --+
            4                         conv     --+--  1x1 -- x4

Kirillov et al. 2019, arXiv:1901.02446, section 3.2: 3x3 convolutions, group norm, ReLU and bilinear doublings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from limner.models.blocks.enlarge import Interpolate
from limner.models.blocks.fpn import TopDown
from limner.models.blocks.sizes import cut, enlarged, padded
from limner.models.encoder import Encoder

FINEST = 4  # stride of the finest map of the pyramid
GROUPS = 32  # of the group norm


class Branch(nn.Sequential):
    """``(N, in, H, W)`` to ``(N, out, 2**doublings H, 2**doublings W)``, one convolution before each doubling, one at least."""

    def __init__(self, num_in: int, num_out: int, doublings: int) -> None:
        layers: list[nn.Module] = []
        for i in range(max(doublings, 1)):
            layers.append(nn.Conv2d(num_out if i else num_in, num_out, 3, padding=1, bias=False))
            layers += [nn.GroupNorm(_groups(num_out), num_out), nn.ReLU(inplace=True)]
            if doublings:
                layers.append(Interpolate("bilinear"))
        super().__init__(*layers)


def _groups(channels: int) -> int:
    """Groups of four channels or more, so that a map of one pixel has something to be normalised by; `GROUPS` at most."""
    return math.gcd(GROUPS, channels, max(channels // 4, 1))


class FPN(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width."""

    source: ClassVar[str] = "Kirillov et al. 2019, arXiv:1901.02446"

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        encoder : timm name.
        pyramid_width : channels of the pyramid.
        branch_width : channels of the semantic branch.
        dropout : share of channels dropped before the last layer while training.
        """

        encoder: str = "tf_efficientnet_lite0"
        pyramid_width: int = 256
        branch_width: int = 128
        dropout: float = 0.0

        def build(self, *, channels: int, maps: int) -> FPN:
            """The network for so many input channels and output maps."""
            return FPN(self, channels=channels, maps=maps)

    def __init__(self, config: Config, *, channels: int, maps: int) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder, channels=channels)
        self.first = self.encoder.level_at(FINEST)
        strides = self.encoder.strides[self.first :]
        self.pyramid = TopDown(self.encoder.channels[self.first :], config.pyramid_width)
        self.branches = nn.ModuleList(
            Branch(config.pyramid_width, config.branch_width, (stride // strides[0]).bit_length() - 1)
            for stride in strides
        )
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(config.branch_width, maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`."""
        size_hw = x.shape[-2:]
        x = padded(x, self.encoder.strides[-1])
        first, *others = self.pyramid(self.encoder(x)[self.first :])
        y = self.branches[0](first)
        for branch, level in zip(list(self.branches)[1:], others, strict=True):
            y = y + branch(level)
        return cut(enlarged(self.head(self.dropout(y)), x.shape[-2:]), size_hw)
