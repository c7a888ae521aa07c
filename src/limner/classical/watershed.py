"""Watershed: basins grow from sure object and sure background until they meet on the steepest line between them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from limner.classical.gray import Gray, Mask, is_constant, smooth
from limner.classical.polarity import choose_object
from limner.classical.threshold import otsu_threshold

Regions = npt.NDArray[np.int32]  # (H, W): 0 = background, 1 to M = objects


def cores(mask: Mask, *, share: float, most: float = np.inf) -> Mask:
    """The inner part of every connected region.

    Parameters
    ----------
    mask : ``(H, W)`` bool.
    share : depth that a pixel needs, relative to the deepest pixel of its region, in [0, 1].
    most : depth in pixels that is always enough.

    Returns
    -------
    ``(H, W)`` bool, at least one pixel of each region. The border of the picture does not count as an edge.
    """
    if mask.all():
        return mask
    num_parts, found = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    parts = np.asarray(found, np.intp)
    depth = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
    deepest = np.zeros(num_parts, np.float32)
    np.maximum.at(deepest, parts.ravel(), depth.ravel())
    return np.asarray(mask & (depth >= np.minimum(share * deepest, most)[parts]))


def watershed_regions(
    gray: Gray, *, core: float = 0.3, margin: float = 8.0, polarity: str = "auto", smoothing: float = 1.0
) -> Regions:
    """Objects one by one; those that touch are told apart where the neck between them is thinner than their cores.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255], from `to_gray`.
    core : depth of the sure part of an object relative to its deepest pixel, on the object's side of Otsu's threshold. With 0.6
        objects that touch get a core each, and thin parts may be lost; with 0.3 it is the other way round.
    margin : pixels between an object by Otsu's threshold and sure background.
    polarity : see `choose_object`.
    smoothing : standard deviation in pixels of a Gaussian before all else; 0 = none.

    Returns
    -------
    ``(H, W)`` int32, 0 = background; all 0 for a constant picture.

    References
    ----------
    Beucher, Lantuejoul 1979, Use of watersheds in contour detection, Rennes; Meyer 1994,
    doi:10.1016/0165-1684(94)90060-4, for flooding from markers.
    """
    if is_constant(gray):
        return np.zeros(gray.shape, np.int32)
    soft = smooth(gray, smoothing)
    coarse = choose_object((soft > otsu_threshold(soft)).astype(np.uint8), polarity=polarity)
    if not coarse.any():
        return np.zeros(gray.shape, np.int32)
    _num, seeds = cv2.connectedComponents(cores(coarse, share=core).astype(np.uint8), connectivity=8)
    markers = np.where(seeds > 0, seeds + 1, cores(~coarse, share=core, most=margin)).astype(np.int32)
    # OpenCV never floods the outermost pixels: give it one row and column more on each side
    padded = np.pad(np.rint(soft).astype(np.uint8), 1, mode="edge")
    flooded = np.pad(markers, 1, mode="edge")
    cv2.watershed(np.repeat(padded[..., None], 3, axis=2), flooded)
    flooded = flooded[1:-1, 1:-1]
    regions = np.maximum(flooded - 1, 0).astype(np.float32)
    # a pixel on a line belongs to an object when it is on its side of the threshold
    nearest = cv2.dilate(regions, np.ones((3, 3), np.uint8))
    return np.where((flooded < 1) & coarse, nearest, regions).astype(np.int32)


def watershed_mask(
    gray: Gray, *, core: float = 0.3, margin: float = 8.0, polarity: str = "auto", smoothing: float = 1.0
) -> Mask:
    """The pixels of all objects of `watershed_regions`; ``(H, W)`` bool."""
    regions = watershed_regions(gray, core=core, margin=margin, polarity=polarity, smoothing=smoothing)
    return np.asarray(regions > 0)
