"""Measurements of objects, all at once: size, place, shape and intensity of each.

Area A and moments are exact sums over pixels. The centroid counts from the corner of the picture, the centre of its first pixel
being (0.5, 0.5). The axes are those of the ellipse with the same second central moments m_xx, m_xy, m_yy (per pixel): 4 sqrt(l),
l the larger or smaller eigenvalue of [[m_xx, m_xy], [m_xy, m_yy]]; eccentricity sqrt(1 - l_2 / l_1); the equivalent diameter is
2 sqrt(A / pi).

The perimeter is that of Cauchy and Crofton over four directions: with N_k the number of times that lines of direction k through
the centres of pixels cross the border,

    P = pi sum_k c_k (s_x s_y / d_k) N_k / 2,

where d_k is the step between pixels along the line, s_x s_y / d_k the distance between two such lines, and c_k the share of all
directions that lie closest to k, 1/4 each for square pixels (Lehmann and Legland 2012, "Efficient N-dimensional surface estimation
using Crofton formula and run-length encoding", Insight Journal). On discs it errs by up to 12 % at radius 2, 4 % at
radius 8, 1.7 % at radius 20 and 0.3 % at radius 150; counting the sides of pixels errs by 27 % at any.

Solidity is A divided by the area of the convex hull of the object's pixels taken as squares, so that it is 1 for a rectangle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.objects import Instances, Objects
from limner.core.sample import Image
from limner.inference.object_lines import Lines, lines_of

Column = npt.NDArray[Any]
Spacing = tuple[float, float]


@dataclass(frozen=True)
class ObjectTable:
    """Columns of one length by name; a row for each object that has pixels, by rising id."""

    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.columns["id"])

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def boxes(self, number: int) -> npt.NDArray[np.int64]:
        """``(number, 4)`` left, top, right and bottom of the objects 1 to `number`; zeros for those without pixels."""
        boxes = np.zeros((number, 4), np.int64)
        left, top = self["left"], self["top"]
        boxes[self["id"] - 1] = np.stack([left, top, left + self["width"], top + self["height"]], axis=1)
        return boxes


def measure_objects(objects: Objects, image: Image | None = None, *, spacing: Spacing | None = None) -> ObjectTable:
    """Measure all objects of a picture.

    Parameters
    ----------
    objects : object ids ``(H, W)``, classes and scores.
    image : ``(H, W, C)`` uint8, uint16 or float32; None = no intensities.
    spacing : height and width of a pixel in mm, > 0; None = not known, and lengths are in pixels alone.

    Returns
    -------
    A row for each object with pixels, by id. Columns: ``id``, ``class`` (class id), ``score`` (where objects have one),
    ``area_px``, ``perimeter_px``, ``centroid_x``, ``centroid_y``, ``left``, ``top``, ``width``, ``height`` (of the bounding box,
    whole pixels), ``major_axis_px``, ``minor_axis_px``, ``orientation_deg`` (of the major axis, in (-90, 90] from the x axis,
    positive = rising to the right on the screen; 0 where no direction is longer), ``eccentricity`` in [0, 1], ``solidity`` in
    (0, 1], ``equivalent_diameter_px``, ``touches_border`` (bool); with a spacing the same in ``mm`` (``mm2`` for areas) after
    them, angles and ratios being those in pixels; with an image ``mean_c``, ``min_c``, ``max_c`` for channels c from 1 on.

    Raises
    ------
    ValueError : image and objects differ in size, or the spacing is not positive and finite.
    """
    height, width = objects.ids.shape
    if image is not None and image.shape[:2] != (height, width):
        raise ValueError(f"an image of {image.shape[:2]} for objects of {(height, width)}")
    if spacing is not None and not all(0 < side < math.inf for side in spacing):
        raise ValueError(f"a spacing of {spacing}; the height and width of a pixel, above 0, are needed")
    lines = lines_of(objects.ids)
    columns: dict[str, Column] = {"id": lines.ids, "class": objects.classes[lines.ids - 1].astype(np.int64)}
    if objects.scores is not None:
        columns["score"] = objects.scores[lines.ids - 1]
    moments = _moments(lines)
    crossings = _crossings(objects.ids, len(objects))[:, lines.ids]
    columns |= _lengths(moments, crossings, (1.0, 1.0), "px")
    columns |= _shape(lines, moments, (height, width))
    if spacing is not None:
        columns |= _lengths(moments, crossings, spacing, "mm")
    if image is not None:
        for channel in range(image.shape[2]):
            columns |= _intensity(lines, image[..., channel], moments.area, channel + 1)
    return ObjectTable(columns)


@dataclass(frozen=True)
class _Moments:
    """Area, bounding box, centroid and central second moments per pixel of each object, in pixels; ``(M,)`` each."""

    area: Column
    left: Column
    top: Column
    right: Column
    bottom: Column
    x: Column
    y: Column
    xx: Column
    xy: Column
    yy: Column


def _moments(lines: Lines) -> _Moments:
    """Exact sums over lines, each object counted from its own corner so that squares stay small."""
    left, top = lines.lowest(lines.x), lines.lowest(lines.y)
    right, bottom = lines.highest(lines.x + lines.length), lines.highest(lines.y + 1)
    n = lines.length
    x, y = lines.x - lines.spread(left), lines.y - lines.spread(top)
    area = lines.sums(n).astype(np.float64)
    line = n * x + n * (n - 1) // 2  # sum of the columns of a run
    mean_x, mean_y = lines.sums(line) / area, lines.sums(n * y) / area
    squares = n * x * x + x * n * (n - 1) + (n - 1) * n * (2 * n - 1) // 6
    xx = lines.sums(squares) / area - mean_x**2
    yy = lines.sums(n * y * y) / area - mean_y**2
    xy = lines.sums(line * y) / area - mean_x * mean_y
    return _Moments(
        area,
        left,
        top,
        right,
        bottom,
        left + mean_x + 0.5,
        top + mean_y + 0.5,
        np.maximum(xx, 0.0),
        xy,
        np.maximum(yy, 0.0),
    )


def _lengths(moments: _Moments, crossings: Column, spacing: Spacing, unit: str) -> dict[str, Column]:
    """What has a length, with pixels of a given height and width."""
    sy, sx = spacing
    area = moments.area * (sy * sx)
    half_sum = (moments.xx * sx**2 + moments.yy * sy**2) / 2
    root = np.hypot((moments.xx * sx**2 - moments.yy * sy**2) / 2, moments.xy * sx * sy)
    angle = math.atan2(sy, sx)
    shares = np.array([angle / math.pi, 0.5 - angle / math.pi, 0.25, 0.25])
    steps = np.array([sx, sy, math.hypot(sx, sy), math.hypot(sx, sy)])
    perimeter = (math.pi / 2) * (shares * (sx * sy) / steps) @ crossings
    x, y = ("centroid_x", "centroid_y") if unit == "px" else (f"centroid_x_{unit}", f"centroid_y_{unit}")
    return {
        "area_px" if unit == "px" else f"area_{unit}2": area.astype(np.int64) if unit == "px" else area,
        f"perimeter_{unit}": perimeter,
        x: moments.x * sx,
        y: moments.y * sy,
        f"major_axis_{unit}": 4 * np.sqrt(half_sum + root),
        f"minor_axis_{unit}": 4 * np.sqrt(np.maximum(half_sum - root, 0.0)),
        f"equivalent_diameter_{unit}": 2 * np.sqrt(area / math.pi),
    }


def _shape(lines: Lines, moments: _Moments, size_hw: tuple[int, int]) -> dict[str, Column]:
    """Bounding box, direction and ratios, in pixels."""
    half_sum = (moments.xx + moments.yy) / 2
    root = np.hypot((moments.xx - moments.yy) / 2, moments.xy)
    large, small = half_sum + root, np.maximum(half_sum - root, 0.0)
    ratio = np.divide(small, large, out=np.ones_like(large), where=large > 0)
    angle = -np.degrees(np.arctan2(2 * moments.xy, moments.xx - moments.yy)) / 2  # rows run downwards
    angle = np.where(angle <= -90, angle + 180, angle) + 0.0
    box = [moments.left, moments.top, moments.right, moments.bottom]
    touches = (box[0] == 0) | (box[1] == 0) | (box[2] == size_hw[1]) | (box[3] == size_hw[0])
    return {
        "left": box[0], "top": box[1], "width": box[2] - box[0], "height": box[3] - box[1],
        "orientation_deg": np.where(root > 1e-9 * (half_sum + 1e-30), angle, 0.0),
        "eccentricity": np.sqrt(np.maximum(0.0, 1 - ratio)), "solidity": moments.area / _hull_areas(lines),
        "touches_border": touches,
    }  # fmt: skip


def _hull_areas(lines: Lines) -> Column:
    """``(M,)`` area of the convex hull of the squares of each object's pixels."""
    left, right = lines.x.astype(np.int32), (lines.x + lines.length).astype(np.int32)
    top = lines.y.astype(np.int32)
    corners = np.stack([left, top, right, top, left, top + 1, right, top + 1], axis=1).reshape(-1, 1, 2)
    ends = [*(4 * lines.first).tolist(), len(corners)]
    areas = [cv2.contourArea(cv2.convexHull(corners[start:stop])) for start, stop in pairwise(ends)]
    return np.array(areas, np.float64)


