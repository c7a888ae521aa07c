"""Small pictures with their classes on a layer of their own, encoded so that a page can hold them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.core.labels import LabelSpace
from limner.evaluation.pictures import Picture, to_display

SIDE = 320  # pixels of the longer side; shown at about half of that, so that it is sharp on fine screens too
NOT_KNOWN = (150, 150, 150)
FILL, EDGE, VEIL = 70, 255, 120  # opacity, of 255, of areas, of their outlines, and of pixels that are not known
_SHOWN = 0.2  # share of a small pixel that a class must cover to be drawn
_DARK = 110  # a picture whose brightest percent is below is stretched, else nothing would be seen


@dataclass(frozen=True)
class Thumbnail:
    """A small picture.

    Parameters
    ----------
    picture : data URI of a JPEG.
    outlines : data URI of a PNG of the same size, transparent but for the classes; empty when there are none to draw.
    width, height : of both, in pixels.
    is_stretched : the picture is shown brighter than it is.
    """

    picture: str
    outlines: str
    width: int
    height: int
    is_stretched: bool


def make_thumbnail(
    image: npt.NDArray[Any],
    labels: npt.NDArray[np.integer] | None,
    label_space: LabelSpace,
    *,
    valid: npt.NDArray[np.bool_] | None = None,
) -> Thumbnail:
    """A thumbnail of a picture with its labels.

    Parameters
    ----------
    image : ``(H, W, C)`` of any depth.
    labels : ``(H, W)`` class ids, or None.
    label_space : the colours.
    valid : ``(H, W)`` bool, False where the labels are not known; None means everywhere known.
    """
    small, is_stretched = small_picture(image)
    outlines = "" if labels is None else _png(class_layer(labels, label_space, small.shape[:2], valid=valid))
    return Thumbnail(_jpeg(small), outlines, small.shape[1], small.shape[0], is_stretched)


def small_picture(image: npt.NDArray[Any], side: int = SIDE) -> tuple[Picture, bool]:
    """The picture as 8-bit RGB with its longer side at most `side`, and whether its contrast was stretched."""
    scale = min(1.0, side / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    shown = image[..., : min(image.shape[2], 3)]
    if scale < 1:
        shown = cv2.resize(np.ascontiguousarray(shown), size, interpolation=cv2.INTER_AREA)
        shown = shown if shown.ndim == 3 else shown[..., None]
    is_dark = shown.dtype == np.uint8 and shown.min() < shown.max() and float(np.percentile(shown, 99)) < _DARK
    return to_display(shown, stretch=is_dark), is_dark or shown.dtype != np.uint8


def class_layer(
    labels: npt.NDArray[np.integer],
    label_space: LabelSpace,
    size_hw: tuple[int, int],
    *,
    valid: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.uint8]:
    """The classes as a transparent layer.

    Parameters
    ----------
    labels : ``(H, W)`` class ids.
    label_space : the colours; the background is not drawn.
    size_hw : of the layer; a small object is drawn where it covers a fifth of a pixel of the layer.
    valid : ``(H, W)`` bool, or None; what is not known is veiled in gray.

    Returns
    -------
    ``(h, w, 4)`` uint8: red, green, blue, opacity.
    """
    layer = np.zeros((*size_hw, 4), np.uint8)
    if valid is not None:
        layer[_covered(~valid, size_hw)] = (*NOT_KNOWN, VEIL)
    for index in np.unique(labels).tolist():
        if index == 0 or index >= len(label_space):
            continue
        mask = labels == index
        area = _covered(mask if valid is None else mask & valid, size_hw)
        inner = cv2.erode(area.view(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE) > 0
        layer[area] = (*label_space.colors[index], FILL)
        layer[area & ~inner] = (*label_space.colors[index], EDGE)
    return layer


def _covered(mask: npt.NDArray[np.bool_], size_hw: tuple[int, int]) -> npt.NDArray[np.bool_]:
    if mask.shape == size_hw:
        return mask
    share = cv2.resize(mask.astype(np.float32), (size_hw[1], size_hw[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(share >= _SHOWN)


def _jpeg(picture: Picture) -> str:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _png(layer: npt.NDArray[np.uint8]) -> str:
    if not layer[..., 3].any():
        return ""
    content = io.BytesIO()
    Image.fromarray(layer).save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
