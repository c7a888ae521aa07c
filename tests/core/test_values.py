"""Labels, samples, predictions, names, durations, errors and reports: small values that check themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import limner
from limner.core.choices import choose, nearest
from limner.core.duration import format_duration, parse_duration
from limner.core.errors import DataError, LimnerError, RecipeError, ShapeError, UsageError
from limner.core.labels import LabelSpace, default_color
from limner.core.prediction import Prediction
from limner.core.protocols import Silent
from limner.core.report import Report, Score
from limner.core.sample import Sample

TWO, FOUR = LabelSpace(("background", "cell")), LabelSpace(("background", "a", "b", "c"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h1m1s", 3661), ("45", 45), ("2.5m", 150), (" 3M ", 180), ("0.5h", 1800)],
)  # fmt: skip
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "m", "-5m", "5 m", "10x", "1m1h", "soon", "1e3", "nan"])
def test_what_is_no_duration(text):
    with pytest.raises(UsageError, match="is not a duration") as caught:
        parse_duration(text)
    assert "10m" in caught.value.fix and caught.value.exit_code == 2


@given(st.integers(1, 10**6))
def test_durations_round_trip(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


def test_durations_are_short():
    assert [format_duration(s) for s in (0, -3, 0.4, 59.6, 3600, 3605)] == ["0s", "0s", "0s", "1m", "1h", "1h5s"]


def test_tasks_and_maps():
    assert (TWO.task, TWO.num_maps, len(TWO)) == ("multilabel", 1, 2)
    assert (FOUR.task, FOUR.num_maps, FOUR.foreground_names) == ("multiclass", 4, ("a", "b", "c"))


@pytest.mark.parametrize("names", [(), ("background",), ("a", "a")])
def test_classes_are_at_least_two_and_different(names):
    with pytest.raises(DataError, match="classes") as caught:
        LabelSpace(names)
    assert "limner.toml" in caught.value.fix


def test_colors():
    assert FOUR.colors[0] == (0, 0, 0) and len({default_color(i) for i in range(40)}) == 40
    own = LabelSpace(("background", "cell"), ((1, 2, 3), (4, 5, 6)))
    assert own.palette()[:6] == [1, 2, 3, 4, 5, 6] and len(own.palette()) == 768 and not any(own.palette()[6:])
    assert LabelSpace.from_dict(own.as_dict()) == own and LabelSpace.from_dict({"names": list(FOUR.names)}) == FOUR
    with pytest.raises(DataError, match="1 colours for 2 classes"):
        LabelSpace(("background", "cell"), ((1, 2, 3),))


def test_scores_become_ids():
    scores = np.array([[[0.5, 0.51, 0.2]]], np.float32)
    assert TWO.decode(scores).tolist() == [[0, 1, 0]] and TWO.decode(scores, threshold=0.1).tolist() == [[1, 1, 1]]
    many = np.array([[[0.4, 0.1]], [[0.3, 0.1]], [[0.2, 0.7]], [[0.1, 0.1]]], np.float32)
    assert FOUR.decode(many).tolist() == [[0, 2]] and FOUR.decode(many).dtype == np.uint8
    wide = LabelSpace(tuple(f"c{i}" for i in range(300)))
    assert wide.decode(np.eye(300, dtype=np.float32)[:, :, None])[:, 0].tolist() == list(range(300))
    assert wide.decode(np.zeros((300, 1, 1), np.float32)).dtype == np.uint16 and len(wide.palette()) == 768


def test_samples_agree_in_shape_or_cannot_be_built():
    image, ids = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    sample = Sample("a/b.png", image, ids, ids == 0)
    assert (sample.size_hw, sample.num_channels) == ((4, 6), 3)
    with pytest.raises(ShapeError, match=r"image of shape \(4, 6\); expected \(H, W, C\)") as caught:
        Sample("a/b.png", ids)
    assert caught.value.where == "a/b.png"
    for kind, wrong in (("labels", {"labels": ids.T}), ("valid", {"valid": ids[:3] == 0})):
        with pytest.raises(ShapeError, match=f"{kind} of shape .* for an image of \\(4, 6\\)") as caught:
            Sample("a/b.png", image, **wrong)
        assert "same size" in caught.value.fix


def test_predictions_agree_in_shape_and_count():
    ids = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
    assert Prediction("p", ids, TWO).pixels() == {"background": 3, "cell": 3}
    assert Prediction("p", ids, FOUR, np.zeros((4, 2, 3), np.float32)).pixels() == {
        "background": 3,
        "a": 3,
        "b": 0,
        "c": 0,
    }
    with pytest.raises(ShapeError, match=r"scores of shape \(1, 3, 2\)"):
        Prediction("p", ids, TWO, np.zeros((1, 3, 2), np.float32))


def test_nearest_names():
    table = {"unet": 1, "plain_unet": 2, "deeplab": 3}
    assert choose(table, "unet", kind="architecture") == 1
    with pytest.raises(RecipeError) as caught:
        choose(table, "deplab", kind="architecture")
    assert caught.value.found == "unknown architecture 'deplab'" and caught.value.fix == "did you mean 'deeplab'?"
    assert caught.value.expected == "one of deeplab, plain_unet, unet"
    assert nearest("zzz", table) == "known: deeplab, plain_unet, unet" and nearest("x", []) == ""
    assert nearest("une", ["unet", "unes"]) in ("did you mean 'unet' or 'unes'?", "did you mean 'unes' or 'unet'?")


def test_errors_are_a_paragraph_and_a_document():
    error = DataError("3 masks", expected="4", where="folder", fix="add one", details={"samples": 3})
    assert str(error) == "error: 3 masks; expected 4\nwhere: folder\nfix: add one" and error.exit_code == 1
    assert error.as_dict() == {
        "kind": "DataError",
        "found": "3 masks",
        "expected": "4",
        "where": "folder",
        "fix": "add one",
    }
    assert error.details == {"samples": 3} and LimnerError("x").text() == "error: x" and LimnerError("x").details == {}


def test_undefined_scores_become_null():
    score = Score(math.nan, 0.5, (math.nan, 0.75), 0.25, 0, 3)
    assert score.as_dict() == {
        "mean": None,
        "median": 0.5,
        "ci95": [None, 0.75],
        "pooled": 0.25,
        "n": 0,
        "undefined": 3,
    }
    report = Report("m", "d", "test", 3, 0.5, {"dice": {"cell": score}}, {"cell": {"n": 1, "false_positive_pixels": 2}},
                    {"dice": "words"}, "abc", 1.23456, missing=("p.png",))  # fmt: skip
    summary = report.summary()
    assert (
        summary["scores"]["dice"]["cell"]["mean"] is None
        and summary["seconds"] == 1.235
        and summary["missing"] == ["p.png"]
    )
    assert summary["resolution"] == "native" and summary["threshold"] == 0.5 and summary["samples"] == 3


def test_the_silent_listener_is_silent(capsys):
    assert Silent().progress("a", 1, 2) is None and Silent().message("x") is None
    assert capsys.readouterr() == ("", "")


def test_names_of_the_package():
    assert limner.LabelSpace is LabelSpace
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = limner.trian
