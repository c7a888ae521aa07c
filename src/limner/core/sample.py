"""One picture with its labels, checked when it is built.

Arrays are channels-last, ``(H, W, C)``: the order of every image library, and the memory order of torch's channels-last
(`docs/decisions/0002-channels-last.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import ShapeError
from limner.core.labels import Labels
from limner.core.objects import Objects

Image = npt.NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """A picture and, where known, its labels.

    Parameters
    ----------
    name : the picture's path relative to its data set, with forward slashes.
    image : ``(H, W, C)`` uint8, uint16 or float32.
    labels : ``(H, W)`` class ids, or None.
    valid : ``(H, W)`` bool, False where the label is not known; None means all valid.
    objects : the countable things among the labels, or None where labels do not tell one from another. Their pixels lie in
        `labels` of their class.
    """

    name: str
    image: Image
    labels: Labels | None = None
    valid: npt.NDArray[np.bool_] | None = None
    objects: Objects | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 3:
            raise ShapeError(f"image of shape {self.image.shape}", expected="(H, W, C)", where=self.name)
        ids = None if self.objects is None else self.objects.ids
        for kind, array in (("labels", self.labels), ("valid", self.valid), ("object ids", ids)):
            if array is not None and array.shape != self.size_hw:
                raise ShapeError(
                    f"{kind} of shape {array.shape} for an image of {self.size_hw}",
                    expected="the same height and width",
                    where=self.name,
                    fix="check that image and mask belong together and were exported at the same size",
                )

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def num_channels(self) -> int:
        """Number of channels of the image."""
        return int(self.image.shape[2])
