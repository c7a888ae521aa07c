"""Metrics of objects against sets of pixels, on random scenes and on scenes that a hand can count."""

import itertools
import math

import numpy as np
import pytest

from limner.core.errors import DataError, ShapeError
from limner.core.objects import Objects, number_objects
from limner.metrics.coco_ap import IOUS
from limner.metrics.instance import Findings, aggregated_jaccard, f1_at_iou, object_metrics, tp_share_at_iou
from limner.metrics.matching import CHUNK, count_overlaps, join, match
from limner.metrics.object_table import OBJECT_TABLE
from limner.metrics.panoptic import add_stuff, panoptic_quality, quality_of
from tests.oracles.objects import Scene, random_scene, ratio

SCENES = 200


def same(one, other):
    return (math.isnan(one) and math.isnan(other)) or abs(one - other) < 1e-6


def draw(*rows):
    """Objects of class 1 from digits."""
    ids = np.array([[int(c) for c in row] for row in rows], np.int32)
    return number_objects(ids, (ids > 0).astype(np.uint8))


def findings(pred, target, **options):
    return Findings(count_overlaps(pred, target, **options))


@pytest.fixture(scope="module")
def scenes():
    found = []
    for seed in range(SCENES):
        pred, target, valid, crowds = random_scene(seed)
        marks = crowds if seed % 3 == 0 else None
        found.append((count_overlaps(pred, target, valid=valid, crowds=marks), Scene(pred, target, valid, marks)))
    return found


def test_random_scenes_equal_the_second_implementation(scenes):
    seen = dict.fromkeys(("merges", "splits", "tp", "fp", "fn"), 0)
    for table, scene in scenes:
        for class_id in (1, 2, 3):
            found = Findings(table.of_class(class_id))
            values = object_metrics(found)
            counts = {iou: scene.counts(class_id, iou) for iou in IOUS}
            for iou, (tp, fp, fn, _) in counts.items():
                one = found.counts(iou)
                assert (one.tp, one.fp, one.fn) == (tp, fp, fn)
            tp, fp, fn, total = counts[0.5]
            expected = {
                "f1_at_iou": ratio(2 * tp, 2 * tp + fp + fn), "object_precision": ratio(tp, tp + fp),
                "object_recall": ratio(tp, tp + fn), "tp_share_at_iou": ratio(tp, tp + fp + fn),
                "mean_tp_share_at_iou": np.mean([ratio(a, a + b + c) for a, b, c, _ in counts.values()]),
                "mean_f1_at_iou": np.mean([ratio(2 * a, 2 * a + b + c) for a, b, c, _ in counts.values()]),
                "mean_matched_iou": ratio(total, tp), "aji": ratio(*scene.aji(class_id)),
                "count_error": abs(fp - fn), "relative_count_error": ratio(abs(fp - fn), tp + fn),
            }  # fmt: skip
            for name, value in expected.items():
                assert same(values[name], value), (name, class_id)
            tp, fp, fn, total = scene.counts(class_id, 0.5, strict=True)
            quality = panoptic_quality(found)
            assert same(quality["pq"], ratio(total, tp + fp / 2 + fn / 2))
            assert same(quality["sq"], ratio(total, tp)) and same(quality["rq"], ratio(tp, tp + fp / 2 + fn / 2))
            assert (found.merges.sum(), found.splits.sum()) == scene.merges_and_splits(class_id)
            seen["merges"] += found.merges.sum()
            seen["splits"] += found.splits.sum()
            seen |= {"tp": seen["tp"] + tp, "fp": seen["fp"] + fp, "fn": seen["fn"] + fn}
    assert min(seen.values()) > 30, seen


