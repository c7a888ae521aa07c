"""A fixed number as threshold for all pictures, and the numbers that fit labelled pictures best.

Dice of a threshold on one picture needs two histograms only, of object and background: with A(t) and B(t) the pixels above t,
Dice(t) = 2 A(t) / (A(t) + B(t) + A(-inf)). All thresholds are scored at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from limner.classical.gray import Gray, Mask, smooth, to_unit
from limner.classical.options import Options
from limner.classical.polarity import choose_object
from limner.core.errors import DataError
from limner.core.sample import Sample

CUTS = 1000  # thresholds that are compared: 8 bit has 255
POINTS = (
    20_000  # pixels of a picture that are looked at, every second or third of each row and column where it has more
)


def fixed_threshold_mask(unit: Gray, *, threshold: float = 0.5, polarity: str = "auto", smoothing: float = 1.0) -> Mask:
    """Object and background on the two sides of one number.

    Parameters
    ----------
    unit : ``(H, W)`` from `to_unit`: 0 to 1 is the range of 8 and 16 bit; floating-point pictures are as they are.
    threshold : what is larger is the bright side.
    polarity : see `choose_object`.
    smoothing : standard deviation in pixels of a Gaussian before the threshold; 0 = none.

    Returns
    -------
    ``(H, W)`` bool; all False where the whole picture lies on one side.

    References
    ----------
    Prewitt, Mendelsohn 1966, doi:10.1111/j.1749-6632.1965.tb11715.x.
    """
    return choose_object((smooth(unit, smoothing) > threshold).astype(np.uint8), polarity=polarity)


def fitting_thresholds(samples: Sequence[Sample], options: Options) -> tuple[float, ...]:
    """The thresholds with the largest mean Dice on labelled pictures, without smoothing: for bright and for dark objects.

    Parameters
    ----------
    samples : with labels; pictures that show no object are left out.
    options : ``plane`` is looked at, and ``polarity``: with ``bright`` or ``dark`` there is one threshold, else two.

    Returns
    -------
    One or two numbers; none where no picture shows an object, or all pixels are equal.
    """
    plane = str(options.get("plane", "gray"))
    shown = [sample for sample in samples if sample.labels is not None and (sample.labels > 0).any()]
    steps = [max(1, math.ceil(math.sqrt(sample.image[..., 0].size / POINTS))) for sample in shown]
    try:
        planes = [to_unit(s.image[::step, ::step], plane=plane) for s, step in zip(shown, steps, strict=True)]
    except DataError:  # channels that this plane does not have: tuning hears it from the method itself
        return ()
    cuts = _cuts(planes)
    if not cuts.size:
        return ()
    bright, dark = np.zeros(len(cuts)), np.zeros(len(cuts))
    for sample, unit, step in zip(shown, planes, steps, strict=True):
        assert sample.labels is not None
        known = np.ones(unit.shape, bool) if sample.valid is None else sample.valid[::step, ::step]
        truth = (sample.labels > 0)[::step, ::step][known]
        place = np.searchsorted(cuts, unit[known], side="left")  # how many cuts lie below: those that it is above
        inside = np.bincount(place[truth], minlength=len(cuts) + 1)
        outside = np.bincount(place[~truth], minlength=len(cuts) + 1)
        above_in, above_out = (part.sum() - np.cumsum(part)[:-1] for part in (inside, outside))
        below_in, below_out = inside.sum() - above_in, outside.sum() - above_out
        total = max(int(inside.sum()), 1)
        bright += 2 * above_in / (above_in + above_out + total)
        dark += 2 * below_in / (below_in + below_out + total)
    wanted = {"bright": (bright,), "dark": (dark,)}.get(str(options.get("polarity", "auto")), (bright, dark))
    return tuple(float(f"{cuts[int(scores.argmax())]:.6g}") for scores in wanted)


def _cuts(planes: Sequence[Gray]) -> npt.NDArray[np.float64]:
    """Numbers half-way between neighbouring values of the pictures, at most `CUTS`, rising."""
    if not planes:
        return np.zeros(0)
    points = np.concatenate([plane.ravel() for plane in planes]).astype(np.float64)
    values = np.unique(points)
    if len(values) > CUTS + 1:
        values = np.unique(np.quantile(points, np.linspace(0, 1, CUTS + 1)))
    return np.asarray((values[1:] + values[:-1]) / 2)
