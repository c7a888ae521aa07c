import re
from html.parser import HTMLParser

import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.evaluation.evaluate import evaluate_pairs
from limner.evaluation.html import Case, ReportPage, choose_cases, render_report, summary_sentences, warnings_of

EVIL = '<script>alert("x")</script>.png'
SPACE = LabelSpace(("background", "nucleus"))
VOID = {"meta", "img", "br", "link", "input", "hr"}


def strip(hits, misses, extra=0):
    """Prediction and truth of one picture with so many pixels of each kind."""
    target = np.array([[1] * (hits + misses) + [0] * (extra + 5)], np.uint8)
    pred = np.array([[1] * hits + [0] * misses + [1] * extra + [0] * 5], np.uint8)
    return pred, target


def make_report(pairs, space=SPACE, split="test"):
    found = ((name, *pair, None) for name, pair in pairs)
    return evaluate_pairs(found, space, model="runs/a", data="d", split=split, split_checksum="abc")


PAIRS = [(f"p{i:02d}.png", strip(20 - i, i)) for i in range(9)]


class Outline(HTMLParser):
    """Tags in order; fails on a wrong nesting."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def make_page(**changes):
    pred, target = strip(10, 3, 2)
    case = Case(EVIL, np.full((*pred.shape, 1), 500, np.uint16), target, pred, 0.8, "best")
    report = make_report([(EVIL, strip(10, 3, 2)), *PAIRS])
    leak = {"code": "SPLIT_LEAK", "level": "error", "count": 2, "message": "copies <i>", "files": [EVIL], "fix": "x"}
    fields = {
        "title": "Nuclei", "command": "limner train d --seed 0", "report": report,
        "label_space": SPACE, "recipe": Recipe().override({"data.scale": 0.5}, reason="nuclei are <big>"),
        "num_train": 64, "facts": {"pictures": "90 <b>"}, "cases": [case], "findings": [leak],
        "history": [{"step": i, "seconds": 30 * i, "train_loss": 1 / i, "val_dice": 1 - 1 / i} for i in range(1, 5)],
        "notes": ["the test split is empty: scored on validation"], "versions": {"limner": "0.1"},
    }  # fmt: skip
    return ReportPage(**(fields | changes))


def test_page_is_well_formed_self_contained_and_escaped():
    text = render_report(make_page())
    tags = Outline(text).seen
    assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe", "object")]
    assert not re.search(r"https?://|url\((?!#)|@import", text)
    assert EVIL not in text and "&lt;script&gt;" in text
    assert "<b>" not in text and "<i>" not in text and "<big>" not in text
    for tag, attributes in tags:
        if tag == "img":
            assert attributes["src"].startswith("data:image/") and attributes["alt"]
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
        if tag == "svg":
            assert attributes["role"] == "img" and attributes["aria-label"]
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids)) and {"loss", "val", "dice"} <= {name.split("-")[0] for name in ids}
    assert [tag for tag, _ in tags].count("h1") == 1 and ("html", {"lang": "en"}) in tags


def test_page_shows_the_numbers_of_the_report():
    page = make_page()
    text, score = render_report(page), page.report.scores["dice"]["foreground"]
    assert f"{score.mean:.3f}" in text and f"{score.ci95[0]:.3f} to {score.ci95[1]:.3f}" in text
    assert "nuclei are &lt;big&gt;" in text and "optimizer.weight_decay" in text and "limner train d --seed 0" in text


def test_page_without_training_or_pictures():
    nothing = dict.fromkeys(("cases", "history", "findings", "notes"), ())
    page = make_page(report=make_report([]), recipe=None, num_train=None, facts={}, **nothing)
    text = render_report(page)
    Outline(text)
    assert "there is no Dice to state" in text and "Decisions" not in text and ">nan" not in text
    assert summary_sentences(page)[0] == "runs/a was scored on finding: nucleus."


def test_first_paragraph_says_what_the_interval_means():
    sentences = summary_sentences(make_page())
    assert "trained on 64 pictures" in sentences[0] and "nucleus" in sentences[0]
    assert "10 test pictures that it had never seen" in sentences[1]
    assert re.search(r"95 % confidence, given 10 pictures, .* between 0\.\d{3} and 0\.\d{3}", sentences[2])
    single = summary_sentences(make_page(report=make_report(PAIRS[:1], split="val")))
    assert "1 validation picture" in single[1] and "never seen" not in single[1] and "single picture" in single[2]


def test_several_classes_also_state_their_mean():
    space = LabelSpace(("background", "a", "b"))
    pred, target = np.array([[1, 1, 2, 0]]), np.array([[1, 1, 0, 2]])
    report = make_report([("x", (pred, target)), ("y", (target, target))], space)
    page = make_page(report=report, label_space=space, cases=())
    assert "The mean over the classes, each by itself, is 0.750." in summary_sentences(page)
    assert "mean over classes" in render_report(page)


def says(found, *words):
    return any(all(word in sentence for word in words) for sentence in found)


def test_warnings_name_every_reason_to_doubt():
    empty = np.zeros((1, 8), np.uint8)
    alarm = (np.array([[1, 1, 1, 0, 0, 0, 0, 0]], np.uint8), empty)
    report = make_report([*PAIRS, ("alarm.png", alarm), ("quiet.png", (empty, empty)), ("lost.png", strip(0, 4))])
    found = warnings_of(make_page(report=report))
    assert found[0].startswith("the test split is empty")
    assert says(found, "Only 12 pictures") and says(found, "interval", "wide")
    assert says(found, "1 of 2 pictures without any class", "3 pixels")
    assert says(found, "1 picture", "lost.png") and says(found, "SPLIT_LEAK", "copies")
    assert not says(found, "Never predicted") and not says(found, "Shown by no")


def test_no_warning_without_a_reason():
    report = make_report([(f"{i}", strip(20 - i % 2, i % 2)) for i in range(25)])
    assert warnings_of(make_page(report=report, notes=(), findings=[{"level": "fixed", "message": "m"}])) == []


def test_classes_without_prediction_or_truth_are_named():
    space = LabelSpace(("background", "common", "silent", "absent"))
    pairs = [(f"{i}", (np.array([[0, 1, 1, 0]]), np.array([[0, 1, 1, 2]]))) for i in range(3)]
    found = warnings_of(make_page(report=make_report(pairs, space), label_space=space))
    assert says(found, "Never predicted", ": silent.") and says(found, "Shown by no", ": absent.")


def test_missing_predictions_are_named():
    report = evaluate_pairs([("gone.png", None, strip(3, 3)[1], None)], SPACE, model="m", data="d", split="test")
    assert says(warnings_of(make_page(report=report)), "No prediction", "gone.png")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(9, "best p00 p01 median p03 p04 worst p07 p08"), (3, "best p00 worst p01 p02"), (1, "worst p00"), (0, "")],
)
def test_best_median_and_worst_once_each(count, expected):
    cases = choose_cases(make_report(PAIRS[:count]), each=2)
    words = []
    for kind, name, dice in cases:
        words += ([] if kind in words else [kind]) + [name[:3]]
        assert dice == pytest.approx(2 * (20 - int(name[1:3])) / (40 - int(name[1:3])))
    assert " ".join(words) == expected


def test_pictures_are_made_small():
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (900, 1400, 3), np.uint8)
    labels = np.zeros((900, 1400), np.uint8)
    labels[300:500, 200:700] = 1
    cases = [Case(f"{i}", image, labels, labels.T[:900, :1400] if i < 0 else labels, 1.0, "best") for i in range(6)]
    assert len(render_report(make_page(cases=cases))) < 3_500_000  # noise is the worst case for JPEG
