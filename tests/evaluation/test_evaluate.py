import csv
import json
import math

import numpy as np
import pytest

from limner.core.errors import DataError, ShapeError
from limner.core.labels import LabelSpace
from limner.evaluation import Scorer, evaluate_pairs, write_report_files
from limner.metrics.overlap import METRICS

SPACE = LabelSpace(("background", "liver", "spleen", "never"))


def row(*ids):
    return np.array([ids], np.uint8)


PAIRS = [  # name, prediction, truth, valid
    ("a", row(1, 1, 0, 0, 2, 0), row(1, 0, 0, 1, 2, 1), None),  # liver tp 1 fp 1 fn 2, spleen perfect
    ("b", row(0, 1, 1, 0, 0, 0), row(0, 0, 0, 0, 0, 0), None),  # a false alarm of two pixels
    ("c", row(0, 0, 0, 0, 0, 0), row(0, 0, 1, 1, 1, 0), None),  # missed
    ("d", row(0, 0, 0, 0, 0, 0), row(0, 0, 0, 0, 0, 0), None),  # nothing there, nothing said
    ("e", row(2, 2, 2, 0, 0, 1), row(1, 1, 2, 0, 0, 255), row(1, 1, 1, 1, 1, 0) > 0),  # liver taken for spleen
]


def evaluate(pairs=PAIRS, space=SPACE):
    return evaluate_pairs(pairs, space, model="m", data="d", split="test", threshold=0.5, split_checksum="c")


def test_means_skip_what_is_undefined_and_count_it():
    scores = evaluate().scores
    liver = scores["dice"]["liver"]  # a 2/5, b 0, c 0, d undefined, e 0
    assert (liver.mean, liver.n, liver.undefined) == (pytest.approx(0.1), 4, 1)
    assert liver.pooled == pytest.approx(2 * 1 / (2 * 1 + 3 + 7))
    spleen = scores["dice"]["spleen"]  # a 1, e 2*1/(2+2)
    assert (spleen.mean, spleen.median, spleen.n, spleen.undefined) == (0.75, 0.75, 2, 3)
    assert (scores["precision"]["liver"].n, scores["recall"]["liver"].n) == (2, 3)
    never = scores["dice"]["never"]
    assert math.isnan(never.mean) and (never.n, never.undefined) == (0, 5)


def test_foreground_is_the_union_and_macro_the_mean_of_defined_classes():
    scores = evaluate().scores["dice"]
    # a: tp 2 fp 1 fn 2; b and c: 0; d: undefined; e: perfect as a union
    assert scores["foreground"].mean == pytest.approx((4 / 7 + 0 + 0 + 1) / 4)
    assert scores["macro"].mean == pytest.approx(((0.4 + 1) / 2 + 0 + 0 + (0 + 0.5) / 2) / 4)
    assert scores["macro"].pooled == pytest.approx((scores["liver"].pooled + scores["spleen"].pooled) / 2)
    assert scores["macro"].undefined == 1


def test_false_alarms_on_pictures_without_the_class():
    empty = evaluate().empty_cases
    assert empty["liver"] == {"n": 2, "false_positive_pixels": 2}
    assert empty["spleen"] == {"n": 3, "false_positive_pixels": 0}
    assert empty["foreground"] == {"n": 2, "false_positive_pixels": 2}
    assert empty["never"] == {"n": 5, "false_positive_pixels": 0}


def test_choosing_scores_of_the_scorer():
    scorer = Scorer(SPACE)
    assert math.isnan(scorer.foreground_dice()) and math.isnan(scorer.macro_dice())
    for pair in PAIRS:
        scorer.add(*pair)
    assert scorer.foreground_dice() == pytest.approx((4 / 7 + 1) / 4)
    assert scorer.macro_dice() == pytest.approx((0.1 + 0.75) / 2)
    assert scorer.predicted_classes() == ("liver", "spleen") and scorer.silent_classes() == ()


def test_a_class_that_is_shown_and_never_predicted_is_silent():
    scorer = Scorer(SPACE)
    scorer.add("a", row(0, 1, 1), row(3, 1, 0))
    assert scorer.silent_classes() == ("never",)
    assert scorer.predicted_classes() == ("liver",)


