"""Intensities of a drawn variation, applied to a patch in 0..255; labels stay as they are.

In this order: inversion, contrast and brightness, gamma, colour, blur, noise, low resolution, JPEG. The last three are what a
sensor and a file do to a picture that is there already.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.many_channels import four_at_a_time, resize_channels
from limner.training.augment import Variation

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


def change_intensity(variation: Variation, patch: Array) -> Float32:
    """The patch ``(h, w, C)`` in 0..255 with everything that `variation` does to its values; float32 of the same shape."""
    x = patch.astype(np.float32)
    if variation.invert:
        x = 255 - x
    mean = x.mean()
    x = (x - mean) * variation.gain + (mean + variation.offset)
    if variation.gamma != 1.0:
        x = 255 * (np.clip(x, 0, 255) * (1 / 255)) ** variation.gamma
    if variation.channel_gain:
        x = x * np.asarray(variation.channel_gain, np.float32)
    if variation.blur:
        x = four_at_a_time(x, lambda part: cv2.GaussianBlur(part, (0, 0), variation.blur))
    if variation.noise:
        x = x + np.random.default_rng(variation.seed).normal(0, variation.noise, x.shape).astype(np.float32)
    if variation.shrink > 1.0:
        x = lower_resolution(x, variation.shrink)
    if variation.jpeg:
        x = compress(x, variation.jpeg)
    return np.asarray(x, np.float32)


def low_size(side: int, shrink: float) -> int:
    """Pixels along a side at low resolution, at least 1."""
    return max(1, round(side / shrink))


def lower_resolution(patch: Float32, shrink: float) -> Float32:
    """The patch ``(h, w, C)`` shrunk by a factor (pixels are averaged, as a sensor does) and enlarged again (cubic).

    References
    ----------
    Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, supplement 4: simulation of low resolution.
    """
    height, width = patch.shape[:2]
    small = resize_channels(patch, (low_size(height, shrink), low_size(width, shrink)), cv2.INTER_AREA)
    return resize_channels(small, (height, width), cv2.INTER_CUBIC)


def compress(patch: Float32, quality: int) -> Float32:
    """The patch ``(h, w, C)`` as it comes back from a JPEG file: rounded, clipped to 0..255, with blocks and ringing.

    Three channels are taken for red, green and blue, any other number for that many gray pictures.
    """
    stored = np.clip(np.rint(patch), 0, 255).astype(np.uint8)
    if stored.shape[2] == 3:  # OpenCV stores blue first
        return _through_file(np.ascontiguousarray(stored[..., ::-1]), quality)[..., ::-1].astype(np.float32)
    planes = [_through_file(np.ascontiguousarray(plane), quality) for plane in np.moveaxis(stored, 2, 0)]
    return np.stack(planes, axis=2).astype(np.float32)


def blur_matrix(side: int, deviation: float) -> Float32:
    """``(side, side)``: times a column of pixels it is the Gaussian blur of that column, as in `change_intensity`."""
    kernel = cv2.getGaussianKernel(round(deviation * 8 + 1) | 1, deviation, cv2.CV_32F)
    one = np.ones((1, 1), np.float32)
    eye = np.eye(side, dtype=np.float32)
    return np.asarray(cv2.sepFilter2D(eye, -1, one, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32)


def low_resolution_matrix(side: int, shrink: float) -> Float32:
    """``(side, side)``: times a column of pixels it is `lower_resolution` of that column."""
    small = cv2.resize(np.eye(side, dtype=np.float32), (side, low_size(side, shrink)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _through_file(picture: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    _, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_UNCHANGED), np.uint8)
