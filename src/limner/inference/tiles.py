"""Windows that cover a picture, and the weight with which each of their pixels counts.

Windows begin at multiples of the coarsest stride of usual networks: shifted by less, a network that halves its maps five times
answers a little differently everywhere, not only at its borders (Zhang 2019, arXiv:1904.11486), and tiles would disagree with the
picture in one piece. What remains is the missing surroundings at a window's border. So windows overlap by what networks look at,
however small the tiles, and pixels at a border hardly count::

    weight    1 |        ________________
                |       /                \\
                |      /                  \\
    1/1000      |_____/                    \\_____
                 <--- overlap --->
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

STRIDE = 32  # of the coarsest map of usual encoders
LEAST_OVERLAP = (
    128  # pixels: half of them surround a tile on each side; usual networks look that far (`benchmarks/huge.py`)
)
FULL_OVERLAP = (
    512  # larger tiles overlap by no more than tiles of this side: what a network looks at does not grow with them
)
LEAST_WEIGHT = 1e-3


def overlap_of(tile: int, share: float) -> int:
    """Pixels that neighbouring windows have in common: `share` of the side, at least `LEAST_OVERLAP`; none for a share of 0."""
    wanted = -(-round(min(tile, FULL_OVERLAP) * share) // STRIDE) * STRIDE
    return max(LEAST_OVERLAP, wanted) if share else 0


def spans(length: int, tile: int, *, overlap: float, mirrored: bool = False) -> list[slice]:
    """Windows that cover `length`, evenly, beginning at multiples of `STRIDE`; the last ends at the border.

    Parameters
    ----------
    tile : what a window answers for; it sees half the overlap more on each side.
    overlap : see `overlap_of`.
    mirrored : the network also sees each window mirrored along this axis. All windows then end as far from the border as
        multiples of `STRIDE`, too, so that mirrored windows agree with the mirrored picture.

    Examples
    --------
    >>> [(s.start, s.stop) for s in spans(600, 200, overlap=0.25)]
    [(0, 288), (160, 448), (320, 600)]
    >>> [(s.start, s.stop) for s in spans(600, 200, overlap=0.25, mirrored=True)]
    [(0, 312), (160, 472), (320, 600)]
    >>> spans(5, 64, overlap=0.25)
    [slice(0, 5, None)]
    """
    common = overlap_of(tile, overlap) + (length % STRIDE if mirrored else 0)
    longest = max(STRIDE, tile // STRIDE * STRIDE)
    if length <= max(tile, longest + common):
        return [slice(0, length)]
    count = -(-(length - common) // longest)
    step = -(-(length - common) // (count * STRIDE)) * STRIDE  # even windows cost least
    return [slice(start, min(start + step + common, length)) for start in range(0, length - common, step)]


@dataclass(frozen=True)
class Axis:
    """The windows along one axis, and how much each pixel of each counts.

    Parameters
    ----------
    spans : see `spans`.
    weights : one float32 array per window; for each pixel of the picture they add up to 1.
    """

    spans: tuple[slice, ...]
    weights: tuple[npt.NDArray[np.float32], ...]


def make_axis(length: int, tile: int, *, overlap: float, mirrored: bool = False) -> Axis:
    """The windows of `spans` and their weights."""
    windows = spans(length, tile, overlap=overlap, mirrored=mirrored)
    profiles = [np.ones(window.stop - window.start) for window in windows]
    for (before, after), (low, high) in zip(pairwise(windows), pairwise(profiles), strict=True):
        common = before.stop - after.start
        if common > 0:
            ramp = blend_ramp(common)
            low[-common:] *= ramp[::-1]
            high[:common] *= ramp
    total = np.zeros(length)
    for window, profile in zip(windows, profiles, strict=True):
        total[window] += profile
    weights = (profile / total[window] for window, profile in zip(windows, profiles, strict=True))
    return Axis(tuple(windows), tuple(weight.astype(np.float32) for weight in weights))


def blend_ramp(common: int) -> npt.NDArray[np.float64]:
    """How much a window counts over the `common` pixels from its border inwards: `LEAST_WEIGHT` over the first quarter, rising
    over the middle half, 1 over the last quarter.
    """
    place = (np.arange(common) + 0.5) / common
    return np.asarray(np.clip((place - 0.25) * 2, LEAST_WEIGHT, 1.0))


def tiles(size_hw: tuple[int, int], tile: int, *, overlap: float) -> Iterator[tuple[slice, slice]]:
    """All windows of a picture, row by row."""
    columns = spans(size_hw[1], tile, overlap=overlap)
    for rows in spans(size_hw[0], tile, overlap=overlap):
        for column in columns:
            yield rows, column
