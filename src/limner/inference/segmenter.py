"""From a picture to labels at its own size: prepare, tile, blend, restore, decode."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.bundle import InputContract
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.core.protocols import Predictor
from limner.core.sample import Image, Sample
from limner.data.preprocess import prepare, to_network
from limner.inference.tiles import blend_weight, tiles
from limner.metrics.calibration import apply_temperature

WHOLE_PIXELS = 1_500_000  # working pixels up to which a picture is predicted in one piece
DEFAULT_TILE = 1024  # working pixels


@dataclass(frozen=True)
class NetworkSegmenter:
    """A network with its input contract; a `Segmenter`.

    Parameters
    ----------
    predictor : ``(N, C, H, W)`` to logits ``(N, K, H, W)``.
    network_channels : channels that the predictor wants.
    keep_scores : also return scores.
    """

    predictor: Predictor
    contract: InputContract
    label_space: LabelSpace
    network_channels: int
    keep_scores: bool = False

    def segment(self, sample: Sample) -> Prediction:
        """Labels of `sample` at its own size.

        Raises
        ------
        DataError : the picture has channels that the network was not trained on.
        """
        start = time.perf_counter()
        scores = self.working_scores(sample.image, where=sample.name)
        labels, full = self._restore(scores, sample.size_hw)
        return Prediction(sample.name, labels, self.label_space, full, time.perf_counter() - start)

    def working_scores(self, image: Image, *, where: str = "") -> npt.NDArray[np.float32]:
        """Scores ``(K, h, w)`` at working scale."""
        contract = self.contract
        working = prepare(
            image,
            channels=self.network_channels,
            scale=contract.scale,
            normalization=contract.normalization,
            intensity_range=contract.intensity_range,
            resize_hw=contract.resize_hw,
            where=where,
        )
        height, width = working.shape[:2]
        tile = max(32, round(contract.tile * contract.scale)) if contract.tile else 0
        if any(contract.resize_hw):
            tile = 0  # one size for all: it is predicted as it was trained
        elif not tile and height * width > WHOLE_PIXELS:
            tile = DEFAULT_TILE
        if not tile or (height <= tile and width <= tile):
            return self._scores(to_network(working, normalization=contract.normalization))
        total = np.zeros((self.label_space.num_maps, height, width), np.float32)
        weights = np.zeros((height, width), np.float32)
        for window in tiles((height, width), tile, overlap=contract.overlap):
            part = self._scores(to_network(working[window], normalization=contract.normalization))
            weight = blend_weight((part.shape[1], part.shape[2]))
            total[:, window[0], window[1]] += part * weight
            weights[window] += weight
        return np.asarray(total / weights, np.float32)

    def _scores(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scores ``(K, h, w)`` of one network input ``(C, h, w)``, averaged over the mirrored copies that the contract asks for."""
        axes = [{"x": 2, "y": 1}[letter] for letter in self.contract.flips]
        total = np.zeros((self.label_space.num_maps, *x.shape[1:]), np.float32)
        subsets = [flipped for n in range(len(axes) + 1) for flipped in itertools.combinations(axes, n)]
        for flipped in subsets:
            mirrored = np.ascontiguousarray(np.flip(x, flipped)[None])
            total += np.flip(activate(self.predictor(mirrored))[0], flipped)
        return np.asarray(total / len(subsets), np.float32)

    def _restore(
        self, scores: npt.NDArray[np.float32], size_hw: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], npt.NDArray[np.float32] | None]:
        """Labels and, when kept, scores at native size.

        Scores are enlarged bilinearly before the decision; those handed out are calibrated after it.
        """
        enlarged = np.stack([cv2.resize(channel, size_hw[::-1], interpolation=cv2.INTER_LINEAR) for channel in scores])
        enlarged = enlarged.reshape(len(scores), *size_hw)
        labels = self.label_space.decode(enlarged, threshold=self.contract.threshold)
        if not self.keep_scores:
            return labels, None
        temperature = self.contract.temperature
        return labels, enlarged if temperature == 1 else apply_temperature(enlarged, temperature)


def activate(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logits ``(N, K, H, W)`` to scores: sigmoid for one map, softmax over K for several."""
    if logits.shape[1] == 1:
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)
