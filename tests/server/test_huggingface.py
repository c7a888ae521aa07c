"""The shape that Hugging Face's clients speak, held against the published schema and against plain NumPy."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from limner.classical import METHODS
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.core.sample import Sample
from limner.server.routes.huggingface import Parameters, segments
from tests.security.attacks import encoded, tiff
from tests.server.live import Live

SIZE = (37, 53)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    live = Live(tmp_path_factory.mktemp("bundle"))
    yield live
    live.close()


def blocks(seed=0):
    """Bright and dark blocks without symmetry, ``(37, 53, 3)`` uint8, and where they are bright."""
    mask = np.kron(np.random.default_rng(seed).integers(0, 2, (5, 7)), np.ones((8, 8), int))[: SIZE[0], : SIZE[1]]
    return np.repeat((40 + 170 * mask).astype(np.uint8)[..., None], 3, axis=2), mask


def picture_of(entry):
    image = Image.open(io.BytesIO(base64.b64decode(entry["mask"], validate=True)))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.array(image)


def ask(live, model, array, parameters=None):
    body = {"inputs": base64.b64encode(encoded(array, "PNG")).decode()}
    if parameters is not None:
        body["parameters"] = parameters
    return live.ask("POST", f"/hf/models/{model}", json=body)


def test_answers_have_the_fields_of_the_task(live):
    array, mask = blocks()
    answer = ask(live, "cells", array)
    assert answer.status_code == 200
    entries = answer.json()
    assert [entry["label"] for entry in entries] == ["background", "cell"]
    for entry, index in zip(entries, (0, 1), strict=True):
        assert set(entry) == {"label", "score", "mask"}
        assert np.array_equal(picture_of(entry), np.where(mask == index, 255, 0))
        assert 0.9 < entry["score"] <= 1


@pytest.mark.parametrize(
    ("kind", "data"), [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("application/octet-stream", "TIFF")]
)
def test_the_bytes_of_a_file_are_a_request_as_well(live, kind, data):
    array, _ = blocks(1)
    content = tiff(array) if data == "TIFF" else encoded(array, data, **({"quality": 100} if data == "JPEG" else {}))
    answer = live.ask("POST", "/hf/models/cells", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 200
    if data != "JPEG":
        assert answer.json() == ask(live, "cells", array).json()


def test_mask_threshold_decides_for_two_classes(live):
    array = np.zeros((5, 7, 3), np.uint8)
    array[:, :3], array[:, 3:] = 135, 160  # scores about 0.62 and 0.89
    assert (picture_of(ask(live, "cells", array).json()[-1]) == 255).all()
    entries = ask(live, "cells", array, {"mask_threshold": 0.8}).json()
    assert np.array_equal(picture_of(entries[1]) == 255, np.broadcast_to(np.arange(7) >= 3, (5, 7)))
    assert ask(live, "cells", array, {"mask_threshold": 1}).json()[0]["label"] == "background"


def test_threshold_leaves_out_what_is_not_sure(live):
    array = np.full((5, 7, 3), 135, np.uint8)
    assert len(ask(live, "cells", array).json()) == 1
    assert ask(live, "cells", array, {"threshold": 0.7}).json() == []


SCORES = np.array([[[0.5, 0.2, 0.1, 0.1]], [[0.3, 0.5, 0.45, 0.3]], [[0.2, 0.3, 0.45, 0.6]]], np.float32)


def three(parameters):
    space = LabelSpace(("a", "b", "c"))
    found = segments(Prediction("p", np.array([[0, 1, 1, 2]], np.uint8), space, SCORES), parameters)
    return {entry["label"]: (np.flatnonzero(picture_of(entry)).tolist(), round(entry["score"], 3)) for entry in found}


def test_thresholds_by_hand():
    assert three(Parameters()) == {"a": ([0], 0.5), "b": ([1, 2], 0.475), "c": ([3], 0.6)}
    assert three(Parameters(mask_threshold=0.47)) == {"a": ([0], 0.5), "b": ([1], 0.5), "c": ([3], 0.6)}
    assert three(Parameters(threshold=0.49)) == {"a": ([0], 0.5), "c": ([3], 0.6)}
    # above 0.25 alone: a 1, b 4, c 3 pixels; they have won 1, 2 and 1 of them
    assert set(three(Parameters(mask_threshold=0.25, overlap=0.4))) == {"a", "b"}
    assert set(three(Parameters(mask_threshold=0.25, overlap=0.5))) == {"a"}


def test_a_method_without_scores_gives_masks_alone(live):
    array, _ = blocks(2)
    entries = ask(live, "otsu", array).json()
    assert [set(entry) for entry in entries] == [{"label", "mask"}] * 2
    labels = METHODS["otsu"].segment(Sample("p", array)).labels
    assert np.array_equal(picture_of(entries[1]) == 255, labels == 1)
    refused = ask(live, "otsu", array, {"threshold": 0.5})
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "inputs"),
        ({"inputs": 3}, 422, "inputs"),
        ({"inputs": "äöü"}, 422, "base64"),
        ({"inputs": ""}, 422, "empty"),
        ({"inputs": "http://127.0.0.1:9/a.png"}, 422, "addresses are not followed"),
        ({"inputs": "AAAA"}, 415, "PNG"),
        ({"inputs": "", "parameters": []}, 422, "parameters"),
        ({"inputs": "", "parameters": {"subtask": "panoptic"}}, 422, "panoptic"),
        ({"inputs": "", "parameters": {"top_k": 3}}, 422, "top_k"),
        ({"inputs": "", "parameters": {"threshold": 1.5}}, 422, "threshold"),
        ({"inputs": "", "parameters": {"threshold": True}}, 422, "threshold"),
        ({"inputs": "", "parameters": {"mask_threshold": "0.5"}}, 422, "mask_threshold"),
    ],
)
def test_refusals_name_what_is_wrong(live, body, status, word):
    answer = live.ask("POST", "/hf/models/cells", json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] and word in error["message"]


def test_an_unknown_model_is_404_and_the_answer_names_the_known_ones(live):
    answer = live.ask("POST", "/hf/models/none", content=b"x")
    assert answer.status_code == 404 and "cells" in answer.json()["error"]["message"]


def test_json_is_read_strictly(live):
    for body in (
        b'{"inputs": NaN}',
        b"[1]",
        b'{"inputs":"a","inputs":"b"}',
        b"\xff",
        b"[" * 100_000,
        b"[" + b"1," * 20_000 + b"1]",
    ):
        answer = live.ask(
            "POST", "/hf/models/cells", content=body, headers={"Content-Type": "application/json; charset=utf-8"}
        )
        assert answer.status_code == 422 and answer.json()["error"]["code"] == "json", body[:40]


def test_what_is_unusual_about_a_picture_is_said_in_a_header(live, monkeypatch):
    monkeypatch.setattr("limner.server.unusual.strange", lambda image, bundle, size_hw: [f"größer: {size_hw}"])
    array, _ = blocks()
    assert json.loads(ask(live, "cells", array).headers["x-limner-warnings"]) == ["größer: (37, 53)"]
    assert json.loads(ask(live, "otsu", array).headers["x-limner-warnings"]) == []
