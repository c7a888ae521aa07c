"""Recognise trimaps, where a thin border between object and background has a value of its own, by their shape.

Two codings are looked at: 1, 2, 3 as object, background and border, without any 0 (Parkhi et al. 2012, "Cats and dogs", the Oxford
pets); and three gray levels such as 0, 128, 255, the middle one the border. The middle level or the 3 is a border only if

- it lies between: nearly every one of its pixels is as near to both others as the border is wide;
- it separates: object and background hardly touch;
- it is thin against the object's half-width, and the thicker it is, the more even it must be. A sheath such as the myelin around
  an axon lies between and separates as well, but it is about half as wide as what it encloses and varies as much as its own width
  (0.33 to 0.52 and 1.0 to 1.6 in ten electron micrographs). The coding without 0, which hardly anything else uses, has wider
  limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.mask_census import Census, Decision, about, class_space
from limner.data.mask_survey import read_again
from limner.data.masks import IGNORED, MaskReading, MaskStats

MOST_READ = 24  # files that are measured, evenly over the data set
LARGEST_SIDE = 1024  # larger masks are measured on every second, third, ... pixel

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Coding:
    """Which value means what, and how thin and even the border must be.

    Parameters
    ----------
    object, background, border : stored values.
    thinnest : pixels; a border below is a soft edge.
    limits : pairs of the largest `Band.thickness` and the largest `Band.spread`; one pair must hold.
    """

    object: int
    background: int
    border: int
    thinnest: float
    limits: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Band:
    """The shape of the border in one mask.

    Parameters
    ----------
    width : median width in pixels.
    thickness : the width as a share of the object's half-width.
    spread : 90th less 10th percentile of the width, as a share of the median.
    between : share of its pixels that lie between object and background at no more than twice the median width.
    touching : share of the object's outline that touches the background.
    """

    width: float
    thickness: float
    spread: float
    between: float
    touching: float


def coding_of(union: Sequence[int]) -> Coding | None:
    """The coding that these values would have in a trimap; None when they cannot be one."""
    if tuple(union) == (1, 2, 3):
        return Coding(1, 2, 3, thinnest=1.0, limits=((0.6, 0.9), (0.3, 2.0)))
    if len(union) == 3 and union[0] == 0 and union[2] >= 200 and 0.35 < union[1] / union[2] < 0.65:
        return Coding(union[2], 0, union[1], thinnest=1.5, limits=((0.4, 0.4), (0.15, 1.0)))
    return None


def measure_band(obj: Mask, background: Mask, border: Mask) -> Band:
    """Measure a border; all three ``(H, W)`` bool and not empty."""
    to_object, to_background = (
        cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 5) for mask in (obj, background)
    )
    width = to_object[border] + to_background[border] - 1
    median = float(np.median(width))
    # the mean depth of a disc is a third of its radius
    radius = 3 * float(cv2.distanceTransform(obj.view(np.uint8), cv2.DIST_L2, 5)[obj].mean())
    low, high = np.quantile(width, (0.1, 0.9))
    near_background, near_border = _touches(obj, background), _touches(obj, border)
    return Band(
        median, median / radius, float(high - low) / median, float((width <= 2 * median + 1).mean()),
        near_background / max(near_background + near_border, 1),
    )  # fmt: skip


def _touches(one: Mask, other: Mask) -> int:
    """Pairs of neighbouring pixels of which one is in each mask."""
    count = sum(
        int((a & b).sum())
        for a, b in (
            (one[1:], other[:-1]), (one[:-1], other[1:]), (one[:, 1:], other[:, :-1]), (one[:, :-1], other[:, 1:]),
        )
    )  # fmt: skip
    return count


def is_border(band: Band, coding: Coding) -> bool:
    """Whether a border is that of a trimap."""
    return (
        band.between >= 0.9
        and band.touching <= 0.1
        and coding.thinnest <= band.width
        and any(band.thickness <= thickness and band.spread <= spread for thickness, spread in coding.limits)
    )


def trimap(census: Census) -> Decision | None:
    """Three values that are object, background and a thin border between them; nothing declared says otherwise."""
    declared = census.declared
    coding = coding_of(census.union)
    if coding is None or declared.ignore is not None or len(declared.classes) not in (0, 2):
        return None
    if any(stats.kind in ("palette", "alpha") for stats in census.stats) and coding.background == 0:
        return None  # a palette of three entries names three classes
    bands = [band for stats in _chosen(census, coding) if (band := _band(stats, coding)) is not None]
    good = [band for band in bands if is_border(band, coding)]
    if not bands or len(good) < 0.8 * len(bands):
        return None
    space = class_space(declared, 2)
    width = float(np.median([band.width for band in bands]))
    values = f"{coding.background} = {space.names[0]}, {coding.object} = {space.names[1]}"
    words = f"trimap: {values}; {coding.border}, the border between them, is not known and not used"
    table = ((coding.background, 0), (coding.object, 1), (coding.border, IGNORED))
    message = (
        f"{coding.border} forms a border of about {width:.0f} pixels between {coding.object} and {coding.background} in "
        f"{len(good)} of {len(bands)} masks that were measured: a trimap; read as {values}, the border as not known"
    )
    fix = (
        f'if the border is a class, say so in limner.toml: values = {{{coding.background} = "background", '
        f'{coding.object} = "object", {coding.border} = "border"}}'
    )
    reading = MaskReading(space, coding.border, words, rule="table", table=tuple(sorted(table)))
    return reading, [about("MASK_VALUES", "fixed", message, census.stats, fix)]


def _chosen(census: Census, coding: Coding) -> list[MaskStats]:
    """Files with all three values, evenly over the data set; none when hardly a file has all."""
    wanted = {coding.object, coding.background, coding.border}
    whole = [stats for stats in census.stats if wanted <= set(stats.values)]
    if len(whole) < 0.5 * len([stats for stats in census.stats if coding.object in stats.values]):
        return []
    places = np.linspace(0, len(whole) - 1, min(MOST_READ, len(whole))).round().astype(int) if whole else ()
    return [whole[place] for place in places]


def _band(stats: MaskStats, coding: Coding) -> Band | None:
    raw = read_again(stats)
    if raw is None:
        return None
    step = -(-max(stats.size_hw) // LARGEST_SIDE)
    values = raw.values[::step, ::step]
    masks = [values == value for value in (coding.object, coding.background, coding.border)]
    return measure_band(*masks) if all(mask.any() for mask in masks) else None
