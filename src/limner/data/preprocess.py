"""From a picture of any depth and channel count to what a network sees; the same code trains and predicts.

Intensities are brought to 0..255, the picture to working scale, then ``(x - 127) / 128``, or ``x / 255`` under "unit".
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.core.sample import Image
from limner.data.many_channels import resize_channels

Working = npt.NDArray[Any]  # (h, w, C) uint8 or float32 in 0..255
FULL_RANGE = (0.0, 255.0)
PERCENTILES = (0.5, 99.9)  # high enough that objects on a thousandth of a picture are not taken for its noise
LEAST_SPAN = 1e-30  # of a range that single precision can stretch to 0..255 without overflow
MOST_VALUES = 4_000_000  # from which percentiles are taken; larger pictures are thinned out evenly


def match_channels(image: Image, channels: int, *, where: str = "") -> Image:
    """`image` with `channels` channels: gray is repeated, colour becomes gray by its luminance.

    Raises
    ------
    DataError : any other pair of channel counts.
    """
    found = int(image.shape[2])
    if found == channels:
        return image
    if found == 1:
        return np.repeat(image, channels, axis=2)
    if found == 3 and channels == 1:
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        gray = (image.astype(np.float32) @ weights)[..., None]
        return (gray.round() if image.dtype.kind in "bui" else gray).astype(image.dtype)
    raise DataError(
        f"a picture of {found} channels",
        expected=f"{channels}, as in training",
        where=where,
        fix="convert the picture, or train on pictures of that kind",
    )


def to_byte_range(image: Image, *, normalization: str, intensity_range: tuple[float, float]) -> Working:
    """Intensities in 0..255; uint8 stays uint8 where nothing has to change.

    Parameters
    ----------
    image : ``(H, W, C)``.
    normalization : ``fixed`` and ``unit`` map `intensity_range` to 0..255; ``percentile`` maps this picture's 0.5 % and 99.9 %
        percentiles over all channels. Values outside are clipped, whatever the unit; where both limits are the same, as in a
        constant picture, what lies above becomes 255 and the rest 0.
    """
    if normalization != "percentile" and image.dtype == np.uint8 and intensity_range == FULL_RANGE:
        return image
    low, high = intensity_range
    if normalization == "percentile":
        every = max(1, math.isqrt(image.size // MOST_VALUES))
        low, high = (float(v) for v in np.percentile(image[::every, ::every], PERCENTILES))
    span = high - low
    if span <= 0:
        return (image.astype(np.float32) > low) * np.float32(255)
    if span < LEAST_SPAN:
        return np.clip((image.astype(np.float64) - low) * (255.0 / span), 0.0, 255.0).astype(np.float32)
    return np.asarray(np.clip((image.astype(np.float32) - low) * (255.0 / span), 0.0, 255.0))


def working_size(size_hw: tuple[int, int], scale: float, resize_hw: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Height and width at working scale, at least 1; `resize_hw` where that is given."""
    if any(resize_hw):
        return resize_hw
    return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))


def resize_image(image: Working, size_hw: tuple[int, int]) -> Working:
    """Area averaging when it shrinks, bilinear when it grows; keeps dtype and channel axis."""
    if image.shape[:2] == size_hw:
        return image
    shrinks = size_hw[0] * size_hw[1] < image.shape[0] * image.shape[1]
    return resize_channels(image, size_hw, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_labels(labels: npt.NDArray[Any], size_hw: tuple[int, int]) -> npt.NDArray[Any]:
    """Nearest neighbour, never anything else; keeps dtype."""
    if labels.shape == size_hw:
        return labels
    rows = ((np.arange(size_hw[0]) + 0.5) * (labels.shape[0] / size_hw[0])).astype(np.intp)
    columns = ((np.arange(size_hw[1]) + 0.5) * (labels.shape[1] / size_hw[1])).astype(np.intp)
    out: npt.NDArray[Any] = labels[rows[:, None], columns]
    return out


def prepare(
    image: Image,
    *,
    channels: int,
    scale: float,
    normalization: str,
    intensity_range: tuple[float, float],
    resize_hw: tuple[int, int] = (0, 0),
    where: str = "",
) -> Working:
    """The whole way to working scale: channels, intensities, size; ``(h, w, channels)`` in 0..255."""
    matched = match_channels(image, channels, where=where)
    ranged = to_byte_range(matched, normalization=normalization, intensity_range=intensity_range)
    return resize_image(ranged, working_size(image.shape[:2], scale, resize_hw))


def to_network(working: Working, *, normalization: str = "fixed") -> npt.NDArray[np.float32]:
    """``(h, w, C)`` in 0..255 to ``(C, h, w)`` float32 in about -1..1, or in 0..1 under "unit"."""
    if normalization == "unit":
        scaled = working.astype(np.float32) * np.float32(1 / 255)
    else:
        scaled = (working.astype(np.float32) - 127.0) * np.float32(1 / 128)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))
