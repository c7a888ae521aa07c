"""Scores by fold, their spread and the fold in the middle."""

import math

import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.evaluation.evaluate import Scorer
from limner.evaluation.fold_scores import dice_of_folds, median_fold, spread


def report(space, pictures):
    scorer = Scorer(space)
    for name, pred, target in pictures:
        scorer.add(name, np.array([pred]), np.array([target]))
    return scorer.report(model="", data="", split="out-of-fold", threshold=None, split_checksum="", seconds=0.0)


@pytest.mark.parametrize("name", ["foreground", "cell"])
def test_two_classes_have_one_column(name):
    space = LabelSpace(("background", name))
    pictures = [("a", [1, 1, 0], [1, 0, 0]), ("b", [1, 1, 1], [1, 1, 1]), ("c", [0, 0, 0], [0, 0, 0])]
    found = dice_of_folds(report(space, pictures), {"a": 1, "b": 1, "c": 2})
    assert found[1] == {"": pytest.approx((2 / 3 + 1) / 2), name: pytest.approx((2 / 3 + 1) / 2)}
    assert math.isnan(found[2][""]) and math.isnan(found[2][name])


def test_several_classes_have_their_union_beside_them():
    space = LabelSpace(("background", "cell", "dirt"))
    found = dice_of_folds(report(space, [("a", [1, 1, 2, 0], [1, 2, 2, 0])]), {"a": 3})
    assert found == {
        3: {"": pytest.approx(2 / 3), "cell": pytest.approx(2 / 3), "dirt": pytest.approx(2 / 3), "foreground": 1.0}
    }


def test_the_middle_fold():
    assert median_fold({1: 0.9, 2: 0.5, 3: 0.7, 4: 0.8}) == 3 and median_fold({1: 0.5, 2: 0.5}) == 1
    assert median_fold({1: math.nan, 2: 0.5, 3: 0.6}) == 2 and median_fold({4: math.nan}) == 4


def test_the_spread():
    found = spread([{"a": 0.2, "b": None}, {"a": 0.6, "b": math.nan}, {"a": 0.7}])
    assert found["a"]["mean"] == pytest.approx(0.5) and found["a"]["sd"] == pytest.approx(
        np.std([0.2, 0.6, 0.7], ddof=1)
    )
    assert (found["a"]["lowest"], found["a"]["highest"], found["a"]["n"], found["b"]["n"]) == (0.2, 0.7, 3, 0)
    assert math.isnan(found["b"]["mean"]) and spread([]) == {}
