import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from limner.core.labels import LabelSpace
from limner.evaluation.encode import data_uris
from limner.evaluation.error_map import KINDS
from limner.evaluation.evaluate import evaluate_pairs
from limner.evaluation.gallery import Case, draw_case, draw_suspect, resize_ids
from limner.evaluation.pictures import LABEL_LINE, PREDICTION_LINE
from limner.evaluation.ranking import choose_cases, picture_scores

SPACE = LabelSpace(("background", "one", "two"), ((0, 0, 0), (200, 0, 0), (0, 0, 100)))
TWO = LabelSpace(("background", "cell"))


def report_of(dice_values):
    """A report whose pictures have these Dice scores: n of 20 pixels found."""
    pairs = []
    for i, hits in enumerate(dice_values):
        target = np.array([[1] * 20 + [0] * 5], np.uint8)
        pred = np.array([[1] * hits + [0] * (25 - hits)], np.uint8)
        pairs.append((f"p{i:02d}", pred, target, None))
    return evaluate_pairs(pairs, TWO, model="m", data="d", split="test")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (14, "worst 0 1 2 3 4 5 median 6 7 8 best 11 12 13"),
        (9, "worst 0 1 2 3 4 median 5 6 best 7 8"),
        (3, "worst 0 1 best 2"),
        (2, "worst 0 best 1"),
        (1, "worst 0"),
        (0, ""),
    ],
)
def test_worst_first_then_median_then_best_each_once(count, expected):
    words = []
    for kind, name, dice in choose_cases(report_of(range(1, count + 1))):
        words += ([] if kind in words else [kind]) + [str(int(name[1:]))]
        hits = int(name[1:]) + 1
        assert dice == pytest.approx(2 * hits / (20 + hits))
    assert " ".join(words) == expected


def test_pictures_of_several_classes_are_ranked_by_the_mean_of_their_classes():
    """All classes as one mask would be perfect in both pictures."""
    target = np.array([[1, 1, 2, 2]])
    pairs = [("swapped", np.array([[2, 2, 1, 1]]), target, None), ("right", target, target, None)]
    report = evaluate_pairs(pairs, SPACE, model="m", data="d", split="test")
    assert picture_scores(report) == {"swapped": 0.0, "right": 1.0}
    assert [name for _, name, _ in choose_cases(report)] == ["swapped", "right"]


def test_pictures_without_a_dice_are_not_shown():
    empty = np.zeros((2, 3), np.uint8)
    report = evaluate_pairs([("e", empty, empty, None)], TWO, model="m", data="d", split="test")
    assert choose_cases(report) == [] and np.isnan(picture_scores(report)["e"])


@pytest.mark.parametrize("size", [(3, 4), (7, 5), (1, 1), (30, 31), (90, 40), (30, 100)])
def test_smaller_labels_keep_every_object(size):
    ids = np.zeros((60, 80), np.uint8)
    ids[33, 41], ids[0, 0], ids[59, 79] = 1, 2, 1
    small = resize_ids(ids, size)
    assert small.shape == size
    if size != (1, 1):
        assert small[0, 0] == 2 and small[-1, -1] == 1 and (small == 1).sum() >= 2
    assert np.array_equal(resize_ids(ids, (60, 80)), ids)
    assert resize_ids(ids, (120, 160)).sum() == 4 * ids.sum()


