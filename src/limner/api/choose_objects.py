"""Which decoder, and which of its numbers, tell objects apart best on the validation pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.api.open import open_segmenter
from limner.api.validated import spread_evenly
from limner.core.bundle import Bundle
from limner.core.object_head import DECODERS, QUERIES, ObjectHead
from limner.core.objects import Objects, number_objects
from limner.core.protocols import Listener
from limner.core.sample import Sample
from limner.data.dataset import Dataset, Item
from limner.inference.objects import ObjectDecoder
from limner.inference.postprocess import RuledSegmenter
from limner.inference.segmenter import NetworkSegmenter
from limner.metrics.instance import Findings
from limner.metrics.matching import Overlaps, count_overlaps, join

IOUS = (0.5, 0.6, 0.7, 0.8, 0.9)
MOST_PICTURES = 40
MOST_PIXELS = 6_000_000  # of all pictures together: each of some thirty trials decodes them all
THRESHOLDS = (0.4, 0.5, 0.6)
SEEDS = {"watershed": (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6), "centres": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)}
FLOW_MERGES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
FLOW_ERRORS = (1.5, 1.2, 1.0, 0.8)  # after none at all: on pictures unlike those of the training each costs objects
SMALLEST = (0.0, 0.25, 0.5, 1.0)  # min_area in units of the smallest area that is usual
USUAL = 0.02  # quantile of the areas of true objects that is usual
GAIN = 0.003  # a change has to better the score by more; equal ones are left as they are
# Giving objects up has to gain more: on a picture unlike those of the training it takes right ones away, 26 of 125 nuclei where it
# had gained 0.009 on validation pictures.
GAINS = {"flow_error": 0.01}


@dataclass(frozen=True)
class Seen:
    """A validation picture: maps ``(K + T, H, W)`` float16, true objects, known pixels, native size / working size."""

    maps: npt.NDArray[np.float16]
    objects: Objects
    valid: npt.NDArray[np.bool_] | None
    scale: float


def choose_objects(bundle: Bundle, dataset: Dataset, items: Sequence[Item], listener: Listener) -> Bundle:
    """The bundle with the decoder, threshold and numbers of the highest mean F1 of objects; as it is without true objects.

    Each decoder that the network has maps for starts from its defaults; threshold, seed or flow error, and smallest area are
    tried one after the other. Optimising thresholds on validation pictures is due to StarDist (arXiv:1806.03535).

    Parameters
    ----------
    bundle : on disk, with `InputContract.objects`.
    dataset, items : the validation pictures; at most `MOST_PICTURES` and `MOST_PIXELS` are used.
    """
    head = bundle.contract.objects
    if head is None or head.head == QUERIES:
        return bundle
    seen = _predict(bundle, dataset, items)
    if not any(len(one.objects) for one in seen):
        return bundle
    areas = np.concatenate([one.objects.areas() for one in seen])
    usual = float(np.quantile(areas[areas > 0], USUAL)) if (areas > 0).any() else 0.0
    best: tuple[float, ObjectHead, float] | None = None
    for decoder in _decoders(head):
        start = dataclasses.replace(head, decoder=decoder)
        found = _climb(bundle, seen, start, bundle.contract.threshold, usual)
        listener.message(f"objects by {decoder}: mean F1 {found[0]:.3f} on {len(seen)} validation pictures")
        if best is None or found[0] > best[0] + GAIN:
            best = found
    assert best is not None
    contract = dataclasses.replace(bundle.contract, objects=best[1], threshold=best[2])
    return dataclasses.replace(bundle, contract=contract)


def _decoders(head: ObjectHead) -> list[str]:
    """Decoders that the maps of a head suffice for, those that read maps first."""
    return sorted(
        (name for name, maps in DECODERS.items() if name != QUERIES and set(maps) <= set(head.maps)),
        key=lambda name: (not DECODERS[name], name),
    )


def _climb(
    bundle: Bundle, seen: Sequence[Seen], head: ObjectHead, threshold: float, usual: float
) -> tuple[float, ObjectHead, float]:
    """The best score, head and threshold: one number after the other."""
    best = mean_f1(bundle, seen, head, threshold), head, threshold
    for field, values in _trials(bundle, head.decoder, usual):
        for value in values:
            _, trial, level = best
            if field == "threshold":
                level = float(value)
            else:
                changed: dict[str, Any] = {field: value}
                trial = dataclasses.replace(trial, **changed)
            score = mean_f1(bundle, seen, trial, level)
            if score > best[0] + GAINS.get(field, GAIN):
                best = score, trial, level
    return best


def _trials(bundle: Bundle, decoder: str, usual: float) -> Iterator[tuple[str, Sequence[float]]]:
    if bundle.label_space.num_maps == 1:
        yield "threshold", THRESHOLDS
    if decoder in SEEDS:
        yield "seed", SEEDS[decoder]
    if decoder == "flow":
        yield "flow_merge", FLOW_MERGES
        yield "flow_error", FLOW_ERRORS
    yield "min_area", [round(share * usual) for share in SMALLEST]


def mean_f1(bundle: Bundle, seen: Sequence[Seen], head: ObjectHead, threshold: float) -> float:
    """Mean over `IOUS` of the F1 of all objects of all pictures together; 0 where nothing is found."""
    tables: list[Overlaps] = []
    for one in seen:
        decode = ObjectDecoder(bundle.label_space, head, threshold, one.scale)
        _, found = decode(one.maps.astype(np.float32))
        tables.append(count_overlaps(found, one.objects, valid=one.valid))
    findings = Findings(join(tables))
    values = [findings.counts(iou).f1 for iou in IOUS]
    return 0.0 if np.isnan(values).any() else float(np.mean(values))


def _predict(bundle: Bundle, dataset: Dataset, items: Sequence[Item]) -> list[Seen]:
    """Maps and truth of the pictures, of too large ones of their middle."""
    opened, _ = open_segmenter(bundle.folder)
    segmenter = opened.inner if isinstance(opened, RuledSegmenter) else opened
    assert isinstance(segmenter, NetworkSegmenter)
    seen: list[Seen] = []
    pixels = 0
    for whole in map(dataset.load, looked_at(dataset, items)):
        sample = middle_of(whole, MOST_PIXELS)
        area = sample.size_hw[0] * sample.size_hw[1]
        if seen and pixels + area > MOST_PIXELS:
            continue  # a large one leaves room for smaller ones after it
        pixels += area
        decoder = segmenter.decoder(whole.size_hw)
        assert decoder is not None
        maps = segmenter.native_maps(sample).astype(np.float16)
        objects = sample.objects or Objects.none(sample.size_hw)
        seen.append(Seen(maps, objects, sample.valid, decoder.scale))
    return seen


def looked_at(dataset: Dataset, items: Sequence[Item]) -> list[Item]:
    """As many pictures as fit at their median size, from the whole list: names next to each other are often of one patient."""
    sizes = [dataset.facts[item.name].header.size_hw for item in items if item.name in dataset.facts]
    usual = int(np.median([height * width for height, width in sizes])) if sizes else 1
    return spread_evenly(items, min(MOST_PICTURES, max(1, MOST_PIXELS // max(1, usual))))


def middle_of(sample: Sample, most: int) -> Sample:
    """The middle of a picture of more than `most` pixels; smaller ones as they are."""
    height, width = sample.size_hw
    if height * width <= most or sample.labels is None or sample.objects is None:
        return sample
    tall = min(height, max(int(most**0.5), most // width))
    wide = min(width, most // tall)
    top, left = (height - tall) // 2, (width - wide) // 2
    window = slice(top, top + tall), slice(left, left + wide)
    return Sample(
        sample.name, sample.image[window], sample.labels[window],
        None if sample.valid is None else sample.valid[window],
        number_objects(sample.objects.ids[window], sample.labels[window]),
    )  # fmt: skip
