"""Training pictures as tuning compares settings on them: not too many, not too large, and options to match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from limner.classical.options import Options
from limner.classical.pyramid import halve
from limner.classical.segmenter import ClassicalSegmenter
from limner.core.sample import Sample


def evenly(number: int, most: int) -> list[int]:
    """At most `most` places out of `number`, evenly spaced, none at a favoured end.

    Examples
    --------
    >>> evenly(9, 3), evenly(2, 3)
    ([1, 4, 7], [0, 1])
    """
    count = min(number, most)
    return [(2 * place + 1) * number // (2 * count) for place in range(count)]


@dataclass(frozen=True)
class Copy:
    """A training picture as tuning sees it.

    Parameters
    ----------
    sample : with labels 0 and 1.
    halvings : how often its sides were halved.
    """

    sample: Sample
    halvings: int = 0

    @property
    def has_object(self) -> bool:
        """Whether the labels show the object."""
        labels = self.sample.labels
        return labels is not None and bool((labels > 0).any())


def shrink(sample: Sample, side: int) -> Copy:
    """`sample` halved until no side is longer than `side`.

    The image's pixels become means; a pixel of the copy is object, or known, where at least half of what it covers is.
    """
    if max(sample.size_hw) <= side:
        return Copy(sample)
    image = sample.image.astype(np.float32)
    assert sample.labels is not None
    shares = np.stack([sample.labels > 0, np.ones(sample.size_hw) if sample.valid is None else sample.valid], axis=2)
    planes, halvings = shares.astype(np.float32), 0
    while max(image.shape[:2]) > side:
        image, planes, halvings = halve(image), halve(planes), halvings + 1
    if sample.image.dtype.kind == "u":
        image = np.rint(image)
    labels, valid = (planes[..., 0] >= 0.5).astype(np.uint8), planes[..., 1] >= 0.5
    return Copy(Sample(sample.name, image.astype(sample.image.dtype), labels, valid), halvings)


def choose_copies(samples: Sequence[Sample], most: int, side: int) -> dict[int, Copy]:
    """Place to copy of at most `most` samples, evenly spaced; see `shrink` for `side`.

    Where objects are so rare that none of these shows one, others that do replace a quarter of them, at least one; they are
    searched from the end. Without any object the copies are those that are evenly spaced.
    """
    copies = {place: shrink(samples[place], side) for place in evenly(len(samples), most)}
    if any(copy.has_object for copy in copies.values()):
        return copies
    replaced = list(copies)[: max(1, len(copies) // 4)]
    for place in reversed([place for place in range(len(samples)) if place not in copies]):
        copy = shrink(samples[place], side)
        if copy.has_object:
            del copies[replaced.pop()]
            copies[place] = copy
            if not replaced:
                break
    return copies


def on_copy(method: ClassicalSegmenter, options: Options, halvings: int) -> ClassicalSegmenter:
    """`method` with `options`, meant for a picture, as it has to be for a copy that was halved so often.

    Halvings count against the pyramid's levels; what is left of them shortens lengths in pixels.
    """
    levels = int(options["levels"])
    factor = 0.5 ** max(0, halvings - levels)
    known = method.known
    values = {name: known[name].on_copy(value, factor) for name, value in options.items()}
    return replace(method, options={**values, "levels": max(0, levels - halvings)})
