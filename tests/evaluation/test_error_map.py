import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from limner.core.errors import DataError, ShapeError
from limner.evaluation.error_map import (
    BOUNDARY,
    CONFUSED,
    INVENTED_OBJECT,
    KINDS,
    MISSED_OBJECT,
    MISSED_PART,
    SPURIOUS,
    band_width,
    find_errors,
    label_objects,
    near_border,
    no_errors,
)

EIGHT = np.ones((3, 3), int)


def blank(height=40, width=60):
    return np.zeros((height, width), np.uint8)


def found_kinds(kinds):
    return set(np.unique(kinds)) - {0}


def test_a_missed_object_is_missed_whole_even_at_its_border():
    target = blank()
    target[10:20, 10:20] = 1
    kinds, counts = find_errors(blank(), target, num_classes=2)
    assert (kinds == MISSED_OBJECT).sum() == 100 and found_kinds(kinds) == {MISSED_OBJECT}
    assert (counts.true_objects, counts.missed_objects, counts.predicted_objects) == (1, 1, 0)


def test_an_object_of_which_a_tenth_was_found_is_found():
    target, pred = blank(), blank()
    target[10:20, 10:20] = 1
    pred[10:11, 10:19] = 1  # 9 of 100
    assert find_errors(pred, target, num_classes=2)[1].missed_objects == 1
    pred[10:11, 19] = 1
    kinds, counts = find_errors(pred, target, num_classes=2)
    assert counts.missed_objects == 0 and found_kinds(kinds) == {BOUNDARY, MISSED_PART}
    assert (kinds == MISSED_PART).sum() == 36  # the inner 6 x 6, two pixels from the border
    assert (kinds == BOUNDARY).sum() == 100 - 36 - 10


def test_too_much_beside_an_object_and_an_invented_one():
    target, pred = blank(), blank()
    target[10:20, 10:20] = 1
    pred[10:20, 10:30] = 1  # 10 columns too many
    pred[30:34, 40:44] = 1
    kinds, counts = find_errors(pred, target, num_classes=2)
    assert (kinds[30:34, 40:44] == INVENTED_OBJECT).all() and counts.invented_objects == 1
    assert (kinds[12:18, 20:22] == BOUNDARY).all() and (kinds[12:18, 22:30] == SPURIOUS).all()
    assert counts.predicted_objects == 2 and counts.missed_objects == 0


def test_a_large_prediction_that_holds_a_small_object_is_no_invention():
    target, pred = blank(), blank()
    target[20:22, 20:22] = 1
    pred[5:35, 5:55] = 1
    kinds, counts = find_errors(pred, target, num_classes=2)
    assert counts.invented_objects == 0 and SPURIOUS in found_kinds(kinds) and INVENTED_OBJECT not in found_kinds(kinds)


def test_fragments_inside_an_object_are_no_inventions():
    target, pred = blank(), blank()
    target[5:35, 5:55] = 1
    pred[10:12, 10:12] = pred[20:22, 30:32] = 1
    _, counts = find_errors(pred, target, num_classes=2)
    assert counts.invented_objects == 0 and counts.missed_objects == 1


def test_one_class_taken_for_another():
    target, pred = blank(), blank()
    target[5:25, 5:25], pred[5:25, 5:25] = 1, 2
    kinds, counts = find_errors(pred, target, num_classes=3)
    assert found_kinds(kinds) == {CONFUSED}  # all over the object: its border does not matter
    assert counts.missed_objects == counts.invented_objects == 0
    pred[5:25, 5:15] = 1
    kinds, _ = find_errors(pred, target, num_classes=3)
    assert (kinds[7:23, 15:23] == CONFUSED).all() and (kinds[5:7, 15:25] == BOUNDARY).all()


def test_a_border_between_two_classes_is_a_border():
    target, pred = blank(), blank()
    target[:, :30], target[:, 30:] = 1, 2
    pred[:, :31], pred[:, 31:] = 1, 2
    kinds, _ = find_errors(pred, target, num_classes=3)
    assert (kinds[:, 30] == BOUNDARY).all() and (kinds > 0).sum() == 40