def test_tables_of_pictures_add_up(scenes):
    tables = [table for table, _ in scenes[:40]]
    whole = join(tables)
    assert whole.num_pictures == 40 and len(whole.pred) == sum(len(table.pred) for table in tables)
    for iou in (0.5, 0.7):
        parts = [Findings(table.of_class(2)).counts(iou) for table in tables]
        added = Findings(whole.of_class(2)).counts(iou)
        assert (added.tp, added.fp, added.fn) == tuple(sum(getattr(p, n) for p in parts) for n in ("tp", "fp", "fn"))
        assert added.iou == pytest.approx(sum(p.iou for p in parts))
    assert np.array_equal((tables[0] + tables[1]).shared, join(tables[:2]).shared)
    assert join([]).num_pictures == 0 and math.isnan(f1_at_iou(join([])))


def test_a_picture_in_parts_is_counted_as_a_whole(monkeypatch):
    pred, target, valid, _ = random_scene(10)
    whole = count_overlaps(pred, target, valid=valid)
    monkeypatch.setattr("limner.metrics.matching.CHUNK", 50)
    parts = count_overlaps(pred, target, valid=valid)
    assert CHUNK > 50 and len(whole.shared) > 3
    assert np.array_equal(whole.pairs, parts.pairs) and np.array_equal(whole.shared, parts.shared)


EMPTY = draw("00000", "00000")
FULL = draw("11002", "11002")


@pytest.mark.parametrize(
    ("pred", "target", "expected"),
    [
        (EMPTY, EMPTY, dict.fromkeys(OBJECT_TABLE, math.nan) | {"count_error": 0}),
        (FULL, EMPTY, dict.fromkeys(OBJECT_TABLE, 0) | {"count_error": 2}
         | dict.fromkeys(("object_recall", "sq", "mean_matched_iou", "relative_count_error"), math.nan)),
        (EMPTY, FULL, dict.fromkeys(OBJECT_TABLE, 0) | {"count_error": 2, "relative_count_error": 1}
         | dict.fromkeys(("object_precision", "sq", "mean_matched_iou"), math.nan)),
        (FULL, FULL, dict.fromkeys(OBJECT_TABLE, 1) | {"count_error": 0, "relative_count_error": 0}),
    ],
)  # fmt: skip
def test_empty_cases(pred, target, expected):
    found = findings(pred, target)
    values = object_metrics(found) | panoptic_quality(found)
    assert {name for name in expected if name not in values} == {"ap", "ap50", "ap75"}
    for name, value in values.items():
        assert same(value, expected[name]), name
    assert not any(value > 1 for name, value in values.items() if name != "count_error")


def test_merged_split_missed_and_spurious_by_hand():
    target = draw("1110222000", "1110222000", "0000000000", "3333330000", "0000000440")
    pred = draw("1111111000", "1111111000", "0000000005", "2223330000", "0000000000")
    found = findings(pred, target)
    kinds, true_kinds = found.kinds()
    assert true_kinds == ["merged", "merged", "matched", "missed"]  # 3 pixels of 6 reach IoU 0.5
    assert sorted(kinds) == ["matched", "merged", "split", "spurious"]
    assert found.best_iou()[1] == pytest.approx([6 / 14, 6 / 14, 0.5, 0])
    counts = found.counts()
    assert (counts.tp, counts.fp, counts.fn) == (1, 3, 3) and found.counts(strict=True).tp == 0
    assert aggregated_jaccard(found) == pytest.approx((6 + 6 + 3) / (14 + 14 + 6 + 2 + 3 + 1))
    assert f1_at_iou(found.overlaps) == 0.25 and tp_share_at_iou(found.overlaps) == 1 / 7


def test_at_and_below_half_the_highest_iou_comes_first():
    target = draw("1111222")
    one = match(count_overlaps(draw("1111111"), target), iou=0.4)
    assert one.pred_of_true.tolist() == [0, -1] and one.iou.tolist() == pytest.approx([4 / 7, 0])
    even = match(count_overlaps(draw("11111100"), draw("11122200")))
    assert even.pred_of_true.tolist() == [0, -1] and even.true_of_pred.tolist() == [0]
    other = match(count_overlaps(draw("11122200"), draw("11111100")))
    assert other.pred_of_true.tolist() == [0] and other.true_of_pred.tolist() == [0, -1]


