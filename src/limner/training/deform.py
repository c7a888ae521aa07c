"""Perspective, elastic and grid deformation: drawn as a few numbers, evaluated as one map from patch to picture.

    source(p) = A^-1 G(p + e(p) + g(p))

p is a pixel of the patch and A the affine matrix of the variation (picture to patch). G is the perspective, a homography that
takes the corners of the patch to shifted ones. e and g are displacements given at a few nodes: e is enlarged to the patch by
cubic interpolation (smooth), g by linear interpolation (straight cells). So picture and labels are resampled once, whatever
is combined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.recipe_parts import AugmentationPart

NODE_PIXELS = 64  # wanted distance of nodes
STEEPEST = 1 / 8  # largest standard deviation in units of the nodes' distance: steeper fields fold the patch
CUT = 2.0  # displacements beyond so many standard deviations are drawn to that bound
CELL_SHIFT = 0.2  # largest shift of a node of the straight grid, in units of a cell; below 0.25 no cell turns over
OVERSHOOT = 1.9  # a cubic interpolation exceeds its nodes by at most this factor: 1.375 squared for the kernel used
NEAREST_HORIZON = 0.05  # least denominator of a homography beyond the corners of the patch

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Deformation:
    """What bends a patch; parts that are None do nothing.

    Parameters
    ----------
    perspective : ``(3, 3)`` homography from patch coordinates to the patch coordinates before it, x before y.
    elastic, grid : ``(rows, columns, 2)`` displacement in pixels at the nodes, x before y.
    """

    perspective: Float64 | None = None
    elastic: Float32 | None = None
    grid: Float32 | None = None

    @property
    def has_field(self) -> bool:
        """Whether pixels are displaced one by one."""
        return self.elastic is not None or self.grid is not None

    @property
    def reach(self) -> float:
        """No displacement is longer than this along an axis, in pixels."""
        longest = 0.0 if self.elastic is None else OVERSHOOT * float(np.abs(self.elastic).max())
        return longest + (0.0 if self.grid is None else float(np.abs(self.grid).max()))


def draw_deformation(
    rng: np.random.Generator, part: AugmentationPart, *, patch_hw: tuple[int, int]
) -> Deformation | None:
    """The deformation of one patch that is not exact; None where nothing bends it.

    Exact patches are never deformed, so the others are deformed the more often: the shares in the recipe are of all patches.

    Parameters
    ----------
    rng : source of all randomness; nothing is drawn for what the recipe does not ask for.
    part : the smoothness of the elastic field bounds its strength: `elastic_pixels` is cut to an eighth of the distance of the
        nodes (at least two along each side), which matters for patches below 16 times `elastic_pixels`.

    References
    ----------
    Simard et al. 2003, doi:10.1109/ICDAR.2003.1227801 (smooth random fields); Ronneberger et al. 2015, arXiv:1505.04597,
    section 3.1 (random vectors on a coarse grid, enlarged by cubic interpolation).
    """
    others = 1 - part.exact_share
    perspective = _draw_perspective(rng, part.perspective, patch_hw) if part.perspective else None
    elastic = grid = None
    if part.elastic and rng.random() * others < part.elastic:
        rows, columns = _nodes(patch_hw, max(NODE_PIXELS, part.elastic_pixels / STEEPEST))
        deviation = min(part.elastic_pixels, STEEPEST * min(patch_hw[0] / rows, patch_hw[1] / columns))
        elastic = (deviation * np.clip(rng.standard_normal((rows, columns, 2)), -CUT, CUT)).astype(np.float32)
    if part.grid and rng.random() * others < part.grid:
        rows, columns = _nodes(patch_hw, NODE_PIXELS)
        cell_xy = (patch_hw[1] / columns, patch_hw[0] / rows)
        grid = (rng.uniform(-CELL_SHIFT, CELL_SHIFT, (rows, columns, 2)) * cell_xy).astype(np.float32)
    if perspective is None and elastic is None and grid is None:
        return None
    return Deformation(perspective, elastic, grid)


def source_matrix(matrix: Float64, deformation: Deformation | None) -> Float64:
    """``(3, 3)`` from displaced patch coordinates to the picture: ``A^-1 G``."""
    inverse = np.vstack([cv2.invertAffineTransform(matrix), [0.0, 0.0, 1.0]])
    if deformation is not None and deformation.perspective is not None:
        inverse = inverse @ deformation.perspective
    return np.asarray(inverse, np.float64)


def displacement(deformation: Deformation, size_hw: tuple[int, int]) -> Float32:
    """``e + g`` at each pixel, ``(h, w, 2)``, x before y."""
    total = np.zeros((*size_hw, 2), np.float32)
    for nodes, kind in ((deformation.elastic, cv2.INTER_CUBIC), (deformation.grid, cv2.INTER_LINEAR)):
        if nodes is not None:
            total += cv2.resize(nodes, size_hw[::-1], interpolation=kind)
    return total


def source_map(matrix: Float64, deformation: Deformation, size_hw: tuple[int, int]) -> tuple[Float32, Float32]:
    """Where each pixel of the patch lies in the picture: x and y, ``(h, w)`` each."""
    shift = displacement(deformation, size_hw)
    x = shift[..., 0] + np.arange(size_hw[1], dtype=np.float32)
    y = shift[..., 1] + np.arange(size_hw[0], dtype=np.float32)[:, None]
    across, down, below = (row[0] * x + row[1] * y + row[2] for row in source_matrix(matrix, deformation).tolist())
    if deformation.perspective is not None:
        below = np.maximum(below, NEAREST_HORIZON)
        across, down = across / below, down / below
    return across, down


def source_box(
    back: Float64, deformation: Deformation | None, *, patch_hw: tuple[int, int], size_hw: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Top, bottom, left and right (exclusive) of the part of the picture that the patch is made from; never empty.

    Pixels that are mirrored in at the border of the picture are in it, so that mirroring at the border of the part gives
    the same.

    Parameters
    ----------
    back : what `source_matrix` returns.
    size_hw : of the picture.
    """
    reach = 0.0 if deformation is None else deformation.reach
    xs, ys = (-reach, patch_hw[1] - 1 + reach), (-reach, patch_hw[0] - 1 + reach)
    corners = np.array([(x, y, 1.0) for x in xs for y in ys]) @ back.T
    if deformation is not None and deformation.perspective is not None:
        if corners[:, 2].min() < NEAREST_HORIZON:  # of patches of a few pixels: the farthest point is then no corner
            return 0, size_hw[0], 0, size_hw[1]
        corners = corners / corners[:, 2:]
    (low_x, low_y, _), (high_x, high_y, _) = corners.min(0).tolist(), corners.max(0).tolist()
    top, bottom = _mirrored_in(low_y - 1, high_y + 1, size_hw[0])
    left, right = _mirrored_in(low_x - 1, high_x + 1, size_hw[1])
    return top, bottom, left, right


def _mirrored_in(low: float, high: float, size: int) -> tuple[int, int]:
    """The whole pixels from which positions `low` to `high` are interpolated, mirrored at 0 and at ``size - 1``."""
    last = size - 1
    if low < 0:
        high = max(high, -low)
    if high > last:
        low = min(low, 2 * last - high)
    first = min(max(math.floor(low), 0), last)
    return first, min(max(math.ceil(high), first), last) + 1


def _nodes(patch_hw: tuple[int, int], distance: float) -> tuple[int, int]:
    return max(2, int(patch_hw[0] / distance)), max(2, int(patch_hw[1] / distance))


def _draw_perspective(rng: np.random.Generator, largest: float, patch_hw: tuple[int, int]) -> Float64:
    """The homography that shifts each corner by up to `largest` of the patch's sides."""
    bottom, right = patch_hw[0] - 1, patch_hw[1] - 1
    corners = np.array([(0, 0), (right, 0), (right, bottom), (0, bottom)], np.float32)
    shifts: npt.NDArray[Any] = rng.uniform(-largest, largest, (4, 2)) * (patch_hw[1], patch_hw[0])
    return np.asarray(cv2.getPerspectiveTransform(corners, corners + shifts.astype(np.float32)), np.float64)
