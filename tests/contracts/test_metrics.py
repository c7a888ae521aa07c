"""What every metric of the table keeps: empty cases, symmetry, bounds, additivity over tiles, a definition."""

import math

import numpy as np
import pytest

from limner.evaluation.measure import Measured, Plan, measure_surface, pool
from limner.metrics.calibration import reliability
from limner.metrics.counts import count_mask
from limner.metrics.table import TABLE, define

ALL = Plan("all")
NAN = math.nan
EMPTY = {  # (shown, not predicted), (not shown, predicted), neither; None: as defined
    "dice": (0, 0, NAN),
    "iou": (0, 0, NAN),
    "precision": (NAN, 0, NAN),
    "recall": (0, NAN, NAN),
    "accuracy": (None, None, 1),
    "specificity": (1, None, 1),
    "volumetric_similarity": (0, 0, NAN),
    "hd95": (NAN, NAN, NAN),
    "hd": (NAN, NAN, NAN),
    "assd": (NAN, NAN, NAN),
    "surface_dice": (0, 0, NAN),
    "boundary_iou": (0, 0, NAN),
    "ece": (None, None, None),
    "brier": (None, None, None),
}
RANDOM = np.random.default_rng(11)


def measure(pred, target, scores=None):
    found = measure_surface(count_mask(pred, target), pred, target, None, ALL)
    scores = np.where(pred, 0.8, 0.3) if scores is None else scores
    return found.with_reliability(reliability(scores, pred, target))


def blob(top, left):
    mask = np.zeros((17, 23), bool)
    mask[top : top + 6, left : left + 9] = True
    mask[top + 2, left + 3] = False
    return mask


NOTHING = np.zeros((17, 23), bool)
PAIRS = [(blob(2, 3), blob(4, 5)), (blob(9, 12), blob(9, 12)), (blob(0, 14), blob(11, 0)), (blob(3, 3), ~blob(3, 3))]


def test_every_metric_has_an_empty_rule_here():
    assert list(EMPTY) == list(TABLE) == list(measure(*PAIRS[0]).values(ALL))


@pytest.mark.parametrize("name", TABLE)
def test_empty_cases(name):
    for (pred, target), expected in zip(
        ((NOTHING, blob(2, 3)), (blob(2, 3), NOTHING), (NOTHING, NOTHING)), EMPTY[name], strict=True
    ):
        found = measure(pred, target).values(ALL)[name]
        if expected is None:
            assert 0 <= found <= 1
        else:
            assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", TABLE)
def test_bounds_and_the_best_value(name):
    entry = TABLE[name]
    perfect = measure(blob(2, 3), blob(2, 3), blob(2, 3).astype(float)).values(ALL)[name]
    assert perfect == (1 if entry.higher_is_better else 0)
    for pred, target in PAIRS:
        found = measure(pred, target).values(ALL)[name]
        assert found >= 0 and (entry.is_length or found <= 1)
        assert found <= perfect if entry.higher_is_better else found >= perfect


@pytest.mark.parametrize("name", TABLE)
def test_symmetry_is_as_the_table_says(name):
    same = [
        math.isclose(measure(p, t).values(ALL)[name], measure(t, p).values(ALL)[name]) for p, t in PAIRS[:3]
    ]  # these have the same area, which makes precision equal to recall
    smaller = blob(2, 3) & blob(4, 5)
    one, other = measure(smaller, blob(2, 3)).values(ALL)[name], measure(blob(2, 3), smaller).values(ALL)[name]
    if TABLE[name].is_symmetric:
        assert all(same) and one == pytest.approx(other)
    else:
        assert one != pytest.approx(other)


@pytest.mark.parametrize("name", [n for n, entry in TABLE.items() if entry.kind != "surface"])
def test_tiles_add_up(name):
    scores, pred, target = RANDOM.random((17, 23)), blob(2, 3), blob(4, 5)
    tiles = [
        Measured(count_mask(pred[w], target[w])).with_reliability(reliability(scores[w], pred[w], target[w]))
        for w in (np.s_[:7], np.s_[7:])
    ]
    assert pool(tiles).values(ALL)[name] == pytest.approx(measure(pred, target, scores).values(ALL)[name])


@pytest.mark.parametrize("name", [n for n, entry in TABLE.items() if entry.kind == "surface"])
def test_pictures_add_up_where_they_can(name):
    one, other = measure(*PAIRS[0]), measure(*PAIRS[2])
    found = pool([one, other]).values(ALL)[name]
    if name in ("hd95", "hd"):
        assert math.isnan(found), "percentiles of pictures are none of both"
    else:
        low, high = sorted(m.values(ALL)[name] for m in (one, other))
        assert low < found < high


@pytest.mark.parametrize("name", TABLE)
def test_each_is_defined_in_one_sentence_with_its_empty_rule(name):
    text = define(name, unit="mm", tolerance=0.4)
    assert text.endswith(".") and "undefined" in text and "{" not in text
    assert ("mm" in text) == (TABLE[name].is_length or name == "surface_dice")
