"""Pictures computed together, where that changes no bit of the answers.

Libraries of numerics may choose another kernel for another batch, and sum in another order. Whether they do cannot be
known beforehand, and depends on sizes, not on values. So the first batch of each size is computed both ways and
compared; the first difference ends computing together for this model.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from limner.core.objects import Objects
from limner.core.prediction import Prediction
from limner.core.protocols import Segmenter
from limner.core.sample import Sample

MOST_PROVEN = 512  # sizes remembered; beyond that pictures of new sizes are computed one by one


class Together:
    """Computes several pictures of one size with one segmenter; answers never depend on the company.

    Used by one thread.
    """

    def __init__(self) -> None:
        self._proven: set[Hashable] = set()
        self.differs = False

    def possible(self, segmenter: Segmenter) -> bool:
        """True where pictures are worth being gathered."""
        return not self.differs and hasattr(segmenter, "segment_many")

    def segment(self, segmenter: Segmenter, samples: Sequence[Sample], *, key: Hashable = None) -> list[Prediction]:
        """One prediction for each sample, bit for bit what it would be alone.

        Parameters
        ----------
        samples : pictures of one shape and dtype.
        key : what else kernels may be chosen by, such as the request's options.
        """
        size = (key, len(samples), samples[0].image.shape, samples[0].image.dtype.str)
        if len(samples) > 1 and self.possible(segmenter):
            if size in self._proven:
                return list(segmenter.segment_many(samples))  # type: ignore[attr-defined]
            if len(self._proven) < MOST_PROVEN:
                alone = [segmenter.segment(sample) for sample in samples]
                gathered = list(segmenter.segment_many(samples))  # type: ignore[attr-defined]
                if all(_equal(one, other) for one, other in zip(alone, gathered, strict=True)):
                    self._proven.add(size)
                else:
                    self.differs = True
                return alone
        return [segmenter.segment(sample) for sample in samples]


def _equal(one: Prediction, other: Prediction) -> bool:
    if not np.array_equal(one.labels, other.labels) or not _same_objects(one.objects, other.objects):
        return False
    if one.scores is None or other.scores is None:
        return one.scores is other.scores
    return one.scores.tobytes() == other.scores.tobytes()


def _same_objects(one: Objects | None, other: Objects | None) -> bool:
    if one is None or other is None:
        return one is other
    scores = [np.zeros(0) if objects.scores is None else objects.scores for objects in (one, other)]
    return (
        np.array_equal(one.ids, other.ids)
        and np.array_equal(one.classes, other.classes)
        and scores[0].tobytes() == scores[1].tobytes()
    )
