"""Tables of a bundle that somebody else made: what computes with them never meets anything else than it reads."""

import copy
import json

import pytest

from limner.core.bundle import Bundle, InputContract, read_bundle
from limner.core.bundle_tables import LOOK_NUMBERS, checked_answers, checked_training
from limner.core.errors import BundleError
from limner.core.labels import LabelSpace
from limner.data.input_features import FEATURES

CONTRACT = InputContract(
    channels=3, scale=1.0, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.5
)  # fmt: skip
INPUTS = {
    "channels": [3], "dtypes": ["uint8"], "smallest_hw": [30, 41], "largest_hw": [99, 70], "low": 0.0, "high": 255.0,
    "scale": [0.5] * 10, "limit": 1.5, "pictures": [[0.1] * 10, [0.2] * 10],
}  # fmt: skip
CONFIDENCE = {
    "kind": "line", "x": [0.0, 1.0], "y": [0.1, 0.9], "pictures": 7, "from": "validation", "error": 0.1, "plain_error": 0.2,
    "constant_error": 0.3,
}  # fmt: skip
TRAINING = {
    "limner": "0.1", "data": "cells", "spacing_mm": [0.5, 0.4], "precision": "auto", "mirrored": "yx",
    "best": {"value": None}, "scores": {"split": "test", "dice": {"cell": 0.5, "wall": None}},
}  # fmt: skip
RULES = {"rules": None, "reason": "none passed"}


@pytest.fixture
def tree(tmp_path):
    """A bundle of a classical method, which needs no weights; gives what its file holds."""
    answers = {"inputs": INPUTS, "confidence": CONFIDENCE, "postprocess": RULES}
    Bundle(
        tmp_path, "classical/otsu", {}, LabelSpace(("background", "cell", "wall"), things=("cell",)), CONTRACT, TRAINING,
        licences=("CC0",), answers=answers,
    ).save()  # fmt: skip
    return json.loads((tmp_path / "bundle.json").read_text())


def test_what_training_writes_is_read_again(tree, tmp_path):
    found = read_bundle(tmp_path)
    assert found.training == TRAINING and found.answers["inputs"] == INPUTS and found.licences == ("CC0",)
    for nothing in (None, {}):
        assert checked_answers({"inputs": nothing, "confidence": nothing}) is not None
    few = INPUTS | {"limit": None, "pictures": []}
    assert checked_answers({"inputs": few})["inputs"] == few
    assert checked_training({"spacing_mm": None, "anything": [1, {"else": None}]})
    assert len(FEATURES) == LOOK_NUMBERS


WRONG = [
    (["training"], [None, [1], 5], "training"),
    (["training", "spacing_mm"], [[1], "ab", [-1, 1], [1, 0], [1, True], ["1", "2"], 5, {"a": 1}], "training.spacing_mm"),
    (["training", "mirrored"], [5, "z", ["x"]], "training.mirrored"),
    (["training", "precision"], [["auto"], 16], "training.precision"),
    (["training", "scores"], [5, {"dice": 1}, {"dice": {"cell": "1"}}, {"split": 5}], "training.scores"),
    (["training", "best"], ["x"], "training.best"),
    (["licences"], [5, "abc", [5]], "licences"),
    (["answers"], [None, [1]], "answers"),
    (["answers", "inputs"], [5, {"a": 1}, [1], "x", False], "answers.inputs"),
    (["answers", "inputs", "pictures"], [[[1, 2]], [5], 5, None, [["a"] * 10]], "answers.inputs"),
    (["answers", "inputs", "scale"], [[0.0] * 10, [1.0] * 9, ["a"] * 10], "answers.inputs.scale"),
    (["answers", "inputs", "limit"], ["a", None], "answers.inputs"),
    (["answers", "inputs", "smallest_hw"], [[0, 5], [5], [1.5, 2]], "answers.inputs.smallest_hw"),
    (["answers", "inputs", "channels"], [3, ["3"]], "answers.inputs.channels"),
    (["answers", "inputs", "dtypes"], ["uint8", [8]], "answers.inputs.dtypes"),
    (["answers", "inputs", "low"], ["0", None], "answers.inputs"),
    (["answers", "confidence"], [5, {"x": [0]}, {"x": [0], "y": []}, {"x": [], "y": []}], "answers.confidence"),
    (["answers", "confidence", "x"], [[1.0, 0.0], ["a", "b"], [0.0]], "answers.confidence.x"),
    (["answers", "confidence", "error"], ["a"], "answers.confidence.error"),
    (["answers", "postprocess"], [5, [1]], "answers.postprocess"),
    (["classes", "colors"], [[[0, 0, 0], [900, -4, 1], [1, 1, 1]], [[0, 0]] * 3, "abc", [[0.5] * 3] * 3], "classes.colors"),
    (["classes", "names"], [["a", 5, "b"], "abc", None], "classes"),
    (["classes", "things"], ["cell"], "classes.things"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value", "words"), [(place, value, words) for place, values, words in WRONG for value in values]
)
def test_anything_else_is_named(tree, tmp_path, place, value, words):
    changed = copy.deepcopy(tree)
    table = changed
    for name in place[:-1]:
        table = table[name]
    table[place[-1]] = value
    (tmp_path / "bundle.json").write_text(json.dumps(changed))
    with pytest.raises(BundleError) as caught:
        read_bundle(tmp_path)
    assert "bundle.json cannot be read" in caught.value.found and words in caught.value.found
    assert caught.value.expected and caught.value.where and caught.value.fix


def test_numbers_that_are_none(tree, tmp_path):
    text = json.dumps(tree).replace('"limit": 1.5', '"limit": NaN')
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"answers\.inputs\.limit is nan"):
        read_bundle(tmp_path)
