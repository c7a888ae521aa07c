import dataclasses
import re

import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.evaluation.sentences import summary_sentences, warnings_of, why_pooled_differs
from tests.evaluation.pages import PAIRS, SPACE, make_page, make_report, strip


def says(found, *words):
    return any(all(word in sentence for word in words) for sentence in found)


def test_first_paragraph_says_what_the_interval_means():
    sentences = summary_sentences(make_page())
    assert "trained on 64 pictures" in sentences[0] and "nucleus" in sentences[0]
    assert "10 test pictures that it had never seen" in sentences[1]
    assert re.search(r"95 % confidence, given 10 pictures, .* between 0\.\d{3} and 0\.\d{3}", sentences[2])
    single = summary_sentences(make_page(report=make_report(PAIRS[:1], split="val")))
    assert "1 validation picture" in single[1] and "never seen" not in single[1] and "single picture" in single[2]


def test_several_classes_lead_with_their_mean():
    space = LabelSpace(("background", "a", "b"))
    pred, target = np.array([[1, 1, 2, 0]]), np.array([[1, 1, 0, 2]])
    page = make_page(
        report=make_report([("x", (pred, target)), ("y", (target, target))], space), label_space=space, cases=()
    )
    sentences = summary_sentences(page)
    assert "the mean over the classes, of 0.750" in sentences[1] and "one mask reach" in sentences[2]


def test_groups_are_what_the_score_rests_on():
    groups = {name: f"g{i // 3}" for i, (name, _) in enumerate(PAIRS)}
    page = make_page(report=make_report(PAIRS, groups=groups), train_groups=frozenset({"g9"}))
    found = summary_sentences(page)
    assert says(found, "With only 3 groups an interval cannot be relied on") and says(
        found, "of 3 groups (none of them in training)"
    )
    worries = warnings_of(page)
    assert says(worries, "come from 3 groups only") and says(worries, "Groups differ: g2 reaches", "g0")
    leaking = make_page(report=page.report, train_groups=frozenset({"g1"}))
    assert says(summary_sentences(leaking), "1 of them in training") and says(warnings_of(leaking), "in the score: g1.")
    alone = make_page(report=make_report(PAIRS, groups=dict.fromkeys(groups, "g")))
    assert says(summary_sentences(alone), "All pictures are of one group")


@pytest.mark.parametrize(
    ("dice", "low", "high", "words"),
    [
        (0.3, 0.2, 0.4, "which is worse"),
        (0.8, 0.7, 0.95, "the intervals overlap"),
        (0.99, 0.98, 1.0, "does better: otsu reaches 0.990"),
        (0.5, None, None, "otsu, reaches 0.500."),
        (0.5, float("nan"), float("nan"), "otsu, reaches 0.500."),
    ],
)
def test_a_method_without_a_network_is_compared_by_intervals(dice, low, high, words):
    rows = [{"name": "otsu", "dice": dice, "lo": low, "hi": high, "seconds": 0.1}, {"name": "x", "dice": float("nan")}]
    found = summary_sentences(make_page(baselines=rows))
    assert words in found[-1]
    assert not says(summary_sentences(make_page()), "without a network")


def test_warnings_name_every_reason_to_doubt():
    empty = np.zeros((1, 8), np.uint8)
    alarm = (np.array([[1, 1, 1, 0, 0, 0, 0, 0]], np.uint8), empty)
    report = make_report([*PAIRS, ("alarm.png", alarm), ("quiet.png", (empty, empty)), ("lost.png", strip(0, 4))])
    found = warnings_of(make_page(report=report))
    assert found[0].startswith("Trained although the check calls it an error, SPLIT_LEAK: copies")
    assert found[1].startswith("the test split is empty")
    assert says(found, "Only 12 pictures") and says(found, "interval", "wide")
    assert says(found, "1 of 2 pictures without any class", "3 pixels")
    assert says(found, "1 picture", "lost.png")
    assert not says(found, "Never predicted") and not says(found, "Shown by no")
    untrained = warnings_of(
        make_page(report=dataclasses.replace(report, notes=("2 files belong to no picture",)), recipe=None)
    )
    assert untrained[0].startswith("Data check, SPLIT_LEAK") and "2 files belong to no picture" in untrained


