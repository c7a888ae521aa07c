"""Average precision against pycocotools, and against numbers of a hand."""

import contextlib
import io
import math

import numpy as np
import pytest

from limner.core.objects import Objects
from limner.metrics.coco_ap import SIZES, average_precision, average_precisions
from limner.metrics.matching import count_overlaps, join
from tests.oracles.objects import random_scene

UNDEFINED = math.nan


def as_coco(scenes, masks):
    """A COCO object and results of the same objects."""
    from pycocotools.coco import COCO

    def annotation(objects, place, picture):
        found = masks.encode(np.asfortranarray(objects.ids == place, dtype=np.uint8))
        return {"image_id": picture, "category_id": int(objects.classes[place - 1]), "segmentation": found}

    truth, results = [], []
    for picture, (pred, target, crowds) in enumerate(scenes, 1):
        for place in range(1, len(target) + 1):
            one = annotation(target, place, picture)
            truth.append(one | {"id": len(truth) + 1, "iscrowd": int(crowds[place - 1]),
                                "area": int((target.ids == place).sum())})  # fmt: skip
        for place in range(1, len(pred) + 1):
            results.append(annotation(pred, place, picture) | {"score": float(pred.scores[place - 1])})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i, "height": 1, "width": 1} for i in range(1, len(scenes) + 1)],
        "annotations": truth, "categories": [{"id": k, "name": str(k)} for k in (1, 2, 3)],
    }  # fmt: skip
    coco.createIndex()
    return coco, coco.loadRes(results)


def by_pycocotools(scenes, sizes, most):
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    from pycocotools import mask as masks

    with contextlib.redirect_stdout(io.StringIO()):
        truth, results = as_coco(scenes, masks)
        judge = evaluation.COCOeval(truth, results, "segm")
        judge.params.maxDets = [most]
        judge.params.areaRng = [list(limits) for limits in sizes.values()]
        judge.params.areaRngLbl = list(sizes)
        judge.evaluate()
        judge.accumulate()
    found = {}
    for place, name in enumerate(sizes):
        precision = judge.eval["precision"][:, :, :, place, 0]  # (T, R, K)
        for key, part in (("ap", precision), ("ap50", precision[:1]), ("ap75", precision[5:6])):
            known = part[part > -1]
            found[name, key] = float(known.mean()) if known.size else math.nan
    return found


def bigger(objects):
    """Every pixel as 8 x 8, so that there are medium and large objects."""
    return Objects(np.repeat(np.repeat(objects.ids, 8, 0), 8, 1), objects.classes, objects.scores)


@pytest.mark.parametrize(
    ("block", "most", "enlarge"), [(0, 1000, False), (1, 100, True), (2, 3, False), (3, 1000, True)]
)
def test_two_hundred_scenes_agree_with_pycocotools(block, most, enlarge):
    scenes = []
    for seed in range(50 * block, 50 * block + 50):
        pred, target, _, crowds = random_scene(seed)
        pair = (bigger(pred), bigger(target)) if enlarge else (pred, target)
        scenes.append((*pair, crowds if block % 2 else crowds & False))
    table = join([count_overlaps(pred, target, crowds=crowds) for pred, target, crowds in scenes])
    limits = dict.fromkeys(SIZES)
    sizes = SIZES if enlarge else {"all": SIZES["all"], "small": (0, 20), "medium": (20, 60), "large": (60, 1e10)}
    expected = by_pycocotools(scenes, sizes, most)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limner.metrics.coco_ap.SIZES", sizes)
        for name in limits:
            for key, ious in (("ap", None), ("ap50", [0.5]), ("ap75", [0.75])):
                options = {} if ious is None else {"ious": ious}
                value = average_precision(table, size=name, max_detections=most, **options)
                assert value == pytest.approx(expected[name, key], abs=1e-9, nan_ok=True), (name, key)
                assert name != "all" or 0.05 < value < 0.95
    if most == 1000:
        shown = average_precisions(table)
        assert shown == pytest.approx({key: expected["all", key] for key in ("ap", "ap50", "ap75")}, abs=1e-9)


def row(text, *scores):
    ids = np.array([[int(c) for c in text]], np.int32)
    number = int(ids.max())
    return Objects(ids, np.ones(number, np.int32), np.array(scores or [1] * number, np.float32))


def test_by_hand():
    target = row("11110222203333")
    pred = row("11110022200444", 0.9, 0.6, 0.5, 0.3)  # object 3 of the prediction has no pixel
    values = average_precisions(count_overlaps(pred, target))
    assert values["ap50"] == pytest.approx(1) and values["ap75"] == pytest.approx(1)
    assert values["ap"] == pytest.approx(
        (6 * 1 + 4 * 34 / 101) / 10
    )  # above 0.75 one of three is left: recalls 0 to 0.33


def test_false_ones_that_rank_higher_cost_more():
    target = row("110220")
    first = average_precision(count_overlaps(row("110003", 0.9, 0.0, 0.2), target), ious=[0.5])
    last = average_precision(count_overlaps(row("110003", 0.2, 0.0, 0.9), target), ious=[0.5])
    assert first == pytest.approx(51 / 101) and last == pytest.approx(51 / 101 / 2)


def test_empty_cases():
    empty, full = Objects.none((1, 6)), row("110220")
    assert math.isnan(average_precision(count_overlaps(full, empty)))
    assert all(math.isnan(value) for value in average_precisions(count_overlaps(empty, empty)).values())
    assert average_precision(count_overlaps(empty, full)) == 0 and average_precision(count_overlaps(full, full)) == 1
    with_false_alarms = join([count_overlaps(full, full), count_overlaps(row("123456"), Objects.none((1, 6)))])
    assert average_precision(with_false_alarms) == 1  # equal scores: those of the first picture come first


def test_objects_mostly_on_pixels_that_are_not_valid_are_no_false_alarms():
    valid = np.array([[1, 1, 1, 1, 0, 0]], bool)
    pred, target = row("220111", 0.9, 0.5), row("110000")
    assert average_precision(count_overlaps(pred, target, valid=valid)) == 1
    assert average_precision(count_overlaps(pred, target)) == 0.5
