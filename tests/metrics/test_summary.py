import math

import numpy as np
import pytest

from limner.metrics import summary
from limner.metrics.summary import bootstrap_interval, resampled_means, summarize, summarize_columns, unit_numbers


def test_nan_is_skipped_and_counted():
    score = summarize([0.2, math.nan, 0.4, 0.9, math.nan], 0.55)
    assert (score.mean, score.median, score.pooled, score.n, score.undefined) == (pytest.approx(0.5), 0.4, 0.55, 3, 2)
    assert score.ci95 == bootstrap_interval([0.2, math.nan, 0.4, 0.9, math.nan])
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


def test_intervals_of_groups_cover_the_truth_and_those_of_their_pictures_do_not():
    """Thirty groups of ten pictures that are nearly the same: there are thirty values, not three hundred."""
    random = np.random.default_rng(9)
    groups = [f"g{i}" for i in range(30) for _ in range(10)]
    inside = {"group": 0, "picture": 0}
    for _ in range(100):
        values = np.repeat(random.normal(0, 1, 30), 10) + random.normal(0, 0.1, 300)
        for kind, names in (("group", groups), ("picture", None)):
            low, high = bootstrap_interval(values, groups=names, draws=300)
            inside[kind] += low <= 0 <= high
    assert inside["group"] >= 87 and inside["picture"] <= 60


def test_groups_of_different_size_are_drawn_whole():
    values = np.array([0.0, 0.0, 0.0, 1.0])
    drawn = resampled_means(values[:, None], unit_numbers(["a", "a", "a", "b"], 4), seed=0, draws=400)[:, 0]
    assert set(np.round(drawn, 6)) == {0.0, 0.25, 1.0}  # a twice, one of each, b twice


def test_pictures_without_a_group_stand_for_themselves():
    assert unit_numbers(["", "x", "", "x"], 4).tolist() == [0, 1, 2, 1]
    values = np.random.default_rng(3).random(9)
    assert bootstrap_interval(values, groups=[""] * 9) == bootstrap_interval(values)
    assert bootstrap_interval(values, groups=list("abcdefghi")) == bootstrap_interval(values)


def test_one_group_cannot_tell_how_groups_differ():
    assert all(math.isnan(end) for end in bootstrap_interval([0.2, 0.4, 0.9], groups=["a", "a", "a"]))
    score = summarize([0.2, 0.4, math.nan], 0.3, groups=["a", "a", "b"])
    assert score.n == 2 and all(math.isnan(end) for end in score.ci95)
    assert bootstrap_interval([0.2, math.nan], groups=["a", "a"]) == (0.2, 0.2)


def test_columns_are_the_same_as_one_by_one():
    values = np.random.default_rng(5).random((11, 3))
    values[2:9, 1] = np.nan
    found = summarize_columns(values, [0.1, 0.2, 0.3])
    for column, score, pooled in zip(values.T, found, (0.1, 0.2, 0.3), strict=True):
        alone = summarize(column, pooled)
        assert (score.mean, score.median, score.n, score.pooled) == (alone.mean, alone.median, alone.n, pooled)
        assert score.ci95 == pytest.approx(alone.ci95)
    assert (found[1].n, found[1].undefined) == (4, 7)


def test_resampling_in_pieces_changes_nothing(monkeypatch):
    values = np.random.default_rng(2).random(30)
    whole = bootstrap_interval(values)
    monkeypatch.setattr(summary, "CELLS_AT_ONCE", 700)
    assert bootstrap_interval(values) == pytest.approx(whole)
