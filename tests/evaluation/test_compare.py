"""Paired differences: against the textbook, against what is known of the draws, and in words."""

import csv
import json
import math

import numpy as np
import pytest
from scipy import stats

from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.evaluation import Scorer, write_report_files
from limner.evaluation.compare import Contender, compare_two, notes_of, student_t, summary_of
from limner.evaluation.compare_page import render_comparison
from limner.evaluation.stored import StoredScores, from_report, read_scores


def run(values, name="a", groups=None, metric="dice"):
    values = np.asarray(values, float)
    images = tuple(f"p{i:03d}" for i in range(len(values)))
    pixels = {"foreground": np.full(len(values), 7)}
    groups = tuple(groups) if groups else ("",) * len(values)
    return StoredScores(name, "test", "", images, groups, ("foreground",), pixels, {metric: {"foreground": values}})


def against(first, second, metric="dice", **options):
    contenders = [
        Contender(
            name, tuple(run(v, f"{name}{i}", metric=metric, **options) for i, v in enumerate(side)), (0,) * len(side)
        )
        for name, side in (("a", first), ("b", second))
    ]
    return compare_two(*contenders, metric=metric, unit="px")


@pytest.mark.parametrize("freedom", [4, 7, 19, 200])
def test_student(freedom):
    assert student_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-3)


@pytest.mark.parametrize("number", [9, 40])
def test_the_interval_is_about_that_of_a_paired_t_test(number):
    random = np.random.default_rng(3)
    hard = random.normal(0.6, 0.2, number)
    first, second = hard, hard + random.normal(0.03, 0.02, number)
    found = against([first], [second]).of("dice")
    expected = stats.ttest_rel(second, first).confidence_interval()
    assert found.difference == pytest.approx((second - first).mean())
    assert found.ci95 == pytest.approx((expected.low, expected.high), abs=0.12 * (expected.high - expected.low))
    assert found.verdict == "better" and (found.pairs, found.units) == (number, number)


def test_small_samples_are_covered_as_often_as_said():
    """With eight pictures a plain percentile interval holds the truth 88 times of 100."""
    random = np.random.default_rng(3)
    inside = 0
    for _ in range(150):
        low, high = against([np.zeros(8)], [random.normal(0, 1, 8)]).of("dice").ci95
        inside += low <= 0 <= high
    assert inside >= 135


def test_a_difference_smaller_than_the_noise_is_called_so():
    random = np.random.default_rng(3)
    first = random.normal(0.8, 0.1, 30)
    found = against([first], [first + random.normal(0.002, 0.05, 30)])
    assert found.of("dice").verdict == "noise" and "this difference is smaller than the noise" in found.sentence
    assert "another seed" in found.sentence


def test_lower_is_better_for_distances():
    random = np.random.default_rng(3)
    first = random.normal(9, 1, 30)
    found = against([first], [first + 2 + random.normal(0, 0.1, 30)], metric="hd95")
    assert found.of("hd95").verdict == "worse" and "b is worse than a by" in found.sentence and " px" in found.sentence
    assert [image for image, _, _ in found.regressions] and all(b > a for _, a, b in found.regressions)


def test_only_pairs_count_and_the_others_are_counted():
    first = np.array([0.5, math.nan, 0.7, 0.9, 0.2, 0.4, 0.6])
    second = np.array([0.6, 0.9, math.nan, 0.95, 0.3, 0.5, 0.7])
    found = against([first], [second]).of("dice")
    assert (found.pairs, found.undefined) == (5, 2)
    assert found.first == pytest.approx(np.mean([0.5, 0.9, 0.2, 0.4, 0.6]))
    assert found.second - found.first == pytest.approx(found.difference)


def test_groups_are_drawn_whole():
    random = np.random.default_rng(3)
    change = np.repeat(random.normal(0.02, 0.05, 8), 12)
    first = random.normal(0.7, 0.1, 96)
    names = [f"patient {i // 12}" for i in range(96)]
    alone, together = (against([first], [first + change], groups=g).of("dice") for g in (None, names))
    assert together.units == 8 and together.ci95[1] - together.ci95[0] > 2.5 * (alone.ci95[1] - alone.ci95[0])


def test_seeds_add_their_part_of_the_noise():
    """Pictures agree, seeds do not: the interval is that of the seeds, as wide as their number allows."""
    random = np.random.default_rng(3)
    base = random.normal(0.7, 0.1, 60)
    shifts = np.array([-0.03, 0.0, 0.03])
    found = against([base + s for s in shifts], [base + 0.02 + s for s in shifts]).of("dice")
    assert found.difference == pytest.approx(0.02)
    assert found.seed_spread == pytest.approx((0.03, 0.03))
    error = math.sqrt(2 * 0.03**2 / 3)  # of a difference of two means of three
    assert found.ci95[1] - found.ci95[0] == pytest.approx(2 * 1.96 * error, rel=0.12) and found.verdict == "noise"
    single = against([base], [base + 0.02]).of("dice")
    assert single.verdict == "better" and all(math.isnan(spread) for spread in single.seed_spread)


