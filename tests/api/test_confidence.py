"""Expected Dice by hand and by drawing truths from the scores; the correction, and its error on pictures left out."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.api.confidence import (
    FEWEST,
    FEWEST_FOR_STEPS,
    confidence,
    corrected,
    expected_dice,
    fit_confidence,
)
from limner.api.judged_confidence import JudgedConfidence, dice_of_picture
from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.core.sample import Sample
from limner.evaluation.evaluate import Scorer
from limner.metrics.calibration import apply_temperature

TWO, THREE = LabelSpace(("background", "cell")), LabelSpace(("background", "cell", "wall"))
CONTRACT = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5)


def bundle(space=TWO, answers=None, **changes):
    return Bundle(Path("model"), "unet", {}, space, dataclasses.replace(CONTRACT, **changes), answers=answers or {})


def test_it_is_near_the_mean_dice_of_truths_drawn_from_the_scores():
    rng = np.random.default_rng(0)
    scores = (rng.random((1, 40, 57)) ** 3).astype(np.float32)
    labels = (scores[0] > 0.3).astype(np.uint8)
    drawn = []
    for _ in range(200):
        truth = rng.random((40, 57)) < scores[0]
        drawn.append(2 * (truth & (labels == 1)).sum() / (truth.sum() + labels.sum()))
    assert expected_dice(scores, labels, TWO) == pytest.approx(np.mean(drawn), abs=0.005)


def test_several_classes_by_hand_and_nothing_found():
    scores = np.array([[[0.1, 0.2, 0.6]], [[0.8, 0.3, 0.2]], [[0.1, 0.5, 0.2]]])
    labels = np.array([[1, 2, 0]])
    first, second = 2 * 0.8 / (1.3 + 1), 2 * 0.5 / (0.8 + 1)
    assert expected_dice(scores, labels, THREE) == pytest.approx((first + second) / 2)
    assert expected_dice(scores, np.array([[1, 0, 0]]), THREE) == pytest.approx(first)  # of those that were found
    assert math.isnan(expected_dice(scores, np.zeros((1, 3), int), THREE))


def test_a_bundle_that_has_learnt_nothing_says_nothing():
    scores = np.full((1, 5, 7), 0.9, np.float32)
    assert confidence(scores, bundle()) is None
    told = bundle(answers={"confidence": {"x": [0.0, 1.0], "y": [0.1, 0.6]}})
    assert confidence(scores, told) == pytest.approx(0.1 + 0.5 * (2 * 0.9 / 1.9))
    assert confidence(np.full((1, 5, 7), 0.1, np.float32), told) is None  # nothing found
    assert confidence(scores, told, np.zeros((5, 7), np.uint8)) is None


def test_labels_are_decided_at_the_same_pixels_as_without_calibration():
    rng = np.random.default_rng(1)
    raw = rng.random((1, 30, 41)).astype(np.float32)
    model = bundle(threshold=0.3, temperature=2.5, answers={"confidence": {"x": [0.0, 1.0], "y": [0.0, 1.0]}})
    labels, scores = (raw[0] > 0.3).astype(np.uint8), apply_temperature(raw, 2.5)
    assert model.contract.calibrated(0.3) == pytest.approx(1 / (1 + (0.7 / 0.3) ** (1 / 2.5)), abs=1e-6)
    assert confidence(scores, model) == pytest.approx(confidence(scores, model, labels), abs=1e-6)
    assert model.contract.calibrated(0.0) == 0.0


def fit(x, y, groups=None):
    return fit_confidence(list(x), list(y), groups=groups or [""] * len(x), source="validation")


def test_the_simplest_correction_that_fits_is_taken():
    x = np.linspace(0.5, 0.9, 9)
    assert fit(x, x)["kind"] == "plain" and fit(x, x)["error"] == 0
    shift = fit(x, x - 0.2)
    assert shift["kind"] == "shift" and corrected(0.7, shift) == pytest.approx(0.5) and shift["plain_error"] == 0.2
    line = fit(x, 2 * x - 0.9)
    assert line["kind"] == "line" and corrected(0.8, line) == pytest.approx(0.7) and line["error"] < 1e-6
    assert corrected(0.2, line) == 0 and corrected(1.0, line) == 1  # never outside of what a Dice can be
    many = np.linspace(0, 1, 60)
    steps = fit(many, np.where(many > 0.5, 0.9, 0.1))
    assert steps["kind"] == "isotonic" and corrected(0.3, steps) == pytest.approx(0.1, abs=0.02)
    assert steps["error"] < 0.05 < steps["plain_error"]


def test_a_group_is_left_out_together():
    x = np.repeat([0.3, 0.5, 0.6, 0.7, 0.9], 6)
    y = x + np.repeat([0.2, -0.2, 0.1, -0.1, 0.0], 6)  # each group has its own error
    apart, together = fit(x, y), fit(x, y, [str(place // 6) for place in range(30)])
    assert together["error"] > apart["error"] and together["pictures"] == 30


def test_too_few_pictures_or_groups_teach_nothing():
    x = np.linspace(0.5, 0.9, FEWEST)
    assert fit(x, x) is not None and fit(x[1:], x[1:]) is None
    assert fit(np.full(12, 0.5), np.full(12, 0.6), ["a", "b", "c"] * 4) is None
    assert fit([*x[1:], 0.5], [*x[1:], math.nan]) is None  # an undefined Dice is no picture
    assert fit([], []) is None


def test_the_error_is_that_of_pictures_left_out():
    x, y = np.array([0.2, 0.4, 0.5, 0.7, 0.8, 0.9]), np.array([0.3, 0.3, 0.6, 0.6, 0.9, 0.8])
    others = [[place for place in range(6) if place != out] for out in range(6)]
    errors = [abs(np.clip(x[out] + (y[rest] - x[rest]).mean(), 0, 1) - y[out]) for out, rest in enumerate(others)]
    lines = [abs(np.clip(np.polyval(np.polyfit(x[r], y[r], 1), x[o]), 0, 1) - y[o]) for o, r in enumerate(others)]
    found = fit(x, y)
    assert found["error"] == pytest.approx(min(np.mean(errors), np.mean(lines), np.abs(x - y).mean()), abs=1e-4)
    assert found["constant_error"] == pytest.approx(
        np.mean([abs(y[r].mean() - y[o]) for o, r in enumerate(others)]), abs=1e-4
    )


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=FEWEST, max_size=FEWEST_FOR_STEPS + 6))
def test_more_expected_never_means_less_told_and_nothing_leaves_its_range(pairs):
    found = fit(*zip(*pairs, strict=True))
    told = [corrected(value, found) for value in np.linspace(0, 1, 23)]
    assert all(0 <= value <= 1 for value in told)
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(told))
    assert found["error"] <= found["plain_error"]


class Sure:
    """Answers the truth with holes, and a score of 0.8 for all of it."""

    def __init__(self, scores=True):
        self.scores = scores

    def segment(self, sample):
        labels = sample.labels.copy()
        labels[::4] = 0
        scores = np.where(labels, 0.8, 0.0).astype(np.float32)[None]
        return Prediction(sample.name, labels, TWO, scores if self.scores else None)


def test_what_was_said_is_held_against_what_came_out():
    model = bundle(answers={"confidence": {"x": [0.0, 1.0], "y": [0.0, 1.0]}})
    judged, scorer, true = JudgedConfidence(Sure(), model), Scorer(TWO), []
    for place in range(3):
        truth = np.zeros((9, 12), np.uint8)
        truth[place:6, 2:9] = 1
        sample = Sample(f"{place}.png", np.zeros((9, 12, 1), np.uint8), truth)
        labels = judged.segment(sample).labels
        scorer.add(sample.name, labels, truth)
        true.append(dice_of_picture(labels, sample, TWO))
        assert true[-1] == pytest.approx(2 * labels.sum() / (labels.sum() + truth.sum()))
    report = scorer.report(model="", data="", split="test", threshold=0.5, split_checksum="", seconds=0)
    said = 2 * 0.8 / 1.8
    assert all(value == pytest.approx(said) for value in judged.said.values()) and len(judged.said) == 3
    (sentence,) = judged.sentences(report)
    assert f"is {np.abs(said - np.array(true)).mean():.3f} away" in sentence and "3 test pictures" in sentence
    silent = JudgedConfidence(Sure(scores=False), model)
    silent.segment(Sample("0.png", np.zeros((9, 12, 1), np.uint8), np.ones((9, 12), np.uint8)))
    assert silent.sentences(report) == []
