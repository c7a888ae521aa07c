import dataclasses

import numpy as np
import pytest
from PIL import Image

from limner.core.labels import LabelSpace
from limner.evaluation.curves import curve_figure, curves_together
from limner.evaluation.evaluate import evaluate_pairs
from limner.evaluation.figure_style import to_png, to_svg
from limner.evaluation.figures import calibrated, plots_of, write_figures
from limner.evaluation.gallery import Case, draw_case
from limner.evaluation.inspection import Inspector
from limner.evaluation.plots import (
    confusion_figure,
    dice_figure,
    error_figure,
    histogram_figure,
    reliability_figure,
)


def report(names=("background", "one")):
    pairs = [(f"p{i}", np.eye(6, dtype=np.uint8)[i : i + 3], np.ones((3, 6), np.uint8), None) for i in range(3)]
    return evaluate_pairs(pairs, LabelSpace(names), model="m", data="d", split="test")


HISTORY = [
    {"step": "10", "seconds": "100", "train_loss": "0.9", "val_dice": ""},
    {"step": "20", "seconds": "200", "train_loss": "0.5", "val_dice": "0.25"},
    {"step": "30", "seconds": "300", "train_loss": "nan", "val_dice": "0.75"},
    {"step": "40", "seconds": "400", "train_loss": "0.4", "val_dice": "0.5"},
]


def test_curves_leave_out_gaps_and_mark_what_was_kept():
    loss = curve_figure(HISTORY, "train_loss", "Loss").axes[0].lines[0]
    assert loss.get_xdata() == pytest.approx([100 / 60, 200 / 60, 400 / 60])
    assert list(loss.get_ydata()) == [0.9, 0.5, 0.4]
    kept = curve_figure(HISTORY, "val_dice", "Dice", kept=40).axes[0]  # a later one that is not measurably worse
    assert kept.lines[1].get_xydata().tolist() == [[400 / 60, 0.5]]
    assert [text.get_text() for text in kept.texts] == ["kept 0.500"]
    for step in (None, 10, 41):  # none, one without a value, one that there is not
        assert len(curve_figure(HISTORY, "val_dice", "Dice", kept=step).axes[0].lines) == 1
    marked = plots_of(report(), history=HISTORY, kept_step=20)["validation_dice"]().axes[0]
    assert marked.lines[1].get_xydata().tolist() == [[200 / 60, 0.25]]
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


def test_curves_together_have_a_scale_each():
    left, right = curves_together(HISTORY, "train_loss", "val_dice", ("loss", "Dice")).axes
    assert list(left.lines[0].get_ydata()) == [0.9, 0.5, 0.4] and list(right.lines[0].get_ydata()) == [0.25, 0.75, 0.5]
    assert left.lines[0].get_linestyle() != right.lines[0].get_linestyle()
    assert curves_together(HISTORY, "train_loss", "nothing", ("a", "b")) is None


def test_histogram_counts_pictures_and_leaves_out_what_is_undefined():
    axes = histogram_figure([0.0, 0.02, 0.97, 1.0, float("nan")], "Dice").axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert (len(heights), heights[0], heights[-1], sum(heights)) == (20, 2, 2, 4)
    assert histogram_figure([float("nan")], "Dice") is None


def test_confusion_shows_shares_of_rows_and_says_none_for_an_empty_one():
    figure = confusion_figure(((6, 2), (0, 0)), ("background", "<b>$x$"))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["75.0%\n6", "25.0%\n2", "none", "none"]
    assert to_png(figure).startswith(b"\x89PNG")
    assert confusion_figure((), ()) is None
    many = [f"c{i}" for i in range(20)]
    assert not confusion_figure(np.eye(20, dtype=int).tolist(), many).axes[0].texts
    assert confusion_figure(np.eye(31, dtype=int).tolist(), [str(i) for i in range(31)]) is None


def bins(pixels):
    return [
        {"from": 0, "to": 1, "n": n, "confidence": 0.8 if n else None, "accuracy": 0.6 if n else None} for n in pixels
    ]


def test_reliability_leaves_out_empty_bins_and_names_classes():
    axes = reliability_figure({"_a": bins([3, 0, 5]), "$b": bins([1])}).axes[0]
    assert [len(line.get_xdata()) for line in axes.lines] == [2, 2, 1]
    assert [text.get_text().strip() for text in axes.figure.legends[0].get_texts()] == ["_a", "$b"]
    assert to_png(axes.figure).startswith(b"\x89PNG")
    assert reliability_figure({"a": bins([0])}) is None and reliability_figure({}) is None


def test_calibration_is_shown_for_the_foreground_or_for_each_class():
    made = {name: bins([1]) for name in ("background", "one", "foreground")}
    two = dataclasses.replace(report(), calibration=made)
    assert calibrated(two) == ["foreground"] and calibrated(report()) == []
    three = dataclasses.replace(report(), calibration={**made, "two": bins([1])})
    assert calibrated(three) == ["one", "two"]


def test_error_bars_are_shares():
    axes = error_figure([1, 3, 0, 0, 0, 0]).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.75, 0, 0, 0, 0]
    assert error_figure([0] * 6) is None


def test_png_files(tmp_path):
    pred, target = np.eye(6, dtype=np.uint8)[1:4], np.ones((3, 6), np.uint8)
    space = LabelSpace(("background", "one"))
    inspector = Inspector(space)
    inspector.add("p", pred, target)
    case = Case("p", np.zeros((3, 6, 3), np.uint8), target, pred, 0.5, "worst")
    cases = [draw_case(case, space), draw_case(dataclasses.replace(case, kind="best"), space)] * 2
    scored = report()
    written = write_figures(
        tmp_path / "figures", report=scored, history=HISTORY, inspection=inspector.result(), cases=cases
    )
    names = {path.name for path in written}
    assert {"loss.png", "validation_dice.png", "curves.png", "dice_per_image.png", "dice_histogram.png"} <= names
    assert {"errors.png", "worst-1-triptych.png", "worst-2-overlay.png", "best-2-triptych.png"} <= names
    assert ("confusion.png" in names) == bool(scored.confusion) and len(names) == len(written)
    for path in written:
        with Image.open(path) as image:
            assert image.format == "PNG"
    few = {path.name for path in write_figures(tmp_path / "none", report=report())}
    assert few <= {"dice_per_image.png", "dice_histogram.png", "confusion.png"} and "dice_per_image.png" in few


def test_figures_of_several_classes_lead_with_the_classes():
    pairs = [("p", np.array([[1, 2, 0, 0]]), np.array([[1, 2, 2, 0]]), None)]
    found = evaluate_pairs(pairs, LabelSpace(("background", "one", "two")), model="m", data="d", split="test")
    axes = plots_of(found)["dice_per_image"]().axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["one", "two"]
    assert plots_of(found)["loss"]() is None
