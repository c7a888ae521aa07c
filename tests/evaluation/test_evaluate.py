import csv
import json
import math

import numpy as np
import pytest

from limner.core.errors import DataError, ShapeError, UsageError
from limner.core.labels import LabelSpace
from limner.evaluation import Scorer, evaluate_pairs, write_report_files
from limner.metrics.calibration import reliability
from limner.metrics.overlap import METRICS
from limner.metrics.surface import hd95, surface_dice, surface_distances

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
    for by_class in scores.values():
        assert by_class["nucleus"] == by_class["foreground"] == by_class["macro"]
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
    assert len(rows) == 5 * 5 and list(rows["a", "liver"])[2:] == ["tp", "fp", "fn", "tn", *METRICS, "group"]
    assert [rows["a", "liver"][k] for k in ("tp", "fp", "fn", "tn")] == ["1", "1", "2", "2"]
    assert float(rows["a", "liver"]["recall"]) == 1 / 3
    assert (rows["b", "liver"]["dice"], rows["b", "liver"]["recall"], rows["d", "liver"]["dice"]) == ("0.0", "", "")
    assert rows["e", "liver"]["tn"] == "3"  # the pixel that is not valid is in no count
    assert "nan" not in text.lower().replace("definitions", "")


def test_no_pictures_at_all():
    report = evaluate([])
    assert report.samples == 0 and report.scores["dice"]["foreground"].n == 0
    assert report.empty_cases["liver"] == {"n": 0, "false_positive_pixels": 0}


def blob(top, left, height, width, index=1, size=(19, 31)):
    labels = np.zeros(size, np.uint8)
    labels[top : top + height, left : left + width] = index
    return labels


SHAPES = [  # name, prediction, truth
    ("moved", blob(4, 6, 5, 9), blob(5, 8, 5, 9)),
    ("missed", blob(0, 0, 0, 0), blob(5, 8, 5, 9)),
    ("invented", blob(3, 3, 2, 4), blob(0, 0, 0, 0)),
    ("nothing", blob(0, 0, 0, 0), blob(0, 0, 0, 0)),
    ("exact", blob(1, 2, 7, 3), blob(1, 2, 7, 3)),
    ("spleen", blob(1, 2, 7, 3, 2), blob(1, 3, 7, 3, 2)),
]


def evaluate_all(shapes=SHAPES, space=SPACE, **options):
    scorer = Scorer(space, metrics="all", **options)
    for name, pred, target in shapes:
        scorer.add(name, pred, target)
    return scorer.report(model="m", data="d", split="test", threshold=None, split_checksum="", seconds=0)


def test_surface_metrics_of_each_class():
    report = evaluate_all()
    moved = surface_distances(SHAPES[0][1] == 1, SHAPES[0][2] == 1)
    liver = report.scores["hd95"]["liver"]
    assert (liver.n, liver.undefined) == (2, 4) and liver.mean == pytest.approx(hd95(moved) / 2)
    assert math.isnan(liver.pooled)
    surface = report.scores["surface_dice"]["liver"]  # missed and invented are 0, nothing and spleen undefined
    values = [surface_dice(moved, tolerance=2), 0, 0, 1]
    assert (surface.n, surface.mean) == (4, pytest.approx(np.mean(values)))
    assert 0 < surface.pooled < 1 and surface.pooled != surface.mean
    assert report.scores["assd"]["foreground"].n == 3  # moved, exact, spleen
    assert report.scores["boundary_iou"]["never"].n == 0
    assert all("background" not in report.scores[m] for m in ("hd95", "hd", "assd", "surface_dice", "boundary_iou"))
    assert "background" in report.scores["dice"] and report.scores["specificity"]["liver"].n == 6
    assert (
        report.unit == "px" and "pixels" in report.definitions["hd95"] and "2 px" in report.definitions["surface_dice"]
    )
    rows = {(r.image, r.class_name): r.metrics for r in report.rows}
    assert rows["moved", "liver"]["hd95"] == hd95(moved) and math.isnan(rows["moved", "background"]["hd95"])
    assert all(list(metrics) == list(report.scores) for metrics in rows.values())


def test_missed_and_invented_objects_are_counted():
    report = evaluate_all()
    assert report.one_sided["liver"] == {"missed": 1, "invented": 1}
    assert report.one_sided["spleen"] == {"missed": 0, "invented": 0}
    assert report.summary()["one_sided"]["foreground"] == {"missed": 1, "invented": 1}


def test_lengths_in_mm_where_the_spacing_is_known():
    pixels, mm = evaluate_all(), evaluate_all(spacing=(0.5, 2.0))
    assert mm.unit == "mm" and "in mm" in mm.definitions["hd95"] and "4 mm" in mm.definitions["surface_dice"]
    first = surface_distances(SHAPES[0][1] == 1, SHAPES[0][2] == 1, spacing=(0.5, 2.0))
    assert mm.rows[1].metrics["hd95"] == pytest.approx(hd95(first)) != pixels.rows[1].metrics["hd95"]
    assert mm.rows[1].metrics["boundary_iou"] == pixels.rows[1].metrics["boundary_iou"]
    assert "0.3 mm" in evaluate_all(spacing=(0.5, 2.0), tolerance=0.3).definitions["surface_dice"]