def test_with_two_classes_foreground_is_the_class():
    pairs = [("a", row(1, 1, 0, 0), row(0, 1, 1, 1), None), ("b", row(0, 0, 0, 1), row(0, 0, 0, 0), None)]
    scores = evaluate(pairs, LabelSpace(("background", "nucleus"))).scores
    assert all(by_class["nucleus"] == by_class["foreground"] == by_class["macro"] for by_class in scores.values())
    named = evaluate(pairs, LabelSpace(("background", "foreground")))
    assert list(named.scores["dice"]) == ["background", "foreground", "macro"]
    assert named.scores["dice"]["foreground"] == scores["dice"]["nucleus"]
    assert [r.class_name for r in named.rows] == ["background", "foreground"] * 2


def test_classes_named_like_the_summary_rows_stay_apart():
    space = LabelSpace(("background", "foreground", "macro"))
    scores = evaluate([("a", row(1, 2, 2, 0), row(1, 1, 2, 0), None)], space).scores["dice"]
    assert list(scores) == ["background", "foreground (class)", "macro (class)", "foreground", "macro"]
    assert (scores["foreground (class)"].mean, scores["foreground"].mean) == (pytest.approx(2 / 3), 1)


def test_a_missing_prediction_counts_as_empty_and_is_named():
    pairs = [("a", None, row(0, 1, 1), None), ("b", row(0, 1), row(0, 1), None)]
    report = evaluate(pairs, LabelSpace(("background", "x")))
    assert report.missing == ("a",) and report.samples == 2
    assert report.scores["dice"]["x"].mean == 0.5 and report.summary()["missing"] == ["a"]


def test_errors_name_the_picture():
    scorer = Scorer(SPACE)
    with pytest.raises(ShapeError, match=r"where: p\.png"):
        scorer.add("p.png", row(0, 1), row(0, 1, 1))
    with pytest.raises(DataError, match=r"where: q\.png"):
        scorer.add("q.png", row(0, 9), row(0, 1))
    scorer.add("p.png", row(0, 1), row(0, 1))
    with pytest.raises(DataError, match="twice"):
        scorer.add("p.png", row(0, 1), row(0, 1))


def test_files_hold_the_same_numbers_without_nan(tmp_path):
    report = evaluate()
    write_report_files(report, tmp_path / "evaluation")
    text = (tmp_path / "evaluation" / "summary.json").read_text()

    def refuse(constant):
        raise AssertionError(constant)

    seen = json.loads(text, parse_constant=refuse)
    assert seen["scores"]["dice"]["never"]["mean"] is None and seen["scores"]["dice"]["never"]["ci95"] == [None, None]
    assert seen["scores"]["iou"]["liver"]["mean"] == report.scores["iou"]["liver"].mean
    assert set(seen) >= {
        "model", "data", "split", "samples", "resolution", "threshold", "scores", "empty_cases", "definitions",
        "split_checksum", "seconds",
    }  # fmt: skip
    with (tmp_path / "evaluation" / "per_image.csv").open(newline="") as file:
        rows = {(r["image"], r["class"]): r for r in csv.DictReader(file)}
    assert len(rows) == 5 * 5 and list(rows["a", "liver"])[2:] == ["tp", "fp", "fn", "tn", *METRICS]
    assert [rows["a", "liver"][k] for k in ("tp", "fp", "fn", "tn")] == ["1", "1", "2", "2"]
    assert float(rows["a", "liver"]["recall"]) == 1 / 3
    assert (rows["b", "liver"]["dice"], rows["b", "liver"]["recall"], rows["d", "liver"]["dice"]) == ("0.0", "", "")
    assert rows["e", "liver"]["tn"] == "3"  # the pixel that is not valid is in no count
    assert "nan" not in text.lower().replace("definitions", "")


def test_no_pictures_at_all():
    report = evaluate([])
    assert report.samples == 0 and report.scores["dice"]["foreground"].n == 0
    assert report.empty_cases["liver"] == {"n": 0, "false_positive_pixels": 0}