def _crossings(ids: Instances, number: int) -> Column:
    """``(4, number + 1)`` border crossings of lines along rows, columns, falling and rising diagonals, by object id."""
    framed = np.pad(ids, 1)  # so that a step over the end of a row leads from no object to no object
    flat, row = framed.reshape(-1), framed.shape[1]
    found = []
    for step in (1, row, row + 1, row - 1):
        one, other = flat[:-step], flat[step:]
        differs = np.flatnonzero(one != other)
        ends = np.concatenate([one[differs], other[differs]])
        found.append(np.bincount(ends, minlength=number + 1))
    return np.array(found, np.float64)


def _intensity(lines: Lines, values: Column, area: Column, channel: int) -> dict[str, Column]:
    """Mean, least and largest value of one channel ``(H, W)``; float64."""
    flat = np.ascontiguousarray(values).reshape(-1)
    if not len(lines.ids):
        none = np.zeros(0)
        return {f"{name}_{channel}": none for name in ("mean", "min", "max")}
    exact = np.float64 if flat.dtype.kind == "f" else np.int64
    total = lines.sums(np.add.reduceat(flat, lines.starts, dtype=exact)[lines.order])
    low = lines.lowest(np.minimum.reduceat(flat, lines.starts)[lines.order])
    high = lines.highest(np.maximum.reduceat(flat, lines.starts)[lines.order])
    return {
        f"mean_{channel}": total / area,
        f"min_{channel}": low.astype(np.float64),
        f"max_{channel}": high.astype(np.float64),
    }
