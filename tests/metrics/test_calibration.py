import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from limner.core.errors import DataError, ShapeError
from limner.metrics import calibration
from limner.metrics.calibration import (
    BINS,
    apply_temperature,
    fit_temperature,
    no_reliability,
    reliability,
    to_logits,
)

RANDOM = np.random.default_rng(6)
SCORES = RANDOM.random((41, 67))
TRUTH = RANDOM.random((41, 67)) < SCORES**2  # too sure of itself
PRED = SCORES > 0.5


def slow_ece(scores, pred, truth):
    """Bin by bin, as the definition says it."""
    confidence, right = np.where(pred, scores, 1 - scores), pred == truth
    error = 0.0
    for i in range(BINS):
        inside = (confidence >= i / BINS) & ((confidence < (i + 1) / BINS) | (i == BINS - 1))
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def test_ece_by_hand():
    # three answers of 0.9, two right; two answers "no" with 0.3 and 0.1, that is 0.7 and 0.9 sure, both right
    scores = np.array([0.9, 0.9, 0.9, 0.3, 0.1])
    truth = np.array([1, 1, 0, 0, 0], bool)
    found = reliability(scores, scores > 0.5, truth)
    assert found.ece == pytest.approx((4 * abs(3 / 4 - 0.9) + abs(1 - 0.7)) / 5)
    assert found.brier == pytest.approx((0.01 + 0.01 + 0.81 + 0.09 + 0.01) / 5)
    assert found.pixels.tolist() == [0] * 10 + [1, 0, 0, 4, 0]


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_ece_is_that_of_the_definition(threshold):
    found = reliability(SCORES, threshold < SCORES, TRUTH)
    assert found.ece == pytest.approx(slow_ece(SCORES, threshold < SCORES, TRUTH))
    assert found.ece > 0.01


def test_brier_is_that_of_scikit_learn():
    assert reliability(SCORES, PRED, TRUTH).brier == pytest.approx(brier_score_loss(TRUTH.ravel(), SCORES.ravel()))


def test_bins_are_those_of_scikit_learn():
    """Where every answer is yes, the confidence is the score."""
    yes = np.ones_like(PRED)
    rows = reliability(SCORES, yes, TRUTH).rows()
    right, confidence = calibration_curve(TRUTH.ravel(), SCORES.ravel(), n_bins=BINS)
    assert [row["accuracy"] for row in rows] == pytest.approx(right.tolist())
    assert [row["confidence"] for row in rows] == pytest.approx(confidence.tolist())
    assert sum(row["n"] for row in rows) == SCORES.size and (rows[0]["from"], rows[-1]["to"]) == (0, 1)


def test_tiles_add_up_and_unknown_pixels_count_nowhere():
    random = np.random.default_rng(3)
    whole = reliability(SCORES, PRED, TRUTH)
    parts = [reliability(SCORES[w], PRED[w], TRUTH[w]) for w in (np.s_[:9], np.s_[9:])]
    total = no_reliability() + parts[0] + parts[1]
    assert total.ece == pytest.approx(whole.ece) and total.brier == pytest.approx(whole.brier)
    valid = random.random(SCORES.shape) < 0.3
    assert reliability(SCORES, PRED, TRUTH, valid=valid).ece == pytest.approx(
        slow_ece(SCORES[valid], PRED[valid], TRUTH[valid])
    )
    nothing = reliability(SCORES, PRED, TRUTH, valid=np.zeros_like(valid))
    assert math.isnan(nothing.ece) and math.isnan(nothing.brier)
    assert nothing.rows()[3] == {"from": 3 / 15, "to": 4 / 15, "n": 0, "confidence": None, "accuracy": None}


def test_the_best_possible_scores():
    truth = TRUTH.astype(float)
    found = reliability(truth, TRUTH, TRUTH)
    assert (found.ece, found.brier) == (0, 0)
    assert reliability(1 - truth, ~TRUTH, TRUTH).brier == 1


