import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.evaluation.error_map import KINDS, MISSED_OBJECT, SPURIOUS
from limner.evaluation.pictures import (
    CORRECT,
    FALSE_ALARM,
    LABEL_LINE,
    MISSED,
    PREDICTION_LINE,
    WRONG_CLASS,
    difference,
    error_picture,
    overlay,
    to_display,
    triptych,
    two_outlines,
)

SPACE = LabelSpace(("background", "one", "two"), ((0, 0, 0), (200, 0, 0), (0, 0, 100)))


def test_eight_bit_pictures_are_shown_as_they_are():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(to_display(image), image)
    gray = to_display(image[..., :1])
    assert gray.shape == (2, 4, 3) and np.array_equal(gray[..., 2], image[..., 0])
    assert np.array_equal(to_display(image[..., 0]), gray)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64, np.int16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 9])
def test_other_depths_are_stretched(dtype, channels):
    image = np.linspace(300, 1100, 5 * 8 * channels).reshape(5, 8, channels).astype(dtype)
    shown = to_display(image)
    assert shown.shape == (5, 8, 3) and shown.dtype == np.uint8
    assert shown.max() == 255 and shown.min() == 0
    assert channels != 2 or not shown[..., 2].any()


def test_odd_values_do_no_harm():
    image = np.array([[[np.nan], [np.inf], [0.0], [1.0]]], np.float32)
    assert to_display(image)[0, 3].tolist() == [255, 255, 255]
    assert not to_display(np.full((3, 2, 1), 7, np.uint16)).any()
    assert to_display(np.array([[True, False]])).tolist() == [[[255] * 3, [0] * 3]]
    spot = np.zeros((50, 50, 1), np.uint16)
    spot[3, 4] = 900
    assert to_display(spot)[3, 4, 0] == 255


def test_overlay_blends_classes_and_leaves_the_background():
    image = np.full((4, 6, 3), 100, np.uint8)
    labels = np.zeros((4, 6), np.uint8)
    labels[:, 2:4], labels[:, 4:] = 1, 2
    shown = overlay(image, labels, SPACE, opacity=0.5, outline=False)
    assert shown[0, 0].tolist() == [100, 100, 100]
    assert shown[0, 2].tolist() == [150, 50, 50] and shown[0, 5].tolist() == [50, 50, 100]
    outlined = overlay(image, labels, SPACE, opacity=0.5)
    assert outlined[0, 2].tolist() == [200, 0, 0]  # beside the background
    assert outlined[0, 4].tolist() == [0, 0, 100]  # beside another class
    assert outlined[0, 5].tolist() == [50, 50, 100]  # the edge of the picture is no border
    assert outlined[0, 1].tolist() == [100, 100, 100]


def test_difference_tells_the_kinds_of_error_apart():
    target = np.array([[0, 1, 1, 0, 2, 1]], np.uint8)
    pred = np.array([[0, 1, 0, 2, 1, 0]], np.uint8)
    valid = np.array([[1, 1, 1, 1, 1, 0]], bool)
    shown = difference(np.full((1, 6, 3), 80, np.uint8), pred, target, valid=valid, opacity=1)
    plain = [60, 60, 60]
    assert shown[0].tolist() == [plain, list(CORRECT), list(MISSED), list(FALSE_ALARM), list(WRONG_CLASS), plain]


def test_mistakes_are_drawn_in_the_colour_of_their_kind():
    kinds = np.array([[0, 0, MISSED_OBJECT, SPURIOUS]], np.uint8)
    shown = error_picture(np.full((1, 4, 1), 80, np.uint8), kinds, np.array([[False, True, False, False]]), opacity=1)
    assert shown[0, 0].tolist() == [60] * 3 and shown[0, 1, 0] > 60 and len(set(shown[0, 1].tolist())) == 1
    assert shown[0, 2].tolist() == list(KINDS[MISSED_OBJECT - 1].color)
    assert shown[0, 3].tolist() == list(KINDS[SPURIOUS - 1].color)


def test_outlines_of_label_and_prediction():
    target, pred = np.zeros((20, 31), np.uint8), np.zeros((20, 31), np.uint8)
    target[4:12, 4:12], pred[4:12, 18:26] = 1, 1
    shown = two_outlines(np.full((20, 31, 3), 128, np.uint8), target, pred)
    assert shown[4, 6].tolist() == list(LABEL_LINE) and shown[4, 20].tolist() == list(PREDICTION_LINE)
    assert shown[3, 6].tolist() == [20, 20, 20] and shown[8, 8].tolist() == [128] * 3
    both = two_outlines(np.full((20, 31, 3), 128, np.uint8), target, target)
    assert both[4, 6].tolist() == list(PREDICTION_LINE)


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (4, np.uint16), (2, np.float32)])
def test_triptych_joins_gray_and_colour_side_by_side(channels, dtype):
    """The published listing of this figure joined gray and colour arrays along the wrong axis and failed."""
    image = np.linspace(0, 200, 5 * 7 * channels).reshape(5, 7, channels).astype(dtype)
    target, pred = np.zeros((5, 7), np.uint8), np.zeros((5, 7), np.uint16)
    target[1, 2], pred[3, 4] = 1, 2
    shown = triptych(image, target, pred, SPACE, bar=3)
    assert shown.shape == (5, 3 * 7 + 6, 3) and shown.dtype == np.uint8
    assert np.array_equal(shown[:, :7], to_display(image)) and (shown[:, 7:10] == 255).all()
    assert shown[1, 12].tolist() == [200, 0, 0] and shown[3, 24].tolist() == [0, 0, 100]
    assert (shown[:, 10:17] > 0).any(axis=2).sum() == 1
