"""A small gray copy of a picture, for comparing pictures with each other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.sample import Image

SIDE = 64
GRAIN = 3.0  # steps of an 8-bit scale that rounding and JPEG change in a picture of 64 x 64 pixels; less where more are averaged
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as programs turn colour into gray

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Look:
    """A small gray copy of a picture.

    Parameters
    ----------
    pixels : ``(64, 64)`` float16, mean 0, standard deviation 1; height and width are scaled one by one, so that the shape of the
        picture does not matter.
    grain : what rounding and JPEG may have changed, in the units of `pixels`: much in small and in dim pictures, 0 in deeper ones.
    """

    pixels: npt.NDArray[np.float16]
    grain: float


def look_at(image: Image) -> Look | None:
    """The look of a picture ``(H, W, C)`` of any depth; None when it has one value everywhere.

    Three channels become gray as programs do it, other numbers of channels by their mean.
    """
    small = _shrink(image).astype(np.float32)
    gray = small @ _LUMA if small.shape[2] == 3 else small.mean(axis=2)
    kind = cv2.INTER_AREA if min(gray.shape) >= SIDE else cv2.INTER_LINEAR
    gray = np.asarray(cv2.resize(gray, (SIDE, SIDE), interpolation=kind), np.float32)
    gray -= gray.mean()
    spread = float(gray.std())
    if not spread > 0:
        return None
    side = max(SIDE, float(np.sqrt(image.shape[0] * image.shape[1])))
    grain = GRAIN * SIDE / side / spread if image.dtype == np.uint8 else 0.0
    return Look((gray / spread).astype(np.float16), grain)


def _shrink(image: Image) -> Image:
    """Means over blocks of whole pixels, at least four times as many as the look has on a side.

    OpenCV rounds the means of 8-bit pictures; since 16 of them are averaged later, that does no harm.
    """
    step_y, step_x = (max(1, n // (4 * SIDE)) for n in image.shape[:2])
    if step_y == step_x == 1:
        return image
    if image.shape[2] > 4:  # more channels than OpenCV scales at once
        image = image.mean(axis=2, keepdims=True, dtype=np.float32)
    height, width = image.shape[0] // step_y * step_y, image.shape[1] // step_x * step_x
    size = width // step_x, height // step_y
    small = cv2.resize(np.ascontiguousarray(image[:height, :width]), size, interpolation=cv2.INTER_AREA)
    return small if small.ndim == 3 else small[..., None]
