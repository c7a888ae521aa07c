import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from limner.metrics.counts import Counts, count_classes
from limner.metrics.overlap import (
    DEFINITIONS,
    METRICS,
    MORE_METRICS,
    accuracy,
    dice,
    iou,
    precision,
    recall,
    specificity,
    volumetric_similarity,
)

NAN = math.nan


def test_by_hand():
    counts = Counts(tp=1, fp=2, fn=1, tn=6)
    assert [f(counts) for f in (dice, iou, precision, recall, accuracy)] == [2 / 5, 1 / 4, 1 / 3, 1 / 2, 7 / 10]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [  # dice, iou, precision, recall, accuracy
        (Counts(0, 0, 0, 9), (NAN, NAN, NAN, NAN, 1)),  # neither shows it
        (Counts(0, 4, 0, 5), (0, 0, 0, NAN, 5 / 9)),  # a false alarm on a picture without it
        (Counts(0, 0, 3, 6), (0, 0, NAN, 0, 6 / 9)),  # missed altogether
        (Counts(0, 4, 3, 2), (0, 0, 0, 0, 2 / 9)),  # found somewhere else
        (Counts(9, 0, 0, 0), (1, 1, 1, 1, 1)),  # all of it everywhere
        (Counts(0, 0, 0, 0), (NAN, NAN, NAN, NAN, NAN)),  # no pixel is valid
    ],
)
def test_empty_cases(counts, expected):
    assert [function(counts) for function in METRICS.values()] == pytest.approx(expected, nan_ok=True)
    assert list(METRICS) == ["dice", "iou", "precision", "recall", "accuracy"]


def test_agrees_with_scikit_learn_on_random_labels_with_ignored_pixels():
    random = np.random.default_rng(3)
    target = random.choice(4, (37, 23), p=(0.6, 0.25, 0.1, 0.05)).astype(np.uint8)
    pred = np.where(random.random(target.shape) < 0.7, target, random.integers(0, 4, target.shape)).astype(np.uint8)
    valid = random.random(target.shape) < 0.8
    oracles = dict(zip(METRICS, (f1_score, jaccard_score, precision_score, recall_score, accuracy_score), strict=True))
    for index, counts in enumerate(count_classes(pred, target, valid=valid, num_classes=4)):
        for name, oracle in oracles.items():
            assert METRICS[name](counts) == pytest.approx(oracle(target[valid] == index, pred[valid] == index))
        assert precision(counts) != recall(counts)


def test_specificity_and_volumetric_similarity():
    counts = Counts(tp=1, fp=2, fn=1, tn=6)
    assert specificity(counts) == 6 / 8 and volumetric_similarity(counts) == pytest.approx(1 - 1 / 5)
    assert volumetric_similarity(Counts(tp=0, fp=4, fn=4, tn=1)) == 1, "as large, somewhere else"
    assert volumetric_similarity(Counts(0, 4, 0, 5)) == 0 and math.isnan(volumetric_similarity(Counts(0, 0, 0, 9)))
    assert math.isnan(specificity(Counts(tp=9, fp=0, fn=1, tn=0)))
    random = np.random.default_rng(8)
    pred, target = random.random((9, 31)) < 0.4, random.random((9, 31)) < 0.5
    found = count_classes(pred.astype(np.uint8), target.astype(np.uint8), num_classes=2)[1]
    assert specificity(found) == pytest.approx(recall_score(target.ravel(), pred.ravel(), pos_label=False))


def test_dice_follows_from_iou():
    counts = Counts(tp=5, fp=3, fn=11, tn=2)
    assert dice(counts) == pytest.approx(2 * iou(counts) / (1 + iou(counts)))


def test_every_metric_is_defined_in_one_sentence_with_its_empty_rule():
    assert DEFINITIONS.keys() == METRICS.keys() | MORE_METRICS.keys()
    assert all("undefined" in sentence and sentence.endswith(".") for sentence in DEFINITIONS.values())
