"""Region growing: from sure pixels outward, as long as a pixel resembles its region more than what is left over."""

from __future__ import annotations

import cv2
import numpy as np

from limner.classical.gray import Gray, Mask, is_constant, smooth
from limner.classical.polarity import choose_object
from limner.classical.threshold import otsu_threshold
from limner.classical.watershed import Regions, cores

MOST_ROUNDS = 50  # each takes in all that is connected, so that three to ten are common


def grow_regions(gray: Gray, seeds: Regions) -> Regions:
    """Let every seed take the pixels around it that are nearer to its region's mean than to the mean of the rest.

    A pixel belongs to the seed that lies nearest to it, and must be connected with what has grown. Means are those of the regions
    grown so far; no pixel is given back, so that it ends.

    Parameters
    ----------
    gray : ``(H, W)``.
    seeds : ``(H, W)`` int32, 1 to M where regions start, else 0. Pixels of one number may lie apart.

    Returns
    -------
    ``(H, W)`` int32, 0 = taken by none; all 0 for no seeds.

    References
    ----------
    Adams, Bischof 1994, doi:10.1109/34.295913. They take pixels one by one, the likest first; here all that qualify join in
    one round, for the background as the one region without a seed.

    Examples
    --------
    >>> row = np.array([[0, 50, 52, 53, 90, 0, 51, 0]], np.float32)
    >>> grow_regions(row, np.array([[0, 0, 1, 0, 2, 0, 0, 0]], np.int32)).tolist()
    [[0, 1, 1, 1, 2, 0, 0, 0]]
    """
    if not seeds.any():
        return np.zeros(gray.shape, np.int32)
    cells = nearest_seed(seeds)
    region = seeds > 0
    for _ in range(MOST_ROUNDS):
        if region.all():
            break
        counts = np.bincount(cells[region], minlength=int(seeds.max()) + 1)
        means = np.bincount(cells[region], gray[region]) / np.maximum(counts, 1)
        rest = float(gray[~region].mean(dtype=np.float64))
        alike = (np.abs(gray - means[cells]) < np.abs(gray - rest)) | region
        _num, parts = cv2.connectedComponents(alike.astype(np.uint8), connectivity=8)
        touched = np.zeros(int(parts.max()) + 1, bool)
        touched[parts[region]] = True
        grown = touched[parts]
        if np.array_equal(grown, region):
            break
        region = grown
    return np.where(region, cells, 0).astype(np.int32)


def nearest_seed(seeds: Regions) -> Regions:
    """Number of the seed that lies nearest to each pixel; ``(H, W)`` int32, 1 to M."""
    _depth, pixels = cv2.distanceTransformWithLabels(
        (seeds == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    numbers = np.zeros(int(pixels.max()) + 1, np.int32)  # of OpenCV's own number of each seed pixel
    numbers[pixels[seeds > 0]] = seeds[seeds > 0]
    return np.asarray(numbers[pixels], np.int32)


def region_growing_regions(gray: Gray, *, core: float = 0.5, polarity: str = "auto", smoothing: float = 1.0) -> Regions:
    """Objects one by one, grown from the inner parts of the object's side of Otsu's threshold.

    Every object has its own mean, so that dim and bright ones both end half-way down their flanks.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255], from `to_gray`.
    core : depth of a seed relative to the deepest pixel of its part, in [0, 1].
    polarity : see `choose_object`.
    smoothing : standard deviation in pixels of a Gaussian before all else; 0 = none.

    Returns
    -------
    ``(H, W)`` int32, 0 = background; all 0 for a constant picture.
    """
    if is_constant(gray):
        return np.zeros(gray.shape, np.int32)
    soft = smooth(gray, smoothing)
    side = choose_object((soft > otsu_threshold(soft)).astype(np.uint8), polarity=polarity)
    _num, seeds = cv2.connectedComponents(cores(side, share=core).astype(np.uint8), connectivity=8)
    return grow_regions(soft, np.asarray(seeds, np.int32))


def region_growing_mask(gray: Gray, *, core: float = 0.5, polarity: str = "auto", smoothing: float = 1.0) -> Mask:
    """The pixels of all objects of `region_growing_regions`; ``(H, W)`` bool."""
    return np.asarray(region_growing_regions(gray, core=core, polarity=polarity, smoothing=smoothing) > 0)
