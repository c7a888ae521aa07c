"""A picture that is read by windows, so that it need not be in memory as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from limner.core.sample import Image


class Source(Protocol):
    """A picture of any size; pixels as `limner.data.images.read_image` would give them."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels."""
        ...

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """uint8, uint16 or float32."""
        ...

    def read(self, rows: slice, columns: slice) -> Image:
        """The window ``(h, w, C)``; both slices with start and stop inside the picture."""
        ...


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
