"""Windows that cover a picture, and the weight with which each of their pixels counts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import numpy.typing as npt


def starts(length: int, size: int, step: int) -> list[int]:
    """Where windows of `size` begin so that they cover `length`; the last one ends at the border.

    Examples
    --------
    >>> starts(10, 4, 3), starts(3, 4, 3)
    ([0, 3, 6], [0])
    """
    if length <= size:
        return [0]
    return [*range(0, length - size, step), length - size]


def tiles(size_hw: tuple[int, int], tile: int, *, overlap: float) -> Iterator[tuple[slice, slice]]:
    """Square windows of side `tile` (cut at a picture that is smaller), neighbours sharing at least `overlap` of a side."""
    step = max(1, round(tile * (1 - overlap)))
    for y, x in product(starts(size_hw[0], tile, step), starts(size_hw[1], tile, step)):
        yield slice(y, min(y + tile, size_hw[0])), slice(x, min(x + tile, size_hw[1]))


def blend_weight(size_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A Gaussian over the window, sigma an eighth of each side, never below 1e-3: ``(h, w)`` float32, 1 in the middle.

    References
    ----------
    Isensee et al. 2021, doi:10.1038/s41592-020-01008-z.
    """
    profiles = []
    for n in size_hw:
        x = (np.arange(n) - (n - 1) / 2) / max(n / 8, 1e-6)
        profiles.append(np.exp(-0.5 * x**2))
    return np.asarray(np.maximum(np.outer(*profiles), 1e-3), np.float32)
