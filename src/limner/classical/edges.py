"""Edges by Sobel's or Canny's rule, closed to regions.

Edges, thickened until gaps are bridged, divide a picture into pieces. Each piece is bright or dark as a whole, by Otsu's threshold
on the means of the pieces; a pixel on an edge joins the side that it resembles. Where an outline has a wider gap, inside and
outside are one piece, and an inner rim at most is found.
"""

from __future__ import annotations

import cv2
import numpy as np

from limner.classical.gray import Gray, Mask, disc, is_constant, smooth
from limner.classical.polarity import choose_object
from limner.classical.threshold import otsu_threshold


def gradient(gray: Gray) -> tuple[Gray, Gray]:
    """Sobel's differences along x and along y, 0 across the border.

    Returns
    -------
    Two ``(H, W)`` float32; a step of 1 between two pixels gives 4 at both.

    References
    ----------
    Sobel, Feldman 1968, A 3x3 isotropic gradient operator, Stanford Artificial Intelligence Project; Duda, Hart 1973, Pattern
    Classification and Scene Analysis, page 271.
    """
    along_x = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3, borderType=cv2.BORDER_REPLICATE)
    along_y = cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(along_x, np.float32), np.asarray(along_y, np.float32)


def sobel_edges(gray: Gray) -> Mask:
    """Pixels whose gradient is above Otsu's threshold on all gradients; ``(H, W)`` bool, a few pixels wide."""
    along_x, along_y = gradient(gray)
    steepness = np.hypot(along_x, along_y)
    return np.asarray(steepness > otsu_threshold(steepness))


def canny_edges(gray: Gray, *, low_share: float = 0.4) -> Mask:
    """Ridges of the gradient, one pixel wide, followed while they stay above a lower threshold.

    Parameters
    ----------
    gray : ``(H, W)``, smoothed already.
    low_share : lower threshold relative to the upper one, which is Otsu's on all gradients. The paper advises a ratio of two or
        three to one.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.

    References
    ----------
    Canny 1986, doi:10.1109/TPAMI.1986.4767851.
    """
    along_x, along_y = gradient(gray)
    steepness = np.hypot(along_x, along_y)
    peak = float(steepness.max())
    if not peak:
        return np.zeros(gray.shape, bool)
    scale = 16000 / peak  # OpenCV wants 16-bit whole numbers
    high = otsu_threshold(steepness) * scale
    dx, dy = (np.rint(part * scale).astype(np.int16) for part in (along_x, along_y))
    return np.asarray(cv2.Canny(dx, dy, low_share * high, high, L2gradient=True) > 0)


def regions_between(edges: Mask, gray: Gray, *, bridge: int = 3, polarity: str = "auto") -> Mask:
    """Pieces that edges separate, and the pixels on edges, those on the object's side of brightness.

    Parameters
    ----------
    edges : ``(H, W)`` bool.
    gray : ``(H, W)`` brightness.
    bridge : pixels by which edges are thickened to all sides; gaps of up to twice that are bridged.
    polarity : see `choose_object`.

    Returns
    -------
    ``(H, W)`` bool; all False without edges.

    References
    ----------
    Weszka, Nagel, Rosenfeld 1974, IEEE Trans. Computers C-23, 1322-1326, for a threshold from the pixels near edges.
    """
    thick = cv2.dilate(edges.astype(np.uint8), disc(bridge)) > 0
    if not thick.any():
        return np.zeros(gray.shape, bool)
    num_pieces, pieces = cv2.connectedComponents((~thick).astype(np.uint8), connectivity=4)  # 0 = on an edge
    sizes = np.bincount(pieces.ravel(), minlength=num_pieces)
    means = np.bincount(pieces.ravel(), gray.ravel(), minlength=num_pieces) / np.maximum(sizes, 1)
    flat = means[pieces]
    middle = otsu_threshold(gray[thick])
    bright = flat > middle
    if len(np.unique(bright[~thick])) > 1:  # else no object is large enough to hold a piece: all of them lies on edges
        bright = flat > otsu_threshold(flat[~thick])
        middle = (float(gray[bright & ~thick].mean()) + float(gray[~bright & ~thick].mean())) / 2
    return choose_object(np.where(thick, gray > middle, bright).astype(np.uint8), polarity=polarity)


def sobel_mask(gray: Gray, *, bridge: int = 3, polarity: str = "auto", smoothing: float = 1.0) -> Mask:
    """Regions between Sobel's edges.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255], from `to_gray`.
    bridge, polarity : see `regions_between`.
    smoothing : standard deviation in pixels of a Gaussian before the gradient; 0 = none.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.
    """
    if is_constant(gray):
        return np.zeros(gray.shape, bool)
    soft = smooth(gray, smoothing)
    return regions_between(sobel_edges(soft), soft, bridge=bridge, polarity=polarity)


def canny_mask(
    gray: Gray, *, bridge: int = 3, low_share: float = 0.4, polarity: str = "auto", smoothing: float = 1.0
) -> Mask:
    """Regions between Canny's edges; `low_share` as in `canny_edges`, the rest and the result as in `sobel_mask`."""
    if is_constant(gray):
        return np.zeros(gray.shape, bool)
    soft = smooth(gray, smoothing)
    return regions_between(canny_edges(soft, low_share=low_share), soft, bridge=bridge, polarity=polarity)
