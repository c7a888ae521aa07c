"""How far two boundaries are from each other: distances once, then HD95, HD, ASSD and surface Dice.

    a = distances from each boundary pixel of the prediction to the boundary of the truth,  b = the other way round
    HD95 = max(P95(a), P95(b))     HD = max(a, b)     ASSD = (sum a + sum b) / (|a| + |b|)
    surface Dice = (pixels of a and b within the tolerance) / (|a| + |b|)

The boundary is that of `limner.metrics.distance.boundary`. Pixels that are not valid are taken out of both masks before
the boundaries are drawn: where both masks run into the unknown, both end at the same line, at distance 0.

What is answered where something is missing:

    shown  predicted    HD95, HD, ASSD    surface Dice
    no     no           NaN               NaN
    no     yes          NaN               0
    yes    no           NaN               0
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from limner.metrics.distance import (
    PIXELS,
    Lengths,
    Mask,
    Spacing,
    boundary,
    bounding_box,
    known_masks,
    nearest_distances,
)

TOLERANCE_PIXELS = 2.0  # a judgement; how far two people differ is the better choice (Nikolov et al. 2021)


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances between the boundaries of two masks, in the unit of the spacing they were taken with.

    Parameters
    ----------
    pred_to_target : ``(M,)`` float64, one for each boundary pixel of the prediction; infinite when the truth is empty.
    target_to_pred : ``(N,)`` float64, one for each boundary pixel of the truth; infinite when nothing is predicted.
    """

    pred_to_target: Lengths
    target_to_pred: Lengths

    @property
    def is_measurable(self) -> bool:
        """Both masks have a boundary."""
        return bool(self.pred_to_target.size and self.target_to_pred.size)


def surface_distances(
    pred_mask: Mask, target_mask: Mask, *, valid: Mask | None = None, spacing: Spacing = PIXELS
) -> SurfaceDistances:
    """All distances between the boundaries of two masks; computed once for all metrics of this file.

    Parameters
    ----------
    pred_mask, target_mask : ``(H, W)`` bool, the same shape.
    valid : ``(H, W)`` bool; False pixels are taken out of both masks. None: all are valid.
    spacing : height and width of a pixel in the unit wanted; default: distances in pixels.

    Raises
    ------
    ShapeError : the arrays differ in shape or have other than two axes.

    Examples
    --------
    >>> truth = np.array([[0, 1, 1, 0, 0, 0]], bool)
    >>> surface_distances(np.array([[0, 1, 1, 0, 0, 1]], bool), truth).pred_to_target.tolist()
    [0.0, 0.0, 3.0]
    """
    pred_mask, target_mask = known_masks(pred_mask, target_mask, valid)
    box = bounding_box(pred_mask | target_mask)  # outside it nothing is mask, as beyond the border of a picture
    pred_edge, target_edge = boundary(pred_mask[box]), boundary(target_mask[box])
    return SurfaceDistances(
        nearest_distances(pred_edge, target_edge, spacing=spacing),
        nearest_distances(target_edge, pred_edge, spacing=spacing),
    )


def hd95(distances: SurfaceDistances) -> float:
    """The larger of the two directed 95th percentiles of the distances (linear interpolation).

    Returns
    -------
    At least 0; 0 is best. NaN unless both masks have a boundary.

    References
    ----------
    Huttenlocher et al. 1993, doi:10.1109/34.232073, with a rank of 95 %. Some tools pool both directions before they
    take the percentile, which gives smaller values.
    """
    return _larger(distances, 95)


def hausdorff(distances: SurfaceDistances) -> float:
    """The largest distance in either direction; a single stray pixel decides it.

    Returns
    -------
    At least 0; 0 is best. NaN unless both masks have a boundary.

    References
    ----------
    Huttenlocher et al. 1993, doi:10.1109/34.232073.
    """
    return _larger(distances, 100)


def assd(distances: SurfaceDistances) -> float:
    """The mean of all distances of both directions (average symmetric surface distance).

    Returns
    -------
    At least 0; 0 is best. NaN unless both masks have a boundary.

    References
    ----------
    Heimann et al. 2009, doi:10.1109/TMI.2009.2013851.
    """
    return summed(distances, tolerance=0).assd


