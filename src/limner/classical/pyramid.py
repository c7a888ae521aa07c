"""From coarse to fine: a method decides on a small copy, and only pixels near the outline are looked at again in larger ones."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from limner.classical.gray import Gray, Mask, disc

SMALLEST = 32  # pixels of the shorter side; no copy is made smaller
BAND = 2  # pixels on either side of an enlarged outline that are decided anew
REACH = 8  # pixels around which the brightness of both sides is looked up


def segment_pyramid(picture: Gray, segment: Callable[[Gray], Mask], *, levels: int) -> Mask:
    """Apply `segment` to the coarsest copy and refine its answer on each finer one.

    Parameters
    ----------
    picture : ``(H, W)``, or ``(H, W, M)`` with the brightness as the first of M planes.
    segment : any method of this package; it is given a smaller `picture`.
    levels : how often the picture is halved; 0 = `segment` sees the picture itself. Fewer where a side would fall below 32.

    Returns
    -------
    ``(H, W)`` bool.

    References
    ----------
    Burt, Adelson 1983, doi:10.1109/TCOM.1983.1095851, for pyramids; Bouman, Liu 1991, IEEE TPAMI 13, 99-113, for
    segmentation from coarse to fine.
    """
    copies = [picture]
    while len(copies) <= levels and min(copies[-1].shape[:2]) >= 2 * SMALLEST:
        copies.append(halve(copies[-1]))
    mask = segment(copies.pop())
    for copy in reversed(copies):
        mask = refine(mask, copy if copy.ndim == 2 else np.ascontiguousarray(copy[..., 0]))
    return mask


def halve(picture: Gray) -> Gray:
    """``(H, W)`` or ``(H, W, M)`` to half the size, rounded up: each pixel the mean of those that it covers."""
    height, width = picture.shape[:2]
    size = (width + 1) // 2, (height + 1) // 2
    if picture.ndim == 2:
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
    # plane by plane: OpenCV resizes four at most at once
    return np.stack([halve(np.ascontiguousarray(picture[..., index])) for index in range(picture.shape[2])], axis=2)


def refine(coarse: Mask, gray: Gray) -> Mask:
    """`coarse` at the size of `gray`, its outline moved to where the brightness changes.

    Parameters
    ----------
    coarse : ``(h, w)`` bool.
    gray : ``(H, W)``.

    Returns
    -------
    ``(H, W)`` bool. A pixel near the outline joins the side whose mean brightness within `REACH` is nearer to its own; where one
    side is too small to have a mean there, it stays as it was.
    """
    height, width = gray.shape
    mask = cv2.resize(coarse.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    inner, outer = cv2.erode(mask, disc(BAND)), cv2.dilate(mask, disc(BAND))
    sure_object, sure_background = inner.astype(np.float32), (1 - outer).astype(np.float32)
    near_object, knows_object = _local_mean(gray, sure_object)
    near_background, knows_background = _local_mean(gray, sure_background)
    decided = np.abs(gray - near_object) < np.abs(gray - near_background)
    open_to_doubt = (inner != outer) & knows_object & knows_background
    return np.where(open_to_doubt, decided, mask > 0)


def _local_mean(gray: Gray, weight: Gray) -> tuple[Gray, Mask]:
    """Mean of `gray` where `weight` is 1, within `REACH` of each pixel, and whether there was any."""
    side = (2 * REACH + 1, 2 * REACH + 1)
    total = cv2.boxFilter(gray * weight, cv2.CV_32F, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(weight, cv2.CV_32F, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total / np.maximum(count, 1), np.float32), np.asarray(count > 0.5)
