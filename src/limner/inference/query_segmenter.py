"""A network with query masks as a segmenter: whole pictures at the network's own size, never tiles.

A query speaks for a whole object, so that answers of tiles or of mirrored copies have nothing that could be averaged: query 7 of
one is not query 7 of the other.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from limner.core.bundle import InputContract
from limner.core.labels import Labels, LabelSpace
from limner.core.object_head import QUERIES
from limner.core.objects import Objects
from limner.core.prediction import Prediction
from limner.core.protocols import Predictor, Source
from limner.core.sample import Image, Sample
from limner.data.preprocess import Working, to_network
from limner.inference.capacity import WHOLE_PIXELS, Pieces
from limner.inference.query_decoder import Maps, QueryRules, class_scores, decode_queries
from limner.inference.segmenter import NetworkSegmenter, Rows
from limner.metrics.calibration import apply_temperature


def make_segmenter(
    predictor: Predictor,
    contract: InputContract,
    label_space: LabelSpace,
    network_channels: int,
    keep_scores: bool = False,
) -> NetworkSegmenter:
    """The segmenter that a contract asks for; arguments are those of `NetworkSegmenter`."""
    kind = QuerySegmenter if contract.objects is not None and contract.objects.head == QUERIES else NetworkSegmenter
    return kind(predictor, contract, label_space, network_channels, keep_scores)


@dataclasses.dataclass(frozen=True)
class QuerySegmenter(NetworkSegmenter):
    """A network that answers ``(N, Q, h + r, w)`` (`limner.core.query_answer`), with its input contract; a `Segmenter`.

    The contract's tile, overlap and flips are of no consequence. Where the label space has things, labels and objects come from
    the same queries; else labels are the published semantic inference, and there are no objects.
    """

    @property
    def rules(self) -> QueryRules:
        """When a query counts, as the contract says."""
        head = self.contract.objects
        return QueryRules() if head is None else QueryRules(head.seed, min_area=head.min_area, min_stuff=head.min_stuff)

    def segment(self, sample: Sample) -> Prediction:
        """Labels and objects of `sample` at its own size.

        Raises
        ------
        DataError : the picture has channels that the network was not trained on.
        """
        return self.segment_many([sample])[0]

    def segment_many(self, samples: Sequence[Sample]) -> list[Prediction]:
        """Labels and objects of each sample, in order; pictures that come at one size are computed together.

        Raises
        ------
        DataError : a picture has channels that the network was not trained on.
        """
        begin = time.perf_counter()
        pictures = [self._prepare(sample.image, where=sample.name) for sample in samples]
        packed = self._packed(pictures)
        found = [self._prediction(sample, answer) for sample, answer in zip(samples, packed, strict=True)]
        each = (time.perf_counter() - begin) / max(1, len(samples))
        return [dataclasses.replace(one, seconds=each) for one in found]

    def native_maps(self, sample: Sample) -> npt.NDArray[np.float32]:
        """Scores of the classes ``(K, H, W)`` at native size."""
        [packed] = self._packed([self._prepare(sample.image, where=sample.name)])
        return class_scores(packed, self.label_space, sample.size_hw)

    def working_scores(self, image: Image, *, where: str = "") -> npt.NDArray[np.float32]:
        """Scores ``(K, h, w)`` of the classes at working scale."""
        picture = self._prepare(image, where=where)
        [packed] = self._packed([picture])
        return class_scores(packed, self.label_space, (picture.shape[0], picture.shape[1]))

    def pieces(self, size_hw: tuple[int, int]) -> Pieces:
        """One piece, whatever the size."""
        return Pieces(0)

    def label_rows(
        self, source: Source, *, start: int = 0, pieces: Pieces | None = None, where: str = ""
    ) -> Iterator[Rows]:
        """Labels of a picture of any size from row `start` on, all at once: the labels must fit into memory, not the picture.

        Raises
        ------
        DataError : the picture has channels that the network was not trained on.
        """
        labels, _ = self.objects_of(source, where=where)
        yield Rows(start, labels[start:], Pieces(0))

    def objects_of(self, source: Source, *, where: str = "") -> tuple[Labels, Objects | None]:
        """Labels and objects of a picture of any size; both must fit into memory, the picture need not."""
        working = self._working(source, where=where)
        [packed] = self._packed([working.read(0, working.size_hw[0])])
        return self._decoded(packed, source.size_hw)

    def _packed(self, pictures: Sequence[Working]) -> list[Maps]:
        """The answers ``(Q, h + r, w)`` for pictures ``(h, w, C)``; those of one size in batches."""
        answers: dict[int, Maps] = {}
        sizes: dict[tuple[int, ...], list[int]] = {}
        for place, picture in enumerate(pictures):
            sizes.setdefault(picture.shape, []).append(place)
        for shape, places in sizes.items():
            most = max(1, WHOLE_PIXELS // (shape[0] * shape[1]))
            for begin in range(0, len(places), most):
                part = places[begin : begin + most]
                x = np.stack([to_network(pictures[i], normalization=self.contract.normalization) for i in part])
                answers |= dict(zip(part, self._logits(x), strict=True))
        return [answers[place] for place in range(len(pictures))]

    def _prediction(self, sample: Sample, packed: Maps) -> Prediction:
        labels, objects = self._decoded(packed, sample.size_hw)
        scores: Maps | None = None
        if self.keep_scores:
            scores = class_scores(packed, self.label_space, sample.size_hw)
            if self.contract.temperature != 1:
                apply_temperature(scores, self.contract.temperature, out=scores)
        return Prediction(sample.name, labels, self.label_space, scores, objects=objects)

    def _decoded(self, packed: Maps, size_hw: tuple[int, int]) -> tuple[Labels, Objects | None]:
        if self.label_space.things:
            return decode_queries(packed, self.label_space, size_hw, self.rules)
        return self._decode(class_scores(packed, self.label_space, size_hw)), None
