"""A picture in a dozen numbers: how bright, how much contrast, which colour, how fine. Enough to see that it is of another kind."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.sample import Image

SIDE = 256  # pixels of the longer side that are looked at, every so manyth row and column

FEATURES = ("darkest", "dark", "brightness", "bright", "brightest", "contrast", "detail", "red", "blue", "colour")
FLOORS = (0.03, 0.03, 0.03, 0.03, 0.03, 0.02, 0.05, 0.01, 0.01, 0.01)  # smallest difference that means something
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

Features = npt.NDArray[np.float64]


def input_features(image: Image, *, low: float, high: float) -> Features:
    """Numbers that describe a picture, in the order of `FEATURES`.

    Parameters
    ----------
    image : ``(H, W, C)``, at least one pixel; large pictures may have been thinned before.
    low, high : values that become 0 and 1.

    Returns
    -------
    ``(10,)``: quantiles 1, 25, 50, 75 and 99 % of the mean of the channels; its standard deviation; the mean step between
    neighbours in units of that deviation, 0 for a constant picture; how far the first and the last of three channels lie above the
    mean, and the mean spread between channels, which are 0 for other numbers of channels.
    """
    every = max(1, -(-max(image.shape[:2]) // SIDE))
    part = (image[::every, ::every].astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-6))
    gray = part.mean(axis=2)
    deviation = float(gray.std())
    steps = [float(np.abs(np.diff(gray, axis=axis)).mean()) for axis in (0, 1) if gray.shape[axis] > 1]
    detail = float(np.mean(steps)) / deviation if steps and deviation > 1e-6 else 0.0
    red = blue = spread = 0.0
    if part.shape[2] == 3:
        red, blue = (float((part[..., place] - gray).mean()) for place in (0, 2))
        spread = float((part.max(axis=2) - part.min(axis=2)).mean())
    quantiles = (float(value) for value in np.quantile(gray, QUANTILES))
    return np.array([*quantiles, deviation, detail, red, blue, spread])


def nearest_distance(features: Features, known: npt.NDArray[np.float64], scale: Features) -> float:
    """Distance to the most alike of known pictures: root of the mean squared difference, each number in units of `scale`.

    Parameters
    ----------
    features : ``(M,)``.
    known : ``(N, M)``.

    Returns
    -------
    At least 0; infinite where nothing is known.
    """
    if not len(known):
        return float("inf")
    return float(np.sqrt((((known - features) / scale) ** 2).mean(axis=1)).min())