def test_no_warning_without_a_reason():
    report = make_report([(f"{i}", strip(20 - i % 2, i % 2)) for i in range(25)])
    assert warnings_of(make_page(report=report, notes=(), findings=[{"level": "fixed", "message": "m"}])) == []


def test_classes_without_prediction_or_truth_are_named():
    space = LabelSpace(("background", "common", "silent", "absent"))
    pairs = [(f"{i}", (np.array([[0, 1, 1, 0]]), np.array([[0, 1, 1, 2]]))) for i in range(3)]
    found = warnings_of(make_page(report=make_report(pairs, space), label_space=space))
    assert says(found, "Never predicted", ": silent.") and says(found, "Shown by no", ": absent.")


def test_missing_predictions_are_named():
    target = strip(3, 3)[1]
    report = make_report([("gone.png", (np.zeros_like(target), target))], missing=("gone.png",))
    assert says(warnings_of(make_page(report=report)), "No prediction", "gone.png")


def test_names_in_sentences_are_clipped_and_visible():
    space = LabelSpace(("background", "\u202e" + "n" * 500))
    found = " ".join(summary_sentences(make_page(report=make_report(PAIRS, space), label_space=space)))
    assert "\u202e" not in found and "\\u202e" in found and "n" * 100 not in found


def test_why_mean_and_pooled_differ():
    small_bad = [(f"s{i}", strip(1, 3)) for i in range(6)]
    large_good = [(f"l{i}", strip(95, 5)) for i in range(6)]
    reason = why_pooled_differs(make_report(small_bad + large_good), "nucleus")
    assert (
        "mean 0.687, pooled 0.960" in reason
        and "with fewest of these has a mean of 0.400, the other half 0.974" in reason
    )
    empty = np.zeros((1, 8), np.uint8)
    alarms = [("a", (np.array([[1, 1, 1, 0, 0, 0, 0, 0]], np.uint8), empty))]
    assert "1 picture without the class, but with false alarms" in why_pooled_differs(
        make_report(alarms + large_good), "nucleus"
    )
    assert why_pooled_differs(make_report(large_good), "nucleus") == ""
    assert (
        why_pooled_differs(make_report([]), "nucleus") == "" and why_pooled_differs(make_report(PAIRS), "macro") == ""
    )
    assert why_pooled_differs(make_report(PAIRS), SPACE.names[1], "hd95") == ""


EMPTY = (np.zeros((1, 8), np.uint8), np.zeros((1, 8), np.uint8))


def test_groups_without_a_dice_are_none_that_the_interval_rests_on():
    pairs = [*PAIRS, *((f"empty{i}.png", EMPTY) for i in range(7))]
    groups = {name: f"g{i // 3}" for i, (name, _) in enumerate(PAIRS)} | {f"empty{i}.png": f"e{i}" for i in range(7)}
    found = summary_sentences(make_page(report=make_report(pairs, groups=groups)))
    assert says(found, "With only 3 groups an interval") and says(found, "The pictures are of 10 groups")
    some = summary_sentences(make_page(report=make_report(pairs, groups={**groups, PAIRS[0][0]: "", PAIRS[3][0]: ""})))
    assert says(some, "given 5 groups")  # two pictures stand for themselves


def test_a_dice_in_one_group_alone_is_not_called_one_group():
    pairs = [*PAIRS, ("empty.png", EMPTY)]
    groups = dict.fromkeys((name for name, _ in PAIRS), "a") | {"empty.png": "b"}
    found = summary_sentences(make_page(report=make_report(pairs, groups=groups)))
    assert says(found, "All pictures that have a Dice are of one group, so nothing can be said about others.")
    assert not says(found, "All pictures are of one group")
