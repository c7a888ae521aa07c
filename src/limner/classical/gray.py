"""Planes for methods that look at brightness or colour: any depth, any number of channels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.choices import choose
from limner.core.errors import DataError
from limner.core.sample import Image

Gray = npt.NDArray[np.float32]  # (H, W)
Channels = npt.NDArray[np.float32]  # (H, W, C)
Mask = npt.NDArray[np.bool_]  # (H, W)

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R BT.601
WHITE = 255.0

PLANES = {
    "gray": "luminance of three channels, the mean of any other number",
    "red": "the first channel",
    "green": "the second channel",
    "blue": "the third channel",
    "red-green": "red minus green",
    "blue-yellow": "blue minus the mean of red and green",
    "saturation": "what the weakest channel lacks of the strongest, relative to that",
}
"""What can be looked at in place of a picture; all but gray need one channel, taken for three equal ones, or three."""


def to_gray(image: Image, *, plane: str = "gray") -> Gray:
    """Brightness of each pixel, the darkest 0 and the brightest 255.

    A brighter or more contrasty copy of a picture gives the same plane, and so does a 16-bit copy of an 8-bit picture.

    Parameters
    ----------
    image : ``(H, W, C)`` of any number type.
    plane : what counts as brightness, one of `PLANES`.

    Returns
    -------
    ``(H, W)`` float32 in [0, 255]; all 0 for a constant picture.

    Raises
    ------
    DataError : values that are not finite, or a plane that the picture's channels do not have.
    RecipeError : unknown plane.

    Examples
    --------
    >>> to_gray(np.array([[[10], [20], [60]]], np.uint16)).tolist()
    [[0.0, 51.0, 255.0]]
    """
    return np.asarray(_stretch(_mix(_in_bytes(image), plane)), np.float32)


def to_channels(image: Image) -> Channels:
    """All channels, the smallest value of the picture 0 and the largest 255; their proportions stay.

    Returns
    -------
    ``(H, W, C)`` float32 in [0, 255]; all 0 for a constant picture.

    Raises
    ------
    DataError : values that are not finite.
    """
    return np.asarray(_stretch(_in_bytes(image)), np.float32)


def to_unit(image: Image, *, plane: str = "gray") -> Gray:
    """Values as they stand in the file, in units of what its numbers can hold: no picture is stretched.

    Parameters
    ----------
    image, plane : see `to_gray`.

    Returns
    -------
    ``(H, W)`` float32, of 8 and 16 bit in [0, 1] (differences in [-1, 1]); floating-point pictures as they are.

    Raises
    ------
    DataError, RecipeError : see `to_gray`.

    Examples
    --------
    >>> to_unit(np.array([[[0], [255]]], np.uint8)).tolist()
    [[0.0, 1.0]]
    """
    values = _in_bytes(image)
    _limits(values)
    mixed = _mix(values, plane)
    return np.asarray(mixed if image.dtype.kind == "f" or plane == "saturation" else mixed / WHITE, np.float32)


def _in_bytes(image: Image) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = image.astype(np.float64 if image.dtype.kind == "f" else np.float32)
    if image.dtype == np.uint16:
        values /= 257  # exact where it came from 8 bit
    return values


def _mix(values: npt.NDArray[Any], plane: str) -> npt.NDArray[Any]:
    """One plane ``(H, W)`` of ``(H, W, C)``."""
    choose(PLANES, plane, kind="plane")
    channels = values.shape[2]
    if plane == "gray" and channels != 3:
        return np.asarray(values.mean(axis=2))
    if channels not in (1, 3):
        raise DataError(
            f"the plane '{plane}' of a picture with {channels} channels",
            expected="one channel or three",
            fix="choose the plane gray",
        )
    red, green, blue = (values[..., min(channel, channels - 1)] for channel in range(3))
    if plane in ("red", "green", "blue"):
        return np.asarray({"red": red, "green": green, "blue": blue}[plane])
    if plane == "red-green":
        return np.asarray(red - green)
    if plane == "blue-yellow":
        return np.asarray(blue - (red + green) / 2)
    if plane == "saturation":
        highest = values.max(axis=2)
        return np.asarray((highest - values.min(axis=2)) / np.where(highest > 0, highest, np.inf))
    return np.asarray(sum(weight * part for weight, part in zip(LUMINANCE, (red, green, blue), strict=True)))


def _stretch(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    low, high = _limits(values)
    if low == high:
        return np.zeros(values.shape, np.float32)
    return np.asarray((values - low) / (high - low) * WHITE)


def _limits(values: npt.NDArray[Any]) -> tuple[Any, Any]:
    """Smallest and largest value.

    Raises
    ------
    DataError : not finite.
    """
    low, high = np.min(values), np.max(values)
    if not np.isfinite(low) or not np.isfinite(high):
        raise DataError("a picture with values that are not finite", expected="numbers", fix="export the picture again")
    return low, high


def is_constant(gray: Gray) -> bool:
    """True where no method can tell two sides apart; all of them answer with background alone."""
    return bool(gray.min() == gray.max())


def smooth(gray: Gray, sigma: float) -> Gray:
    """Gaussian smoothing with a standard deviation of `sigma` pixels; 0 leaves the plane as it is."""
    if sigma <= 0:
        return gray
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)


def smooth_channels(channels: Channels, sigma: float) -> Channels:
    """`smooth` on each channel of ``(H, W, C)``."""
    planes = [smooth(np.ascontiguousarray(channels[..., index]), sigma) for index in range(channels.shape[2])]
    return np.stack(planes, axis=2)


def disc(radius: int) -> npt.NDArray[np.uint8]:
    """Pixels no further than `radius` from the middle, for morphology; ``(2 r + 1, 2 r + 1)`` of 0 and 1.

    Examples
    --------
    >>> disc(1).tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    offsets = np.arange(-radius, radius + 1)
    return np.asarray(offsets[:, None] ** 2 + offsets**2 <= radius**2, np.uint8)
