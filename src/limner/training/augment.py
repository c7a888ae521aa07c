"""Draw the parameters of one variation, then apply them to image and labels alike.

Geometry is a single affine warp from the cached picture to the patch: one interpolation, bilinear for the image and
nearest for labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.recipe_parts import AugmentationPart

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Variation:
    """One drawn variation.

    Parameters
    ----------
    matrix : ``(2, 3)`` from picture to patch coordinates, x before y.
    gain, offset, gamma : intensity ``255 * (((x - mean) * gain + mean + offset) / 255) ** gamma``.
    channel_gain : one factor per channel.
    noise : standard deviation in 0..255; blur : standard deviation in pixels; invert : bright becomes dark.
    seed : of the noise.
    """

    matrix: npt.NDArray[np.float64]
    gain: float
    offset: float
    gamma: float
    channel_gain: tuple[float, ...]
    noise: float
    blur: float
    invert: bool
    seed: int


def draw(
    rng: np.random.Generator,
    part: AugmentationPart,
    *,
    center_xy: tuple[float, float],
    size_hw: tuple[int, int],
    patch_hw: tuple[int, int],
    channels: int,
) -> Variation:
    """Draw a variation whose patch is centred on `center_xy` as far as the picture's border allows.

    Parameters
    ----------
    rng : source of all randomness.
    center_xy : wanted centre in the picture.
    size_hw, patch_hw : size of the picture and of the patch.
    """
    zoom = math.exp(rng.uniform(math.log(part.scale_min), math.log(part.scale_max)))
    angle = math.radians(rng.uniform(-part.rotation_degrees, part.rotation_degrees))
    exact = rng.random() < part.exact_share
    if exact:
        zoom, angle = 1.0, round(angle / (math.pi / 2)) * math.pi / 2
    mirror_x = -1.0 if part.flip_x and rng.random() < 0.5 else 1.0
    mirror_y = -1.0 if part.flip_y and rng.random() < 0.5 else 1.0
    linear = zoom * np.array(
        [
            [math.cos(angle) * mirror_x, -math.sin(angle) * mirror_x],
            [math.sin(angle) * mirror_y, math.cos(angle) * mirror_y],
        ]
    )
    half_y, half_x = (min(p / 2 / zoom, n / 2) for p, n in zip(patch_hw, size_hw, strict=True))
    x = min(max(center_xy[0], half_x), size_hw[1] - half_x)
    y = min(max(center_xy[1], half_y), size_hw[0] - half_y)
    # pixel centres lie at whole numbers, so the middle of n pixels is at (n - 1) / 2
    shift = np.array([(patch_hw[1] - 1) / 2, (patch_hw[0] - 1) / 2]) - linear @ np.array([x - 0.5, y - 0.5])
    if exact:
        linear, shift = linear.round(), shift.round()
    vary = rng.random() < 0.8
    return Variation(
        matrix=np.hstack([linear, shift[:, None]]),
        gain=1 + (rng.uniform(-part.contrast, part.contrast) if vary else 0.0),
        offset=255 * (rng.uniform(-part.brightness, part.brightness) if vary else 0.0),
        gamma=math.exp(rng.uniform(-part.gamma, part.gamma) if vary else 0.0),
        channel_gain=tuple(1 + rng.uniform(-part.color, part.color, channels)) if vary and part.color else (),
        noise=255 * (rng.uniform(0, part.noise) if part.noise and rng.random() < 0.3 else 0.0),
        blur=rng.uniform(0.4, 1.5) if rng.random() < part.blur else 0.0,
        invert=part.invert and rng.random() < 0.3,
        seed=int(rng.integers(2**31)),
    )


def warp(variation: Variation, image: Array, labels: Array, patch_hw: tuple[int, int]) -> tuple[Array, Array]:
    """The patch of image ``(h, w, C)`` and labels ``(h, w)``; outside, the picture is mirrored and labels alike."""
    size = patch_hw[::-1]
    patch = cv2.warpAffine(image, variation.matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    target = cv2.warpAffine(labels, variation.matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
    return patch.reshape(*patch_hw, image.shape[2]), target


def change_intensity(variation: Variation, patch: Array) -> npt.NDArray[np.float32]:
    """The patch ``(h, w, C)`` in 0..255 with other brightness, contrast, gamma, colour, noise and blur."""
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
        x = cv2.GaussianBlur(x, (0, 0), variation.blur).reshape(patch.shape)
    if variation.noise:
        x = x + np.random.default_rng(variation.seed).normal(0, variation.noise, x.shape).astype(np.float32)
    return np.asarray(x, np.float32)
