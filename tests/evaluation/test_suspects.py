"""Labels that a confident prediction speaks against rank before those that it agrees with."""

import csv
import math

import numpy as np
import pytest

from limner.core.errors import ShapeError
from limner.core.labels import LabelSpace
from limner.evaluation.suspects import suspect_areas, suspect_labels, suspect_picture, write_suspects

TWO = LabelSpace(("background", "cell"))
THREE = LabelSpace(("background", "cell", "dirt"))


def sure(truth, high=0.97):
    """Scores of a model that sees `truth`."""
    return np.where(truth > 0, high, 1 - high).astype(np.float32)[None]


def look(labels, scores, space=TWO, **more):
    pred = (scores[0] > 0.5).astype(np.uint8) if len(scores) == 1 else scores.argmax(0).astype(np.uint8)
    return suspect_picture("a.png", labels, pred, scores, label_space=space, **more)


def test_a_forgotten_object_by_hand():
    truth = np.zeros((20, 31), np.uint8)
    truth[2:6, 3:8] = 1  # 4 x 5, labelled
    labels = truth.copy()
    truth[10:16, 20:27] = 1  # 6 x 7, not labelled
    found = look(labels, sure(truth))
    (area,) = found.areas
    assert (area.label, area.prediction, area.is_labelled, area.pixels, area.share) == (
        "background",
        "cell",
        False,
        42,
        1.0,
    )
    assert (
        area.box_xywh == (20, 10, 7, 6)
        and area.margin == pytest.approx(0.94)
        and area.doubt == pytest.approx(0.94 * 42)
    )
    assert (
        found.pixels == 42 and found.doubt == pytest.approx(42 / 62) and found.dice == pytest.approx(2 * 20 / (20 + 62))
    )
    assert (
        "42 pixels" in found.reason
        and "What weighs most: not labelled, predicted as cell (7 x 6 pixels at x 20, y 10)" in found.reason
    )


def test_what_is_not_sure_not_known_or_thin_does_not_count():
    labels = np.zeros((20, 31), np.uint8)
    labels[5:15, 5:15] = 1
    wider = np.zeros_like(labels)
    wider[4:16, 4:16] = 1  # one pixel more on each side
    assert look(labels, sure(wider)).pixels == 0 and look(labels, sure(labels)).doubt == 0
    other = np.zeros_like(labels)
    other[5:15, 18:28] = 1
    assert look(labels, sure(other, 0.79)).pixels == 0 and look(labels, sure(other, 0.81)).pixels == 200
    valid = np.ones(labels.shape, bool)
    valid[:, 16:] = False
    found = look(labels, sure(other), valid=valid)
    assert found.pixels == 100 and found.areas[0].is_labelled and found.doubt == 1.0
    nothing = look(np.zeros_like(labels), sure(np.zeros_like(labels)))
    assert nothing.doubt == 0.0 and math.isnan(nothing.dice) and nothing.areas == ()


def test_a_forgotten_object_goes_before_a_piece_of_the_same_size():
    truth = np.zeros((40, 61), np.uint8)
    truth[2:38, 2:30] = 1
    labels = truth.copy()
    labels[2:8, 2:8] = 0  # a corner of the large object
    truth[10:16, 40:46] = 1  # an object of the same 36 pixels
    first, second = look(labels, sure(truth)).areas
    assert first.box_xywh == (40, 10, 6, 6) and second.box_xywh == (2, 2, 6, 6) and first.pixels == second.pixels == 36
    assert second.share == pytest.approx(36 / (36 * 28)) and first.doubt > 20 * second.doubt


def test_classes_that_were_taken_for_each_other():
    labels = np.zeros((15, 22), np.uint8)
    labels[2:8, 2:8], labels[2:8, 12:18] = 1, 2
    truth = np.where(labels == 2, 1, labels)
    scores = np.full((3, 15, 22), 0.04, np.float32)
    np.put_along_axis(scores, truth[None].astype(int), 0.92, axis=0)
    found = look(labels, scores, THREE)
    (area,) = found.areas
    assert (area.label, area.prediction, area.share) == ("dirt", "cell", 1.0) and area.margin == pytest.approx(0.88)
    assert found.dice == pytest.approx((2 * 36 / (36 + 72) + 0) / 2)
    assert "labelled dirt, predicted as cell" in found.reason


