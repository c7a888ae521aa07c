"""The validation pictures predicted once, for all that is fitted to them when a run ends: how sure, which rules, how good.

Scores are thinned where they are many. Decisions are kept whole, compressed: label maps are long runs of equal numbers.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.api.open import open_segmenter
from limner.core.bundle import Bundle
from limner.core.labels import Labels
from limner.core.protocols import Listener
from limner.core.sample import Sample
from limner.data.dataset import Dataset, Item
from limner.inference.segmenter import NetworkSegmenter
from limner.metrics.calibration import to_logits

MOST_PICTURES = 40  # that are predicted; a fixed number, so that a busy machine changes nothing
MOST_PIXELS = 400_000  # of all pictures together that temperatures are fitted to; the fit moves by less than a thousandth with more
MOST_SCORES = 60_000_000  # kept of all pictures together
THRESHOLDS = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))

Rank = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Packed:
    """An array, compressed."""

    shape: tuple[int, ...]
    dtype: str
    data: bytes

    def array(self) -> npt.NDArray[np.integer]:
        """The array as it was; read only."""
        return np.frombuffer(zlib.decompress(self.data), self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Validated:
    """One picture with its truth and what the network says, at native size.

    Parameters
    ----------
    name, group : of the picture.
    rank : two classes: how many of `thresholds` lie below the score of each pixel; several, or objects: the class ids.
    truth, valid : labels, and which of them are known; None = all.
    thresholds : rising.
    scores : ``(K, h, w)`` float16 as the network gives them, every `every`-th pixel of rows and columns.
    logits, ids : ``(K, n)`` and ``(n,)`` of pixels drawn at random.
    """

    name: str
    group: str
    rank: Packed
    truth: Packed
    valid: Packed | None
    thresholds: tuple[float, ...]
    scores: npt.NDArray[np.float16]
    every: int
    logits: npt.NDArray[np.float64]
    ids: npt.NDArray[np.integer]

    def labels(self, threshold: float) -> Labels:
        """What is answered at one of `thresholds`."""
        rank: Labels = self.rank.array()  # type: ignore[assignment]
        if not self.thresholds:
            return rank
        return np.asarray(rank > self.thresholds.index(threshold), np.uint8)

    def sample(self) -> Sample:
        """Truth and known pixels, without the picture."""
        truth: Labels = self.truth.array()  # type: ignore[assignment]
        valid = None if self.valid is None else self.valid.array().view(np.bool_)
        return Sample(self.name, np.zeros((*truth.shape, 1), np.uint8), truth, valid)


def predict_validation(
    bundle: Bundle, dataset: Dataset, items: Sequence[Item], *, seed: int, listener: Listener
) -> list[Validated]:
    """Predict labelled pictures with the network of a bundle, each once.

    Parameters
    ----------
    bundle : a network on disk; its scores are taken as the network gives them, before calibration and rules.
    dataset, items : pictures with labels; of more than `MOST_PICTURES` evenly spread ones.
    seed : of the choice of pixels.
    listener : hears of progress.
    """
    contract = dataclasses.replace(bundle.contract, temperature=1.0)
    opened, _ = open_segmenter(bundle.folder, keep_scores=True)
    segmenter = opened if isinstance(opened, NetworkSegmenter) else getattr(opened, "inner", None)
    assert isinstance(segmenter, NetworkSegmenter)
    segmenter = dataclasses.replace(segmenter, contract=contract)
    chosen = spread_evenly(items, MOST_PICTURES)
    rng, kept = np.random.default_rng(seed), []
    for done, item in enumerate(chosen, 1):
        sample = dataset.load(item)
        found = segmenter.segment(sample)
        assert found.scores is not None
        # where objects are told apart the labels are theirs, and what a threshold makes of the scores is never answered
        threshold = contract.threshold if contract.objects is None else None
        kept.append(_keep(item, sample, found.scores, found.labels, threshold, len(chosen), rng))
        listener.progress("calibrate", done, len(chosen))
    return kept


def spread_evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many items, the first and the last among them.

    Examples
    --------
    >>> spread_evenly("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if len(items) <= most:
        return list(items)
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]


def _keep(
    item: Item, sample: Sample, scores: npt.NDArray[np.float32], labels: Labels, threshold: float | None, count: int,
    rng: np.random.Generator,
) -> Validated:  # fmt: skip
    """One picture as it is kept."""
    assert sample.labels is not None
    known = np.flatnonzero(np.ones(sample.labels.size, bool) if sample.valid is None else sample.valid)
    picked = rng.choice(known, min(len(known), MOST_PIXELS // count), replace=False)
    thresholds: tuple[float, ...] = ()
    rank: Rank = labels
    if len(scores) == 1 and threshold is not None:
        thresholds = tuple(sorted({*THRESHOLDS, threshold}))
        rank = np.zeros(labels.shape, np.uint8)
        for value in thresholds:
            rank += scores[0] > value
    every = max(1, math.ceil(math.sqrt(scores.size * count / MOST_SCORES)))
    return Validated(
        item.name, item.group, pack(rank), pack(sample.labels),
        None if sample.valid is None else pack(sample.valid.view(np.uint8)), thresholds,
        scores[:, ::every, ::every].astype(np.float16), every,
        to_logits(scores.reshape(len(scores), -1)[:, picked]), sample.labels.ravel()[picked],
    )  # fmt: skip


def pack(array: npt.NDArray[np.integer]) -> Packed:
    """An array, compressed quickly."""
    return Packed(array.shape, array.dtype.str, zlib.compress(np.ascontiguousarray(array).tobytes(), 1))
