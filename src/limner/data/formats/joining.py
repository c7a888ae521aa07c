"""Parts of one object made one region, for formats in which an object may have several parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from limner.core.annotation import Polygon, Region
from limner.data.formats.cover import has_area, outline, united
from limner.data.formats.geometry import Refusal


def joined(regions: Iterable[Region], size_hw: tuple[int, int] | None) -> list[Region]:
    """The regions; those of one group and class are one region in the place of the first.

    Parameters
    ----------
    regions : of one picture.
    size_hw : of the picture; without it only polygons are joined, which need no pixels.
    """
    parts: dict[tuple[str, ...], list[Region]] = {}
    for index, region in enumerate(regions):
        is_part = region.group != "" and has_area(region.shape)
        key = ("group", region.group, region.label) if is_part else ("alone", str(index))
        parts.setdefault(key, []).append(region)
    return [whole for several in parts.values() for whole in _whole(several, size_hw)]


def _whole(parts: list[Region], size_hw: tuple[int, int] | None) -> list[Region]:
    if len(parts) == 1:
        return parts
    outlines = [polygon for polygon in (outline(part.shape) for part in parts) if polygon is not None]
    if len(outlines) == len(parts):
        rings = tuple(ring for polygon in outlines for ring in polygon.rings)
        return [dataclasses.replace(parts[0], shape=Polygon(rings))]
    try:
        mask = united((part.shape for part in parts), size_hw) if size_hw is not None else None
    except Refusal:  # too large to be one mask
        mask = None
    return parts if mask is None else [dataclasses.replace(parts[0], shape=mask)]
