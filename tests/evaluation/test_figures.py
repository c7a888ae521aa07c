import numpy as np
import pytest
from PIL import Image

from limner.core.labels import LabelSpace
from limner.evaluation.evaluate import evaluate_pairs
from limner.evaluation.figures import (
    CORRECT,
    FALSE_ALARM,
    MISSED,
    WRONG_CLASS,
    curve_figure,
    dice_figure,
    difference,
    overlay,
    to_display,
    to_svg,
    write_figures,
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


def report(names=("background", "one")):
    pairs = [(f"p{i}", np.eye(6, dtype=np.uint8)[i : i + 3], np.ones((3, 6), np.uint8), None) for i in range(3)]
    return evaluate_pairs(pairs, LabelSpace(names), model="m", data="d", split="test")


HISTORY = [
    {"step": "10", "seconds": "100", "train_loss": "0.9", "val_dice": ""},
    {"step": "20", "seconds": "200", "train_loss": "0.5", "val_dice": "0.25"},
    {"step": "30", "seconds": "300", "train_loss": "nan", "val_dice": "0.75"},
    {"step": "40", "seconds": "400", "train_loss": "0.4", "val_dice": "0.5"},
]


def test_curves_leave_out_gaps_and_mark_the_best():
    loss = curve_figure(HISTORY, "train_loss", "Loss").axes[0].lines[0]
    assert loss.get_xdata() == pytest.approx([100 / 60, 200 / 60, 400 / 60])
    assert list(loss.get_ydata()) == [0.9, 0.5, 0.4]
    best = curve_figure(HISTORY, "val_dice", "Dice", best=True).axes[0]
    assert best.lines[1].get_xydata().tolist() == [[5.0, 0.75]]
    assert curve_figure(HISTORY, "nothing", "x") is None and curve_figure(HISTORY[:1], "train_loss", "x") is None


def test_steps_stand_in_for_a_missing_clock():
    axes = curve_figure([{"step": 1, "train_loss": 3}, {"step": 2, "train_loss": 2}], "train_loss", "Loss").axes[0]
    assert axes.get_xlabel() == "step" and list(axes.lines[0].get_xdata()) == [1, 2]


def test_svg_stands_alone_and_is_reproducible():
    drawn = [to_svg(dice_figure(report(), ["foreground"]), name="d", label='a "<b>"') for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert "http" not in drawn[0] and "<script" not in drawn[0] and "currentColor" in drawn[0]
    assert 'aria-label="a &#34;&#60;b&#62;&#34;"' in drawn[0]
    ids = [part.split('"')[0] for part in drawn[0].split('id="')[1:]]
    assert ids and all(name.startswith("d-") for name in ids)


def test_names_in_any_script_or_with_signs_can_be_drawn():
    names = ("background", "<x> $\\frac{ 核")
    svg = to_svg(dice_figure(report(names), [names[1]]), name="d", label="x")
    assert "<x>" not in svg and "&lt;x&gt;" in svg


def test_png_files(tmp_path):
    written = write_figures(tmp_path / "figures", report=report(), history=HISTORY)
    assert [path.name for path in written] == ["loss.png", "validation_dice.png", "dice_per_image.png"]
    for path in written:
        with Image.open(path) as image:
            assert image.width > 400
    assert [p.name for p in write_figures(tmp_path / "none", report=report())] == ["dice_per_image.png"]
