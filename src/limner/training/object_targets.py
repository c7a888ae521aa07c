"""What a network is taught about objects: maps made from the ids of a patch, after it was cut, turned and bent.

They are made anew for each patch, so that geometry changes ids alone: nothing that depends on directions has to be turned, and an
object that the patch cuts is taught as what can be seen of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.object_head import CENTRE, DISTANCE, FLOW_X, FLOW_Y, MAPS, OFFSET_X, OFFSET_Y
from limner.data.object_fields import centres_of, flow_of, inner_distance

UNKNOWN = -1  # in ids: a pixel of which it is not known whether it belongs to an object
SPREAD = 0.15  # standard deviation of the heat of a centre, in diameters of the object

Float32 = npt.NDArray[np.float32]


def object_targets(ids: npt.NDArray[np.int32], *, head: str, diameter: float) -> Float32:
    """The maps of a head, ``(T, h, w)`` float32 in the order of `limner.core.object_head.MAPS`; zero outside of objects.

    Parameters
    ----------
    ids : ``(h, w)`` object ids; 0 = none, `UNKNOWN`. The border of the patch and what is not known are no outline.
    head : a key of `MAPS`.
    diameter : the unit of offsets in pixels.

    Returns
    -------
    distance : to the outline, relative to the innermost pixel of the object: in (0, 1] inside.
    centre : exp(-r^2 / 2 s^2) with r the distance to the object's centre of mass and s = 0.15 equivalent diameters.
    offset_y, offset_x : from the pixel to that centre, in diameters.
    flow_y, flow_x : unit vectors towards the inside, see `limner.data.object_fields.flow_of`.

    References
    ----------
    Naylor et al. 2019, doi:10.1109/TMI.2018.2865709 (distance); Cheng et al. 2020, arXiv:1911.10194 (centres and offsets);
    Stringer et al. 2021, doi:10.1038/s41592-020-01018-x (flows).
    """
    names = MAPS[head]
    maps = np.zeros((len(names), *ids.shape), np.float32)
    if not (ids > 0).any():
        return maps
    if DISTANCE in names:
        distance, deepest = inner_distance(ids)
        inside = ids > 0
        maps[names.index(DISTANCE)][inside] = distance[inside] / deepest[ids[inside]]
    if CENTRE in names:
        offset_y, offset_x, diameters = centres_of(ids)
        squared = offset_y**2 + offset_x**2
        spread = np.maximum(1.0, SPREAD * diameters)
        heat = np.exp(-squared / (2 * spread**2))
        maps[names.index(CENTRE)] = np.where(ids > 0, heat, 0)
        maps[names.index(OFFSET_Y)], maps[names.index(OFFSET_X)] = offset_y / diameter, offset_x / diameter
    if FLOW_Y in names:
        maps[names.index(FLOW_Y)], maps[names.index(FLOW_X)] = flow_of(ids)
    return maps
