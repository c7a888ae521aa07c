"""A picture in memory as a `Source`, like one that is read by windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.sample import Image


@dataclass(frozen=True)
class ArraySource:
    """A picture that is in memory.

    Parameters
    ----------
    image : ``(H, W, C)``.
    """

    image: Image

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.image.shape[2])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the array."""
        return self.image.dtype

    def read(self, rows: slice, columns: slice) -> Image:
        """A view of the window ``(h, w, C)``."""
        return self.image[rows, columns]
