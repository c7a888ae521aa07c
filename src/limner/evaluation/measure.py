"""One class on one picture: what is measured once, and every metric that follows from it.

Counts and sums add up over pictures, and the pooled value of a metric is that of the sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt

from limner.core.choices import nearest
from limner.core.errors import UsageError
from limner.metrics.boundary import count_band
from limner.metrics.calibration import Reliability, no_reliability
from limner.metrics.counts import Counts
from limner.metrics.distance import PIXELS, Spacing
from limner.metrics.overlap import METRICS, MORE_METRICS, iou
from limner.metrics.surface import NO_SURFACE, TOLERANCE_PIXELS, SurfaceSums, hausdorff, hd95, summed, surface_distances

Mask = npt.NDArray[np.bool_]

EXTENTS = ("overlap", "all")
SURFACE = ("hd95", "hd", "assd", "surface_dice", "boundary_iou")
CALIBRATION = ("ece", "brier")
NO_COUNTS = Counts(0, 0, 0, 0)


@dataclass(frozen=True)
class Plan:
    """Which metrics are taken, and how lengths are measured.

    Parameters
    ----------
    extent : ``overlap`` for what follows from counts of pixels, ``all`` for boundaries and calibration as well.
    spacing : height and width of a pixel in mm; None: lengths are in pixels.
    tolerance : of surface Dice, in pixels or mm; None: 2 pixels, or twice the longer side of a pixel.

    Raises
    ------
    UsageError : an extent that there is not, or a negative tolerance.
    """

    extent: str = "overlap"
    spacing: Spacing | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.extent not in EXTENTS:
            raise UsageError(
                f"--metrics {self.extent}", expected=" or ".join(EXTENTS), fix=nearest(self.extent, EXTENTS)
            )
        if self.tolerance is not None and not 0 <= self.tolerance < math.inf:
            raise UsageError(
                f"--tolerance {self.tolerance}", expected="a length of at least 0", fix="leave it out for 2 pixels"
            )

    @property
    def unit(self) -> str:
        """``mm`` where the spacing is known, else ``px``."""
        return "px" if self.spacing is None else "mm"

    @property
    def accepted(self) -> float:
        """The tolerance of surface Dice in that unit."""
        if self.tolerance is not None:
            return self.tolerance
        return TOLERANCE_PIXELS * (1.0 if self.spacing is None else max(self.spacing))

    @property
    def overlap_metrics(self) -> tuple[str, ...]:
        """Names of the metrics that follow from counts."""
        return tuple(METRICS) if self.extent == "overlap" else (*METRICS, *MORE_METRICS)


@dataclass(frozen=True)
class Measured:
    """What was measured of one class, on one picture or added up over several.

    Parameters
    ----------
    counts : pixels.
    hd95, hd : distances that do not add up; NaN where undefined, and in a sum.
    surface : distances that do.
    band : pixels of the bands along the boundaries.
    has_surface : boundaries were looked at.
    reliability : answers by confidence; None without scores.
    """

    counts: Counts
    hd95: float = math.nan
    hd: float = math.nan
    surface: SurfaceSums = NO_SURFACE
    band: Counts = NO_COUNTS
    has_surface: bool = False
    reliability: Reliability | None = None

    def with_reliability(self, found: Reliability) -> Measured:
        """The same with the answers by confidence."""
        return replace(self, reliability=found)

    def values(self, plan: Plan) -> dict[str, float]:
        """Every metric of the plan by name; NaN where undefined."""
        functions = {**METRICS, **MORE_METRICS}
        found = {name: functions[name](self.counts) for name in plan.overlap_metrics}
        if plan.extent == "all":
            numbers = (self.hd95, self.hd, self.surface.assd, self.surface.surface_dice, iou(self.band))
            found |= dict(zip(SURFACE, numbers if self.has_surface else [math.nan] * len(SURFACE), strict=True))
        if self.reliability is not None:
            found |= {"ece": self.reliability.ece, "brier": self.reliability.brier}
        return found


def measure_surface(counts: Counts, pred: Mask, target: Mask, valid: Mask | None, plan: Plan) -> Measured:
    """Counts and boundaries of one class; ``(H, W)`` masks as in `limner.metrics.surface.surface_distances`."""
    spacing = PIXELS if plan.spacing is None else plan.spacing
    distances = surface_distances(pred, target, valid=valid, spacing=spacing)
    return Measured(
        counts, hd95(distances), hausdorff(distances), summed(distances, tolerance=plan.accepted),
        count_band(pred, target, valid=valid), has_surface=True,
    )  # fmt: skip


def pool(parts: Iterable[Measured]) -> Measured:
    """Everything that adds up, added up over pictures."""
    every = list(parts)
    known = [part.reliability for part in every if part.reliability is not None]
    return Measured(
        reduce(add, (part.counts for part in every), NO_COUNTS),
        surface=reduce(add, (part.surface for part in every), NO_SURFACE),
        band=reduce(add, (part.band for part in every), NO_COUNTS),
        has_surface=any(part.has_surface for part in every),
        reliability=reduce(add, known, no_reliability()) if known else None,
    )
