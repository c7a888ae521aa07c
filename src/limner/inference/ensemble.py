"""Several networks, one answer: the mean of their scores at the picture's own size, decided once."""

from __future__ import annotations

import copy
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
from limner.inference.objects import ObjectDecoder
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

    def with_scores(self) -> EnsembleSegmenter:
        """The same networks, which also return scores."""
        scored = copy.copy(self)
        scored.keep_scores = True
        return scored

    def segment(self, sample: Sample) -> Prediction:
        """Labels of `sample` at its own size.

        Raises
        ------
        DataError : the picture has channels that the networks were not trained on.
        """
        start = time.perf_counter()
        decoder = self._decoder(sample.size_hw)
        mean = self._mean(sample, all_maps=decoder is not None)
        if decoder is None:
            labels, objects = self.label_space.decode(mean, threshold=self.threshold), None
        else:
            labels, objects = decoder(mean)
        scores = mean[: self.label_space.num_maps] if self.keep_scores else None
        if scores is not None and self.temperature != 1:
            apply_temperature(scores, self.temperature, out=scores)
        return Prediction(sample.name, labels, self.label_space, scores, time.perf_counter() - start, objects)

    def _decoder(self, size_hw: tuple[int, int]) -> ObjectDecoder | None:
        """That of the first member at the ensemble's threshold; None where members do not answer the same maps of objects."""
        heads = {None if member.contract.objects is None else member.contract.objects.maps for member in self.members}
        decoder = self.members[0].decoder(size_hw)
        if decoder is None or len(heads) != 1:
            return None
        return dataclasses.replace(decoder, threshold=self.threshold)

    def _mean(self, sample: Sample, *, all_maps: bool) -> npt.NDArray[np.float32]:
        """``(K, H, W)`` scores, or `all_maps` ``(K + T, H, W)``; a sum in the order of the members, divided at the end."""
        total: npt.NDArray[np.float32] | None = None
        for member in self.members:
            maps = member.native_maps(sample)
            maps = maps if all_maps else maps[: self.label_space.num_maps]
            if total is None:
                total = maps.astype(np.float32)
            else:
                total += maps
        assert total is not None
        total /= np.float32(len(self.members))
        return total
