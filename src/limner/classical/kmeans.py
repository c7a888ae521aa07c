"""K-means on colour: pixels of all channels fall into clusters, each pixel to the nearest mean; some clusters are the object."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from limner.classical.gray import Channels, Gray, Mask, is_constant, smooth, smooth_channels
from limner.classical.polarity import choose_object
from limner.classical.threshold import multi_otsu_thresholds

MOST_POINTS = 40_000  # that the means are computed from, evenly spaced over the picture
ROUNDS, REST = 100, 0.01  # at most; means rest when none moves further, on the scale of 0 to 255


def cluster_means(points: npt.NDArray[np.float32], start: npt.NDArray[np.int32], *, clusters: int) -> Channels:
    """The means when pixels and means have settled.

    Parameters
    ----------
    points : ``(n, C)`` float32, n >= `clusters`.
    start : ``(n,)`` the cluster that each point begins in; nothing is random.
    clusters : K >= 1.

    Returns
    -------
    ``(K, C)`` float32.

    References
    ----------
    Lloyd 1982, doi:10.1109/TIT.1982.1056489; OpenCV's `kmeans` gives a cluster that loses all points the farthest one.
    """
    rule = cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, ROUNDS, REST
    labels = np.ascontiguousarray(start, np.int32).reshape(-1, 1)
    _spread, _labels, means = cv2.kmeans(points, clusters, labels, rule, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return np.asarray(means, np.float32)


def nearest_mean(channels: Channels, means: Channels) -> npt.NDArray[np.intp]:
    """Number of the mean that each pixel of ``(H, W, C)`` lies nearest to; the first of equally near ones."""
    # |x - m|^2 without |x|^2, which is the same for all means
    reach = (means.astype(np.float64) ** 2).sum(axis=1)
    return np.asarray((reach - 2 * (channels @ means.T)).argmin(axis=2))


def kmeans_mask(
    gray: Gray, channels: Channels, *, clusters: int = 2, polarity: str = "auto", smoothing: float = 1.0
) -> Mask:
    """Clusters of colour, in the order of their brightness, without the background.

    Parameters
    ----------
    gray : ``(H, W)`` in [0, 255], from `to_gray`; orders the clusters, and starts them at `multi_otsu_thresholds`.
    channels : ``(H, W, C)`` in [0, 255], from `to_channels`.
    clusters : K >= 2; fewer where there are not so many pixels.
    polarity : see `choose_object`. Shades of the background are looked for in pictures of one channel.
    smoothing : standard deviation in pixels of a Gaussian before all else; 0 = none.

    Returns
    -------
    ``(H, W)`` bool; all False for a constant picture.

    References
    ----------
    MacQueen 1967, Proc. 5th Berkeley Symposium 1, 281-297, for the name.
    """
    if is_constant(gray) or channels.min() == channels.max():
        return np.zeros(gray.shape, bool)
    soft, colors = smooth(gray, smoothing), smooth_channels(channels, smoothing)
    every = math.ceil(math.sqrt(gray.size / MOST_POINTS))
    points = colors[::every, ::every].reshape(-1, colors.shape[2])
    clusters = min(clusters, len(points))
    cuts = np.array(multi_otsu_thresholds(soft, classes=clusters), np.float32)
    start = np.searchsorted(cuts, soft[::every, ::every].ravel(), side="left").astype(np.int32)
    classes = nearest_mean(colors, cluster_means(np.ascontiguousarray(points), start, clusters=clusters))
    brightness = np.array([soft[classes == k].mean() if (classes == k).any() else np.inf for k in range(clusters)])
    place = np.empty(clusters, np.intp)
    place[np.argsort(brightness, kind="stable")] = np.arange(clusters)
    return choose_object(place[classes], soft if colors.shape[2] == 1 else None, polarity=polarity)
