"""Draw the parameters of one variation; geometry is then a single warp of image and labels alike.

From the cached picture to the patch there is one interpolation, bilinear for the image and nearest for labels, whether the
warp is affine or bent (`limner.training.deform`). What happens to intensities stands in `limner.training.intensity`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.recipe_parts import AugmentationPart
from limner.data.many_channels import four_at_a_time
from limner.training.deform import Deformation, draw_deformation, source_box, source_map, source_matrix

SHRINK = (2.0, 5.0)  # how much a patch of low resolution is shrunk
REMAP_BELOW = 2**15 - 1  # sides of a picture that `cv2.remap` takes
QUALITY = (30, 90)  # of JPEG files: from plain artefacts to hardly visible ones

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
    deformation : what bends the patch beyond the matrix, or None.
    shrink : the patch is shrunk by this factor and enlarged again; 1 = not. jpeg : quality of a JPEG file; 0 = none.
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
    deformation: Deformation | None = None
    shrink: float = 1.0
    jpeg: int = 0


def _right_angle(angle: float, most_degrees: float) -> float:
    """The nearest multiple of a right angle in radians, 0 where that turns further than a recipe allows."""
    turned = round(angle / (math.pi / 2)) * math.pi / 2
    return turned if abs(turned) <= math.radians(most_degrees) + 1e-9 else 0.0


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

    What is drawn in which order is part of what a seed means: new variations are drawn last, and only where they are asked for.

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
        zoom, angle = 1.0, _right_angle(angle, part.rotation_degrees)
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
        deformation=None if exact else draw_deformation(rng, part, patch_hw=patch_hw),
        shrink=rng.uniform(*SHRINK) if part.low_resolution and rng.random() < part.low_resolution else 1.0,
        jpeg=int(rng.integers(QUALITY[0], QUALITY[1] + 1)) if part.jpeg and rng.random() < part.jpeg else 0,
    )


def warp(variation: Variation, image: Array, labels: Array, patch_hw: tuple[int, int]) -> tuple[Array, Array]:
    """The patch of image ``(h, w, C)`` and labels ``(h, w)``; outside, the picture is mirrored and labels alike."""
    size, bent, border = patch_hw[::-1], variation.deformation, cv2.BORDER_REFLECT_101
    if bent is None:
        patch = four_at_a_time(
            image, lambda part: cv2.warpAffine(part, variation.matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
        )
        target = cv2.warpAffine(labels, variation.matrix, size, flags=cv2.INTER_NEAREST, borderMode=border)
    elif bent.has_field:
        place, x, y = _bent(variation.matrix, bent, patch_hw, labels)
        patch = four_at_a_time(image[place], lambda part: cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=border))
        target = cv2.remap(labels[place], x, y, cv2.INTER_NEAREST, borderMode=border)
    else:
        back, inverse = source_matrix(variation.matrix, bent), cv2.WARP_INVERSE_MAP
        flags = cv2.INTER_LINEAR | inverse
        patch = four_at_a_time(
            image, lambda part: cv2.warpPerspective(part, back, size, flags=flags, borderMode=border)
        )
        target = cv2.warpPerspective(labels, back, size, flags=cv2.INTER_NEAREST | inverse, borderMode=border)
    return patch, target


def _bent(
    matrix: npt.NDArray[np.float64], bent: Deformation, patch_hw: tuple[int, int], labels: Array
) -> tuple[tuple[slice, slice], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The part of a picture that a bent patch is made from, and where in it each pixel of the patch lies: x and y.

    Of all but the largest pictures it is the whole: a part that began in an odd row could round halves to another pixel.
    """
    x, y = source_map(matrix, bent, patch_hw)
    height, width = labels.shape
    if max(height, width) < REMAP_BELOW:
        return (slice(None), slice(None)), x, y
    back = source_matrix(matrix, bent)
    top, bottom, left, right = source_box(back, bent, patch_hw=patch_hw, size_hw=(height, width))
    top, left = top - top % 2, left - left % 2
    return (slice(top, bottom), slice(left, right)), x - np.float32(left), y - np.float32(top)


def warp_ids(variation: Variation, ids: Array, patch_hw: tuple[int, int], *, beyond: int) -> Array:
    """The patch of object ids ``(h, w)`` uint16: nearest, never mixed; `beyond` outside of the picture.

    Images and labels are mirrored there, ids are not: a mirrored object would be one with that which it is the image of.
    """
    size, bent, border = patch_hw[::-1], variation.deformation, cv2.BORDER_CONSTANT
    if bent is None:
        found = cv2.warpAffine(
            ids, variation.matrix, size, flags=cv2.INTER_NEAREST, borderMode=border, borderValue=(beyond,)
        )
    elif bent.has_field:
        place, x, y = _bent(variation.matrix, bent, patch_hw, ids)
        found = cv2.remap(ids[place], x, y, cv2.INTER_NEAREST, borderMode=border, borderValue=(beyond,))
    else:
        back, flags = source_matrix(variation.matrix, bent), cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        found = cv2.warpPerspective(ids, back, size, flags=flags, borderMode=border, borderValue=(beyond,))
    return found