def test_too_few_to_tell_and_no_difference_at_all():
    random = np.random.default_rng(3)
    assert against([[0.1, 0.2, 0.3]], [[0.3, 0.4, 0.6]]).of("dice").verdict == "unclear"
    assert "too few" in against([[0.1, 0.2, 0.3]], [[0.3, 0.4, 0.6]]).sentence
    same = against([[0.1] * 9], [[0.1] * 9])
    assert same.of("dice").verdict == "same" and "same Dice on each of 9 pictures" in same.sentence
    nowhere = against([[math.nan] * 6], [[0.5] * 6])
    assert nowhere.of("dice").verdict == "unclear" and "On no picture is Dice defined" in nowhere.sentence
    one_group = against([random.random(20)], [random.random(20)], groups=["x"] * 20)
    assert one_group.of("dice").verdict == "unclear"


def test_worst_regressions_come_first():
    first = np.full(9, 0.8)
    second = np.array([0.9, 0.1, 0.8, 0.5, 0.79, 0.3, 0.78, 0.77, 0.95])
    found = against([first], [second]).regressions
    assert [image for image, _, _ in found] == ["p001", "p005", "p003", "p007", "p006"] and found[0][1:] == (0.8, 0.1)


def test_json_has_no_nan():
    found = against([[0.1, math.nan, 0.3]], [[0.3, 0.4, 0.6]])
    json.dumps(found.as_dict(), allow_nan=False)
    json.dumps(summary_of(Contender("a", (run([math.nan]),), (None,)), "dice"), allow_nan=False)


def test_notes_name_what_is_drawn():
    random = np.random.default_rng(3)
    runs = tuple(run(random.random(12), groups=["a", "b", "c"] * 4) for _ in range(2))
    notes = " ".join(notes_of([Contender("x", runs, (0, 1))]))
    assert "3 groups anew, not 12 pictures" in notes and "2 runs (seeds 0, 1)" in notes


def test_the_page_escapes_names():
    random = np.random.default_rng(3)
    evil = "<script>alert(1)</script>"
    contenders = [Contender(f"{evil}{i}", (run(random.random(20)),), (0,)) for i in range(2)]
    versus = compare_two(*contenders, metric="dice", unit="px")
    page = render_comparison([versus], contenders, metric="dice", unit="px", notes=["a & b"])
    assert "<script" not in page and "&lt;script&gt;" in page and "a &amp; b" in page
    assert "http" not in page.replace("<!doctype html>", "")


def stored(tmp_path, groups=("", "")):
    """Two pictures of three classes, scored and written."""
    scorer = Scorer(LabelSpace(("background", "x", "y")), metrics="all")
    for name, group in zip(("a.png", "b.png"), groups, strict=True):
        pred, target = (np.random.default_rng(i).integers(0, 3, (6, 9)).astype(np.uint8) for i in (len(name), 9))
        scorer.add(name, pred, target, group=group)
    report = scorer.report(
        model="", data="", split="test", threshold=None, split_checksum="c", seconds=0, data_checksum="d"
    )
    write_report_files(report, tmp_path)
    return report


def test_stored_scores_are_those_of_the_report(tmp_path):
    report = stored(tmp_path, groups=("left", "right"))
    read, fresh = read_scores("r", tmp_path), from_report("r", report)
    assert read.images == fresh.images == ("a.png", "b.png") and read.groups == ("left", "right")
    assert read.classes == fresh.classes == ("x", "y", "foreground", "macro")
    assert (read.split, read.data_checksum, read.unit) == ("test", "d", "px")
    for metric, by_class in fresh.values.items():
        for name, values in by_class.items():
            assert read.values[metric][name] == pytest.approx(values, nan_ok=True)
            expected = report.scores[metric][name].mean
            assert np.mean(values[~np.isnan(values)]) == pytest.approx(expected)
    assert read.true_pixels["x"].tolist() == fresh.true_pixels["x"].tolist()
    assert read.in_order(("b.png", "a.png")).values["dice"]["x"].tolist() == read.values["dice"]["x"][::-1].tolist()


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:1],
        lambda lines: [*lines, lines[1]],
        lambda lines: lines[:-1],
        lambda lines: [line.replace("a.png,x,", "a.png,x,many") for line in lines],
        lambda lines: [line.partition(",")[2] for line in lines],
    ],
)
def test_damaged_scores_are_named(tmp_path, damage):
    stored(tmp_path)
    file = tmp_path / "per_image.csv"
    file.write_text("\n".join(damage(file.read_text().splitlines())))
    with pytest.raises(DataError, match="cannot be read"):
        read_scores("r", tmp_path)
    for text in ("{", "[]", "{}"):
        (tmp_path / "summary.json").write_text(text)
        with pytest.raises(DataError, match="cannot be read"):
            read_scores("r", tmp_path)


def test_scores_of_earlier_versions_lack_groups_and_surfaces(tmp_path):
    stored(tmp_path)
    file = tmp_path / "per_image.csv"
    with file.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    columns = ["image", "class", "tp", "fp", "fn", "tn", "dice", "iou"]
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    read = read_scores("r", tmp_path)
    assert read.groups == ("", "") and "hd95" not in read.values and "recall" in read.values
