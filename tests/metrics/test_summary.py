import math

import numpy as np
import pytest

from limner.metrics import summary
from limner.metrics.summary import bootstrap_interval, summarize


def test_nan_is_skipped_and_counted():
    score = summarize([0.2, math.nan, 0.4, 0.9, math.nan], 0.55)
    assert (score.mean, score.median, score.pooled, score.n, score.undefined) == (pytest.approx(0.5), 0.4, 0.55, 3, 2)
    assert score.ci95 == bootstrap_interval([0.2, 0.4, 0.9])
    assert 0.2 <= score.ci95[0] < 0.5 < score.ci95[1] <= 0.9


def test_nothing_defined_is_nan_and_warns_nobody():
    score = summarize([math.nan, math.nan], math.nan)
    assert all(math.isnan(value) for value in (score.mean, score.median, *score.ci95, score.pooled))
    assert (score.n, score.undefined) == (0, 2)
    assert summarize([], math.nan).as_dict() == {
        "mean": None, "median": None, "ci95": [None, None], "pooled": None, "n": 0, "undefined": 0,
    }  # fmt: skip


def test_one_picture_has_no_width():
    assert bootstrap_interval([0.3, math.nan]) == (0.3, 0.3)


def test_equal_values_keep_the_mean_inside():
    values = [0.1] * 7
    low, high = bootstrap_interval(values)
    assert low <= float(np.mean(values)) <= high and high - low < 1e-12


def test_the_seed_decides():
    values = np.random.default_rng(1).random(12)
    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    assert bootstrap_interval(values, seed=4) != bootstrap_interval(values, seed=5)


def test_width_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    low, high = bootstrap_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)  # the normal approximation
    assert bootstrap_interval(values + 3)[0] == pytest.approx(low + 3)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(7)
    inside = 0
    for _ in range(200):
        low, high = bootstrap_interval(random.random(40), draws=400)
        inside += low <= 0.5 <= high
    assert 180 <= inside <= 199


def test_resampling_in_pieces_changes_nothing(monkeypatch):
    values = np.random.default_rng(2).random(30)
    whole = bootstrap_interval(values)
    monkeypatch.setattr(summary, "CELLS_AT_ONCE", 700)
    assert bootstrap_interval(values) == pytest.approx(whole)
