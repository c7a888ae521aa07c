"""Boundary IoU: overlap inside the bands along the inner side of both boundaries.

    G_d = pixels of the truth at most d from its boundary     P_d = the same of the prediction
    boundary IoU = |(G_d and G) n (P_d and P)| / |(G_d and G) u (P_d and P)|

For a large object IoU hardly sees a sloppy boundary; this does. d is 2 % of the diagonal of the picture, rounded, at
least 1 pixel, counted in steps to any of the eight neighbours, as in the published code.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from limner.metrics.counts import Counts
from limner.metrics.distance import Mask, bounding_box, known_masks
from limner.metrics.overlap import iou

BAND_SHARE = 0.02  # of the diagonal; Cheng et al. 2021


def band_width(size_hw: tuple[int, int]) -> int:
    """The width d of the bands in a picture of `size_hw` pixels.

    Examples
    --------
    >>> band_width((480, 640)), band_width((5, 7))
    (16, 1)
    """
    return max(1, round(BAND_SHARE * math.hypot(*size_hw)))


def boundary_band(mask: Mask, *, width: int) -> Mask:
    """The pixels of a mask within `width` steps of what lies outside.

    Parameters
    ----------
    mask : ``(H, W)`` bool; beyond the picture everything is outside.
    width : steps to any of the eight neighbours, >= 1.

    Returns
    -------
    ``(H, W)`` bool; the whole of a thin mask, nothing of an empty one.
    """
    band, box = np.zeros_like(mask), bounding_box(mask)
    inside = mask[box]
    if inside.size:
        framed = np.pad(inside, 1).astype(np.uint8)
        steps = cv2.distanceTransform(framed, cv2.DIST_C, 3)[1:-1, 1:-1]
        band[box] = inside & (steps <= width)
    return band


def count_band(pred_mask: Mask, target_mask: Mask, *, valid: Mask | None = None) -> Counts:
    """Counts of the band of the prediction against the band of the truth; counts of pictures add up.

    Parameters
    ----------
    pred_mask, target_mask : ``(H, W)`` bool, the same shape, the whole picture: its diagonal decides the width.
    valid : ``(H, W)`` bool; False pixels are taken out of both masks. None: all are valid.

    Raises
    ------
    ShapeError : the arrays differ in shape or have other than two axes.
    """
    pred_mask, target_mask = known_masks(pred_mask, target_mask, valid)
    width, box = band_width((pred_mask.shape[0], pred_mask.shape[1])), bounding_box(pred_mask | target_mask)
    pred, target = (boundary_band(mask[box], width=width) for mask in (pred_mask, target_mask))
    shared, predicted, true = (int(np.count_nonzero(band)) for band in (pred & target, pred, target))
    return Counts(shared, predicted - shared, true - shared, pred_mask.size - predicted - true + shared)


def boundary_iou(pred_mask: Mask, target_mask: Mask, *, valid: Mask | None = None) -> float:
    """Shared pixels of both boundary bands over the pixels of either; arguments and errors as in `count_band`.

    Returns
    -------
    In [0, 1]; 1 is best. NaN when neither truth nor prediction shows the class; 0 when only one does.

    References
    ----------
    Cheng et al. 2021, arXiv:2103.16562, section 4.
    """
    return iou(count_band(pred_mask, target_mask, valid=valid))


DEFINITIONS: dict[str, str] = {
    "boundary_iou": "IoU of the two bands inside the boundaries, as wide as 2 % of the diagonal of the picture (in pixels, at "
    "least 1), per picture; undefined, skipped and counted where neither truth nor prediction shows the class, 0 where only "
    "one does; not taken for the background.",
}
