"""A small gray copy of a picture, for comparing pictures with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.sample import Image

SIDE = 64
GRAIN = 3.0  # steps of an 8-bit scale that rounding and JPEG change in a picture of 64 x 64 pixels; less where more are averaged
LEAST_GRAIN = 0.08  # in units of the look: however strong the contrast
DEEP_GRAIN = 0.02  # of pictures of more than 8 bit, whose soft tissue may hardly show beside air and bone
_LARGE = 1 << 20  # values

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Look:
    """A small gray copy of a picture.

    Parameters
    ----------
    pixels : ``(64, 64)`` float16, mean 0, standard deviation 1; height and width are scaled one by one, so that the shape of the
        picture does not matter.
    grain : what rounding and JPEG may have changed, in the units of `pixels`: much in small and in dim pictures, little in deeper
        ones.
    """

    pixels: npt.NDArray[np.float16]
    grain: float


def look_at(image: Image) -> Look | None:
    """The look of a picture ``(H, W, C)`` of any depth; None when it has one value everywhere.

    Three channels become gray as in ITU-R BT.601, as programs do it; other numbers of channels by their mean.
    """
    gray = _shrink(_gray(image)).astype(np.float32)
    kind = cv2.INTER_AREA if min(gray.shape) >= SIDE else cv2.INTER_LINEAR
    gray = np.asarray(cv2.resize(gray, (SIDE, SIDE), interpolation=kind), np.float32)
    gray -= gray.mean()
    spread = float(gray.std())
    if not spread > 0:
        return None
    side = max(SIDE, float(np.sqrt(image.shape[0] * image.shape[1])))
    grain = max(LEAST_GRAIN, GRAIN * SIDE / side / spread) if image.dtype == np.uint8 else DEEP_GRAIN
    return Look((gray / spread).astype(np.float16), grain)


def _gray(image: Image) -> npt.NDArray[Any]:
    """``(H, W)``; in whole numbers only for large pictures, of which many pixels are averaged later."""
    if image.size < _LARGE:
        image = image.astype(np.float32)
    if image.shape[2] == 1:
        return np.ascontiguousarray(image[..., 0])
    if image.shape[2] == 3 and image.dtype in (np.uint8, np.uint16, np.float32):
        return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(image.mean(axis=2, dtype=np.float32))


def _shrink(gray: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Means over blocks of whole pixels, at least four times as many as the look has on a side.

    OpenCV rounds the means of 8-bit pictures; since 16 of them are averaged later, that does no harm.
    """
    step_y, step_x = (max(1, n // (4 * SIDE)) for n in gray.shape)
    if step_y == step_x == 1:
        return gray
    height, width = gray.shape[0] // step_y * step_y, gray.shape[1] // step_x * step_x
    size = width // step_x, height // step_y
    return cv2.resize(np.ascontiguousarray(gray[:height, :width]), size, interpolation=cv2.INTER_AREA)
