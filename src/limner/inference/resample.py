"""Rows of a resized picture, each with the values that `limner.data.preprocess.resize_image` gives it in the whole picture.

One output pixel is a weighted mean of input pixels along each axis::

    area      weight of input pixel j in output pixel i = length of [i s, (i+1) s] inside [j, j+1], over s;  s = n_in / n_out
    linear    the two neighbours of (i + 1/2) s - 1/2, half-pixel centres, cut at the borders
    mixed     linear with the positions that OpenCV takes when it should average but one axis grows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.many_channels import resize_channels

Method = Literal["area", "linear", "mixed"]


def method_of(size_hw: tuple[int, int], target_hw: tuple[int, int]) -> Method:
    """How `resize_image` would go from one size to the other."""
    if target_hw[0] * target_hw[1] >= size_hw[0] * size_hw[1]:
        return "linear"
    return "area" if target_hw[0] <= size_hw[0] and target_hw[1] <= size_hw[1] else "mixed"


@dataclass(frozen=True)
class Taps:
    """The weights of one axis.

    Parameters
    ----------
    index : ``(n_out, T)`` input pixels, rising along the second axis.
    weight : ``(n_out, T)`` float32, rows add up to 1.
    """

    index: npt.NDArray[np.intp]
    weight: npt.NDArray[np.float32]

    def needed(self, start: int, stop: int) -> tuple[int, int]:
        """First and one behind the last input pixel of the outputs ``start`` to ``stop - 1``."""
        return int(self.index[start, 0]), int(self.index[stop - 1, -1]) + 1

    def rows(self, pixels: npt.NDArray[np.float32], first: int, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Output rows ``start`` to ``stop - 1``, ``(stop - start, ...)``, from input rows that begin with row `first`."""
        index = self.index[start:stop] - first
        weight = self.weight[start:stop].reshape(stop - start, -1, *(1,) * (pixels.ndim - 1))
        out = pixels[index[:, 0]] * weight[:, 0]
        for tap in range(1, index.shape[1]):
            if weight[:, tap].any():
                out += pixels[index[:, tap]] * weight[:, tap]
        return np.asarray(out, np.float32)


def taps(n_in: int, n_out: int, method: Method) -> Taps:
    """The weights from `n_in` to `n_out` pixels."""
    step = n_in / n_out
    out = np.arange(n_out)
    if method == "area":
        low, high = out * step, np.minimum((out + 1) * step, n_in)
        first = np.floor(low + 1e-9).astype(np.intp)
        index = first[:, None] + np.arange(int(np.ceil(step - 1e-9)) + 1)
        inside = np.minimum(high[:, None], index + 1) - np.maximum(low[:, None], index)
        weight = np.clip(inside, 0, 1)
        weight[weight < 1e-6] = 0
        weight /= weight.sum(axis=1, keepdims=True)
    else:
        if method == "linear":
            center = (out + 0.5) * step - 0.5
            first = np.floor(center).astype(np.intp)
            share = center - first
        else:
            first = np.floor(out * step).astype(np.intp)
            share = (out + 1) - (first + 1) / step
            share = np.where(share <= 0, 0, share - np.floor(share))
        index = np.stack([first, first + 1], axis=1)
        weight = np.stack([1 - share, share], axis=1)
    return Taps(np.clip(index, 0, n_in - 1), weight.astype(np.float32))


def resize_columns(pixels: npt.NDArray[np.float32], width: int, method: Method) -> npt.NDArray[np.float32]:
    """Rows ``(h, w, C)`` with `width` columns; OpenCV leaves the height alone and so gives each row what it would have
    in the whole picture.
    """
    if pixels.shape[1] == width:
        return pixels
    if method == "mixed":
        turned = np.ascontiguousarray(pixels.swapaxes(0, 1))
        return taps(pixels.shape[1], width, method).rows(turned, 0, 0, width).swapaxes(0, 1)
    kind = cv2.INTER_AREA if method == "area" else cv2.INTER_LINEAR
    return np.asarray(resize_channels(pixels, (pixels.shape[0], width), kind), np.float32)
