"""Pictures for people: overlays, differences, outlines, triptychs and maps of mistakes.

Colours of differences are those of Okabe and Ito, which people with any kind of colour vision can tell apart.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.labels import LabelSpace
from limner.evaluation.error_map import KINDS

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

CORRECT, MISSED, FALSE_ALARM, WRONG_CLASS = (0, 158, 115), (240, 170, 20), (213, 74, 160), (86, 180, 233)
LABEL_LINE, PREDICTION_LINE = (90, 200, 255), (255, 120, 0)  # outlines on a dark rim: seen on any picture
RIGHT_SHARE = 0.35  # how much white the rightly found foreground of an error map gets


def to_display(image: npt.NDArray[Any], *, stretch: bool = False) -> Picture:
    """An image of any depth and channel count as 8-bit RGB.

    Parameters
    ----------
    image : ``(H, W)`` or ``(H, W, C)``; 1 channel becomes gray, 2 become red and green, of more the first 3 are shown.
    stretch : also stretch 8-bit pictures; all others always are, from their 0.5 to their 99.5 percentile.

    Returns
    -------
    ``(H, W, 3)`` uint8; not finite values become 0, a picture of one value that is not 8-bit becomes black.
    """
    shown = image[..., None] if image.ndim == 2 else image[..., :3]
    if shown.dtype == np.bool_:
        shown = shown.astype(np.uint8) * 255
    if stretch or shown.dtype != np.uint8:
        values = np.nan_to_num(shown.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        low, high = np.percentile(values, (0.5, 99.5)) if values.size else (0.0, 1.0)
        if high <= low:  # a few bright pixels on nothing
            low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        shown = np.rint(np.clip((values - low) / ((high - low) or 1.0), 0, 1) * 255).astype(np.uint8)
    if shown.shape[2] == 1:
        return np.repeat(shown, 3, axis=2)
    if shown.shape[2] == 2:
        return np.concatenate([shown, np.zeros_like(shown[..., :1])], axis=2)
    return np.ascontiguousarray(shown)


def overlay(
    image: npt.NDArray[Any],
    labels: npt.NDArray[np.integer],
    label_space: LabelSpace,
    *,
    opacity: float = 0.45,
    outline: bool = True,
) -> Picture:
    """The picture with its classes in colour; the background stays as it is.

    Parameters
    ----------
    image : ``(H, W, C)`` of any depth, see `to_display`.
    labels : ``(H, W)`` class ids of `label_space`.
    opacity : of the colour, 0 to 1.
    outline : draw the inner border of each region in full colour, about 1 / 700 of the longer side wide.

    Returns
    -------
    ``(H, W, 3)`` uint8.
    """
    shown = to_display(image)
    colors = np.array(label_space.colors, np.float32)[labels]
    strength = np.where(labels > 0, np.float32(opacity), np.float32(0))
    if outline:
        strength[_outline(labels)] = 1.0
    blended: Picture = np.rint(shown + (colors - shown) * strength[..., None]).astype(np.uint8)
    return blended


def difference(
    image: npt.NDArray[Any],
    pred: npt.NDArray[np.integer],
    target: npt.NDArray[np.integer],
    *,
    valid: Mask | None = None,
    opacity: float = 0.75,
) -> Picture:
    """Where prediction and truth agree and where not, on a gray copy of the picture.

    Parameters
    ----------
    image : ``(H, W, C)`` of any depth.
    pred, target : ``(H, W)`` class ids, 0 = background.
    valid : ``(H, W)`` bool; no colour where it is False.
    opacity : of the colours, 0 to 1.

    Returns
    -------
    ``(H, W, 3)`` uint8; `CORRECT` foreground, `MISSED`, `FALSE_ALARM` and `WRONG_CLASS` in their colours.
    """
    known = np.ones(target.shape, np.bool_) if valid is None else valid
    found, true = pred > 0, target > 0
    kinds: tuple[tuple[Mask, tuple[int, int, int]], ...] = (
        (true & (pred == target), CORRECT), (true & ~found, MISSED),
        (found & ~true, FALSE_ALARM), (found & true & (pred != target), WRONG_CLASS),
    )  # fmt: skip
    shown = _gray(image)
    for where, color in kinds:
        shown[where & known] += (np.array(color, np.float32) - shown[where & known]) * opacity
    drawn: Picture = np.rint(shown).astype(np.uint8)
    return drawn


def error_picture(
    image: npt.NDArray[Any], kinds: npt.NDArray[np.uint8], right: Mask, *, opacity: float = 0.9
) -> Picture:
    """The mistakes in the colours of their kinds on a gray copy of the picture; the rightly found foreground is lighter.

    Parameters
    ----------
    image : ``(H, W, C)`` of any depth.
    kinds : ``(H, W)``, see `limner.evaluation.error_map.find_errors`.
    right : ``(H, W)`` bool, foreground that was found.
    opacity : of the colours, 0 to 1.

    Returns
    -------
    ``(H, W, 3)`` uint8.
    """
    colors = np.array([(0, 0, 0), *(kind.color for kind in KINDS)], np.float32)[kinds]
    shown = _gray(image)
    shown[right] += (255 - shown[right]) * RIGHT_SHARE
    drawn: Picture = np.rint(np.where(kinds[..., None] > 0, shown + (colors - shown) * opacity, shown)).astype(np.uint8)
    return drawn


def two_outlines(image: npt.NDArray[Any], target: npt.NDArray[np.integer], pred: npt.NDArray[np.integer]) -> Picture:
    """The borders of label (`LABEL_LINE`) and prediction (`PREDICTION_LINE`) on the picture, each on a dark rim.

    Parameters
    ----------
    image : ``(H, W, C)`` of any depth.
    target, pred : ``(H, W)`` class ids.

    Returns
    -------
    ``(H, W, 3)`` uint8; where both lines run, that of the prediction is seen.
    """
    shown = to_display(image).copy()
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    lines = [(_outline(labels), color) for labels, color in ((target, LABEL_LINE), (pred, PREDICTION_LINE))]
    for line, _ in lines:
        shown[cv2.dilate(line.astype(np.uint8), cross) > 0] = (20, 20, 20)
    for line, color in lines:
        shown[line] = color
    return shown


def triptych(
    image: npt.NDArray[Any],
    target: npt.NDArray[np.integer],
    pred: npt.NDArray[np.integer],
    label_space: LabelSpace,
    *,
    bar: int = 8,
) -> Picture:
    """Picture, truth and prediction beside each other, separated by white bars; classes in their colours on black.

    Parameters
    ----------
    image : ``(H, W, C)`` of any depth and any number of channels.
    target, pred : ``(H, W)`` class ids of `label_space`.
    bar : width of a white bar in pixels.

    Returns
    -------
    ``(H, 3 * W + 2 * bar, 3)`` uint8.
    """
    colors = np.array(label_space.colors, np.uint8)
    white = np.full((target.shape[0], bar, 3), 255, np.uint8)
    return np.concatenate([to_display(image), white, colors[target], white, colors[pred]], axis=1)


def _gray(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.repeat(to_display(image).astype(np.float32).mean(2, keepdims=True) * np.float32(0.75), 3, axis=2)


def _outline(labels: npt.NDArray[np.integer]) -> Mask:
    width = max(1, round(max(labels.shape) / 700))
    ids = labels.astype(np.uint16)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    low, high = cv2.erode(ids, cross, iterations=width), cv2.dilate(ids, cross, iterations=width)
    return np.asarray((labels > 0) & ((low != ids) | (high != ids)), np.bool_)
