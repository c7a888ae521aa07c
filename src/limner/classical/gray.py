"""One plane of gray for methods that look at brightness: any depth, any number of channels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.core.sample import Image

Gray = npt.NDArray[np.float32]  # (H, W)
Mask = npt.NDArray[np.bool_]  # (H, W)

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R BT.601
WHITE = 255.0


def to_gray(image: Image) -> Gray:
    """Brightness of each pixel, the darkest 0 and the brightest 255.

    A brighter or more contrasty copy of a picture gives the same plane, and so does a 16-bit copy of an 8-bit picture.

    Parameters
    ----------
    image : ``(H, W, C)`` of any number type. Three channels: luminance; any other number: their mean.

    Returns
    -------
    ``(H, W)`` float32 in [0, 255]; all 0 for a constant picture.

    Raises
    ------
    DataError : values that are not finite.

    Examples
    --------
    >>> to_gray(np.array([[[10], [20], [60]]], np.uint16)).tolist()
    [[0.0, 51.0, 255.0]]
    """
    values: npt.NDArray[Any] = image.astype(np.float64 if image.dtype.kind == "f" else np.float32)
    if image.dtype == np.uint16:
        values /= 257  # exact where it came from 8 bit
    if values.shape[2] == 3:
        plane = sum(weight * values[..., channel] for channel, weight in enumerate(LUMINANCE))
    else:
        plane = values.mean(axis=2)
    low, high = np.min(plane), np.max(plane)
    if not np.isfinite(low) or not np.isfinite(high):
        raise DataError("a picture with values that are not finite", expected="numbers", fix="export the picture again")
    if low == high:
        return np.zeros(image.shape[:2], np.float32)
    return np.asarray((plane - low) / (high - low) * WHITE, np.float32)


def is_constant(gray: Gray) -> bool:
    """True where no method can tell two sides apart; all of them answer with background alone."""
    return bool(gray.min() == gray.max())


def smooth(gray: Gray, sigma: float) -> Gray:
    """Gaussian smoothing with a standard deviation of `sigma` pixels; 0 leaves the plane as it is."""
    if sigma <= 0:
        return gray
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)


def disc(radius: int) -> npt.NDArray[np.uint8]:
    """Pixels no further than `radius` from the middle, for morphology; ``(2 r + 1, 2 r + 1)`` of 0 and 1.

    Examples
    --------
    >>> disc(1).tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    offsets = np.arange(-radius, radius + 1)
    return np.asarray(offsets[:, None] ** 2 + offsets**2 <= radius**2, np.uint8)
