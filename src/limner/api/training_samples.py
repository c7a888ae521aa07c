"""Training pictures as tuning sees them: read on access, and scored one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from limner.core.labels import Labels
from limner.core.sample import Sample
from limner.data.dataset import Dataset
from limner.data.splits import Split
from limner.metrics.counts import confusion_table, count_foreground
from limner.metrics.overlap import dice


class TrainingSamples(Sequence[Sample]):
    """The training pictures of a split; nothing is kept. Those without an object come first.

    Evenly spaced ones then hold pictures with and without objects in the proportion of the whole.
    """

    def __init__(self, dataset: Dataset, split: Split) -> None:
        self.dataset = dataset
        shown = {
            name for name, fact in dataset.facts.items() if any(n for index, n in fact.pixels.items() if index > 0)
        }
        self.items = sorted(split.part("train"), key=lambda item: (item.name in shown, item.name))
        self.num_with_object = sum(item.name in shown for item in self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self.dataset.load(item) for item in self.items[place]]
        return self.dataset.load(self.items[place])


def picture_dice(labels: Labels, sample: Sample) -> float:
    """Dice of all foreground as one mask; NaN where neither truth nor prediction shows any, or the truth is not known."""
    if sample.labels is None:
        return math.nan
    table = confusion_table(labels, (sample.labels > 0).astype(labels.dtype), valid=sample.valid, num_classes=2)
    return dice(count_foreground(table))
