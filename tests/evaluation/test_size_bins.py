import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from limner.core.labels import LabelSpace
from limner.evaluation.inspection import Inspector
from limner.evaluation.size_bins import measure_objects, size_bins

NAMES = ("background", "cell", "wall")


def table(*rows):
    return np.array(rows, np.int64).reshape(-1, 4)


def test_area_cover_and_spill_by_hand():
    target, pred = np.zeros((9, 14), np.uint8), np.zeros((9, 14), np.uint8)
    target[1:4, 1:4] = 1  # 9 pixels
    target[1:3, 10:12] = 1  # 4 pixels
    pred[2:4, 1:6] = 1  # 6 of 9, and 4 beside it
    pred[7, 12:14] = 1  # touches nothing: an invention, nobody's spill
    assert measure_objects(pred, target, num_classes=2).tolist() == [[1, 9, 6, 4], [1, 4, 0, 0]]


def test_a_prediction_over_two_objects_is_shared_between_them():
    target, pred = np.zeros((5, 21), np.uint8), np.zeros((5, 21), np.uint8)
    target[1:4, 0:3], target[1:4, 18:21] = 1, 1
    pred[2, :] = 1
    found = measure_objects(pred, target, num_classes=2)
    assert found[:, 2].tolist() == [3, 3] and found[:, 3].sum() == 15 and abs(int(found[0, 3]) - int(found[1, 3])) <= 1


def test_classes_are_apart_and_unknown_pixels_belong_to_nothing():
    target, pred, valid = np.zeros((6, 9), np.uint8), np.zeros((6, 9), np.uint8), np.ones((6, 9), bool)
    target[0:2, 0:2], target[4:6, 4:8] = 1, 2
    pred[target > 0] = 2
    valid[5] = False
    assert measure_objects(pred, target, valid=valid, num_classes=3).tolist() == [[1, 4, 0, 0], [2, 4, 4, 0]]
    assert measure_objects(pred, np.zeros_like(target), num_classes=3).shape == (0, 4)


@given(arrays(np.uint8, (6, 11), elements=st.integers(0, 2)), arrays(np.uint8, (6, 11), elements=st.integers(0, 2)))
def test_objects_agree_with_scipy(pred, target):
    found = measure_objects(pred, target, num_classes=3)
    for k in (1, 2):
        regions, count = ndimage.label(target == k, np.ones((3, 3)))
        rows = found[found[:, 0] == k]
        expected = [((regions == i).sum(), ((regions == i) & (pred == k)).sum()) for i in range(1, count + 1)]
        assert sorted(map(tuple, rows[:, 1:3].tolist())) == sorted(expected)
        predicted, number = ndimage.label(pred == k, np.ones((3, 3)))
        touching = [i for i in range(1, number + 1) if (target[predicted == i] == k).any()]
        assert rows[:, 3].sum() == (np.isin(predicted, touching) & (target != k)).sum()


def test_quarters_of_the_objects_and_their_means():
    rows = [[1, area, area // 2, 0] for area in (4, 8, 12, 16, 20, 24, 28, 32)]
    rows[0][2] = 1
    bins = size_bins(table(*rows), NAMES)
    assert [(b.smallest, b.largest, b.objects, b.found) for b in bins] == [
        (4, 8, 2, 1), (9, 16, 2, 2), (17, 24, 2, 2), (25, 32, 2, 2),
    ]  # fmt: skip
    assert bins[0].recall == (1 / 4 + 1 / 2) / 2 and bins[0].dice == (2 / 5 + 8 / 12) / 2
    assert bins[0].as_dict()["found_share"] == 0.5


def test_equal_areas_leave_bins_empty_which_is_said():
    bins = size_bins(table(*[[2, 5, 5, 0]] * 20), NAMES)
    assert [b.objects for b in bins] == [20, 0, 0, 0] and (bins[0].smallest, bins[0].largest) == (5, 5)
    assert math.isnan(bins[1].recall) and bins[1].smallest > bins[1].largest
    assert bins[1].as_dict()["dice"] is None and bins[1].as_dict()["found_share"] is None


def test_few_objects_make_one_bin_and_none_make_none():
    bins = size_bins(table([1, 3, 3, 0], [1, 9, 0, 4]), NAMES)
    assert [(b.class_name, b.smallest, b.largest, b.objects, b.found) for b in bins] == [("cell", 3, 9, 2, 1)]
    assert size_bins(np.zeros((0, 4), np.int64), NAMES) == ()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_every_object_is_in_one_bin(areas):
    bins = size_bins(table(*[[1, area, 0, 0] for area in areas]), NAMES)
    assert sum(b.objects for b in bins) == len(areas) and len(bins) in (1, 4)
    for one in bins:
        assert one.objects == sum(one.smallest <= area <= one.largest for area in areas)


def test_inspector_adds_up_and_leaves_out_what_is_too_large(monkeypatch):
    target = np.zeros((8, 13), np.uint8)
    target[2:5, 2:6] = 1
    inspector = Inspector(LabelSpace(NAMES[:2]))
    inspector.add("a", target, target)
    inspector.add("b", np.zeros_like(target), target)
    monkeypatch.setattr("limner.evaluation.inspection.LARGEST", 100)
    inspector.add("c", target, target)
    found = inspector.result()
    assert (found.pictures, found.too_large, found.band) == (2, ("c",), (2, 2))
    assert found.errors.total == 12 and found.sizes[0].objects == 2 and found.sizes[0].found == 1
    tree = found.as_dict(NAMES[:2])
    assert tree["errors"]["kinds"]["missed_object"]["pixels"] == 12 and tree["band_pixels"] == [2, 2]
    assert set(tree["definitions"]) == {*tree["errors"]["kinds"], "band"}


def test_nothing_inspected():
    found = Inspector(LabelSpace(NAMES)).result()
    assert (found.pictures, found.errors.total, found.sizes, found.band) == (0, 0, (), (0, 0))