def test_the_whole_picture_and_values_of_unknown_pixels():
    labels = np.full((7, 9), 255, np.uint8)
    valid = np.zeros((7, 9), bool)
    valid[:, :8], labels[:, :8] = True, 1
    found = look(labels, sure(np.zeros((7, 9))), valid=valid)
    assert found.pixels == 56 and found.areas[0].share == 1.0 and found.dice == 0.0


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ShapeError, match=r"labels \(5, 7\)"):
        suspect_picture("a", np.zeros((5, 7), int), np.zeros((7, 5), int), np.zeros((1, 5, 7)), label_space=TWO)


def smooth(rng, truth):
    """What an imperfect model says: soft borders, and some noise."""
    padded = np.pad(truth.astype(float), 1, mode="edge")
    mean = sum(padded[y : y + truth.shape[0], x : x + truth.shape[1]] for y in range(3) for x in range(3)) / 9
    return np.clip(0.03 + 0.94 * mean + rng.normal(0, 0.02, truth.shape), 0, 1).astype(np.float32)[None]


def spoiled(kind, truth, rng):
    """The truth with one of four kinds of mistakes that people make."""
    labels = truth.copy()
    if kind == "forgotten":
        labels[truth > 0] = 0
        labels[2:14, 2:14] = truth[2:14, 2:14]
    elif kind == "invented":
        labels[30:42, 44:58] = 1
    elif kind == "shifted":
        labels = np.roll(truth, (5, -6), (0, 1))
    else:
        labels[truth > 0] = 1
        labels[:, 30:] = truth[:, 30:] & (rng.random() < 0)
    return labels


def test_spoiled_labels_come_first():
    """A tenth of 80 labels is spoiled in four ways; the first fifth of the ranking must hold at least 70 % of them."""
    rng, found, bad = np.random.default_rng(5), [], set()
    for number in range(80):
        truth = np.zeros((48, 64), np.uint8)
        for y, x in ((2, 2), (20, 10), (8, 36), (32, 26)):
            truth[y : y + int(rng.integers(8, 12)), x : x + int(rng.integers(8, 14))] = 1
        labels = truth
        if number % 10 == 3:
            labels = spoiled(("forgotten", "invented", "shifted", "cut")[number // 10 % 4], truth, rng)
            bad.add(f"{number}.png")
        scores = smooth(rng, truth)
        pred = (scores[0] > 0.5).astype(np.uint8)
        found.append(suspect_picture(f"{number}.png", labels, pred, scores, label_space=TWO))
    ranked = [picture.image for picture in suspect_labels(found)]
    assert len(bad & set(ranked[:16])) >= 0.7 * len(bad) and bad & set(ranked) == set(ranked[: len(bad)])
    assert suspect_areas(found)[0][0] in bad


def test_the_table(tmp_path):
    truth = np.zeros((20, 31), np.uint8)
    truth[2:6, 3:8] = 1
    worse = suspect_picture("b.png", truth, np.zeros_like(truth), sure(np.zeros_like(truth)), label_space=TWO)
    fine = suspect_picture("c.png", truth, truth, sure(truth), label_space=TWO)
    write_suspects(tmp_path / "suspects.csv", [fine, worse], {"b.png": 2, "c.png": 1})
    rows = list(csv.DictReader((tmp_path / "suspects.csv").read_text().splitlines()))
    assert [(row["level"], row["rank"], row["image"], row["fold"]) for row in rows] == [
        ("picture", "1", "b.png", "2"), ("area", "1", "b.png", "2"),
    ]  # fmt: skip
    assert rows[0]["dice"] == "0.0" and rows[0]["doubt"] == "1.0" and rows[0]["label"] == ""
    assert (rows[1]["label"], rows[1]["prediction"], rows[1]["x"], rows[1]["height"]) == (
        "cell",
        "background",
        "3",
        "4",
    )
