"""A classical method as a `Segmenter`: a sample in, labels of its own size out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from limner.classical.gray import Gray, Mask, to_channels, to_gray, to_unit
from limner.classical.options import SHARED, TIDYING, Option, Options, Value, check_options
from limner.classical.pyramid import segment_pyramid
from limner.classical.tidy import tidy
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.core.sample import Image, Sample

TWO_CLASSES = LabelSpace(("background", "foreground"))


@dataclass(frozen=True)
class ClassicalSegmenter:
    """A method of this package with its options.

    Parameters
    ----------
    name : what it is called on the command line.
    function : from ``(H, W)`` to the object's pixels.
    source : where the method was published, in one line.
    label_space : its first two classes are background and object.
    options : those that differ from their defaults, such as ``{"polarity": "dark", "levels": 1}``; see `with_options`.
    levels : how often a picture is halved first where `options` do not say, see `segment_pyramid`.
    own : options that are arguments of `function`; those of `SHARED` come on top.
    sees : what `function` is given: ``gray`` = brightness in [0, 255], stretched for each picture; ``unit`` = values as they stand
        in the file, see `to_unit`; ``channels`` = brightness, and all channels as a second argument, see `to_channels`.
    is_slow : more than about 0.1 s per megapixel; tuning looks at fewer and smaller pictures.
    """

    name: str
    function: Callable[..., Mask]
    source: str
    label_space: LabelSpace = TWO_CLASSES
    options: Options = field(default_factory=dict)
    levels: int = 0
    own: Mapping[str, Option] = field(default_factory=dict)
    sees: Literal["gray", "unit", "channels"] = "gray"
    is_slow: bool = False

    @property
    def known(self) -> dict[str, Option]:
        """All options: of the function, then those of every method."""
        shared = {**SHARED, "levels": replace(SHARED["levels"], default=self.levels)}
        return {**self.own, **shared}

    def all_options(self) -> dict[str, Value]:
        """Every option with its value, defaults included."""
        return {**{name: option.default for name, option in self.known.items()}, **self.options}

    def with_options(self, given: Mapping[str, object]) -> ClassicalSegmenter:
        """The method with other values for some options.

        Raises
        ------
        RecipeError : an unknown option, or a value that is not allowed.
        """
        return replace(self, options={**self.options, **check_options(self.known, given, method=self.name)})

    def segment(self, sample: Sample) -> Prediction:
        """Labels 0 and 1 of `sample` at its own size, uint8; all 0 for a constant picture.

        Raises
        ------
        DataError : the picture has values that are not finite, or not the channels that an option needs.
        RecipeError : an option has a value that is not known.
        """
        start = time.perf_counter()
        mask = self.mask(sample.image)
        return Prediction(sample.name, mask.astype(np.uint8), self.label_space, seconds=time.perf_counter() - start)

    def mask(self, image: Image) -> Mask:
        """The object's pixels ``(H, W)`` of a picture ``(H, W, C)``; see `segment`."""
        return self.tidied(self.untidied(image))

    def untidied(self, image: Image) -> Mask:
        """`mask` before parts are dropped and holes filled."""
        own = {name: value for name, value in self.options.items() if name not in SHARED}
        plane = str(self.options.get("plane", SHARED["plane"].default))
        planes: Gray = to_unit(image, plane=plane) if self.sees == "unit" else to_gray(image, plane=plane)
        if self.sees == "channels":
            planes = np.concatenate([planes[..., None], to_channels(image)], axis=2)

        def segment(level: Gray) -> Mask:
            if level.ndim == 2:
                return self.function(level, **own)
            return self.function(np.ascontiguousarray(level[..., 0]), level[..., 1:], **own)

        return segment_pyramid(planes, segment, levels=int(self.options.get("levels", self.levels)))

    def tidied(self, mask: Mask) -> Mask:
        """What the options `TIDYING` leave of a mask."""
        keep, smallest, fill = (self.options.get(name, SHARED[name].default) for name in TIDYING)
        return tidy(mask, keep=str(keep), smallest=float(smallest), fill=bool(fill))
