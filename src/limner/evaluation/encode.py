"""Pictures inside a page: as data, in the smaller of two formats, and all of them together under a limit."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from limner.evaluation.pictures import Picture

MOST_BYTES = 6_000_000  # of all pictures of a page, written as base64; the rest of a page is below 2 MB
FLAT_SHARE = 0.5
ROUNDS = ((84, 1.0), (65, 1.0), (50, 0.75), (40, 0.5), (30, 0.25))  # JPEG quality and size, tried in this order


def data_uris(pictures: Sequence[Picture], *, most_bytes: int = MOST_BYTES) -> list[str]:
    """Each picture as a ``data:`` address that needs no file beside the page.

    JPEG at full resolution of colour, since thin coloured lines matter here and lossy WebP halves it; PNG where that
    is smaller, as for pictures of flat colours.

    Parameters
    ----------
    pictures : ``(H, W, 3)`` uint8 each.
    most_bytes : how long the addresses may be together; only the last of `ROUNDS` is taken whatever its length.
    """
    found: list[str] = []
    for quality, scale in ROUNDS:
        found = [_encode(picture, quality, scale) for picture in pictures]
        if sum(map(len, found)) <= most_bytes:
            break
    return found


def _encode(picture: Picture, quality: int, scale: float) -> str:
    if scale < 1:
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    jpeg = _bytes(
        ".jpg", bgr, cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    )  # fmt: skip
    png = _bytes(".png", bgr, cv2.IMWRITE_PNG_COMPRESSION, 6) if _is_flat(picture) else jpeg
    kind, content = ("png", png) if len(png) < len(jpeg) else ("jpeg", jpeg)
    return f"data:image/{kind};base64," + base64.b64encode(content).decode("ascii")


def _is_flat(picture: Picture) -> bool:
    """Most pixels equal their left neighbour: only then can PNG be smaller, and it is slow to find out by writing it."""
    return bool((picture[:, 1:] == picture[:, :-1]).all(axis=2).mean() > FLAT_SHARE) if picture.shape[1] > 1 else True


def _bytes(kind: str, bgr: Picture, *options: int) -> bytes:
    return bytes(cv2.imencode(kind, bgr, options)[1].data)
