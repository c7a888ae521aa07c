"""Several networks, one answer: the mean of their scores at the picture's own size, decided once."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from limner.core.errors import BundleError
from limner.core.prediction import Prediction
from limner.core.protocols import Predictor
from limner.core.sample import Sample
from limner.inference.segmenter import NetworkSegmenter
from limner.metrics.calibration import apply_temperature


class EnsembleSegmenter:
    """The mean of several networks; a `Segmenter`.

    Members may want other working scales and intensities: means are taken at native size, of scores as the networks give them.
    The threshold is the mean of theirs, the temperature of scores that are handed out the geometric mean.

    Parameters
    ----------
    segmenters : at least one; of the same classes in the same order.
    keep_scores : also return scores, calibrated.

    Raises
    ------
    BundleError : none, or members that know other classes.

    References
    ----------
    Lakshminarayanan et al. 2017, arXiv:1612.01474.
    """

    def __init__(self, segmenters: Sequence[NetworkSegmenter], *, keep_scores: bool = False) -> None:
        spaces = {member.label_space.names for member in segmenters}
        if len(spaces) != 1:
            raise BundleError(
                f"an ensemble of {len(segmenters)} networks that know {len(spaces)} sets of classes",
                expected="at least one network, all of the same classes",
                fix="take the folds of one cross-validation",
            )
        self.label_space = segmenters[0].label_space
        self.keep_scores = keep_scores
        contracts = [member.contract for member in segmenters]
        self.threshold = statistics.fmean(contract.threshold for contract in contracts)
        self.temperature = math.exp(statistics.fmean(math.log(contract.temperature) for contract in contracts))
        self.members = tuple(
            dataclasses.replace(
                member, contract=dataclasses.replace(member.contract, temperature=1.0), keep_scores=True
            )
            for member in segmenters
        )

    @property
    def predictor(self) -> Predictor:
        """That of the first member; all are computed by the same runtime."""
        return self.members[0].predictor

    def segment(self, sample: Sample) -> Prediction:
        """Labels of `sample` at its own size.

        Raises
        ------
        DataError : the picture has channels that the networks were not trained on.
        """
        start = time.perf_counter()
        mean = self._mean_scores(sample)
        labels = self.label_space.decode(mean, threshold=self.threshold)
        scores = None
        if self.keep_scores:
            scores = mean if self.temperature == 1 else apply_temperature(mean, self.temperature)
        return Prediction(sample.name, labels, self.label_space, scores, time.perf_counter() - start)

    def _mean_scores(self, sample: Sample) -> npt.NDArray[np.float32]:
        """``(K, H, W)`` in [0, 1]; a sum in the order of the members, divided at the end."""
        total: npt.NDArray[np.float32] | None = None
        for member in self.members:
            scores = member.segment(sample).scores
            assert scores is not None
            if total is None:
                total = scores.astype(np.float32)
            else:
                total += scores
        assert total is not None
        total /= np.float32(len(self.members))
        return total
