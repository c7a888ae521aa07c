"""Stray values: single pixels of a value that hardly occurs, inside areas of other values. They are not taken for a class."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.findings import Finding, shortened
from limner.data.mask_census import DECLARE, Census, Decision, about, take_census
from limner.data.mask_survey import read_again
from limner.data.masks import IGNORED, MaskReading, MaskStats, as_colors

LARGEST_SHARE = 1e-3  # of all pixels
LARGEST_PIECE = 4  # pixels of a connected area, on average
MOST_STRAYS = 8  # different values; more are soft edges or object numbers
MOST_UNION = 24
LEAST_ISOLATED = 0.5  # share of the pixels with one other value around them; soft edges have two


@dataclass(frozen=True)
class Stray:
    """The stray pixels of one value in one file.

    Parameters
    ----------
    stats : of the file.
    value : as stored, or the colour.
    pixels : how many.
    first_yx : row and column of the first one, from 0.
    """

    stats: MaskStats
    value: int
    pixels: int
    first_yx: tuple[int, int]


def candidates(census: Census) -> frozenset[int]:
    """Values above 0 that hardly occur and never fill an area; none when nothing else is above 0."""
    total = sum(census.counts.values())
    rare = {
        v for v in census.above_zero
        if census.counts[v] <= LARGEST_SHARE * total and census.flat[v] <= 0.05 * census.counts[v]
    }  # fmt: skip
    if len(census.union) > MOST_UNION or not rare or len(rare) > MOST_STRAYS or rare == census.above_zero:
        return frozenset()
    return frozenset(rare)


def find_strays(surveys: Sequence[MaskStats], values: frozenset[int], *, colors: bool = False) -> list[Stray]:
    """Where `values` are, if they are scattered single pixels away from edges; only files that hold them are read again.

    Parameters
    ----------
    surveys : all files.
    values : candidates.
    colors : the values are colours.
    """
    found: dict[int, list[tuple[Stray, int, int]]] = defaultdict(list)
    for stats in surveys:
        held = as_colors(np.array(stats.values), stats.kind, stats.palette) if colors else np.array(stats.values)
        here = values & set(held.tolist())
        if not here:
            continue
        raw = read_again(stats)
        if raw is None:
            continue
        grid = as_colors(raw.values, raw.kind, raw.palette) if colors else raw.values
        for value in sorted(here):
            found[value].append(_look_around(stats, grid, value, values))
    strays = []
    for entries in found.values():
        pixels = sum(stray.pixels for stray, _, _ in entries)
        pieces, isolated = sum(entry[1] for entry in entries), sum(entry[2] for entry in entries)
        if pixels <= LARGEST_PIECE * pieces and isolated >= LEAST_ISOLATED * pixels:
            strays += [stray for stray, _, _ in entries]
    return strays


def _look_around(
    stats: MaskStats, grid: npt.NDArray[np.integer], value: int, strays: frozenset[int]
) -> tuple[Stray, int, int]:
    """The pixels of a value in a file, their connected areas, and those with only one other value around them."""
    mask = grid == value
    pieces = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[0] - 1
    places = np.argwhere(mask)
    isolated = 0
    for y, x in places.tolist():
        around = set(np.unique(grid[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]).tolist()) - strays
        isolated += len(around) == 1
    return Stray(stats, value, len(places), (int(places[0][0]), int(places[0][1]))), pieces, isolated


def without_strays(census: Census) -> tuple[Census, list[Stray]]:
    """The census as if stray values were not there, and what they are."""
    rare = candidates(census)
    strays = find_strays(census.stats, rare) if rare else []
    values = frozenset(stray.value for stray in strays)
    return (take_census(census.stats, census.declared, without=values), strays) if strays else (census, [])


def set_aside(decision: Decision, strays: Sequence[Stray], union: Sequence[int]) -> Decision:
    """The decision with stray values as pixels that are not known, and the finding that says so.

    Parameters
    ----------
    decision : made without them.
    strays : what was left out.
    union : the other values, which get their ids in a table.
    """
    if not strays:
        return decision
    reading, findings = decision
    lost = {stray.value for stray in strays}
    if reading.rule == "table":
        known = dict(reading.table)
    elif reading.rule == "nonzero":
        known = {value: int(value > 0) for value in union}
    else:
        return decision  # soft edges: cut at half, whatever the value
    table = tuple(sorted((known | dict.fromkeys(lost, IGNORED)).items()))
    words = (
        f"{reading.words}; {len(lost)} stray {'value is' if len(lost) == 1 else 'values are'} not known and not used"
    )
    return dataclasses.replace(reading, rule="table", table=table, words=words), [*findings, told(strays, reading)]


def told(strays: Sequence[Stray], reading: MaskReading) -> Finding:
    """The finding: which value, in which file, how many pixels, where."""
    sentences = [
        f"{s.stats.path.name} holds {reading.show(s.value)} in {s.pixels} pixels, the first at row {s.first_yx[0]}, "
        f"column {s.first_yx[1]}"
        for s in strays
    ]
    pixels, files = sum(s.pixels for s in strays), list({str(s.stats.path): s.stats for s in strays}.values())
    message = f"{pixels} stray pixels of rare values are taken as not known: {shortened(sentences)} (counted from 0)"
    return about("UNKNOWN_VALUE", "warning", message, files, f"correct them, or, if they are classes, {DECLARE}")
