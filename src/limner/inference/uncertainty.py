"""How unsure a network is of each pixel: the entropy of its calibrated scores, as a gray picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.errors import ShapeError

ROWS = 256  # computed at a time, so that little memory is needed beside the answer


def entropy(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Entropy of the scores of each pixel, relative to that of even scores.

    Parameters
    ----------
    scores : ``(K, H, W)`` calibrated, in [0, 1]. One map: the score of the foreground, that of the background being the rest; for
        several their sum over K is 1.

    Returns
    -------
    ``(H, W)`` uint8: 0 = sure, 255 = every class has the same score. An empty picture gives an empty one.

    Raises
    ------
    ShapeError : not three axes, or no map.

    References
    ----------
    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x.

    Examples
    --------
    >>> entropy(np.array([[[0.0, 0.5, 1.0]]], np.float32)).tolist()
    [[0, 255, 0]]
    """
    if scores.ndim != 3 or not scores.shape[0]:
        raise ShapeError(f"scores of shape {scores.shape}", expected="(K, H, W) with K of at least 1")
    maps, height, width = scores.shape
    most = np.log(max(maps, 2))
    out = np.zeros((height, width), np.uint8)
    for start in range(0, height, ROWS):
        part = scores[:, start : start + ROWS].astype(np.float32)
        if maps == 1:
            part = np.concatenate([part, 1 - part])
        terms = np.clip(part, 1e-12, 1.0)  # x log x is 0 at 0
        found = -(part * np.log(terms)).sum(axis=0) * (255.0 / most)
        out[start : start + ROWS] = np.clip(np.rint(found), 0, 255)
    return out
