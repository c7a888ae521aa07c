import csv
import json
import math

import numpy as np
import pytest

from limner.core.errors import DataError, ShapeError
from limner.core.labels import LabelSpace
from limner.core.objects import Objects, number_objects
from limner.data.instances import connected_objects
from limner.evaluation import Scorer, write_report_files
from limner.evaluation.object_scorer import COMPONENTS_NOTE
from limner.metrics.object_table import OBJECT_TABLE
from tests.oracles.objects import random_scene

CELLS = LabelSpace(("background", "cell"), things=("cell",))
STREET = LabelSpace(("background", "car", "road", "dog"), things=("car", "dog"))
OPTIONS = {"model": "m", "data": "d", "split": "test", "threshold": None, "split_checksum": "c", "seconds": 1}


def cells(*rows):
    """Objects of class 1 and their class map, from digits."""
    ids = np.array([[int(c) for c in row] for row in rows], np.int32)
    labels = (ids > 0).astype(np.uint8)
    return number_objects(ids, labels), labels


def report(*pictures, space=CELLS, without_ids=()):
    scorer = Scorer(space)
    for place, ((pred, pred_labels), (target, target_labels)) in enumerate(pictures):
        scorer.add(str(place), pred_labels, target_labels, target_objects=target,
                   pred_objects=None if place in without_ids else pred)  # fmt: skip
    return scorer.report(**OPTIONS)


TWO, ONE, NONE = cells("1100220", "1100220"), cells("1100000", "1100000"), cells("0000000", "0000000")


def test_means_over_pictures_and_pooled_over_objects():
    scores = report((ONE, TWO), (TWO, TWO), (NONE, NONE), (ONE, NONE)).scores
    f1 = scores["f1_at_iou"]["cell"]
    assert (f1.mean, f1.n, f1.undefined) == (pytest.approx((2 / 3 + 1 + 0) / 3), 3, 1)
    assert f1.pooled == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    share = scores["tp_share_at_iou"]["cell"]
    assert share.mean == pytest.approx((0.5 + 1 + 0) / 3) and share.pooled == pytest.approx(3 / 5)
    assert (scores["ap"]["cell"].n, scores["ap"]["cell"].mean) == (2, pytest.approx((51 / 101 + 1) / 2))
    assert scores["count_error"]["cell"].mean == 0.5 and scores["count_error"]["cell"].pooled == 0
    assert scores["object_recall"]["cell"].n == 2 and scores["object_precision"]["cell"].n == 3
    for metric in OBJECT_TABLE:
        assert set(scores[metric]) == {"cell", "foreground", "macro"}
        one, other = (json.dumps(scores[metric][name].as_dict()) for name in ("cell", "foreground"))
        assert one == other


def test_a_perfect_empty_picture_is_undefined_and_never_0():
    scores = report((NONE, NONE)).scores
    for metric in OBJECT_TABLE:
        mean = scores[metric]["cell"].mean
        assert mean == 0 if metric == "count_error" else math.isnan(mean), metric


def test_predictions_without_objects_are_taken_by_region_and_the_report_says_so():
    touching, truth = cells("1122000", "1122000"), cells("1122000", "1122000")
    found = report((touching, truth), (TWO, TWO), without_ids={0, 1})
    assert found.notes == (COMPONENTS_NOTE,) and found.objects["pictures_by_connected_regions"] == 2
    assert found.objects["counts"]["cell"]["predicted_merged"] == 0  # half of the region is each: one of both matches
    assert found.objects["counts"]["cell"]["predicted"] == 3
    assert "1 of 2 pictures" in report((touching, truth), (TWO, TWO), without_ids={1}).notes[0]
    assert report((touching, truth)).notes == ()


def test_regions_are_of_things_alone_and_join_at_corners():
    labels = np.array([[1, 0, 2, 3, 3], [0, 1, 2, 0, 1]], np.uint8)
    found = connected_objects(labels, (1, 3))
    assert found.classes.tolist() == [1, 3, 1] and found.ids[0, 0] == found.ids[1, 1] != found.ids[1, 4]
    assert found.ids[0, 2] == 0 and len(connected_objects(labels * 0, (1,))) == 0


def street(ids, labels):
    labels = np.array(labels, np.uint8)
    return number_objects(np.array(ids, np.int64), labels), labels