def surface_dice(distances: SurfaceDistances, *, tolerance: float) -> float:
    """Share of the pixels of both boundaries that lie within a tolerance of the other.

    Parameters
    ----------
    tolerance : largest accepted distance, at least 0, in the unit of the distances.

    Returns
    -------
    In [0, 1]; 1 is best. NaN when neither mask has a boundary; 0 when only one has.

    Raises
    ------
    ValueError : `tolerance` is negative.

    References
    ----------
    Nikolov et al. 2021, doi:10.2196/26151; boundary pixels are counted, not weighted by the length they stand for.

    Examples
    --------
    >>> surface_dice(SurfaceDistances(np.array([0.0, 3.0]), np.array([0.0, 1.0])), tolerance=1)
    0.75
    """
    return summed(distances, tolerance=tolerance).surface_dice


@dataclass(frozen=True)
class SurfaceSums:
    """Distances added up; pictures add up too, whereas percentiles and maxima do not.

    Parameters
    ----------
    total : sum of the finite distances.
    measured : how many they are.
    within : boundary pixels within the tolerance.
    pixels : boundary pixels of both masks.
    """

    total: float
    measured: int
    within: int
    pixels: int

    def __add__(self, other: SurfaceSums) -> SurfaceSums:
        return SurfaceSums(
            self.total + other.total, self.measured + other.measured, self.within + other.within,
            self.pixels + other.pixels,
        )  # fmt: skip

    @property
    def assd(self) -> float:
        """Mean distance; NaN when none could be measured."""
        return self.total / self.measured if self.measured else math.nan

    @property
    def surface_dice(self) -> float:
        """Share within the tolerance; NaN without any boundary."""
        return self.within / self.pixels if self.pixels else math.nan


NO_SURFACE = SurfaceSums(0.0, 0, 0, 0)


def summed(distances: SurfaceDistances, *, tolerance: float) -> SurfaceSums:
    """The sums behind ASSD and surface Dice; arguments and errors as in `surface_dice`."""
    if not tolerance >= 0:
        raise ValueError(f"tolerance {tolerance}: expected at least 0")
    both = np.concatenate([distances.pred_to_target, distances.target_to_pred])
    # Distances are roots of sums; a tolerance that equals one must not fail for the last bit of it.
    within = int(np.count_nonzero(both <= tolerance * (1 + 1e-9)))
    if not distances.is_measurable:
        return SurfaceSums(0.0, 0, within, both.size)
    return SurfaceSums(float(both.sum()), both.size, within, both.size)


def total_sums(parts: Iterable[SurfaceSums]) -> SurfaceSums:
    """The sums of several pictures together."""
    return sum(parts, NO_SURFACE)


def _larger(distances: SurfaceDistances, rank: float) -> float:
    if not distances.is_measurable:
        return math.nan
    return max(float(np.percentile(side, rank)) for side in (distances.pred_to_target, distances.target_to_pred))


DEFINITIONS: dict[str, str] = {
    "hd95": "The larger of the two directed 95th percentiles (linear interpolation) of the distances between boundary pixels "
    "(mask minus its 4-connected erosion) per picture, in {unit}; undefined, skipped and counted where the class is missed, "
    "invented or not there at all; percentiles do not add up, so there is no pooled value; not taken for the background.",
    "hd": "The largest distance between boundary pixels of either direction per picture, in {unit}; undefined, skipped and "
    "counted where the class is missed, invented or not there at all; no pooled value; not taken for the background.",
    "assd": "The mean distance of all boundary pixels of both masks to the boundary of the other per picture, in {unit}; "
    "undefined, skipped and counted where the class is missed, invented or not there at all; not taken for the background.",
    "surface_dice": "The share of the boundary pixels of both masks that lie within {tolerance} of the other boundary per "
    "picture; undefined, skipped and counted where neither truth nor prediction shows the class, 0 where only one does; "
    "not taken for the background.",
}
