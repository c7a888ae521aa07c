"""Single points out of an annotation file."""

from __future__ import annotations

import numpy as np

from limner.core.annotation import Points, PointsXY
from limner.data.formats.geometry import LARGEST, Refusal


def single_points(points_xy: PointsXY) -> Points:
    """Points as a shape.

    Raises
    ------
    Refusal : none, or a coordinate that is not finite or beyond any picture.
    """
    if not len(points_xy):
        raise Refusal("no-points", "there are no points; at least one is expected")
    if not np.isfinite(points_xy).all() or np.abs(points_xy).max() > LARGEST:
        raise Refusal("too-large", f"a coordinate is beyond {LARGEST:g}, or not finite")
    return Points(points_xy)
