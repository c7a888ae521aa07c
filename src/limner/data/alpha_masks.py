"""Masks with transparency: whether it is the shape of one class, or the ground on which the colours of several stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from limner.core.labels import Color
from limner.data.declared import Declared
from limner.data.id_facts import IdFacts
from limner.data.mask_survey import count_mask, read_again, survey_mask
from limner.data.masks import MaskStats, on_zero, without_alpha
from limner.data.soft_colors import colors_in

BLACK = (0, 0, 0)


def are_shapes(surveys: Sequence[MaskStats], declared: Declared) -> bool:
    """Transparency is read in place of colours: all that is opaque, in all files, has one colour, and none is declared.

    Declared values that are no colours are of the transparency where they name no gray level of an opaque pixel.
    """
    clear = [s for s in surveys if s.kind == "alpha"]
    shown = {s.palette[0] for s in clear if s.palette}
    if not shown or declared.by_color or declared.masks_are == "instances":
        return False
    if declared.values:
        stated = {value for value, _ in declared.values}
        others = [s for s in surveys if s.has_alpha and s.kind != "alpha" and len(s.values) > 1]
        return not others and not any(r == g == b and r in stated for r, g, b in shown)
    if len(shown) > 1 or len(declared.classes) > 2 or (declared.colors and declared.colors[1:] != tuple(shown)):
        return False
    color = shown.pop()
    return not any(_tells_colors(s, color) for s in surveys if s.kind != "alpha")


def _tells_colors(stats: MaskStats, color: Color) -> bool:
    """A file without transparent pixels, or with several colours, that the transparency alone would misread."""
    if not stats.has_alpha:
        return stats.kind in ("colour", "palette") and color != BLACK
    number = color[0] << 16 | color[1] << 8 | color[2]
    held = set(colors_in(stats)) - {number}
    if held == {0} and len(stats.values) == 1:  # all transparent, or all black
        return stats.kind == "palette" or 0 not in survey_mask(stats.path, alpha=True).values
    return bool(held)


def with_opacity(stats: MaskStats) -> MaskStats:
    """The survey of a mask's transparency; its objects are known already."""
    if not stats.has_alpha or stats.kind == "alpha":
        return stats
    return dataclasses.replace(survey_mask(stats.path, alpha=True), objects=stats.objects)


def with_colors(stats: MaskStats) -> MaskStats:
    """The survey of a mask's colours on a ground of 0, where the first one was of its transparency."""
    raw = read_again(stats) if stats.kind == "alpha" else None
    if raw is None or not stats.palette:
        return stats
    objects = stats.objects
    if isinstance(objects, IdFacts):
        ids, opacity, pixels = objects.votes.T
        votes = np.stack([ids, on_zero(opacity, stats.palette[0]), pixels], axis=1)
        objects = dataclasses.replace(objects, votes=votes)
    return dataclasses.replace(count_mask(without_alpha(raw), stats.path), objects=objects)
