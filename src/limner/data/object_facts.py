"""What the objects of a data set are like, class by class: how many, how large, how round, how they lie to each other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.labels import LabelSpace
from limner.data.object_shapes import ObjectShapes

CONVEX = 0.9  # share of its convex hull from which an object counts as convex
NAN = math.nan


@dataclass(frozen=True)
class ObjectFacts:
    """The objects of one class in all pictures together; lengths in native pixels.

    Parameters
    ----------
    name : of the class.
    images : pictures that show at least one.
    objects : how many.
    per_image : objects in a picture: quantiles 10, 50, 90 % over all pictures, also those without, and the most.
    diameter : of the circle of the same area: quantiles 10, 50, 90 %.
    touching : share that touches another object of the class, at a side or corner of a pixel.
    convexity : median share that an object fills of its convex hull.
    convex : share of the objects that fill at least `CONVEX` of it.
    fragmented : share in several pieces; corners connect.
    at_border : share that lies on the border of its picture.
    side : longer side of the bounding box: 99 % quantile, and the longest.
    sizes : histogram of the diameters: (d, n) are n objects of a diameter from d to below 2 d; rising, without gaps between the
        smallest and the largest.

    Shares and lengths are NaN, and `sizes` is empty, when there is no object.
    """

    name: str
    images: int = 0
    objects: int = 0
    per_image: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    diameter: tuple[float, float, float] = (NAN, NAN, NAN)
    touching: float = NAN
    convexity: float = NAN
    convex: float = NAN
    fragmented: float = NAN
    at_border: float = NAN
    side: tuple[float, float] = (NAN, NAN)
    sizes: tuple[tuple[int, int], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The facts as JSON: numbers that are not defined are None, the histogram has ``from``, ``to`` and ``count``."""
        tree = {key: _plain(value) for key, value in dataclasses.asdict(self).items() if key != "sizes"}
        return tree | {"sizes": [{"from": low, "to": 2 * low, "count": count} for low, count in self.sizes]}


def object_facts(pictures: Sequence[ObjectShapes], label_space: LabelSpace) -> tuple[ObjectFacts, ...]:
    """The facts of each class of things, in the order of their ids; empty when there are no things.

    Parameters
    ----------
    pictures : the objects of each picture, also of those without.
    label_space : its things.
    """
    return tuple(
        _facts([shapes.of_class(index) for shapes in pictures], label_space.names[index])
        for index in label_space.thing_ids
    )


def _facts(pictures: Sequence[ObjectShapes], name: str) -> ObjectFacts:
    counts = np.array([len(shapes) for shapes in pictures])
    if not counts.sum():
        return ObjectFacts(name)
    diameters = np.concatenate([shapes.diameters for shapes in pictures])
    convexity = np.concatenate([shapes.convexity for shapes in pictures])
    sides = np.concatenate([shapes.sides for shapes in pictures])
    low, middle, high = (float(value) for value in np.quantile(counts, [0.1, 0.5, 0.9]))
    small, median, large = (float(value) for value in np.quantile(diameters, [0.1, 0.5, 0.9]))
    return ObjectFacts(
        name=name, images=int((counts > 0).sum()), objects=int(counts.sum()),
        per_image=(low, middle, high, float(counts.max())), diameter=(small, median, large),
        touching=float(np.concatenate([shapes.touching for shapes in pictures]).mean()),
        convexity=float(np.median(convexity)), convex=float((convexity >= CONVEX).mean()),
        fragmented=float((np.concatenate([shapes.pieces for shapes in pictures]) > 1).mean()),
        at_border=float(np.concatenate([shapes.at_border for shapes in pictures]).mean()),
        side=(float(np.quantile(sides, 0.99)), float(sides.max())), sizes=_histogram(diameters),
    )  # fmt: skip


def _histogram(diameters: npt.NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    octaves = np.floor(np.log2(diameters)).astype(np.int64)
    counts = np.bincount(octaves)
    return tuple((2**octave, int(counts[octave])) for octave in range(int(octaves.min()), len(counts)))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