def case_of(height, width, side, kind="worst"):
    """A picture with four squares of which the last is missed."""
    rng = np.random.default_rng(3)
    target = np.zeros((height, width), np.uint8)
    for y, x in ((5, 5), (5, width // 2), (height // 2, 5), (height - side - 9, width - side - 7)):
        target[y : y + side, x : x + side] = 1
    pred = target.copy()
    pred[height - side - 9 :] = 0
    return Case("a", rng.integers(120, 255, (height, width, 3), np.uint8), target, pred, 0.8, kind)


def test_panels_are_of_limited_size_and_mistakes_are_coloured():
    drawn = draw_case(case_of(300, 400, 60), TWO)
    assert [kind for kind, _ in drawn.panels] == ["picture", "truth", "prediction", "mistakes"] and not drawn.close_up
    assert {picture.shape for _, picture in drawn.panels} == {(300, 400, 3)}
    assert drawn.mistakes == "3,600 wrong pixels: 100% object missed"
    pixels = dict(drawn.panels)["mistakes"].reshape(-1, 3).astype(int)
    assert (np.abs(pixels - np.array(KINDS[2].color)).sum(axis=1) < 60).sum() == 3600
    assert drawn.triptych.shape == (300, 1216, 3) and drawn.overlay.shape == (300, 400, 3)


def test_tiny_objects_get_a_close_up_of_the_worst_part():
    drawn = draw_case(case_of(1000, 1500, 12), TWO)
    assert drawn.panels[0][1].shape == (293, 440, 3) and len(drawn.close_up) == 4
    assert dict(drawn.close_up)["mistakes"].shape[1] > 300
    colors = np.array(KINDS[2].color)
    whole, close = (dict(panels)["mistakes"].reshape(-1, 3).astype(int) for panels in (drawn.panels, drawn.close_up))
    seen = [(np.abs(pixels - colors).sum(axis=1) < 60).sum() for pixels in (whole, close)]
    assert seen[0] >= 9 and seen[1] > 3 * seen[0]
    assert not draw_case(case_of(1000, 1500, 250), TWO).close_up


def test_small_pictures_are_enlarged_by_a_whole_number():
    drawn = draw_case(case_of(31, 47, 6), TWO)
    assert drawn.panels[1][1].shape == (31 * 9, 47 * 9, 3) and drawn.size == "47 x 31 pixels"
    assert draw_case(Case("1", np.zeros((1, 1, 1), np.uint8), *[np.ones((1, 1), np.uint8)] * 2, 1.0), TWO).panels


def test_dark_pictures_are_brightened_and_say_so():
    case = case_of(60, 80, 20)
    dark = draw_case(dataclasses.replace(case, image=(case.image // 8)), TWO)
    assert dark.dark and dict(dark.panels)["picture"].max() == 255 and not draw_case(case, TWO).dark


def test_unknown_pixels_are_no_mistakes():
    case = case_of(60, 80, 20)
    assert draw_case(dataclasses.replace(case, valid=np.zeros((60, 80), bool)), TWO).mistakes == "no wrong pixel"


def test_a_picture_too_large_to_look_at_is_thinned_out(monkeypatch):
    monkeypatch.setattr("limner.evaluation.gallery.LARGEST", 2000)
    drawn = draw_case(case_of(100, 160, 30), TWO)
    assert drawn.size == "160 x 100 pixels, looked at in 1 : 3" and drawn.panels[0][1].shape[1] <= 440


def test_suspect_label_with_both_outlines_and_a_close_up():
    case = case_of(400, 600, 40)
    drawn = draw_suspect("a", "missed by a model that had not seen it", case.image, case.target, case.pred)
    assert [what for what, _ in drawn.panels] == ["whole picture", "largest difference"]
    close = drawn.panels[1][1].reshape(-1, 3).tolist()
    assert list(LABEL_LINE) in close and list(PREDICTION_LINE) not in close
    same = draw_suspect("a", "x", case.image, case.target, case.target)
    assert len(same.panels) == 1 and list(PREDICTION_LINE) in same.panels[0][1].reshape(-1, 3).tolist()


def decoded(uri):
    head, content = uri.split(",")
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return head, np.asarray(image.convert("RGB"))


def test_pictures_as_data_are_the_smaller_of_two_formats():
    flat = np.zeros((50, 80, 3), np.uint8)
    flat[10:20, 10:30] = (200, 0, 0)
    noise = np.random.default_rng(0).integers(0, 255, (50, 80, 3), np.uint8)
    uris = data_uris([flat, noise])
    assert decoded(uris[0])[0] == "data:image/png;base64" and np.array_equal(decoded(uris[0])[1], flat)
    assert decoded(uris[1])[0] == "data:image/jpeg;base64" and decoded(uris[1])[1].shape == noise.shape
    assert data_uris([]) == []


def test_pictures_stay_below_a_common_limit():
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    free, bound = data_uris([noise] * 3, most_bytes=10**9), data_uris([noise] * 3, most_bytes=12_000)
    assert sum(map(len, free)) > 60_000 and sum(map(len, bound)) <= 12_000
