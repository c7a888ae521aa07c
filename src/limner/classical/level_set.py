"""A contour that moves: drawn towards pixels of its own kind, and kept short.

Threshold dynamics: blurring a region and cutting the blur at one half moves its contour with its curvature; adding a force
before the cut makes the contour minimise length and misfit together. No step size can make it unstable.
"""

from __future__ import annotations

import cv2
import numpy as np

from limner.classical.gray import Gray, Mask

MOST_ROUNDS = 60


def evolve(start: Mask, membership: Gray, *, stiffness: float = 2.0, force: float = 0.5) -> Mask:
    """The region when its contour has come to rest, or after 60 steps.

    Parameters
    ----------
    start : ``(H, W)`` bool.
    membership : ``(H, W)`` float32 in [0, 1], how much a pixel is of the object's kind; 0.5 draws to neither side.
    stiffness : standard deviation of the blur in pixels, > 0: details that are much smaller vanish.
    force : of a sure pixel, relative to that of a region that surrounds it; above 0.5 a sure pixel gets its way alone.

    Returns
    -------
    ``(H, W)`` bool.

    References
    ----------
    Esedoglu, Tsai 2006, J. Comput. Phys. 211, 367-384; the energy is that of Chan, Vese 2001, doi:10.1109/83.902291.
    """
    region = start
    pull = force * (2 * membership - 1)
    for _ in range(MOST_ROUNDS):
        blurred = cv2.GaussianBlur(region.astype(np.float32), (0, 0), stiffness, borderType=cv2.BORDER_REPLICATE)
        moved = np.asarray(blurred + pull > 0.5)
        if np.array_equal(moved, region):
            break
        region = moved
    return region
