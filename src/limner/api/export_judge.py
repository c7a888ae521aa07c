"""The gate of an export: the network's own answers, and what another runtime's answers come to beside them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from limner.api.export_tiles import JUDGED_PICTURES, JUDGED_TILES, Batch, Pictures, cut_tiles, spread
from limner.core.bundle import Bundle
from limner.core.protocols import Listener, Predictor
from limner.evaluation.evaluate import Scorer
from limner.inference.query_segmenter import make_segmenter
from limner.metrics.instance import f1_at_iou
from limner.metrics.matching import Overlaps, count_overlaps, join
from limner.runtimes.decision import Decision
from limner.runtimes.parity import (
    LARGEST_DICE_LOSS,
    LARGEST_F1_LOSS,
    Parity,
    compare_logits,
    failures_bfloat16,
    failures_float32,
    synthetic_tiles,
)

SYNTHETIC = "synthetic"
LARGER_SHAPES = ((1, 250, 320),) * 4  # (N, H, W) of further synthetic tiles where there are no pictures

Pairs = tuple[tuple[Batch, Batch], ...]


@dataclass(frozen=True)
class Judge:
    """What the network says, once, and to what others are held.

    Parameters
    ----------
    bundle : of the network.
    vectors : synthetic tiles of odd sizes, and a batch, with the network's logits.
    tiles : tiles of pictures with the network's logits; further synthetic ones where there are no pictures.
    tiles_from : ``validation``, ``training``, ``given`` or ``synthetic``.
    pictures : for Dice.
    dice : of the network on the judged pictures; None where nobody asks, NaN where they show no object.
    f1 : of the objects there, at IoU 0.5; NaN where objects are not told apart.
    listener : hears of progress.
    """

    bundle: Bundle
    vectors: Pairs
    tiles: Pairs
    tiles_from: str
    pictures: Pictures | None
    dice: float | None
    listener: Listener
    f1: float = math.nan

    @classmethod
    def of(
        cls, bundle: Bundle, network: Predictor, pictures: Pictures | None, *, dice: bool, listener: Listener
    ) -> Judge:
        """The judge of what shall stand for `network`, which computes in float32.

        Parameters
        ----------
        pictures : of the model's data; None = synthetic tiles only.
        dice : whether Dice and F1 of objects will be asked for, which need pictures.
        """
        channels, normalization = int(bundle.arguments["channels"]), bundle.contract.normalization
        vectors = [(tile, network(tile)) for tile in synthetic_tiles(channels, normalization=normalization)]
        if pictures is None:
            further = synthetic_tiles(channels, normalization=normalization, shapes=LARGER_SHAPES, seed=1)
        else:
            further = cut_tiles(
                pictures.dataset, pictures.judged, bundle, count=JUDGED_TILES, stage="judge", listener=listener
            )
        tiles = [(tile, network(tile)) for tile in further]
        source = SYNTHETIC if pictures is None else pictures.judged_from
        judge = cls(bundle, tuple(vectors), tuple(tiles), source, pictures, None, listener)
        if not dice:
            return judge
        found, f1 = judge.measure(network)
        return dataclasses.replace(judge, dice=found, f1=f1)

    def float32(self, candidate: Predictor) -> tuple[Parity, list[str]]:
        """How far `candidate` is, and what is wrong with it as an export in float32."""
        small, real = self._compare(candidate)
        failures = [*failures_float32(small), *failures_float32(real)]
        return _with_largest(small, real), failures

    def bfloat16(self, candidate: Predictor) -> tuple[Parity, list[str]]:
        """How far `candidate` is, and what is wrong with it as a way of computing in bfloat16.

        Where objects are told apart, they are found and matched on the judged pictures as for INT8; without pictures that show
        some, the maps that tell them apart must stay close.
        """
        small, real = self._compare(candidate)
        knows_objects = not math.isnan(self.f1)
        failures = [*small.failures(), *failures_bfloat16(real, maps=not knows_objects)]
        if knows_objects and not failures:
            failures += self._objects_lost(self.measure(candidate)[1])
        return real, failures

    def int8(self, candidate: Predictor) -> tuple[Parity, float | None, list[str]]:
        """How far `candidate` is, its loss of Dice (None where that is undefined), and what is wrong with it in INT8."""
        small, real = self._compare(candidate)
        failures = [*small.failures(), *real.failures()]
        if failures:
            return real, None, failures
        assert self.dice is not None
        dice, f1 = self.measure(candidate)
        loss = self.dice - dice
        if math.isnan(loss):
            return real, None, [f"the {self.tiles_from} pictures show no object, so that Dice says nothing"]
        if loss > LARGEST_DICE_LOSS:
            failures.append(f"Dice falls by {loss:.4f} from {self.dice:.4f} (at most {LARGEST_DICE_LOSS})")
        return real, loss, failures + self._objects_lost(f1)

    def measure(self, predictor: Predictor) -> tuple[float, float]:
        """Mean Dice of the classes on the judged pictures at native size, and F1 of their objects, as ``evaluate`` does."""
        assert self.pictures is not None
        space, dataset = self.bundle.label_space, self.pictures.dataset
        segmenter = make_segmenter(predictor, self.bundle.contract, space, int(self.bundle.arguments["channels"]))
        scorer, chosen = Scorer(space), spread(self.pictures.judged, JUDGED_PICTURES)
        tables: list[Overlaps] = []
        for done, item in enumerate(chosen, 1):
            sample = dataset.load(item)
            if sample.labels is not None:
                found = segmenter.segment(sample)
                scorer.add(sample.name, found.labels, sample.labels, sample.valid)
                if found.objects is not None and sample.objects is not None:
                    tables.append(count_overlaps(found.objects, sample.objects, valid=sample.valid))
            self.listener.progress("score", done, len(chosen))
        return scorer.macro_dice(), f1_at_iou(join(tables))

    def _objects_lost(self, f1: float) -> list[str]:
        """What is wrong with the F1 of a candidate's objects; nothing where there are none to lose."""
        if self.f1 - f1 > LARGEST_F1_LOSS:
            return [f"F1 of objects falls by {self.f1 - f1:.4f} from {self.f1:.4f} (at most {LARGEST_F1_LOSS})"]
        return []

    def _compare(self, candidate: Predictor) -> tuple[Parity, Parity]:
        decision = Decision.of(self.bundle)
        return compare_logits(self.vectors, candidate, decision), compare_logits(self.tiles, candidate, decision)


def _with_largest(small: Parity, real: Parity) -> Parity:
    """The figures of the pictures' tiles, with the larger of both differences of a logit."""
    both = (small.max_abs_logit_difference, real.max_abs_logit_difference)
    known = [value for value in both if value is not None]
    largest = max(known) if len(known) == len(both) else None
    return dataclasses.replace(real, max_abs_logit_difference=largest, trouble=small.trouble or real.trouble)
