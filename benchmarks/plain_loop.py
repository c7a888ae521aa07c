"""What the plain loops of the accuracy table share: Limner's reader, split and scoring, so that only the loops differ."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from limner.core.duration import parse_duration
from limner.core.files import write_json
from limner.core.labels import LabelSpace
from limner.core.recipe_parts import SplitPart
from limner.core.sample import Sample
from limner.data.dataset import open_dataset
from limner.data.preprocess import match_channels, resize_labels, to_byte_range
from limner.data.splits import make_split
from limner.evaluation.evaluate import Scorer

SIDE = 256


def parsed(description: str) -> argparse.Namespace:
    """``DATA --budget 4m --seed 0 --out FOLDER``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", default="4m")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def small_picture(sample: Sample) -> np.ndarray:
    """The picture at 256 x 256 in ``[0, 1]``, float32 ``(256, 256, 3)``."""
    largest = float(np.iinfo(sample.image.dtype).max) if sample.image.dtype.kind == "u" else 255.0
    image = to_byte_range(match_channels(sample.image, 3), normalization="fixed", intensity_range=(0.0, largest))
    return cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) / 255


def small_labels(samples: list[Sample]) -> np.ndarray:
    """The truth of all at 256 x 256, ``(n, 256, 256)``."""
    return np.stack([resize_labels(sample.labels.astype(np.int64), (SIDE, SIDE)) for sample in samples])


def scored(probabilities: Callable[[Sample], np.ndarray], samples: list[Sample], label_space: LabelSpace) -> Scorer:
    """Scores of a function that answers a picture with its maps ``(maps, height, width)`` at native size."""
    scorer = Scorer(label_space)
    for sample in samples:
        labels = label_space.decode(probabilities(sample))
        scorer.add(sample.name, labels, sample.labels, sample.valid)
    return scorer


def run(name: str, arguments: argparse.Namespace, fit: Callable) -> None:
    """Read, train, score the test part, print and write a document as ``limner train --json`` does.

    ``fit(train, val, label_space, budget=seconds, seed=seed)`` returns the number of steps and a function for `scored`.
    """
    dataset = open_dataset(arguments.data)
    split = make_split(dataset, rule=SplitPart(), seed=arguments.seed)
    train, val, test = ([dataset.load(item) for item in split.part(part)] for part in ("train", "val", "test"))
    start, space = time.perf_counter(), dataset.label_space
    steps, probabilities = fit(train, val, space, budget=parse_duration(arguments.budget), seed=arguments.seed)
    seconds = time.perf_counter() - start
    report = scored(probabilities, test, space).report(
        model=name,
        data=arguments.data.name,
        split="test",
        threshold=0.5,
        split_checksum=split.checksum,
        seconds=seconds,
    )
    arguments.out.mkdir(parents=True)
    document = {"seconds": seconds, "steps": steps, "test": report.summary()}
    write_json(arguments.out / "result.json", document)
    print(json.dumps(document))