def test_a_temperature_is_that_of_a_logistic_regression():
    """One map without an intercept: the coefficient of the logits is 1 / T."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, 4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-logits / 2.5))).astype(int)
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(logits[:, None], labels)
    assert fit_temperature(logits[None], labels) == pytest.approx(1 / fitted.coef_[0, 0], rel=1e-4)
    assert fit_temperature(logits[None], labels) == pytest.approx(2.5, rel=0.1)


def test_a_temperature_of_several_classes_makes_the_loss_least():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4, 13, 29))
    shown = np.exp(logits / 3)
    shown /= shown.sum(axis=0)
    labels = (random.random((13, 29)) > np.cumsum(shown, axis=0)[:-1]).sum(axis=0)
    found = fit_temperature(logits, labels)

    def loss(temperature):
        scores = np.exp(logits / temperature)
        scores /= scores.sum(axis=0)
        return -np.log(np.take_along_axis(scores, labels[None], axis=0)).mean()

    assert loss(found) < min(loss(found * 1.01), loss(found / 1.01))
    valid = random.random((13, 29)) < 0.5
    assert fit_temperature(logits, labels, valid=valid) == pytest.approx(
        fit_temperature(logits[:, valid], labels[valid])
    )


def test_one_map_is_a_softmax_of_two():
    random = np.random.default_rng(3)
    logits, labels = random.normal(0, 2, (1, 300)), random.integers(0, 2, 300)
    two = np.concatenate([np.zeros_like(logits), logits])
    assert fit_temperature(logits, labels) == pytest.approx(fit_temperature(two, labels))


def test_ends_of_the_range_and_nothing_at_all():
    logits = np.array([[3.0, -2.0, 1.0]])
    assert fit_temperature(logits, np.array([1, 0, 1])) == pytest.approx(0.05)
    assert fit_temperature(logits, np.array([0, 1, 0])) == pytest.approx(20)
    assert fit_temperature(logits, np.array([1, 0, 1]), valid=np.zeros(3, bool)) == 1


@pytest.mark.parametrize("maps", [1, 3])
def test_scores_at_another_temperature(maps):
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (maps, 7, 5))

    def scores(temperature):
        if maps == 1:
            return 1 / (1 + np.exp(-logits / temperature))
        found = np.exp(logits / temperature)
        return found / found.sum(axis=0)

    assert apply_temperature(scores(1), 2.2) == pytest.approx(scores(2.2), abs=1e-5)
    assert apply_temperature(scores(1), 1.0) == pytest.approx(scores(1), abs=1e-5)
    assert fit_temperature(to_logits(scores(1)), np.ones((7, 5), int)) == pytest.approx(
        fit_temperature(logits, np.ones((7, 5), int)), rel=1e-3
    )
    assert np.isfinite(apply_temperature(np.array([[0.0, 1.0]]), 0.1)).all()


def test_fitting_lowers_the_error():
    random = np.random.default_rng(3)
    truth = (random.random(5000) < 0.5).astype(int)
    logits = (random.normal(0, 1, 5000) + 2 * truth - 1)[None] * 5  # 5 / 2 too sure: the right slope is 2
    before, temperature = 1 / (1 + np.exp(-logits)), fit_temperature(logits, truth)
    after = apply_temperature(before, temperature)
    errors = [reliability(s[0], s[0] > 0.5, truth.astype(bool)).ece for s in (before, after)]
    assert temperature == pytest.approx(2.5, rel=0.1) and errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize("maps", [1, 3])
def test_large_pictures_are_worked_on_in_parts_and_in_place(monkeypatch, maps):
    random = np.random.default_rng(4)
    scores = random.random((maps, 7, 11)).astype(np.float32)
    scores = scores / scores.sum(axis=0) if maps > 1 else scores
    expected = apply_temperature(scores, 1.7)
    assert expected.dtype == np.float32 and expected.shape == scores.shape and np.abs(expected - scores).max() > 0.01
    monkeypatch.setattr(calibration, "BLOCK", 10)
    assert np.array_equal(apply_temperature(scores, 1.7), expected)
    assert apply_temperature(scores, 1.7, out=scores) is scores and np.array_equal(scores, expected)


def test_rounding_beyond_the_range_is_no_fault():
    sure = np.array([1 + 2**-23, -(2**-24), 1.0, 0.0], np.float32)
    answer = np.array([True, False, True, False])
    found = reliability(sure, answer, answer)
    assert found.ece == 0 and found.brier == 0 and found.pixels[-1] == 4


def test_what_cannot_be_is_refused():
    with pytest.raises(ShapeError):
        reliability(SCORES, PRED.T, TRUTH)
    for wrong in (1.5, -0.1, math.nan):
        with pytest.raises(DataError, match="not in"):
            reliability(np.array([wrong]), np.array([True]), np.array([True]))
    with pytest.raises(ShapeError):
        fit_temperature(np.zeros((2, 3)), np.zeros(4, int))
    for logits, labels in (([[np.inf, 0.0]], [0, 1]), ([[1.0, 0.0]], [0, 2]), ([[1.0, 0.0]], [0, -1])):
        with pytest.raises(DataError):
            fit_temperature(np.array(logits), np.array(labels))
    with pytest.raises(ValueError, match="temperature"):
        apply_temperature(SCORES[None], 0)
