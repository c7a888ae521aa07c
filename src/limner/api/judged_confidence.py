"""What a model said about how good its answers are, beside how good they were."""

from __future__ import annotations

import math

from limner.api.confidence import confidence
from limner.core.bundle import Bundle
from limner.core.labels import Labels, LabelSpace
from limner.core.prediction import Prediction
from limner.core.protocols import Segmenter
from limner.core.report import Report
from limner.core.sample import Sample
from limner.evaluation.ranking import picture_scores
from limner.evaluation.sentences import SPLITS, plural
from limner.metrics.counts import count_classes
from limner.metrics.overlap import dice


class JudgedConfidence:
    """A `Segmenter` that passes on what another one answers, and remembers how sure that was of each picture.

    Parameters
    ----------
    inner : must hand out scores, or nothing is remembered.
    bundle : of the model, with what it learnt about its confidence.
    """

    def __init__(self, inner: Segmenter, bundle: Bundle) -> None:
        self.inner, self.bundle = inner, bundle
        self.said: dict[str, float] = {}

    def segment(self, sample: Sample) -> Prediction:
        """Labels and scores of `inner`."""
        found = self.inner.segment(sample)
        if found.scores is not None:
            value = confidence(found.scores, self.bundle, found.labels)
            if value is not None:
                self.said[sample.name] = value
        return found

    def sentences(self, report: Report) -> list[str]:
        """How far the confidence is from the Dice, as one sentence; none where nothing was said, or the Dice is undefined."""
        true = {name: value for name, value in picture_scores(report).items() if not math.isnan(value)}
        names = sorted(self.said.keys() & true.keys())
        if not names:
            return []
        error = math.fsum(abs(self.said[name] - true[name]) for name in names) / len(names)
        mean = math.fsum(true[name] for name in names) / len(names)
        spread = math.fsum(abs(true[name] - mean) for name in names) / len(names)
        which = SPLITS.get(report.split, report.split)
        return [
            f"The confidence that the model states for a picture is {error:.3f} away from its Dice on average (over "
            f"{plural(len(names), f'{which} picture')}; always saying their mean would be {spread:.3f} away)."
        ]


def dice_of_picture(labels: Labels, sample: Sample, label_space: LabelSpace) -> float:
    """The Dice of one answer, mean over the classes above 0 that truth or answer shows; NaN where there is none.

    Parameters
    ----------
    labels : ``(H, W)`` what was answered.
    sample : with its labels.
    """
    assert sample.labels is not None
    counts = count_classes(labels, sample.labels, valid=sample.valid, num_classes=len(label_space))
    found = [value for value in map(dice, counts[1:]) if not math.isnan(value)]
    return math.fsum(found) / len(found) if found else math.nan
