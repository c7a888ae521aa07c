"""From a picture to labels at its own size: prepare, tile, blend, restore, decode; the same for small and huge pictures."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.bundle import InputContract
from limner.core.labels import Labels, LabelSpace
from limner.core.memory import ran_out
from limner.core.objects import Objects
from limner.core.prediction import Prediction
from limner.core.protocols import Predictor, Source
from limner.core.sample import Image, Sample
from limner.data.preprocess import Working, prepare, to_network, working_size
from limner.inference.blend import Grid, Scores, blended_rows, enlarged_rows, first_needed
from limner.inference.capacity import WHOLE_PIXELS, Pieces, plan_pieces
from limner.inference.objects import ObjectDecoder, activate_maps, mirrored_signs
from limner.inference.source import ArraySource
from limner.inference.tiles import make_axis
from limner.inference.working import PreparedRows, WindowedRows, WorkingRows
from limner.metrics.calibration import apply_temperature

PREPARED_PIXELS = (
    2**24
)  # native pixels up to which a picture is prepared as a whole; larger ones by windows, wherever they lie


@dataclass(frozen=True)
class Rows:
    """Finished rows of labels.

    Parameters
    ----------
    start : the first.
    labels : ``(n, W)`` class ids.
    pieces : how they were cut; may change when memory runs out.
    """

    start: int
    labels: Labels
    pieces: Pieces


@dataclass(frozen=True)
class NetworkSegmenter:
    """A network with its input contract; a `Segmenter`.

    Parameters
    ----------
    predictor : ``(N, C, H, W)`` to ``(N, K + T, H, W)``: logits of the classes, then what the object head answers.
    network_channels : channels that the predictor wants.
    keep_scores : also return scores.
    """

    predictor: Predictor
    contract: InputContract
    label_space: LabelSpace
    network_channels: int
    keep_scores: bool = False

    def with_scores(self) -> NetworkSegmenter:
        """The same network, which also returns scores."""
        return dataclasses.replace(self, keep_scores=True)

    def segment(self, sample: Sample) -> Prediction:
        """Labels of `sample` at its own size.

        Raises
        ------
        DataError : the picture has channels that the network was not trained on.
        """
        start = time.perf_counter()
        pieces = self.pieces(sample.size_hw)
        working = self._working(ArraySource(sample.image), where=sample.name)
        try:
            found = self._restore(self._native(working, sample.size_hw, pieces), sample)
        except MemoryError:
            again = pieces.halved(working.size_hw)
            found = self._restore(self._native(working, sample.size_hw, again), sample)
        return dataclasses.replace(found, seconds=time.perf_counter() - start)

    def native_maps(self, sample: Sample) -> npt.NDArray[np.float32]:
        """All that the network answers, ``(K + T, H, W)`` at native size: scores of classes, then the maps of the object head."""
        pieces = self.pieces(sample.size_hw)
        working = self._working(ArraySource(sample.image), where=sample.name)
        try:
            maps = _joined(self._native(working, sample.size_hw, pieces), self.num_maps, sample.size_hw)
        except MemoryError:
            again = self._native(working, sample.size_hw, pieces.halved(working.size_hw))
            maps = _joined(again, self.num_maps, sample.size_hw)
        _clip(maps[: self.label_space.num_maps])
        return maps

    def decoder(self, size_hw: tuple[int, int]) -> ObjectDecoder | None:
        """What turns maps of a picture of a native size into labels and objects; None where objects are not told apart."""
        contract = self.contract
        if contract.objects is None:
            return None
        scale = size_hw[0] / working_size(size_hw, contract.scale, contract.resize_hw)[0]
        return ObjectDecoder(self.label_space, contract.objects, contract.threshold, scale)

    @property
    def num_maps(self) -> int:
        """Maps that the predictor answers."""
        return self.contract.num_maps(self.label_space)

    def segment_many(self, samples: Sequence[Sample]) -> list[Prediction]:
        """Labels of each sample, in order; pictures of one working size that fit in one piece are computed as one batch.

        Raises
        ------
        DataError : a picture has channels that the network was not trained on.
        """
        begin = time.perf_counter()
        answers: dict[int, Prediction] = {}
        groups: dict[tuple[int, int], list[tuple[int, Working]]] = {}
        for place, sample in enumerate(samples):
            if self.pieces(sample.size_hw).tile:
                answers[place] = self.segment(sample)
                continue
            prepared = self._prepare(sample.image, where=sample.name)
            groups.setdefault((prepared.shape[0], prepared.shape[1]), []).append((place, prepared))
        for (height, width), members in groups.items():
            most = max(1, WHOLE_PIXELS // (height * width))
            for part in _batched(members, most):
                found = self._scores([pixels for _, pixels in part])
                for (place, _), scores in zip(part, found, strict=True):
                    sample = samples[place]
                    rows = enlarged_rows(iter([(0, scores)]), (height, width), sample.size_hw)
                    answers[place] = self._restore(rows, sample)
        each = (time.perf_counter() - begin) / max(1, len(samples))
        return [dataclasses.replace(found, seconds=found.seconds or each) for _, found in sorted(answers.items())]

    def working_scores(self, image: Image, *, where: str = "") -> npt.NDArray[np.float32]:
        """Scores ``(K, h, w)`` of the classes at working scale."""
        working = self._working(ArraySource(image), where=where)
        pieces = self.pieces((image.shape[0], image.shape[1]))
        parts = [scores[: self.label_space.num_maps] for _, scores in self._blended(working, pieces)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def pieces(self, size_hw: tuple[int, int]) -> Pieces:
        """How a picture of a native size is cut, from the memory that is free now."""
        return plan_pieces(size_hw, self.contract, maps=self.num_maps)

    def label_rows(
        self, source: Source, *, start: int = 0, pieces: Pieces | None = None, where: str = ""
    ) -> Iterator[Rows]:
        """Labels of a picture of any size, from row `start` to the end, in order and as they are finished.

        See `map_rows`.
        """
        for first, maps, used in self.map_rows(source, start=start, pieces=pieces, where=where):
            yield Rows(first, self._decode(maps[: self.label_space.num_maps]), used)

    def map_rows(
        self, source: Source, *, start: int = 0, pieces: Pieces | None = None, where: str = ""
    ) -> Iterator[tuple[int, Scores, Pieces]]:
        """All that the network answers for a picture of any size, ``(K + T, n, W)``, from row `start` to the end, in order.

        Memory that runs out halves the tiles, once, from the row on that was next.

        Parameters
        ----------
        source : the picture.
        start : rows above it are left out; the others come out as they would without it.
        pieces : how to cut it; None = `pieces` of its size.
        where : names the picture in errors.

        Raises
        ------
        DataError : the picture has channels that the network was not trained on.
        """
        used = pieces or self.pieces(source.size_hw)
        halved = False
        while start < source.size_hw[0]:
            working = self._working(source, where=where)
            try:
                for first, maps in self._native(working, source.size_hw, used, start=start):
                    start = first + maps.shape[1]
                    yield first, maps, used
            except MemoryError:
                if halved:
                    raise
                halved, used = True, used.halved(working.size_hw)

    def _working(self, source: Source, *, where: str) -> WorkingRows:
        """The picture at working scale: prepared as a whole where it is in memory and not too large."""
        if isinstance(source, ArraySource) and source.size_hw[0] * source.size_hw[1] <= PREPARED_PIXELS:
            return PreparedRows(self._prepare(source.image, where=where))
        return WindowedRows(source, self.contract, self.network_channels, where)

    def _prepare(self, image: Image, *, where: str) -> Working:
        contract = self.contract
        return prepare(
            image,
            channels=self.network_channels,
            scale=contract.scale,
            normalization=contract.normalization,
            intensity_range=contract.intensity_range,
            resize_hw=contract.resize_hw,
            where=where,
        )

    def _blended(self, working: WorkingRows, pieces: Pieces, *, start: int = 0) -> Iterator[tuple[int, Scores]]:
        """Scores at working scale, row by row from `start` on."""
        height, width = working.size_hw
        tile = pieces.tile or max(height, width)
        rows, columns = (
            make_axis(side, tile, overlap=self.contract.overlap, mirrored=letter in self.contract.flips)
            for side, letter in ((height, "y"), (width, "x"))
        )
        grid = Grid(rows, columns, pieces.batch)
        return blended_rows(working, grid, self._scores, maps=self.num_maps, start=start)

    def _native(
        self, working: WorkingRows, size_hw: tuple[int, int], pieces: Pieces, *, start: int = 0
    ) -> Iterator[tuple[int, Scores]]:
        """Scores at native size, row by row from `start` on."""
        first = first_needed(start, working.size_hw[0], size_hw[0])
        parts = self._blended(working, pieces, start=first)
        return enlarged_rows(parts, working.size_hw, size_hw, start=start)

    def _scores(self, tiles: Sequence[Working]) -> list[Scores]:
        """Maps ``(K + T, h, w)`` of pictures ``(h, w, C)``, averaged over the mirrored copies that the contract asks for.

        Those of one size are computed as one batch.
        """
        if len({tile.shape for tile in tiles}) > 1:
            return [self._scores([tile])[0] for tile in tiles]
        x = np.stack([to_network(tile, normalization=self.contract.normalization) for tile in tiles])
        flips = self.contract.flips
        subsets = [letters for n in range(len(flips) + 1) for letters in itertools.combinations(flips, n)]
        classes, head = self.label_space.num_maps, self.contract.objects
        total = np.zeros((len(x), self.num_maps, *x.shape[2:]), np.float32)
        for letters in subsets:
            axes = tuple({"x": 3, "y": 2}[letter] for letter in letters)
            mirrored = np.flip(x, axes).copy()  # "contiguous" allows a negative stride along one pixel, torch does not
            maps = activate_maps(self._logits(mirrored), classes, head)
            total += np.flip(maps, axes) * mirrored_signs(head, classes, "".join(letters))
        total /= np.float32(len(subsets))
        return list(total)

    def _logits(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        try:
            return self.predictor(batch)
        except RuntimeError as error:
            if ran_out(error):
                raise MemoryError(str(error)) from error
            raise

    def _decode(self, scores: Scores) -> Labels:
        return self.label_space.decode(scores, threshold=self.contract.threshold)

    def _restore(self, rows: Iterator[tuple[int, Scores]], sample: Sample) -> Prediction:
        """Labels, objects and, when kept, scores at native size.

        Scores are enlarged bilinearly before the decision; those handed out are calibrated after it.
        """
        size_hw, decoder, classes = sample.size_hw, self.decoder(sample.size_hw), self.label_space.num_maps
        objects: Objects | None = None
        labels = np.empty(size_hw, np.uint8 if len(self.label_space) <= 256 else np.uint16)
        full: npt.NDArray[np.float32] | None = None
        if decoder is not None:
            maps = _joined(rows, self.num_maps, size_hw)
            found, objects = decoder(maps)
            labels[:] = found
            full = maps[:classes] if self.keep_scores else None
        else:
            full = np.empty((classes, *size_hw), np.float32) if self.keep_scores else None
            for start, scores in rows:
                labels[start : start + scores.shape[1]] = self._decode(scores)
                if full is not None:
                    full[:, start : start + scores.shape[1]] = scores
        if full is not None:
            _clip(full)
        temperature = self.contract.temperature
        if full is not None and temperature != 1:
            apply_temperature(full, temperature, out=full)
        return Prediction(sample.name, labels, self.label_space, full, objects=objects)


def _clip(scores: Scores) -> None:
    """Bring scores into [0, 1], in place: the weights of overlapping tiles add up to 1 but for rounding."""
    np.clip(scores, 0, 1, out=scores)


def _joined(rows: Iterator[tuple[int, Scores]], maps: int, size_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Rows of maps as one array ``(maps, H, W)``."""
    full = np.empty((maps, *size_hw), np.float32)
    for start, part in rows:
        full[:, start : start + part.shape[1]] = part
    return full


def _batched(members: list[tuple[int, Working]], most: int) -> Iterator[list[tuple[int, Working]]]:
    """Parts of at most so many members."""
    for begin in range(0, len(members), most):
        yield members[begin : begin + most]