def test_unknown_pixels_are_never_wrong_and_make_no_border():
    target, pred, valid = blank(), blank(), np.ones((40, 60), bool)
    target[10:20, 10:20] = 1
    valid[8:22, 8:22] = False
    target[8:9, 8:22] = 7  # what stands there may be no class at all
    pred[30:32, 30:32] = 1
    kinds, counts = find_errors(pred, target, valid=valid, num_classes=2)
    assert (kinds > 0).sum() == 4 and counts.true_objects == 0
    assert not near_border(np.where(valid, target, 0), valid, 5).any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError):
        find_errors(blank(4, 5), blank(5, 4), num_classes=2)
    with pytest.raises(ShapeError):
        find_errors(blank(4, 5), blank(4, 5), valid=np.ones((5, 4), bool), num_classes=2)
    with pytest.raises(DataError):
        find_errors(blank(4, 5) + 2, blank(4, 5), num_classes=2)


def test_width_of_the_band_is_stated_and_grows_with_the_picture():
    assert [band_width(size) for size in ((1, 1), (5, 7), (300, 400), (1536, 2048))] == [2, 2, 2, 6]


@st.composite
def pairs(draw):
    classes = draw(st.integers(2, 4))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 11)))
    ids = st.integers(0, classes - 1)
    pred, target = (draw(arrays(np.uint8, shape, elements=ids)) for _ in range(2))
    if draw(st.booleans()):  # runs of equal pixels: objects of more than one
        target = np.repeat(np.repeat(target, 4, axis=0), 5, axis=1)
        pred = np.repeat(np.repeat(pred, 4, axis=0), 5, axis=1)
        pred = np.roll(pred, draw(st.integers(0, 3)), axis=1)
    valid = draw(st.none() | arrays(np.bool_, target.shape))
    return pred, target, valid, classes


def brute_force(pred, target, valid, classes):
    """The rules once more, object by object and pixel by pixel, with scipy."""
    known = np.ones(target.shape, bool) if valid is None else valid
    truth, found = np.where(known, target, 0), np.where(known, pred, 0)

    def objects(labels):
        out = []
        for k in range(1, classes):
            regions, count = ndimage.label(labels == k, EIGHT)
            out += [regions == i for i in range(1, count + 1)]
        return out

    def holding(things, y, x):
        return next(thing for thing in things if thing[y, x])

    true, predicted = objects(truth), objects(found)
    border = np.zeros(truth.shape, bool)
    for y, x in np.ndindex(truth.shape):
        for b, a in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = 0 <= b < truth.shape[0] and 0 <= a < truth.shape[1]
            if inside and known[y, x] and known[b, a] and truth[b, a] != truth[y, x]:
                border[y, x] = True
    width = max(2, round(0.0025 * math.hypot(*truth.shape)))
    near = ndimage.distance_transform_edt(~border) < width if border.any() else border
    kinds = np.zeros(truth.shape, int)
    for y, x in zip(*np.nonzero(truth != found), strict=True):
        if found[y, x] == 0:
            thing = holding(true, y, x)
            whole = (found[thing] > 0).sum() < 0.1 * thing.sum()
            kinds[y, x] = MISSED_OBJECT if whole else BOUNDARY if near[y, x] else MISSED_PART
        elif truth[y, x] == 0:
            thing = holding(predicted, y, x)
            holds = any((other & thing).sum() >= 0.1 * other.sum() for other in true)
            nothing = (truth[thing] > 0).sum() < 0.1 * thing.sum() and not holds
            kinds[y, x] = INVENTED_OBJECT if nothing else BOUNDARY if near[y, x] else SPURIOUS
        else:
            thing = holding(true, y, x)
            lost = (found[thing] == truth[y, x]).sum() < 0.1 * thing.sum()
            kinds[y, x] = BOUNDARY if near[y, x] and not lost else CONFUSED
    return kinds