def test_the_union_is_measured_as_one_mask():
    pred, target = blob(4, 4, 4, 5), blob(4, 4, 4, 5)
    pred[4:8, 9:12], target[4:8, 9:12] = 2, 1  # one class for another, no error of the union
    report = evaluate_all([("a", pred, target)])
    assert report.scores["hd95"]["foreground"].mean == 0 and report.scores["hd95"]["liver"].mean == 3


def test_pixels_of_all_pictures_in_one_table():
    report = evaluate()
    assert report.classes == SPACE.names and sum(map(sum, report.confusion)) == 6 * 4 + 5
    assert report.confusion[1][2] == 2, "rows are the truth: two pixels of liver taken for spleen"
    seen = report.summary()["confusion"]
    assert seen["classes"] == list(SPACE.names) and seen["pixels"][1][2] == 2


def test_calibration_of_models_that_give_scores():
    random = np.random.default_rng(0)
    scorer, parts = Scorer(LabelSpace(("background", "x")), metrics="all"), []
    for name in "ab":
        scores = random.random((1, 7, 9)).astype(np.float32)
        truth = random.random((7, 9)) < 0.4
        scorer.add(name, (scores[0] > 0.6).astype(np.uint8), truth.astype(np.uint8), scores=scores)
        parts.append(reliability(scores[0], scores[0] > 0.6, truth))
    report = scorer.report(model="", data="", split="", threshold=0.6, split_checksum="", seconds=0)
    assert report.scores["ece"]["foreground"].mean == pytest.approx(np.mean([part.ece for part in parts]))
    assert report.scores["ece"]["foreground"].pooled == pytest.approx((parts[0] + parts[1]).ece)
    assert report.scores["brier"]["background"].pooled == pytest.approx((parts[0] + parts[1]).brier, abs=1e-6)
    assert sum(row["n"] for row in report.calibration["x"]) == 2 * 63
    assert "ece" in report.definitions and json.dumps(report.summary(), allow_nan=False)
    assert "ece" not in evaluate_all().scores and not evaluate_all().calibration


def test_calibration_of_several_classes_is_one_against_the_rest():
    random = np.random.default_rng(1)
    space = LabelSpace(("background", "x", "y"))
    scores = random.random((3, 7, 9)).astype(np.float32)
    scores /= scores.sum(axis=0)
    truth, labels = random.integers(0, 3, (7, 9)).astype(np.uint8), scores.argmax(axis=0).astype(np.uint8)
    scorer = Scorer(space, metrics="all")
    scorer.add("a", labels, truth, scores=scores)
    found = scorer.report(model="", data="", split="", threshold=None, split_checksum="", seconds=0).scores["ece"]
    assert found["y"].mean == pytest.approx(reliability(scores[2], labels == 2, truth == 2).ece)
    assert found["foreground"].mean == pytest.approx(reliability(1 - scores[0], labels > 0, truth > 0).ece)
    with pytest.raises(ShapeError, match=r"where: b"):
        scorer.add("b", labels, truth, scores=scores[:2])


def test_pictures_of_a_group_are_drawn_together():
    random = np.random.default_rng(2)
    pairs = [
        (f"{g}{i}", random.random((5, 7)) < 0.3 + 0.2 * g, np.ones((5, 7), bool), g) for g in range(3) for i in range(9)
    ]

    def report(grouped):
        scorer = Scorer(LabelSpace(("background", "x")))
        for name, pred, target, group in pairs:
            scorer.add(
                name, pred.astype(np.uint8), target.astype(np.uint8), group=f"patient {group}" if grouped else ""
            )
        return scorer.report(model="", data="", split="", threshold=None, split_checksum="", seconds=0)

    alone, together = report(False), report(True)
    width = [r.scores["recall"]["x"].ci95[1] - r.scores["recall"]["x"].ci95[0] for r in (alone, together)]
    assert width[1] > 1.5 * width[0] and together.scores["recall"]["x"].mean == alone.scores["recall"]["x"].mean
    assert alone.resampled == ("picture", 27) and together.resampled == ("group", 3)
    assert together.summary()["interval"] == {"unit": "group", "number": 3}
    assert not alone.notes and "3 groups" in together.notes[0] and together.rows[0].group == "patient 0"


def test_pictures_of_a_single_group_have_no_interval():
    scorer = Scorer(LabelSpace(("background", "x")))
    for name in "ab":
        scorer.add(name, row(0, 1, 1), row(0, 0, 1), group="one")
    report = scorer.report(model="", data="", split="", threshold=None, split_checksum="", seconds=0)
    assert all(math.isnan(end) for end in report.scores["dice"]["x"].ci95) and "no interval" in report.notes[0]
    assert report.summary()["scores"]["dice"]["x"]["ci95"] == [None, None]


def test_unknown_extents_and_tolerances_are_refused():
    with pytest.raises(UsageError, match="overlap or all"):
        Scorer(SPACE, metrics="al")
    for wrong in (-1, math.nan, math.inf):
        with pytest.raises(UsageError, match="tolerance"):
            Scorer(SPACE, metrics="all", tolerance=wrong)


def test_no_pictures_of_all_metrics():
    report = evaluate_all([])
    assert report.scores["hd95"]["foreground"].n == 0 and report.confusion == ((0,) * 4,) * 4
