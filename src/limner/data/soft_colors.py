"""Colour masks that were smoothed, scaled or saved as JPEG: which colours are classes, and which merely lie between classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.data.masks import UNKNOWN, MaskReading, MaskStats, as_colors

MOST_COLORS = 64
SAME_COLOR = 24  # two colours that differ no more than this in each channel are one that JPEG changed
LEAST_INSIDE = 0.2  # share of a colour's pixels whose neighbours have the same colour, from which it fills areas
MOST_BETWEEN = 0.25  # share of all pixels with colours between the classes; above, it is a picture and no mask
LEAST_OF_ALL = 1e-4  # share of all pixels from which a colour in a JPEG can be a class
_CELL = 3  # bits of a channel that do not matter for the nearest colour


@dataclass(frozen=True)
class NearestColor(MaskReading):
    """A reading by colour in which a colour that is not in the table means the nearest one there (Euclidean, in RGB)."""

    def ids(self, values: npt.NDArray[Any], scale: int) -> npt.NDArray[np.int32]:
        """The id of each colour ``r << 16 | g << 8 | b``; others than those of the table are looked up in cells of 8 x 8 x 8."""
        exact = super().ids(values, scale)
        axis = np.arange(0, 256, 1 << _CELL) + ((1 << _CELL) - 1) / 2
        cells = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        known = channels_of(color for color, _ in self.table)
        targets = np.array([index for _, index in self.table], np.int32)
        nearest = targets[((cells[:, None] - known[None]) ** 2).sum(axis=2).argmin(axis=1)]
        place = np.zeros(values.shape, np.int32)
        for shift in (16, 8, 0):
            place = place << 8 - _CELL | (values >> shift + _CELL & (1 << 8 - _CELL) - 1).astype(np.int32)
        return np.where(exact == UNKNOWN, nearest[place], exact).astype(np.int32)


def channels_of(colors: Iterable[int]) -> npt.NDArray[np.float64]:
    """``(N, 3)`` red, green and blue of N colours."""
    return np.array([(c >> 16, c >> 8 & 255, c & 255) for c in colors], np.float64).reshape(-1, 3)


def colors_in(stats: MaskStats) -> list[int]:
    """The colours of a file, in the order of its values."""
    return [int(color) for color in as_colors(np.array(stats.values), stats.kind, stats.palette)]


@dataclass(frozen=True)
class ColorCensus:
    """All colours of all files.

    Parameters
    ----------
    pixels : of each colour.
    inside : of these, those whose neighbours have the same colour.
    is_lossy : some files have very many colours most of which fill no area, as JPEG and smoothing make them.
    """

    pixels: Counter[int]
    inside: Counter[int]
    is_lossy: bool

    @property
    def total(self) -> int:
        """Pixels of all files."""
        return sum(self.pixels.values())

    def share(self, colors: Iterable[int]) -> float:
        """Share of all pixels that have one of `colors`."""
        return sum(self.pixels[color] for color in colors) / self.total

    def areas(self) -> list[int]:
        """Colours that fill areas, the commonest first; in lossy files without those that hardly occur."""
        least = LEAST_OF_ALL * self.total if self.is_lossy else 1
        wide = [c for c, n in self.pixels.items() if self.inside[c] > LEAST_INSIDE * n and n >= least]
        return sorted(wide, key=lambda c: (-self.pixels[c], c))


def take_color_census(surveys: Sequence[MaskStats], *, without: frozenset[int] = frozenset()) -> ColorCensus:
    """The colours of all files but `without`."""
    pixels: Counter[int] = Counter()
    inside: Counter[int] = Counter()
    is_lossy = False
    for stats in surveys:
        areas = 0
        for color, number, flat in zip(colors_in(stats), stats.counts, stats.flat, strict=True):
            if color not in without:
                pixels[color] += number
                inside[color] += flat
                areas += flat > LEAST_INSIDE * number
        is_lossy |= stats.num_values > MOST_COLORS and areas < 0.3 * len(stats.values)
    return ColorCensus(pixels, inside, is_lossy)


def class_colors(census: ColorCensus) -> list[int]:
    """Colours that fill areas; in lossy files, of those that differ slightly only the commonest."""
    areas = census.areas()
    if not census.is_lossy:
        return areas
    kept: list[int] = []
    for color in areas:
        if not kept or distances([color], kept)[0] > SAME_COLOR:
            kept.append(color)
    return kept


def distances(colors: Sequence[int], centres: Sequence[int]) -> npt.NDArray[np.float64]:
    """Largest difference in a channel between each colour and the centre that is nearest so."""
    apart = np.abs(channels_of(colors)[:, None] - channels_of(centres)[None])
    return np.asarray(apart.max(axis=2).min(axis=1))


def soft_colors(census: ColorCensus, centres: Sequence[int]) -> set[int]:
    """Colours that are no class but lie between classes, or beside one in lossy files; empty where all are to be taken exactly.

    In lossless files they must be mixtures of two class colours and never fill an area: anything else is a class of its own.
    """
    others = sorted(set(census.pixels) - set(centres))
    if not others or not 2 <= len(centres) <= MOST_COLORS:
        return set()
    near = distances(others, centres) <= (SAME_COLOR if census.is_lossy else 0)
    far = {color for color, is_near in zip(others, near.tolist(), strict=True) if not is_near}
    if census.share(far) > MOST_BETWEEN or far & set(census.areas()):
        return set()
    if not census.is_lossy:
        mixed = {color for color in far if _is_mixture(color, centres) and not census.inside[color]}
        if census.share(far - mixed) > 0.05 * census.share(far):
            return set()
    return set(others)


def _is_mixture(color: int, centres: Sequence[int]) -> bool:
    """The colour lies on the line between two class colours."""
    point, places = channels_of([color])[0], channels_of(centres)
    return any(
        _off_line(point, places[i], places[j])[0] <= SAME_COLOR / 4
        for i in range(len(places)) for j in range(i + 1, len(places))
    )  # fmt: skip


def _off_line(
    point: npt.NDArray[np.float64], start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """How far a colour is from the line between two others, in the channel where it is most, and where on the line, 0 to 1."""
    along = end - start
    place = float(np.clip((point - start) @ along / max(float(along @ along), 1.0), 0, 1))
    return float(np.abs(start + place * along - point).max()), place


def in_doubt(order: Sequence[int]) -> list[int]:
    """Places of class colours that lie near the middle of the line between two others: soft edges of those look like them."""
    places = channels_of(order)
    doubtful = []
    for k, point in enumerate(places):
        others = [place for i, place in enumerate(places) if i != k]
        lines = [_off_line(point, a, b) for i, a in enumerate(others) for b in others[i + 1 :]]
        if any(distance <= 2 * SAME_COLOR and 0.1 < place < 0.9 for distance, place in lines):
            doubtful.append(k)
    return doubtful