@given(pairs())
def test_every_wrong_pixel_has_one_kind_and_the_counts_add_up_to_fp_and_fn(case):
    pred, target, valid, classes = case
    kinds, counts = find_errors(pred, target, valid=valid, num_classes=classes)
    known = np.ones(target.shape, bool) if valid is None else valid
    assert np.array_equal(kinds > 0, known & (pred != target))
    for k in range(classes):
        assert counts.missing[:, k].sum() == (known & (target == k) & (pred != k)).sum()  # FN
        assert counts.extra[:, k].sum() == (known & (pred == k) & (target != k)).sum()  # FP
    assert counts.total == counts.missing.sum() == counts.extra.sum() == (kinds > 0).sum()
    assert counts.pixels == tuple((kinds == i).sum() for i in range(1, 7))
    if classes == 2:
        fp, fn = (known & (pred == 1) & (target == 0)).sum(), (known & (pred == 0) & (target == 1)).sum()
        assert counts.total == fp + fn and counts.pixels[CONFUSED - 1] == 0


@given(pairs())
def test_kinds_agree_with_the_rules_taken_pixel_by_pixel(case):
    kinds, _ = find_errors(case[0], case[1], valid=case[2], num_classes=case[3])
    assert np.array_equal(kinds, brute_force(*case))


@given(pairs())
def test_objects_are_those_of_scipy(case):
    ids, count = label_objects(case[1])
    numbers = [ndimage.label(case[1] == k, EIGHT)[1] for k in range(1, case[3])]
    assert count == sum(numbers) and set(np.unique(ids)) - {0} == set(range(1, count + 1))
    assert np.array_equal(ids > 0, case[1] > 0)
    for i in range(1, count + 1):
        assert len(np.unique(case[1][ids == i])) == 1 and ndimage.label(ids == i, EIGHT)[1] == 1


def test_counts_of_pictures_add_up_and_become_json():
    target, pred = blank(), blank()
    target[10:20, 10:20], pred[5:8, 5:8] = 1, 1
    one = find_errors(pred, target, num_classes=2)[1]
    both = no_errors(2) + one + find_errors(blank(), target, num_classes=2)[1]
    found = both.as_dict(("background", "cell"))
    assert found["wrong_pixels"] == 100 + 9 + 100
    assert found["kinds"]["missed_object"] == {
        "pixels": 200, "share": 200 / 209, "missing": {"background": 0, "cell": 200}, "extra": {"background": 200, "cell": 0},
    }  # fmt: skip
    assert (found["true_objects"], found["missed_objects"], found["invented_objects"]) == (2, 2, 1)
    assert no_errors(2).as_dict(("a", "b"))["kinds"]["spurious"]["share"] is None


# Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113: severity 1.0, on linear RGB
DEFECTS = {
    "none": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def lab(rgb, defect):
    """CIE L*a*b* (D65) of 8-bit sRGB colours as somebody with a defect of colour vision sees them."""
    c = np.asarray(rgb, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ DEFECTS[defect].T, 0, 1)
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = linear @ np.array(matrix).T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


@pytest.mark.parametrize("defect", DEFECTS)
def test_colours_are_told_apart_with_every_kind_of_colour_vision(defect):
    seen = lab([kind.color for kind in KINDS], defect)
    distances = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(distances) > 30  # about 2.3 is just noticeable (Mahy et al. 1994)
    assert len({kind.key for kind in KINDS}) == len({kind.title for kind in KINDS}) == 6


@pytest.mark.parametrize("defect", DEFECTS)
def test_colours_are_told_from_the_gray_picture_below(defect):
    gray = lab([(v, v, v) for v in range(0, 256, 5)], defect)  # the first 14 are the dark ground of many pictures
    for color in lab([kind.color for kind in KINDS], defect):
        assert np.linalg.norm(gray - color, axis=1).min() > 15 and np.linalg.norm(gray[:14] - color, axis=1).min() > 30