def test_things_and_stuff():
    true = street([[1, 1, 0, 0, 2, 2, 0]], [[1, 1, 2, 2, 3, 3, 2]])
    pred = street([[1, 1, 0, 0, 0, 0, 2]], [[1, 1, 2, 2, 2, 0, 1]])
    found = report((pred, true), (true, true), space=STREET)
    pq = found.scores["pq"]
    assert set(pq) == {"car", "road", "dog", "macro"} and set(found.scores["ap"]) == {"car", "dog", "macro"}
    road = 2 / 4  # not above one half: no match
    assert road == 0.5 and pq["road"].mean == pytest.approx((0 + 1) / 2)
    assert pq["car"].pooled == pytest.approx(2 / (2 + 0.5)) and pq["dog"].pooled == pytest.approx(1 / (1 + 0.5))
    assert pq["macro"].pooled == pytest.approx((2 / 2.5 + 1 / 2 + 1 / 1.5) / 3)
    assert found.objects["counts"].keys() == {"car", "dog"}
    perfect = report((true, true), (true, true), space=STREET)
    assert [perfect.scores[name]["macro"].pooled for name in ("pq", "sq", "rq", "ap", "aji")] == [1] * 5


def test_files_hold_the_objects(tmp_path):
    merged, pair = cells("1111100", "1111100"), cells("1122230", "1122230")
    found = report((merged, pair), (ONE, TWO))
    write_report_files(found, tmp_path)
    with (tmp_path / "per_object.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["image"], r["side"], r["object"], r["area"], r["matched_object"], r["kind"]) for r in rows] == [
        ("0", "true", "1", "4", "", "merged"), ("0", "true", "2", "6", "1", "matched"),
        ("0", "true", "3", "2", "", "missed"), ("1", "true", "1", "4", "1", "matched"), ("1", "true", "2", "4", "", "missed"),
    ]  # fmt: skip
    assert float(rows[0]["iou"]) == 0.4 and float(rows[1]["iou"]) == 0.6
    summary = json.loads((tmp_path / "summary.json").read_text())
    objects = summary["objects"]
    assert objects["counts"]["cell"]["merges"] == 1 and objects["by_iou"]["cell"][0]["tp"] == 2
    assert [row["iou"] for row in objects["by_iou"]["cell"]][:3] == [0.5, 0.55, 0.6]
    assert all("pooled" in summary["definitions"][metric] for metric in OBJECT_TABLE)
    assert objects["ap_by_size"]["cell"]["large"] is None
    with (tmp_path / "per_image.csv").open(newline="") as file:
        by_class = {(r["image"], r["class"]): r for r in csv.DictReader(file)}
    assert float(by_class["0", "cell"]["f1_at_iou"]) == pytest.approx(2 / 4)
    assert by_class["0", "background"]["f1_at_iou"] == ""


def test_size_bins_add_up_to_the_whole():
    scorer = Scorer(LabelSpace(("background", "a", "b", "c")))
    for seed in range(20):
        pred, target, valid, _ = random_scene(seed)
        scorer.add(str(seed), pred.class_map(), target.class_map(), valid, pred_objects=pred, target_objects=target)
    objects = scorer.report(**OPTIONS).objects
    for name in ("a", "b", "c"):
        bins, whole = objects["by_size"][name], objects["by_iou"][name][0]
        assert len(bins) == 4 and bins[0]["largest"] < bins[1]["smallest"]
        for key in ("tp", "fp", "fn"):
            assert sum(one[key] for one in bins) == whole[key]
        counts = objects["counts"][name]
        for key, total in (
            ("missed", "missed"),
            ("merged", "true_merged"),
            ("split", "true_split"),
            ("spurious", "spurious"),
        ):
            assert sum(one[key] for one in bins) == counts[total]


def test_a_picture_without_true_objects_is_not_measured_as_objects():
    scorer = Scorer(CELLS)
    scorer.add("a", TWO[1], TWO[1])
    assert "ap" not in scorer.report(**OPTIONS).scores and not scorer.report(**OPTIONS).objects
    scorer.add("b", TWO[1], TWO[1], pred_objects=TWO[0], target_objects=TWO[0])
    assert scorer.report(**OPTIONS).scores["ap"]["cell"].undefined == 1


def test_wrong_objects_are_refused_with_the_name_of_the_picture():
    with pytest.raises(ShapeError, match="where: p"):
        Scorer(CELLS).add("p", TWO[1], TWO[1], target_objects=Objects.none((2, 6)))
    with pytest.raises(DataError, match="class 7"):
        other = Objects(TWO[0].ids, np.array([7, 1], np.int32))
        Scorer(CELLS).add("p", TWO[1], TWO[1], pred_objects=other, target_objects=TWO[0])
