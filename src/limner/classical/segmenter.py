"""A classical method as a `Segmenter`: a sample in, labels of its own size out."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from limner.classical.gray import Mask, to_gray
from limner.classical.pyramid import segment_pyramid
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.core.sample import Sample

TWO_CLASSES = LabelSpace(("background", "foreground"))


@dataclass(frozen=True)
class ClassicalSegmenter:
    """A method of this package with its options; nothing is trained.

    Parameters
    ----------
    name : what it is called on the command line.
    function : from ``(H, W)`` gray in [0, 255] to the object's pixels.
    source : where the method was published, in one line.
    label_space : its first two classes are background and object.
    options : further arguments of `function`, such as ``{"polarity": "dark"}``; change them with `dataclasses.replace`.
    levels : how often a picture is halved first, see `segment_pyramid`.
    """

    name: str
    function: Callable[..., Mask]
    source: str
    label_space: LabelSpace = TWO_CLASSES
    options: Mapping[str, Any] = field(default_factory=dict)
    levels: int = 0

    def segment(self, sample: Sample) -> Prediction:
        """Labels 0 and 1 of `sample` at its own size, uint8; all 0 for a constant picture.

        Raises
        ------
        DataError : the picture has values that are not finite.
        RecipeError : an option has a value that is not known.
        """
        start = time.perf_counter()
        method = functools.partial(self.function, **self.options)
        mask = segment_pyramid(to_gray(sample.image), method, levels=self.levels)
        return Prediction(sample.name, mask.astype(np.uint8), self.label_space, seconds=time.perf_counter() - start)
