"""Loss of the maps that tell objects apart: distance, centre, offsets and flow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.object_head import CENTRE, DISTANCE, FLOW_X, FLOW_Y

SCALAR = 2.0  # weight of distance and centre: between objects that touch they dip by tenths, where a flow turns round
OUTSIDE = (
    0.5  # weight of pixels without objects, together, relative to those of objects, for maps that are to be zero there
)


def object_map_loss(maps: Tensor, target: Tensor, instances: Tensor, *, names: Sequence[str]) -> Tensor:
    """The sum of one term for each map, each of them at most about 1 for a network that knows nothing.

    distance, centre : smooth absolute error over the pixels of objects, and half as much over those of the background.
    offsets : smooth absolute error over the pixels of objects.
    flow : half the squared error (0 to 2 for unit vectors) over the pixels of objects.

    All maps are values, not logits: a sigmoid would learn the few pixels of objects slowly.

    Parameters
    ----------
    maps : ``(N, T, H, W)`` float.
    target : ``(N, T, H, W)`` float32, see `limner.training.object_targets`.
    instances : ``(N, H, W)`` ids; 0 = no object, below 0 = not known: no gradient.
    names : of the T maps, see `limner.core.object_head.MAPS`.

    Returns
    -------
    Scalar, float32; 0 where nothing is known.

    References
    ----------
    Cheng et al. 2020, arXiv:1911.10194 (centres, offsets); Stringer et al. 2021, doi:10.1038/s41592-020-01018-x (flows).
    """
    inside, outside = (instances > 0).float(), (instances == 0).float()
    total = maps.new_zeros((), dtype=torch.float32)
    for index, name in enumerate(names):
        found, wanted = maps[:, index].float(), target[:, index]
        if name in (FLOW_Y, FLOW_X):
            total = total + _mean(0.5 * (found - wanted) ** 2, inside)
            continue
        error = F.smooth_l1_loss(found, wanted, reduction="none", beta=0.1)
        if name in (DISTANCE, CENTRE):
            error = SCALAR * error
            total = total + OUTSIDE * _mean(error, outside)
        total = total + _mean(error, inside)
    return total


def _mean(error: Tensor, weight: Tensor) -> Tensor:
    return (error * weight).sum() / weight.sum().clamp_min(1)
