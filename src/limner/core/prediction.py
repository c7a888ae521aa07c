"""What a segmenter answers for one picture, always at the picture's own size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import ShapeError
from limner.core.labels import Labels, LabelSpace
from limner.core.objects import Objects


@dataclass(frozen=True)
class Prediction:
    """Labels of one picture and, on request, the scores behind them.

    Parameters
    ----------
    name : name of the sample.
    labels : ``(H, W)`` class ids at native size.
    label_space : what the ids mean.
    scores : ``(K, H, W)`` float32 in [0, 1] after sigmoid or softmax, or None.
    seconds : wall-clock time spent on it.
    objects : the countable things, each of one class; None where the model does not tell them apart.
    """

    name: str
    labels: Labels
    label_space: LabelSpace
    scores: npt.NDArray[np.float32] | None = None
    seconds: float = 0.0
    objects: Objects | None = None

    def __post_init__(self) -> None:
        if self.scores is not None and self.scores.shape[1:] != self.labels.shape:
            raise ShapeError(
                f"scores of shape {self.scores.shape}", expected=f"(K, *{self.labels.shape})", where=self.name
            )

        if self.objects is not None and self.objects.ids.shape != self.labels.shape:
            raise ShapeError(
                f"object ids of shape {self.objects.ids.shape}", expected=f"{self.labels.shape}", where=self.name
            )

    def pixels(self) -> dict[str, int]:
        """Number of pixels of each class, by name."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.label_space))
        return {name: int(counts[i]) for i, name in enumerate(self.label_space.names)}
