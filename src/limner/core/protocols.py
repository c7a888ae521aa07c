"""The words that every engine knows, and the listener that hears of progress."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from limner.core.prediction import Prediction
from limner.core.sample import Image, Sample


class Predictor(Protocol):
    """A network behind any runtime: ``(N, C, H, W)`` float32 to ``(N, K, H, W)`` float32 logits."""

    def __call__(self, batch: npt.NDArray[np.float32], /) -> npt.NDArray[np.float32]:
        """Logits of a batch; height and width may be any size of at least 1."""
        ...


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


class Segmenter(Protocol):
    """Anything that labels a picture: a tiled network, a classical method, an ensemble."""

    def segment(self, sample: Sample) -> Prediction:
        """Labels of `sample` at its own size."""
        ...


class Listener(Protocol):
    """Hears what a long verb does; the command line draws bars with it."""

    def progress(self, stage: str, done: float, total: float, text: str = "") -> None:
        """`done` of `total` units of `stage` are finished."""
        ...

    def message(self, text: str) -> None:
        """Something worth one line."""
        ...


class Silent:
    """A listener that ignores everything; the default of the Python interface."""

    def progress(self, stage: str, done: float, total: float, text: str = "") -> None:
        """Ignore."""

    def message(self, text: str) -> None:
        """Ignore."""
