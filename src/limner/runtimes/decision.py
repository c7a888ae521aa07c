"""From what a network answers for a tile to class ids, with NumPy alone and at the size of the answer.

Maps of classes: the largest wins, one map is compared with the threshold. Query masks (`limner.core.query_answer`): the published
semantic inference, ``sum over queries of score(class) * sigmoid(mask)``, the same scores that `limner.inference` decides from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.bundle import Bundle
from limner.core.object_head import QUERIES
from limner.core.query_answer import unpack

Batch = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Decision:
    """How class ids follow from an answer.

    Parameters
    ----------
    threshold : score above which a pixel of a network with one map is foreground.
    classes : maps that labels are decided from; those behind them tell objects apart. None = all.
    queries : how many classes there are besides the background, where the answer is that of query masks; None = maps of classes.
    """

    threshold: float
    classes: int | None = None
    queries: int | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Decision:
        """That of a bundle."""
        head, space = bundle.contract.objects, bundle.label_space
        queries = len(space) - 1 if head is not None and head.head == QUERIES else None
        return cls(bundle.contract.threshold, space.num_maps, queries)

    def labels(self, answer: Batch) -> Ids:
        """Class ids ``(N, H, W)`` of an answer ``(N, K, H, W)``; of query masks ``(N, h, w)`` of ``(N, Q, h + r, w)``."""
        if self.queries is None:
            return decide(answer[:, : self.classes], self.threshold)
        scores = query_scores(answer, self.queries)
        if self.queries == 1:
            return np.asarray(np.minimum(scores[:, 0], 1) > self.threshold, np.uint8)
        background = np.maximum(1 - scores.sum(1, keepdims=True), 0)
        return decide(np.concatenate([background, scores], axis=1), self.threshold)

    def beside(self, answer: Batch) -> Batch:
        """The maps whose values say more than the labels: those behind the classes; of query masks all."""
        if self.queries is not None:
            return answer
        return answer[:, answer.shape[1] if self.classes is None else self.classes :]


def decide(logits: Batch, threshold: float) -> Ids:
    """Class ids ``(N, H, W)`` of logits ``(N, K, H, W)``: the largest wins, one map is compared with the threshold's logit."""
    if logits.shape[1] > 1:
        ids = logits.argmax(1)
        return np.asarray(ids, np.uint8) if logits.shape[1] <= 256 else np.asarray(ids, np.uint16)
    bound = math.inf if threshold >= 1 else -math.inf if threshold <= 0 else math.log(threshold / (1 - threshold))
    return np.asarray(logits[:, 0] > bound, np.uint8)


def query_scores(packed: Batch, num_classes: int) -> Batch:
    """Sums ``(N, C, h, w)`` over the queries of a packed answer ``(N, Q, h + r, w)``: class score times sigmoid of the mask."""
    masks, logits = unpack(packed, num_classes)
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    scores = (shifted / shifted.sum(-1, keepdims=True))[..., :-1]
    found: Batch = np.einsum("nqc,nqhw->nchw", scores, 0.5 * (1 + np.tanh(0.5 * masks)), optimize=True)
    return found
