from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix

from limner.core.errors import DataError, ShapeError
from limner.metrics.counts import Counts, confusion_table, count_classes, count_foreground, count_mask, split_table

# 2 x 4, three classes, nothing symmetric
TARGET = np.array([[0, 1, 1, 1], [2, 2, 0, 0]], np.uint8)
PRED = np.array([[0, 1, 2, 0], [2, 0, 0, 1]], np.uint8)


def test_counts_by_hand():
    background, first, second = count_classes(PRED, TARGET, num_classes=3)
    assert background == Counts(tp=2, fp=2, fn=1, tn=3)
    assert first == Counts(tp=1, fp=1, fn=2, tn=4)
    assert second == Counts(tp=1, fp=1, fn=1, tn=5)
    assert (first.predicted, first.true, first.total) == (2, 3, 8)


def test_rows_of_the_table_are_the_truth():
    assert confusion_table(PRED, TARGET, num_classes=3).tolist() == [[2, 1, 0], [1, 1, 1], [1, 0, 1]]


def test_one_foreground_class_for_another_is_a_hit_of_the_union():
    table = confusion_table(PRED, TARGET, num_classes=3)
    assert count_foreground(table) == Counts(tp=3, fp=1, fn=2, tn=2)
    assert count_foreground(table) == count_mask(PRED > 0, TARGET > 0)


def test_invalid_pixels_count_nowhere_and_may_hold_anything():
    valid = np.ones((2, 4), bool)
    valid[0, 1] = valid[1, 3] = False  # a hit and a false alarm of class 1
    target, pred = TARGET.copy(), PRED.copy()
    target[0, 1], pred[1, 3] = 255, 255
    assert count_classes(pred, target, valid=valid, num_classes=3)[1] == Counts(tp=0, fp=0, fn=2, tn=4)
    assert count_mask(PRED == 1, TARGET == 1, valid=valid) == Counts(tp=0, fp=0, fn=2, tn=4)


def test_nothing_valid_counts_nothing():
    none = np.zeros((2, 4), bool)
    assert set(count_classes(PRED, TARGET, valid=none, num_classes=3)) == {Counts(0, 0, 0, 0)}


@pytest.mark.parametrize(
    ("pred", "target", "kind"), [(3, 0, "prediction"), (0, 3, "labels"), (-1, 0, "prediction"), (0, -2, "labels")]
)
def test_ids_that_are_no_class_are_refused(pred, target, kind):
    with pytest.raises(DataError, match=kind):
        count_classes(np.array([0, pred]), np.array([0, target]), num_classes=3)


@pytest.mark.parametrize("count", [count_mask, partial(count_classes, num_classes=3)])
def test_shapes_must_agree(count):
    with pytest.raises(ShapeError, match=r"\(2, 4\).*\(4, 2\)"):
        count(PRED, TARGET.T)
    with pytest.raises(ShapeError, match="valid"):
        count(PRED, TARGET, valid=np.ones((4, 2), bool))


@pytest.mark.parametrize("classes", [2, 3, 16, 17, 256, 300])
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int64])
def test_any_number_of_classes_and_any_kind_of_integers(classes, kind, monkeypatch):
    monkeypatch.setattr("limner.metrics.counts.CHUNK", 50)
    top = min(classes, np.iinfo(kind).max + 1)
    random = np.random.default_rng(classes)
    pred, target = (random.integers(0, top, (13, 37)).astype(kind) for _ in range(2))
    pred[0, 0] = target[0, 0] = target[1, 1] = top - 1
    expected = confusion_matrix(target.ravel(), pred.ravel(), labels=range(classes))
    assert np.array_equal(confusion_table(pred, target, num_classes=classes), expected)
    assert np.array_equal(confusion_table(pred.T, target.T, num_classes=classes), expected), "not contiguous"


def test_yes_no_arrays_are_ids():
    table = confusion_table(PRED > 0, TARGET > 0, num_classes=2)
    assert table.tolist() == [[2, 1], [2, 3]]


def test_many_classes_do_not_overflow_small_integers():
    target, pred = np.array([200, 250, 3], np.uint8), np.array([200, 3, 250], np.uint8)
    counts = count_classes(pred, target, num_classes=256)
    assert counts[200] == Counts(1, 0, 0, 2) and counts[250] == Counts(0, 1, 1, 1)


@given(st.data(), st.integers(2, 5), hnp.array_shapes(min_dims=1, max_dims=3, max_side=7))
def test_agrees_with_scikit_learn(data, classes, shape):
    ids = hnp.arrays(np.uint8, shape, elements=st.integers(0, classes - 1))
    pred, target = data.draw(ids), data.draw(ids)
    valid = data.draw(hnp.arrays(np.bool_, shape))
    valid.flat[0] = True
    expected = confusion_matrix(target[valid], pred[valid], labels=range(classes))
    table = confusion_table(pred, target, valid=valid, num_classes=classes)
    assert table.tolist() == expected.tolist()
    for index, counts in enumerate(split_table(table)):
        assert counts == count_mask(pred == index, target == index, valid=valid)


@given(st.data(), st.integers(0, 9), st.integers(0, 6))
def test_tiles_add_up_to_the_whole(data, row, column):
    ids = hnp.arrays(np.uint8, (9, 6), elements=st.integers(0, 2))
    pred, target, valid = data.draw(ids), data.draw(ids), data.draw(hnp.arrays(np.bool_, (9, 6)))
    windows = [(a, b) for a in (slice(0, row), slice(row, 9)) for b in (slice(0, column), slice(column, 6))]
    tiles = [count_classes(pred[w], target[w], valid=valid[w], num_classes=3) for w in windows]
    for index, counts in enumerate(count_classes(pred, target, valid=valid, num_classes=3)):
        assert sum((tile[index] for tile in tiles), Counts(0, 0, 0, 0)) == counts
