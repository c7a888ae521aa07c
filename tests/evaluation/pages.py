"""Reports to test pages with, and a reader of HTML that is strict about nesting."""

from html.parser import HTMLParser

import numpy as np

from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.evaluation.evaluate import Scorer
from limner.evaluation.gallery import Case, draw_case, draw_suspect
from limner.evaluation.inspection import Inspector
from limner.evaluation.page import ReportPage

EVIL = "<img src=x onerror=alert(1)>\"'&\u202e{{ 7*7 }}.png"
SPACE = LabelSpace(("background", "nucleus"))
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Outline(HTMLParser):
    """Tags in order, with their attributes and the text in them; fails on a wrong nesting."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.texts = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        self.texts.append("")
        if tag not in VOID:
            self.open.append((tag, len(self.seen) - 1))

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, place in self.open:
            self.texts[place] += data


def strip(hits, misses, extra=0):
    """Prediction and truth of one picture with so many pixels of each kind."""
    target = np.array([[1] * (hits + misses) + [0] * (extra + 5)], np.uint8)
    pred = np.array([[1] * hits + [0] * misses + [1] * extra + [0] * 5], np.uint8)
    return pred, target


PAIRS = [(f"p{i:02d}.png", strip(20 - i, i)) for i in range(9)]


def make_report(pairs, space=SPACE, split="test", groups=None, missing=(), **options):
    scorer = Scorer(space, **options)
    for name, (pred, target) in pairs:
        scorer.add(name, pred, target, group=(groups or {}).get(name, ""))
    return scorer.report(
        model="runs/a", data="d", split=split, threshold=None, split_checksum="abc", seconds=1.5, missing=missing
    )


def inspected(pairs, space=SPACE):
    inspector = Inspector(space)
    for name, (pred, target) in pairs:
        inspector.add(name, pred, target)
    return inspector.result()


def make_page(**changes):
    pairs = [(EVIL, strip(10, 3, 2)), *PAIRS]
    pred, target = pairs[0][1]
    case = Case(EVIL, np.full((*pred.shape, 1), 500, np.uint16), target, pred, 0.8, "best")
    leak = {"code": "SPLIT_LEAK", "level": "error", "count": 2, "message": "copies <i>", "files": [EVIL], "fix": "x"}
    fields = {
        "title": "Nuclei", "command": "limner train d --seed 0", "report": make_report(pairs),
        "label_space": SPACE, "recipe": Recipe().override({"data.scale": 0.5}, reason="nuclei are <big>"),
        "num_train": 64, "facts": {"pictures": "90 <b>"}, "cases": [draw_case(case, SPACE)], "findings": [leak],
        "history": [{"step": i, "seconds": 30 * i, "train_loss": 1 / i, "val_dice": 1 - 1 / i} for i in range(1, 5)],
        "notes": ["the test split is empty: scored on validation"], "versions": {"limner": "0.1"},
        "inspection": inspected(pairs),
    }  # fmt: skip
    return ReportPage(**(fields | changes))


def make_rich_page():
    """Three classes, groups, folds, baselines, suspects, all metrics: everything a page can show, with hostile names."""
    space = LabelSpace(("background", EVIL, "<b>wall</b>"))
    rng = np.random.default_rng(5)
    pairs = []
    for i in range(8):
        target = np.zeros((23, 31), np.uint8)
        target[2 + i : 9 + i, 3:12], target[5:12, 18:27] = 1, 2
        pred = np.where(rng.random(target.shape) < 0.1 * i, 0, np.roll(target, 1, axis=1)).astype(np.uint8)
        pairs.append((f"{i}{EVIL}", (pred, target)))
    groups = {name: f"patient <{int(name[0]) // 3}>" for name, _ in pairs}
    scores = rng.random((3, 23, 31)).astype(np.float32)
    scorer = Scorer(space, metrics="all", compat=True)
    for name, (pred, target) in pairs:
        scorer.add(name, pred, target, scores=scores / scores.sum(0), group=groups[name])
    report = scorer.report(model=EVIL, data=EVIL, split="test", threshold=None, split_checksum="abc", seconds=1.5)
    image = rng.integers(0, 255, (23, 31, 3), np.uint8)
    cases = [draw_case(Case(n, image, t, p, 0.5, "worst"), space) for n, (p, t) in pairs[:3]]
    return make_page(
        report=report, label_space=space, cases=cases, inspection=inspected(pairs, space), title=EVIL,
        notes=[EVIL], train_groups=frozenset({"patient <0>"}), licences=("lite0: Apache-2.0",),
        folds=[{"fold": i, "scores": {EVIL: 0.5 + i / 10, "<b>wall</b>": None}, "n": 4} for i in range(3)],
        baselines=[
            {"name": "otsu<i>", "dice": 0.25, "lo": 0.2, "hi": 0.3, "seconds": 0.01},
            {"name": "canny", "dice": float("nan"), "lo": float("nan"), "hi": float("nan"), "seconds": 0.1},
        ],
        seconds_per_picture=0.0625,
        suspects=[draw_suspect(EVIL, f"missed whole {EVIL}", image, pairs[0][1][1], pairs[0][1][0])],
    )  # fmt: skip
