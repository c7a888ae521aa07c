"""What a run learns about its answers: rules that pictures ask for are found, others are not, and everything is repeatable."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import limner
from limner.api.choose_answers import _with_rules, fit_answers
from limner.api.choose_rules import choose_rules
from limner.api.open import open_segmenter
from limner.api.validated import THRESHOLDS, Validated, pack, predict_validation, spread_evenly
from limner.core.bundle import Bundle, InputContract, read_bundle
from limner.core.labels import LabelSpace
from limner.core.object_head import ObjectHead
from limner.core.postprocess import Rules, read_rules
from limner.core.protocols import Silent
from limner.core.recipe import Recipe
from limner.data.dataset import open_dataset
from limner.data.splits import read_split
from limner.evaluation.answers_text import confidence_sentences, rules_sentences
from limner.inference.postprocess import RuledSegmenter, apply_rules
from limner.inference.segmenter import NetworkSegmenter
from limner.metrics.counts import count_classes
from limner.metrics.overlap import dice
from tests.api import tiny

TWO, THREE = LabelSpace(("background", "cell")), LabelSpace(("background", "cell", "wall"))


def discs(seed, size_hw=(70, 93), count=3, radius=9):
    rng = np.random.default_rng(seed)
    plane = np.zeros(size_hw, np.uint8)
    for _ in range(count):
        y, x = (int(rng.integers(radius + 2, side - radius - 2)) for side in size_hw)
        cv2.circle(plane, (x, y), radius, 1, -1)
    return plane


def seen(name, answers, truth, *, thresholds=(), valid=None):
    """A predicted picture: `answers` are class ids, or ranks where thresholds are given."""
    return Validated(
        name, "", pack(answers), pack(truth), None if valid is None else pack(valid.view(np.uint8)), thresholds,
        np.zeros((1, 1, 1), np.float16), 1, np.zeros((1, 1)), np.zeros(1, np.int64),
    )  # fmt: skip


def scored(scores, truth, name):
    """A predicted picture of two classes from its scores."""
    rank = sum((scores > value).astype(np.uint8) for value in THRESHOLDS)
    return seen(name, rank, truth, thresholds=THRESHOLDS)


def chosen(pictures, space=TWO, threshold=0.5):
    found = choose_rules(pictures, space, threshold=threshold, listener=Silent())
    assert json.loads(json.dumps(found)) == found
    return found, read_rules({"postprocess": found})


def test_specks_are_taken_away_and_holes_filled_where_every_picture_has_them():
    rng, pictures = np.random.default_rng(0), []
    for place in range(9):
        truth = discs(place)
        answer = truth.copy()
        answer[rng.random(truth.shape) < 0.02] ^= 1  # specks outside, holes inside
        pictures.append(seen(f"{place}.png", answer, truth))
    found, rules = chosen(pictures)
    assert rules.holes[1] >= 1 and 2 <= rules.smallest[1] <= 254 and rules.threshold is None
    assert found["pictures"] == 9 and found["after"]["cell"]["mean"] > found["before"]["cell"]["mean"] + 0.02
    after = [apply_rules(one.labels(0.5), rules, TWO) for one in pictures]
    mean = np.mean(
        [dice(count_classes(a, one.sample().labels, num_classes=2)[1]) for a, one in zip(after, pictures, strict=True)]
    )
    assert found["after"]["cell"]["mean"] == pytest.approx(mean, abs=1e-6)


def test_one_object_a_picture_asks_for_the_largest_part():
    pictures = []
    for place in range(8):
        truth = discs(place, count=1, radius=12)
        answer = truth | (discs(100 + place, count=1, radius=7) & ~cv2.dilate(truth, np.ones((5, 5), np.uint8)))
        pictures.append(seen(f"{place}.png", answer, truth))
    _, rules = chosen(pictures)
    assert rules.largest[1] or rules.smallest[1] > 150


def test_answers_that_are_right_get_no_rules():
    pictures = [seen(f"{place}.png", discs(place), discs(place)) for place in range(9)]
    found, rules = chosen(pictures)
    assert rules is None and found["before"] == found["after"] and "beyond doubt" in found["reason"]


def test_three_pictures_get_none_however_much_they_would_gain():
    pictures = []
    for place in range(3):
        truth = discs(place)
        pictures.append(seen(f"{place}.png", truth | (np.random.default_rng(place).random(truth.shape) < 0.05), truth))
    found, rules = chosen(pictures)
    assert rules is None and "five are the least" in found["reason"]
    assert chosen([])[1] is None


def test_a_rule_that_helps_one_class_and_harms_another_is_not_kept():
    pictures = []
    for place in range(9):
        truth = discs(place)
        truth[3:5, 3:6] = 2  # a wall of six pixels, which is its true size
        answer = truth.copy()
        answer[60:62, 10 + place] = 1  # two pixels too many of the first class
        pictures.append(seen(f"{place}.png", answer, truth))
    found, rules = chosen(pictures, THREE)
    assert rules is None or rules.smallest[2] == 0
    assert all(found["after"][name]["mean"] >= found["before"][name]["mean"] for name in THREE.names)
    assert all(found["after"][name]["pooled"] >= found["before"][name]["pooled"] for name in THREE.names)


@pytest.mark.parametrize("true_edge", [0.3, 0.7])
def test_a_threshold_is_found_where_the_scores_are_shifted(true_edge):
    pictures = []
    for place in range(10):
        rng = np.random.default_rng(place)
        scores = cv2.GaussianBlur(rng.random((60, 77)).astype(np.float32), (0, 0), 4)
        scores = (scores - scores.min()) / (scores.max() - scores.min())
        pictures.append(scored(scores, (scores > true_edge).astype(np.uint8), f"{place}.png"))
    found, rules = chosen(pictures)
    assert rules.threshold == true_edge and found["after"]["cell"]["mean"] == 1
    assert chosen(pictures, threshold=true_edge)[1] is None


def of_objects(space):
    head = ObjectHead(head="flow", decoder="flow", diameter=20.0)
    contract = InputContract(1, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.6, objects=head)
    return Bundle(Path("x"), "unet", {}, space, contract)


def test_objects_get_no_rule_for_labels_that_are_never_answered():
    """The scores ask for a threshold of 0.3, but the labels are those of the objects, which have one of their own."""
    pictures, space = [], LabelSpace(TWO.names, things=("cell",))
    for place in range(9):
        scores = np.where(discs(place), 0.4, 0.1).astype(np.float32)
        pictures.append(scored(scores, discs(place), f"{place}.png"))
    bundle = _with_rules(of_objects(space), pictures, Silent())
    assert bundle.contract.threshold == 0.6 and read_rules(bundle.answers) is None
    (text,) = rules_sentences(bundle)
    assert text.startswith("Rules for the labels were asked for, and none is used: the model tells objects apart")
    plain = dataclasses.replace(bundle, contract=dataclasses.replace(bundle.contract, objects=None))
    assert _with_rules(plain, pictures, Silent()).contract.threshold < 0.4  # without objects it is answered


def test_objects_of_several_classes_are_judged_by_what_is_answered():
    rng, pictures = np.random.default_rng(0), []
    for place in range(9):
        truth = discs(place)
        answer = truth.copy()
        answer[rng.random(truth.shape) < 0.02] ^= 1
        pictures.append(seen(f"{place}.png", answer, truth))
    bundle = _with_rules(of_objects(LabelSpace(THREE.names, things=("cell",))), pictures, Silent())
    assert read_rules(bundle.answers).smallest[1] >= 2 and bundle.contract.threshold == 0.6


def test_pixels_that_are_not_known_do_not_count():
    pictures = []
    for place in range(9):
        truth = discs(place)
        answer, valid = truth.copy(), np.ones(truth.shape, bool)
        answer[::7, ::5] ^= 1
        valid[::7, ::5] = False  # all that is wrong is not known
        pictures.append(seen(f"{place}.png", answer, truth, valid=valid))
    found, rules = chosen(pictures)
    assert rules is None and found["before"]["cell"]["mean"] == 1


def test_kept_pictures_come_back_as_they_were():
    truth, valid = discs(4), np.random.default_rng(1).random((70, 93)) > 0.3
    one = seen("a.png", truth + np.uint8(1), truth, valid=valid)
    sample = one.sample()
    assert np.array_equal(sample.labels, truth) and np.array_equal(sample.valid, valid) and sample.valid.dtype == bool
    assert np.array_equal(one.labels(0.5), truth + 1)
    assert spread_evenly(list(range(100)), 40)[::13] == [0, 33, 66, 99] and spread_evenly([1, 2], 40) == [1, 2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    data = tiny.make_data(folder / "data", count=18)
    settings = tiny.SETTINGS | {"split.val_share": 0.45, "schedule.epochs": 6, "inference.postprocess": "chosen"}
    return limner.train(data, settings=settings, out=folder / "run"), data


def test_a_run_learns_all_of_it_and_says_so(trained):
    run, _ = trained
    bundle = read_bundle(run.run)
    assert set(bundle.answers) == {"postprocess", "confidence", "inputs"}
    assert bundle.answers["postprocess"]["pictures"] == bundle.training["pictures"]["val"] >= 5
    rules = read_rules(bundle.answers)
    if rules is not None and rules.threshold is not None:
        assert bundle.contract.threshold == rules.threshold
    text = (run.run / "report.html").read_text()
    assert "The confidence that the model states for a picture is" in text
    words = "The labels obey rules" if rules is not None else "Rules for the labels were asked for, and none is used"
    assert words in text and words in (run.run / "model/README.md").read_text()


def test_learning_again_gives_the_same_and_leaves_labels_alone(trained):
    run, data = trained
    bundle, dataset, recipe = read_bundle(run.run), open_dataset(data), Recipe.read(run.run / "recipe.toml")
    plain = dataclasses.replace(
        bundle,
        answers={},
        contract=dataclasses.replace(bundle.contract, temperature=1.0, threshold=recipe.inference.threshold),
    )
    plain.save()
    again = fit_answers(plain, dataset, read_split(run.run / "split.csv", dataset), recipe, Silent())
    assert again.answers == bundle.answers and again.contract == bundle.contract
    assert read_bundle(run.run).answers == bundle.answers
    without = fit_answers(
        plain,
        dataset,
        read_split(run.run / "split.csv", dataset),
        recipe.override({"inference.postprocess": "none"}),
        Silent(),
    )
    assert set(without.answers) == {"confidence", "inputs"} and without.contract.threshold == recipe.inference.threshold
    bundle.save()


def test_rules_that_were_asked_for_in_vain_are_not_passed_over_in_silence(trained):
    run, data = trained
    bundle, dataset, recipe = read_bundle(run.run), open_dataset(data), Recipe.read(run.run / "recipe.toml")
    split = read_split(run.run / "split.csv", dataset)
    for count in (0, 2):
        kept = (*split.part("train"), *split.part("val")[:count])
        found = fit_answers(
            dataclasses.replace(bundle, answers={}), dataset, dataclasses.replace(split, items=kept), recipe, Silent()
        )
        assert set(found.answers) == {"postprocess", "inputs"} and found.contract == bundle.contract
        assert (
            found.answers["postprocess"]["rules"] is None and rules_sentences(found) and not confidence_sentences(found)
        )
    bundle.save()


def test_what_is_kept_of_the_validation_is_what_the_network_says(trained):
    run, data = trained
    bundle, dataset = read_bundle(run.run), open_dataset(data)
    items = read_split(run.run / "split.csv", dataset).part("val")
    opened = open_segmenter(run.run, keep_scores=True)[0]
    network = opened.inner if isinstance(opened, RuledSegmenter) else opened
    assert isinstance(network, NetworkSegmenter)
    network = dataclasses.replace(network, contract=dataclasses.replace(bundle.contract, temperature=1.0))
    for one, item in zip(predict_validation(bundle, dataset, items, seed=0, listener=Silent()), items, strict=True):
        found = network.segment(dataset.load(item))
        for threshold in (0.1, 0.45, 0.9, bundle.contract.threshold):
            assert np.array_equal(one.labels(threshold), found.scores[0] > threshold)
        assert np.array_equal(one.scores, found.scores.astype(np.float16)) and one.every == 1
        assert one.name == item.name and np.array_equal(one.sample().labels, dataset.load(item).labels)


def test_rules_of_a_bundle_are_obeyed_by_whoever_opens_it(trained):
    run, data = trained
    bundle, dataset = read_bundle(run.run), open_dataset(data)
    rules = Rules((0, 400), (0, 0), (False, True))
    told = dataclasses.replace(bundle, answers={**bundle.answers, "postprocess": {"rules": rules.as_dict()}})
    told.save()
    sample = dataset.load(dataset.items[0])
    opened = open_segmenter(run.run)[0]
    inner = opened.inner if isinstance(opened, RuledSegmenter) else opened
    assert np.array_equal(opened.segment(sample).labels, apply_rules(inner.segment(sample).labels, rules, TWO))
    bundle.save()
