"""OpenCV on pictures of any number of channels: some of its functions take four at most, none more than 128 (512 before 5.0)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

MOST_AT_ONCE = 4  # channels that every function takes

Pixels = npt.NDArray[Any]


def four_at_a_time(pixels: Pixels, change: Callable[[Pixels], Any]) -> Pixels:
    """What `change` makes of a picture ``(H, W, C)``, called with up to four channels at a time.

    Parameters
    ----------
    pixels : the picture, C >= 1.
    change : from ``(H, W, c)`` in row order to ``(h, w, c)``, or to ``(h, w)`` for one channel; treats all channels alike.

    Returns
    -------
    ``(h, w, C)``.
    """
    channels = pixels.shape[2]
    parts = []
    for first in range(0, channels, MOST_AT_ONCE):
        part = np.ascontiguousarray(pixels[..., first : first + MOST_AT_ONCE])
        changed = np.asarray(change(part))
        parts.append(changed.reshape(*changed.shape[:2], part.shape[2]))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def resize_channels(pixels: Pixels, size_hw: tuple[int, int], interpolation: int) -> Pixels:
    """A picture ``(H, W, C)`` of any number of channels at another size, as `cv2.resize` does it; keeps dtype."""
    return four_at_a_time(pixels, lambda part: cv2.resize(part, size_hw[::-1], interpolation=interpolation))
