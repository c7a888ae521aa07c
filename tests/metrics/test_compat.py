import math
import warnings

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from limner.core.errors import ShapeError
from limner.metrics import compat
from limner.metrics.compat import CONVENTIONS, dice_of_0_255, scores, smoothed_dice
from limner.metrics.counts import confusion_table
from tests.oracles.other_tools import PRINTED, labels

EMPTY, FULL = np.zeros((5, 7), int), np.ones((5, 7), int)


@pytest.mark.parametrize("classes", PRINTED)
def test_numbers_are_those_that_the_tools_printed(classes):
    target, pred = labels(classes)
    ours = scores(pred, target, num_classes=classes)
    for name, printed in PRINTED[classes].items():
        assert ours[name] == pytest.approx(printed, abs=2e-6), name


def test_scikit_learn_itself():
    target, pred = labels(3)
    ours = scores(pred, target, num_classes=3)
    pairs = [(t.ravel() > 0, p.ravel() > 0) for t, p in zip(target, pred, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        for name, function in zip(
            ["f1", "jaccard", "recall", "precision"],
            (f1_score, jaccard_score, recall_score, precision_score),
            strict=True,
        ):
            assert ours[f"A {name}"] == pytest.approx(np.mean([function(*pair) for pair in pairs]))
        macro = jaccard_score(target.ravel(), pred.ravel(), average="macro")
    assert ours["scikit-learn jaccard_score macro"] == pytest.approx(macro)


def test_the_same_pixels_and_many_answers():
    """An empty picture that was left alone, and a perfect one: all is right, and yet the numbers run from 0.5 to 1."""
    found = scores([EMPTY, FULL], [EMPTY, FULL], num_classes=2)
    assert found["A jaccard"] == 0.5 and found["scikit-learn f1_score"] == 1
    assert found["MONAI DiceMetric without background"] == found["smp iou_score macro-imagewise"] == 1
    assert math.isnan(found["C mean IoU without perfect pictures"]), "every picture is an outlier"


def test_false_alarms_that_some_tools_do_not_see():
    found = scores([FULL, FULL], [EMPTY, FULL], num_classes=2)
    assert found["MONAI DiceMetric without background"] == 1
    assert found["MONAI DiceMetric with empty pictures"] == found["nnU-Net foreground_mean Dice"] == 0.5


def test_nothing_anywhere():
    found = scores([EMPTY], [EMPTY], num_classes=3)
    assert found["MONAI DiceMetric without background"] == 0, "0 where NaN is promised"
    assert math.isnan(found["nnU-Net foreground_mean Dice"]) and math.isnan(
        found["torchmetrics MeanIoU without background"]
    )
    assert found["A f1"] == 0 and found["smoothed Dice 1"] == 1


def test_a_class_on_no_picture_makes_nnunet_nan():
    target, pred = labels(4)
    assert math.isnan(scores(pred, target, num_classes=4)["nnU-Net foreground_mean IoU"])
    three = scores(pred, target, num_classes=3)
    by_class = []
    for index in (1, 2):
        values = [[(p == index) & (t == index), (p == index) | (t == index)] for p, t in zip(pred, target, strict=True)]
        by_class.append(np.mean([both.sum() / either.sum() for both, either in values if either.any()]))
    assert three["nnU-Net foreground_mean IoU"] == pytest.approx(np.mean(by_class))


def test_mmsegmentation_by_hand():
    pred, target = np.array([[0, 1, 1, 2]]), np.array([[0, 0, 1, 2]])
    found = scores([pred], [target], num_classes=4)
    assert found["MMSegmentation mIoU"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert found["MMSegmentation mDice"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def test_masks_of_0_255_give_a_dice_above_1():
    target, pred = np.zeros((10, 12), int), np.zeros((10, 12), int)
    target[2:8, 2:10] = 1
    pred[2:8, 2:7] = 1  # 30 of 48 pixels, nothing else
    raw = 2 * (255 * target * pred).sum() / ((255 * target).sum() + pred.sum())  # as it was computed
    tables = confusion_table(pred, target, num_classes=2)[None]
    assert dice_of_0_255(tables) == pytest.approx(raw) and raw > 1.2
    assert dice_of_0_255(tables, white=1) == pytest.approx(2 * 30 / 78)
    small = pred.copy()
    small[:, 5:] = 0  # 18 pixels of 48: Dice 0.55, printed as 0.75
    assert dice_of_0_255(confusion_table(small, target, num_classes=2)[None]) < 1


def test_the_published_dice_of_1_054():
    """The published precision with a recall of 0.53 prints the published 1.054, if the true masks are 0 and 255."""
    true = 100_000
    tp = round(0.5285 * true)
    fp = round(tp / 0.9643) - tp
    table = np.array([[[10**6, fp], [true - tp, tp]]])
    assert dice_of_0_255(table) == pytest.approx(1.054, abs=2e-3)


def test_smoothing_moves_small_objects_most():
    target, pred = np.zeros((5, 7), int), np.zeros((5, 7), int)
    target[1, 1] = pred[1, 2] = 1
    table = confusion_table(pred, target, num_classes=2)[None]
    assert smoothed_dice(table, smooth=1.0) == pytest.approx(1 / 3) and smoothed_dice(table, smooth=1e-15) < 1e-9


def test_mean_iou_of_system_c():
    perfect, half = np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]])
    found = scores([perfect, half], [perfect, perfect], num_classes=2)
    value = (2 / 3 + 1 / 2) / 2
    assert found["C mean IoU"] == pytest.approx((1 + value) / 2)
    assert found["C mean IoU without perfect pictures"] == pytest.approx(value)


def test_unknown_pixels_count_nowhere():
    target, pred = labels(3)
    valid = np.random.default_rng(1).random(target.shape) < 0.7
    masked = scores(np.where(valid, pred, 0), np.where(valid, target, 0), num_classes=3)
    found = scores(pred, target, num_classes=3, valid=valid)
    assert found["A recall"] == pytest.approx(masked["A recall"])
    assert found["Keras MeanIoU"] != masked["Keras MeanIoU"]


def test_rows_say_whose_and_what_becomes_of_nothing():
    found = compat.rows(np.array([[[3, 1], [2, 4]]]))
    assert len(found) == len(CONVENTIONS) and all(
        row[key] for row in found for key in ("tool", "call", "empty", "source")
    )
    assert {row["tool"] for row in found} >= {
        "scikit-learn",
        "torchmetrics",
        "MONAI",
        "nnU-Net",
        "Keras",
        "MMSegmentation",
    }


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError):
        scores([EMPTY], [EMPTY.T], num_classes=2)
    with pytest.raises(ValueError, match="argument"):
        scores([EMPTY], [EMPTY, EMPTY], num_classes=2)
