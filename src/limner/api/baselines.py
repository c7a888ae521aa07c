"""What can be had without a network: a few quick classical methods, tuned in seconds and scored on the pictures that judge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from limner.api.training_samples import TrainingSamples, picture_dice
from limner.classical import METHODS
from limner.classical.options import Value
from limner.classical.segmenter import ClassicalSegmenter
from limner.classical.training_copies import evenly
from limner.classical.tune import SIDE, tune
from limner.core.protocols import Listener, Silent
from limner.data.dataset import Dataset, Item
from limner.data.splits import Split
from limner.evaluation.evaluate import FOREGROUND, Scorer

QUICK = ("threshold", "otsu", "adaptive")
PIXELS, FEWEST, MOST = 2_000_000, 6, 24  # of the pictures looked at when tuning, together; how many these may be
TUNING_SHARE = 0.6  # of the budget; the rest is for scoring
SHARE_OF_RUN, LEAST_SECONDS = 0.05, 10.0


@dataclass(frozen=True)
class Baseline:
    """One method's score on the pictures that judge.

    Parameters
    ----------
    name : of the method.
    options : as tuned on a few training pictures.
    dice_mean : over the pictures where it is defined; NaN when there are none.
    ci95 : 95 % bootstrap interval of the mean.
    seconds_per_picture : mean wall-clock time, reading not included.
    is_complete : whether tuning came to rest; False where time ran out before, so that the method may do better.
    """

    name: str
    options: dict[str, Value]
    dice_mean: float
    ci95: tuple[float, float]
    seconds_per_picture: float
    is_complete: bool = True

    def as_row(self) -> dict[str, Any]:
        """The line of a report's table."""
        low, high = self.ci95
        return {
            "name": self.name if self.is_complete else f"{self.name} (no time to tune it fully)",
            "dice": self.dice_mean,
            "lo": low,
            "hi": high,
            "seconds": self.seconds_per_picture,
            "options": dict(self.options),
        }


def baseline_seconds(run_seconds: float) -> float:
    """Time that baselines may take beside a run of so many seconds: a twentieth of it, and 10 s at least."""
    return max(LEAST_SECONDS, SHARE_OF_RUN * run_seconds)


def baselines(
    dataset: Dataset,
    split: Split,
    *,
    budget_seconds: float = LEAST_SECONDS,
    names: Sequence[str] = QUICK,
    listener: Listener | None = None,
) -> list[Baseline]:
    """Tune quick methods on a few training pictures, and score them on the test pictures (validation where there are none).

    Parameters
    ----------
    dataset, split : of the run that they stand beside.
    budget_seconds : for everything. When scoring would take longer, nothing is returned and the listener is told why.
    names : of classical methods.
    listener : hears of progress.

    Returns
    -------
    One per method, best first; none for more than two classes, where no training picture shows an object, or time is too short.
    """
    hears, began = listener or Silent(), time.monotonic()
    items = split.part("test") or split.part("val")
    train = TrainingSamples(dataset, split)
    if len(dataset.label_space) != 2 or not items or not train.num_with_object:
        return []
    samples = [train[place] for place in evenly(len(train), _affordable(train))]
    if not any((sample.labels > 0).any() for sample in samples):
        return []
    methods, complete = [], []
    for place, name in enumerate(names):
        left = began + TUNING_SHARE * budget_seconds - time.monotonic()
        share = max(0.0, left) / (len(names) - place)  # what one does not need is left to the next
        found = tune(METHODS[name], samples, dice=picture_dice, budget_seconds=share)
        methods.append(METHODS[name].with_options(found.options))
        complete.append(found.stopped == "patience")
    scored = _score(dataset, items, methods, deadline=began + budget_seconds, listener=hears)
    rows = [
        replace(row, is_complete=done) for row, done in zip(scored, complete, strict=False)
    ]  # none where time ran out
    return sorted(rows, key=lambda row: (-row.dice_mean if row.dice_mean == row.dice_mean else 2.0, row.name))


def _affordable(train: TrainingSamples) -> int:
    """How many training pictures, as tuning sees them, hold `PIXELS`."""
    facts = [train.dataset.facts[item.name] for item in train.items if item.name in train.dataset.facts]
    if not facts:
        return FEWEST
    sizes = [fact.header.size_hw for fact in facts]
    pixels = sum(min(height * width, SIDE**2) for height, width in sizes) / len(sizes)
    return min(max(int(PIXELS / pixels), FEWEST), MOST)


def _score(
    dataset: Dataset, items: tuple[Item, ...], methods: list[ClassicalSegmenter], *, deadline: float, listener: Listener
) -> list[Baseline]:
    """Each picture is read once for all methods; all pictures, or none when the first ones show that it takes too long."""
    scorers, seconds = [Scorer(dataset.label_space) for _ in methods], [0.0] * len(methods)
    began = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done > 1 and began + (now - began) * len(items) / done > deadline:
            listener.message(f"methods without a network are not compared: {len(items)} pictures would take too long")
            return []
        sample = dataset.load(item)
        assert sample.labels is not None
        for place, method in enumerate(methods):
            prediction = method.segment(sample)
            seconds[place] += prediction.seconds
            scorers[place].add(sample.name, prediction.labels, sample.labels, sample.valid, group=item.group)
        listener.progress("baselines", done + 1, len(items))
    found = []
    for method, scorer, total in zip(methods, scorers, seconds, strict=True):
        report = scorer.report(model=method.name, data="", split="", threshold=None, split_checksum="", seconds=total)
        score = report.scores["dice"][FOREGROUND]
        found.append(Baseline(method.name, dict(method.options), score.mean, score.ci95, round(total / len(items), 5)))
    return found
