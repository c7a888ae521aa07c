"""From the numbers of an annotation file to shapes: what is put right is noted, what cannot be meant is refused.

The rules: rings may be closed or open; repeated points are dropped; numbers written as text are read; sides below zero are turned
round. Refused are NaN, infinity, truth values and nothing at all, lists of different length, rings with fewer than three different
points or without area, coordinates beyond ten million, and shapes that lie wholly outside their picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from limner.core.annotation import Bitmap, Box, Ellipse, Points, PointsXY, Polygon, Polyline, Shape
from limner.data.crossings import has_area
from limner.data.crossings import is_self_crossing as is_self_crossing
from limner.data.extents import extent, turn
from limner.data.rasterize import crossing_pixels, is_closed_area
from limner.data.scanline import Window, num_crossings, window_of

LARGEST = 1e7  # no picture is wider; a larger coordinate is a slip or an attack
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\s*", re.ASCII)
_LONGEST_NUMBER = 400


class Refusal(Exception):
    """A record that cannot be used; readers turn it into a `limner.core.annotation.Problem`.

    Parameters
    ----------
    code : short and stable, lower case with hyphens.
    message : a sentence: what was found, and what is expected.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


class Note(NamedTuple):
    """Something that was put right; `code` and `message` as in `Refusal`."""

    code: str
    message: str


Notes = list[Note]


# -- numbers


