"""The pixels that a shape covers, and the polygon that it is, for formats that cannot hold it as it was drawn."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from limner.core.annotation import Bitmap, Box, Points, Polygon, Polyline, Shape
from limner.data.extents import corners, extent
from limner.data.formats.geometry import Refusal
from limner.data.formats.ledger import FREE_PIXELS
from limner.data.rasterize import is_closed_area, pixels_of

MOST_PIXELS = 2 * FREE_PIXELS


def cover(shape: Shape, size_hw: tuple[int, int]) -> Bitmap | None:
    """The pixels of a picture that `shape` covers, cropped to their bounding box; None when there are none.

    Points cover nothing here: they have no area.

    Raises
    ------
    Refusal : the part of the picture around the shape is larger than any mask is written.
    """
    if isinstance(shape, Points) or (isinstance(shape, Polygon) and not shape.rings):
        return None
    check_area(shape, size_hw)
    bitmap = pixels_of(shape, size_hw)
    rows, columns = np.flatnonzero(bitmap.mask.any(axis=1)), np.flatnonzero(bitmap.mask.any(axis=0))
    if not len(rows):
        return None
    crop = bitmap.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Bitmap(bitmap.x + int(columns[0]), bitmap.y + int(rows[0]), np.ascontiguousarray(crop))


def check_area(shape: Shape, size_hw: tuple[int, int]) -> None:
    """Raise a `Refusal` when the part of the picture around the shape is larger than any mask is written."""
    x0, y0, x1, y1 = extent(shape)
    width, height = min(x1, size_hw[1]) - max(x0, 0), min(y1, size_hw[0]) - max(y0, 0)
    if width > 0 and height > 0 and width * height > MOST_PIXELS:
        raise Refusal("too-many-pixels", f"a region of {width:.0f} x {height:.0f} pixels, too many for a mask")


def united(shapes: Iterable[Shape], size_hw: tuple[int, int]) -> Bitmap | None:
    """The pixels that at least one of `shapes` covers, cropped; None when there are none.

    Raises
    ------
    Refusal : see `cover`; also when the shapes lie so far apart that no mask is written that holds all of them.
    """
    covers = [bitmap for bitmap in (cover(shape, size_hw) for shape in shapes) if bitmap is not None]
    if not covers:
        return None
    left, top = min(bitmap.x for bitmap in covers), min(bitmap.y for bitmap in covers)
    right = max(bitmap.x + bitmap.mask.shape[1] for bitmap in covers)
    bottom = max(bitmap.y + bitmap.mask.shape[0] for bitmap in covers)
    check_area(Box(left, top, right - left, bottom - top), size_hw)
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for bitmap in covers:
        height, width = bitmap.mask.shape
        mask[bitmap.y - top :, bitmap.x - left :][:height, :width] |= bitmap.mask
    return Bitmap(left, top, mask)


def outline(shape: Shape) -> Polygon | None:
    """The polygon without holes that covers the very pixels of `shape`; None for shapes that no polygon is.

    Examples
    --------
    >>> outline(Box(2, 3, 4, 1)).rings[0].tolist()
    [[2.0, 3.0], [6.0, 3.0], [6.0, 4.0], [2.0, 4.0]]
    """
    if isinstance(shape, Box):
        return Polygon((corners(shape),))
    if isinstance(shape, Polyline):
        return Polygon((shape.points_xy,)) if is_closed_area(shape) else None
    return shape if isinstance(shape, Polygon) and not shape.holes else None


def has_area(shape: Shape) -> bool:
    """The shape is meant as an area: neither points nor a line that stays open."""
    return not isinstance(shape, Points) and (not isinstance(shape, Polyline) or is_closed_area(shape))
