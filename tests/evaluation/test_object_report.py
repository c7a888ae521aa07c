import json
import re

import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.core.objects import number_objects
from limner.evaluation.evaluate import Scorer, write_report_files
from limner.evaluation.figures import write_figures
from limner.evaluation.html import render_report, write_report
from limner.evaluation.object_gallery import OUTLINES, choose_object_cases, draw_objects
from limner.evaluation.object_plots import f1_figure
from tests.evaluation.pages import EVIL, Outline, inspected, make_page
from tests.evaluation.test_html import check_page, rows_of
from tests.oracles.objects import random_scene

COLOR = {kind.key: kind.color for kind in OUTLINES}
SPACE = LabelSpace(("background", "cell"), things=("cell",))


@pytest.fixture(scope="module")
def scored():
    """Names, scenes and the report of pictures with all kinds of mistakes."""
    scorer, scenes = Scorer(LabelSpace(("background", EVIL, "b", "c"), things=(EVIL, "b", "c")), metrics="all"), {}
    for seed in range(9):
        pred, target, valid, _ = random_scene(seed)
        scenes[f"{seed}{EVIL}"] = pred, target
        scorer.add(
            f"{seed}{EVIL}", pred.class_map(), target.class_map(), valid, pred_objects=pred, target_objects=target
        )
    return scenes, scorer.report(model=EVIL, data="d", split="test", threshold=None, split_checksum="c", seconds=1)


def page_of(scored):
    scenes, report = scored
    cases = []
    for name, f1 in choose_object_cases(report):
        pred, target = scenes[name]
        image = np.full((*target.ids.shape, 1), 90, np.uint8)
        cases.append(draw_objects(name, image, pred, target, report.object_rows, f1=f1))
    space = LabelSpace(("background", EVIL, "b", "c"), things=(EVIL, "b", "c"))
    looked_at = inspected([(n, (p.class_map(), t.class_map())) for n, (p, t) in scenes.items()], space)
    return make_page(report=report, label_space=space, object_cases=cases, cases=(), title=EVIL, inspection=looked_at)


def test_page_with_objects_is_well_formed_and_says_what_the_files_say(scored, tmp_path):
    page = page_of(scored)
    write_report_files(page.report, tmp_path)
    write_report(page, tmp_path / "report.html", evaluation=tmp_path)
    write_figures(tmp_path / "figures", report=page.report)
    assert (tmp_path / "figures" / "objects_by_iou.png").is_file()
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    check_page(text)
    objects = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["objects"]
    shown = rows_of(text, "data-object-class")
    assert shown["b"] == {key: value for key, value in objects["counts"]["b"].items() if key in shown["b"]} | {
        "f1": objects["by_iou"]["b"][0]["f1"]
    }
    for word in ("Pictures of objects", "By size of the objects", "Scores of objects", "spurious", "As objects, "):
        assert word in text
    assert "Small and large objects" not in text  # by regions, which would contradict
    cells = [a for _, a in Outline(text).seen if a.get("data-object-size") == "b"]
    assert len(cells) == len(objects["by_size"]["b"])
    scores = rows_of(text, "data-class")
    assert scores["pq", "macro"]["mean"] == page.report.scores["pq"]["macro"].mean


def test_a_page_without_objects_says_nothing_of_them():
    text = render_report(make_page())
    assert "Small and large objects" in text and not re.search("F1|COCO|told apart|id=.objects", text)


def test_worst_pictures_come_first_and_perfect_ones_not_at_all(scored):
    chosen = choose_object_cases(scored[1])
    values = [f1 for _, f1 in chosen]
    assert values == sorted(values) and len(chosen) == 6
    ids = np.array([[1, 1, 0, 2, 2]], np.int64)
    whole = number_objects(ids, (ids > 0).astype(np.uint8))
    scorer = Scorer(SPACE)
    scorer.add("a", whole.class_map(), whole.class_map(), pred_objects=whole, target_objects=whole)
    assert (
        choose_object_cases(scorer.report(model="", data="", split="", threshold=None, split_checksum="", seconds=1))
        == []
    )


def draw(pred_rows, true_rows, scale=10):
    sides = []
    for rows in (pred_rows, true_rows):
        ids = np.array([[int(c) for c in row] for row in rows], np.int64).repeat(scale, 0).repeat(scale, 1)
        sides.append(number_objects(ids, (ids > 0).astype(np.uint8)))
    scorer = Scorer(SPACE)
    scorer.add("a", sides[0].class_map(), sides[1].class_map(), pred_objects=sides[0], target_objects=sides[1])
    report = scorer.report(model="", data="", split="", threshold=None, split_checksum="", seconds=1)
    image = np.full((*sides[0].ids.shape, 3), 128, np.uint8)
    return draw_objects("a", image, *sides, report.object_rows, f1=0.5)


def colors_of(panel):
    return {tuple(map(int, color)) for color in np.unique(panel.reshape(-1, 3), axis=0)}


def test_each_kind_has_its_colour():
    drawn = draw(["1112220000044", "0000000330000"], ["1112223300000", "4445550000066"])
    assert drawn.words.startswith("6 true objects: 2 found, 4 missed") and "2 spurious" in drawn.words
    panels = dict(drawn.panels)
    truth, answer = colors_of(panels["true objects"]), colors_of(panels["predicted objects"])
    assert COLOR["matched"] in truth & answer and COLOR["missed"] in truth and COLOR["spurious"] in answer
    assert COLOR["missed"] not in answer and COLOR["spurious"] not in truth


def test_merged_and_split_have_their_colours_on_both_sides():
    merged = dict(draw(["1111111"], ["1112222"]).panels)
    assert COLOR["merged"] not in colors_of(merged["predicted objects"])  # the larger of both is found by it
    both = dict(draw(["1111111110"], ["1112223330"]).panels)
    assert COLOR["merged"] in colors_of(both["predicted objects"]) & colors_of(both["true objects"])
    parts = dict(draw(["1112223330"], ["1111111110"]).panels)
    assert COLOR["split"] in colors_of(parts["predicted objects"]) & colors_of(parts["true objects"])


def test_tiny_objects_of_a_large_picture_stay_visible_and_get_a_close_up():
    ids = np.zeros((900, 1300), np.int64)
    ids[3::90, 5::130] = np.arange(100).reshape(10, 10) + 1  # a pixel each
    target = number_objects(ids, (ids > 0).astype(np.uint8))
    pred = number_objects(ids * 0, (ids * 0).astype(np.uint8))
    scorer = Scorer(SPACE)
    scorer.add("a", pred.class_map(), target.class_map(), pred_objects=pred, target_objects=target)
    report = scorer.report(model="", data="", split="", threshold=None, split_checksum="", seconds=1)
    drawn = draw_objects("a", np.full((900, 1300, 1), 200, np.uint8), pred, target, report.object_rows)
    panel = dict(drawn.panels)["true objects"]
    assert (panel == COLOR["missed"]).all(2).sum() == 100 and len(drawn.close_up) == 3


def test_the_figure_needs_a_defined_value():
    assert f1_figure({}) is None and f1_figure({"a": [{"iou": 0.5, "f1": None}]}) is None
    assert f1_figure({"a<$^$>": [{"iou": 0.5, "f1": 0.25}], "b": [{"iou": 0.5, "f1": 1.0}]}) is not None