def number(value: Any, what: str, notes: Notes | None = None) -> float:
    """One number of a file, as a float.

    Parameters
    ----------
    value : as the file has it; a number written as text is read and noted.
    what : its name in messages, such as ``width``.
    notes : where to say what was put right.

    Raises
    ------
    Refusal : no number (``not-a-number``), or NaN, infinite or too large for a float (``not-finite``).
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | str | np.integer | np.floating):
        raise Refusal("not-a-number", f"{what} is {_shown(value)}; a number is expected")
    if isinstance(value, str):
        if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
            raise Refusal("not-a-number", f"{what} is the text {_shown(value)}; a number is expected")
        if notes is not None:
            notes.append(Note("number-as-text", f"{what} is written as text ({_shown(value)}); it is read as a number"))
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise Refusal("not-finite", f"{what} is {_shown(value)}; a finite number is expected")
    return result


def points(xs: Any, ys: Any, notes: Notes | None = None) -> PointsXY:
    """Points from a list of x and a list of y, ``(N, 2)`` float64; N may be 0.

    Raises
    ------
    Refusal : not two lists (``not-a-list``), of different length (``ragged``), or holding what `number` refuses.
    """
    if not isinstance(xs, list | tuple) or not isinstance(ys, list | tuple):
        wrong = ys if isinstance(xs, list | tuple) else xs
        raise Refusal("not-a-list", f"coordinates are {_shown(wrong)}; a list of numbers is expected")
    if len(xs) != len(ys):
        raise Refusal("ragged", f"{len(xs)} x and {len(ys)} y coordinates; as many of one as of the other are expected")
    result = np.empty((len(xs), 2), np.float64)
    own: Notes = []
    result[:, 0], result[:, 1] = _numbers(xs, "x", own), _numbers(ys, "y", own)
    _summarise(own, notes)
    return result


def pairs(values: Any, notes: Notes | None = None) -> PointsXY:
    """Points from ``[[x, y], ...]`` or from ``[x, y, x, y, ...]``, ``(N, 2)`` float64; N may be 0.

    Raises
    ------
    Refusal : no list, an odd number of coordinates or a pair of another length (``ragged``), or what `number` refuses.
    """
    if not isinstance(values, list | tuple):
        raise Refusal("not-a-list", f"coordinates are {_shown(values)}; a list of numbers is expected")
    if not any(isinstance(value, list | tuple) for value in values):
        if len(values) % 2:
            raise Refusal("ragged", f"{len(values)} coordinates; x and y in turn, an even number, are expected")
        return points(values[::2], values[1::2], notes)
    for i, value in enumerate(values):
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise Refusal("ragged", f"point {i} is {_shown(value)}; a pair of x and y is expected")
    return points([value[0] for value in values], [value[1] for value in values], notes)


def _numbers(values: Sequence[Any], what: str, notes: Notes) -> PointsXY:
    if set(map(type, values)) <= {int, float}:
        try:
            result = np.array(values, np.float64)
        except OverflowError:
            result = np.array([np.inf])
        if np.isfinite(result).all():
            return result
    return np.array([number(value, f"{what} of point {i}", notes) for i, value in enumerate(values)], np.float64)


def _summarise(own: Notes, notes: Notes | None) -> None:
    """One note for all numbers of a shape that are written as text."""
    if own and notes is not None:
        more = f", and {len(own) - 1} more of the same" if len(own) > 1 else ""
        notes.append(Note(own[0].code, own[0].message + more))


def _shown(value: Any) -> str:
    """A value for a message, never longer than a line."""
    if isinstance(value, dict | list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 80:
        return f"an integer of {value.bit_length()} bits"  # its digits would take quadratic time
    text = repr(value[:41]) if isinstance(value, str) else repr(value)
    return text if len(text) <= 44 else text[:40] + "..."


# -- shapes


def ring(points_xy: PointsXY, notes: Notes) -> PointsXY:
    """A closed line that bounds an area: open, without repeated points.

    Parameters
    ----------
    points_xy : ``(N, 2)``; may repeat its first point at the end.
    notes : says how many points were dropped because they repeat the one before.

    Raises
    ------
    Refusal : coordinates not finite or beyond `LARGEST`, fewer than three different points, no area.
    """
    points_xy = _checked(points_xy)
    if len(points_xy) > 1 and np.array_equal(points_xy[0], points_xy[-1]):
        points_xy = points_xy[:-1]
    points_xy = _without_repeats(points_xy, notes)
    while len(points_xy) > 1 and np.array_equal(points_xy[0], points_xy[-1]):
        points_xy = points_xy[:-1]  # closed twice, or closed with a repeated first point
    if len(points_xy) < 3 or not has_area(points_xy):
        if len(points_xy) < 3 or len(np.unique(points_xy, axis=0)) < 3:  # slower than the area, and seldom needed
            raise Refusal("too-few-points", f"{_count_distinct(points_xy)}; an area needs at least 3 different points")
        raise Refusal("no-area", f"the {len(points_xy)} points lie on a line; an area is expected")
    return points_xy


def polygon(rings: Sequence[PointsXY], notes: Notes, holes: Sequence[PointsXY] = ()) -> Polygon:
    """An area of one or several rings; of several, those that cannot be used are left out and noted.

    Raises
    ------
    Refusal : no ring can be used; the reason is that of the first.
    """
    if not len(rings):
        raise Refusal("no-points", "there are no points; an area needs at least 3")
    kept, refusals = _usable(rings, notes)
    if not kept:
        raise refusals[0][1]
    kept_holes, refused_holes = _usable(holes, notes)
    for kind, found in (("part", refusals), ("hole", refused_holes)):
        for i, refusal in found:
            notes.append(Note(f"{kind}-left-out", f"{kind} {i} is left out: {refusal.message}"))
    return Polygon(tuple(kept), tuple(kept_holes))


def _usable(rings: Sequence[PointsXY], notes: Notes) -> tuple[list[PointsXY], list[tuple[int, Refusal]]]:
    kept: list[PointsXY] = []
    refusals: list[tuple[int, Refusal]] = []
    for i, points_xy in enumerate(rings):
        try:
            kept.append(ring(points_xy, notes))
        except Refusal as refusal:
            refusals.append((i, refusal))
    return kept, refusals


def polyline(points_xy: PointsXY, notes: Notes) -> Polyline:
    """An open line without repeated points; it may end where it began.

    Raises
    ------
    Refusal : coordinates not finite or beyond `LARGEST`, fewer than two different points.
    """
    points_xy = _without_repeats(_checked(points_xy), notes)
    if len(points_xy) < 2:
        raise Refusal("too-few-points", f"{_count_distinct(points_xy)}; a line needs at least 2 different points")
    return Polyline(points_xy)


def box(x: float, y: float, width: float, height: float, notes: Notes, angle: float = 0.0) -> Box:
    """A rectangle; sides below zero are turned round.

    Raises
    ------
    Refusal : a number not finite or beyond `LARGEST`, or a side of zero.
    """
    x, y, width, height, angle = (_bounded(v) for v in (x, y, width, height, angle))
    if width == 0 or height == 0:
        raise Refusal("no-area", f"the box is {width:g} wide and {height:g} high; sides above 0 are expected")
    if width < 0 or height < 0:
        notes.append(Note("negative-size", f"the box is {width:g} wide and {height:g} high; it is turned round"))
        cosine, sine = turn(angle)
        along, down = min(width, 0.0), min(height, 0.0)
        x, y = x + along * cosine - down * sine, y + along * sine + down * cosine
    return Box(x, y, abs(width), abs(height), angle)


def ellipse(cx: float, cy: float, rx: float, ry: float, notes: Notes, angle: float = 0.0) -> Ellipse:
    """An ellipse; half axes below zero lose their sign.

    Raises
    ------
    Refusal : a number not finite or beyond `LARGEST`, or a half axis of zero.
    """
    cx, cy, rx, ry, angle = (_bounded(v) for v in (cx, cy, rx, ry, angle))
    if rx == 0 or ry == 0:
        raise Refusal("no-area", f"the half axes are {rx:g} and {ry:g}; numbers above 0 are expected")
    if rx < 0 or ry < 0:
        notes.append(Note("negative-size", f"the half axes are {rx:g} and {ry:g}; their signs are dropped"))
    return Ellipse(cx, cy, abs(rx), abs(ry), angle)


def _checked(points_xy: PointsXY) -> PointsXY:
    points_xy = np.asarray(points_xy, np.float64).reshape(-1, 2)
    if not np.isfinite(points_xy).all():
        raise Refusal("not-finite", "a coordinate is NaN or infinite; finite numbers are expected")
    if len(points_xy) and np.abs(points_xy).max() > LARGEST:
        raise Refusal("too-large", f"a coordinate is {_largest(points_xy):g}; at most {LARGEST:g} is expected")
    return points_xy


def _largest(points_xy: PointsXY) -> float:
    return float(points_xy.flat[int(np.abs(points_xy).argmax())])


def _bounded(value: float) -> float:
    value = number(value, "a number")
    if abs(value) > LARGEST:
        raise Refusal("too-large", f"a number is {value:g}; at most {LARGEST:g} is expected")
    return value


def _without_repeats(points_xy: PointsXY, notes: Notes) -> PointsXY:
    keep = np.ones(len(points_xy), bool)
    keep[1:] = (points_xy[1:] != points_xy[:-1]).any(axis=1)
    dropped = int((~keep).sum())
    if dropped:
        notes.append(Note("repeated-points", f"{dropped} points repeat the one before and are dropped"))
    return points_xy[keep]


def _count_distinct(points_xy: PointsXY) -> str:
    count = len(np.unique(points_xy, axis=0)) if len(points_xy) else 0
    return f"{count} different point{'' if count == 1 else 's'}"


# -- in the picture

_MOST_WORK = 1 << 18  # crossings, and pixels by a factor of 64, that are looked at to count what fill rules differ by


def fit(shape: Shape, size_hw: tuple[int, int], notes: Notes) -> Shape:
    """A shape as it lies in its picture: refused outside, noted when it reaches beyond or crosses itself.

    Returns
    -------
    A shape with the same pixels in the picture. Points outside are dropped, masks and boxes that are not turned are cut; other
    shapes stay as they are, for `limner.data.rasterize` cuts at the border exactly, which moved corners could not.

    Raises
    ------
    Refusal : the shape lies wholly outside, or the picture has no pixels.
    """
    height, width = size_hw
    if height < 1 or width < 1:
        raise Refusal("no-picture", f"the picture is said to be {width} x {height} pixels; at least 1 x 1 is expected")
    x0, y0, x1, y1 = extent(shape)
    place = f"(x {x0:g} to {x1:g}, y {y0:g} to {y1:g}; the picture is {width} x {height})"
    is_thin = isinstance(shape, Points | Polyline)  # what has no area may lie on the border itself
    beyond = x1 < 0 or y1 < 0 or x0 > width or y0 > height
    if beyond or (not is_thin and (x1 == 0 or y1 == 0 or x0 == width or y0 == height)):
        raise Refusal("outside", f"it lies wholly outside the picture {place}")
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        notes.append(Note("out-of-bounds", f"it reaches beyond the picture and is cut at its border {place}"))
        shape = _cut(shape, height, width)
    _note_crossings(shape, size_hw, notes)
    return shape


def _cut(shape: Shape, height: int, width: int) -> Shape:
    match shape:
        case Points():
            inside = np.asarray(((shape.points_xy >= 0) & (shape.points_xy <= [width, height])).all(axis=1))
            if not inside.any():
                raise Refusal("outside", f"all {len(inside)} points lie outside the picture of {width} x {height}")
            return Points(shape.points_xy[inside])
        case Box() if shape.angle == 0:
            x0, y0 = max(shape.x, 0.0), max(shape.y, 0.0)
            x1, y1 = min(shape.x + shape.width, float(width)), min(shape.y + shape.height, float(height))
            return Box(x0, y0, x1 - x0, y1 - y0)
        case Bitmap():
            x0, y0 = max(shape.x, 0), max(shape.y, 0)
            return Bitmap(x0, y0, shape.mask[y0 - shape.y : height - shape.y, x0 - shape.x : width - shape.x].copy())
        case _:
            return shape


def _note_crossings(shape: Shape, size_hw: tuple[int, int], notes: Notes) -> None:
    """Say when lines of an area cross, and how many pixels depend on the rule by which it is filled."""
    if isinstance(shape, Polyline) and is_closed_area(shape):
        shape = Polygon((shape.points_xy,))
    if not isinstance(shape, Polygon):
        return
    rings = shape.rings + shape.holes
    crossing = sum(is_self_crossing(points_xy) for points_xy in rings)
    if not crossing:
        return
    windows = [window_of(points_xy, Window(0, 0, *size_hw)) for points_xy in rings]
    work = sum(num_crossings(points_xy, window) for points_xy, window in zip(rings, windows, strict=True))
    pixels = sum(height * width for height, width in (window.size_hw for window in windows))
    counted = ""
    if work <= _MOST_WORK and (len(rings) == 1 or pixels <= 64 * _MOST_WORK):
        differ = crossing_pixels(shape, size_hw)
        counted = f"; the even-odd rule differs in {differ} pixel{'' if differ == 1 else 's'}"
    notes.append(Note("self-crossing", f"its outline crosses itself; it is filled by the non-zero rule{counted}"))