def test_an_iou_on_a_threshold_reaches_it():
    for tenths, height in itertools.product(range(10, 20), (1, 3)):
        target, pred = np.ones((height, 20), np.int32), np.zeros((height, 20), np.int32)
        pred[:, :tenths] = 1
        classes = np.array([1], np.int32)
        found = findings(Objects(pred, classes), Objects(target, classes))
        assert [found.counts(iou).tp for iou in IOUS] == [int(place <= tenths - 10) for place in range(10)]


def test_pixels_that_are_not_valid_belong_to_nobody():
    target, pred = draw("1111022200", "1111022200"), draw("1100022203", "1100022203")
    valid = np.ones((2, 10), bool)
    valid[:, 2:4] = False
    assert findings(pred, target, valid=valid).counts().iou == 2.0
    valid[:, 1] = False  # three quarters of object 1 are not known: it counts nowhere, and what lies on it is no alarm
    counts = findings(pred, target, valid=valid).counts()
    assert (counts.tp, counts.fp, counts.fn) == (1, 1, 0)
    valid[:] = False
    assert math.isnan(f1_at_iou(count_overlaps(pred, target, valid=valid)))


def test_crowds_are_neither_found_nor_missed_and_excuse_what_lies_on_them():
    target, pred = draw("1111110222"), draw("1102203330")
    crowds = np.array([True, False])
    counts = findings(pred, target, crowds=crowds).counts()
    assert (counts.tp, counts.fp, counts.fn) == (1, 0, 0)
    assert findings(pred, target).counts().fp == 2


def test_objects_without_a_pixel_are_left_out():
    ids = np.array([[0, 2, 2]], np.int32)
    table = count_overlaps(
        Objects(ids, np.array([1, 1], np.int32)),
        Objects(
            ids,
            np.array(
                [
                    1,
                    1,
                ],
                np.int32,
            ),
        ),
    )
    assert table.true.numbers.tolist() == [2] and f1_at_iou(table) == 1


def test_another_class_is_no_match():
    ids = np.array([[1, 1, 0, 2]], np.int32)
    table = count_overlaps(Objects(ids, np.array([1, 2], np.int32)), Objects(ids, np.array([1, 1], np.int32)))
    assert table.classes() == (1, 2) and Findings(table).counts().tp == 1
    assert (Findings(table.of_class(1)).counts().fn, Findings(table.of_class(2)).counts().fp) == (1, 1)


def test_stuff_is_one_segment_of_a_class():
    things = Objects(np.array([[1, 0, 0, 0, 2]], np.int32), np.array([3, 3], np.int32), np.array([0.5, 1], np.float32))
    labels = np.array([[3, 1, 2, 1, 1]], np.uint8)
    both = add_stuff(things, labels, stuff={1, 2})
    assert both.ids.tolist() == [[1, 3, 4, 3, 2]] and both.classes.tolist() == [3, 3, 1, 2]
    assert both.scores.tolist() == [0.5, 1, 1, 1]
    assert add_stuff(things, np.zeros((1, 5), np.uint8), stuff={1}) is things
    with pytest.raises(ShapeError):
        add_stuff(things, labels[:, :4], stuff={1})


def test_quality_of_nothing_and_of_a_perfect_answer():
    found = findings(FULL, FULL)
    assert quality_of(found.counts(strict=True)) == {"pq": 1, "sq": 1, "rq": 1}


def test_wrong_arguments_are_refused():
    with pytest.raises(ShapeError):
        count_overlaps(EMPTY, draw("000"))
    with pytest.raises(DataError, match="crowd"):
        count_overlaps(FULL, FULL, crowds=np.zeros(3, bool))
    with pytest.raises(DataError, match="IoU"):
        match(count_overlaps(FULL, FULL), iou=0)
