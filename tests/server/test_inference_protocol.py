"""The Open Inference Protocol, version 2: fields and types as its specification lists them."""

import base64
import dataclasses
import json

import numpy as np
import pytest

import limner
from limner.server.limits import Limits
from limner.server.model_metadata import metadata
from limner.server.tensors import answer_parts
from tests.make_data import picture
from tests.security.attacks import encoded
from tests.server.live import Live, bright

# specification/protocol/open_inference_rest.yaml: required fields and their JSON types, optional ones after them
SERVER = {"name": str, "version": str, "extensions": list}
MODEL = {"name": str, "platform": str, "versions": list, "inputs": list, "outputs": list}
TENSOR = {"name": str, "datatype": str, "shape": list}
RESPONSE = {"model_name": str, "model_version": str, "outputs": list}
OUTPUT = {"name": str, "shape": list, "datatype": str, "data": list}
DATATYPES = {
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES",
}  # fmt: skip


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    live = Live(tmp_path_factory.mktemp("bundle"), limits=Limits(parts=4))
    yield live
    live.close()


def has(value, fields):
    for name, kind in fields.items():
        assert isinstance(value[name], kind), name
    return value


def infer(live, model, *tensors, **more):
    return live.ask("POST", f"/v2/models/{model}/infer", json={"inputs": list(tensors), **more})


def bytes_of(*arrays):
    data = [base64.b64encode(encoded(array, "PNG")).decode() for array in arrays]
    return {"name": "image", "shape": [len(data)], "datatype": "BYTES", "data": data}


def test_the_server_says_who_it_is_and_how_it_is(live):
    answer = live.ask("GET", "/v2")
    assert has(answer.json(), SERVER) == {"name": "limner", "version": limner.__version__, "extensions": []}
    assert live.ask("GET", "/v2/health/live").json() == {"live": True}
    ready = live.ask("GET", "/v2/health/ready")
    assert ready.status_code == 200 and ready.json()["ready"] is True


@pytest.mark.parametrize("with_version", [False, True])
def test_metadata_names_tensors_and_preprocessing(live, with_version):
    version = live.engine.get("colors").version
    path = f"/v2/models/colors{f'/versions/{version}' if with_version else ''}"
    found = has(live.ask("GET", path).json(), MODEL)
    assert found["versions"] == [version] and len(version) == 12
    for tensor in (*found["inputs"], *found["outputs"]):
        has(tensor, TENSOR)
        assert tensor["datatype"] in DATATYPES and all(type(size) is int for size in tensor["shape"])
    inputs = {tensor["name"]: tensor for tensor in found["inputs"]}
    assert inputs["input"]["shape"] == [-1, 3, -1, -1] and inputs["input"]["datatype"] == "FP32"
    assert "nothing else" in inputs["input"]["parameters"]["preprocessing"]
    assert inputs["image"]["parameters"]["preprocessing"]["normalization"] == "fixed"
    assert {tensor["name"]: tensor["shape"] for tensor in found["outputs"]} == {
        "labels": [-1, -1, -1],
        "logits": [-1, 3, -1, -1],
    }
    assert found["parameters"]["classes"][2] == "<b>&wall"
    assert live.ask("GET", f"{path}/ready").json() == {"name": "colors", "ready": True}


def test_the_threshold_of_scores_is_calibrated_and_that_of_logits_is_not(live):
    loaded = live.engine.get("cells")
    contract = dataclasses.replace(loaded.bundle.contract, threshold=0.4, temperature=2.0)
    found = metadata(dataclasses.replace(loaded, bundle=dataclasses.replace(loaded.bundle, contract=contract)))
    assert found["parameters"]["threshold"] == 0.449490  # 1 / (1 + 1.5 ** 0.5)
    (logits,) = (output for output in found["outputs"] if output["name"] == "logits")
    assert logits["parameters"]["sigmoid_threshold"] == 0.4
    several = metadata(live.engine.get("colors"))
    assert several["parameters"]["threshold"] is None and "sigmoid_threshold" not in several["outputs"][1]["parameters"]


def test_a_method_takes_pictures_only(live):
    found = live.ask("GET", "/v2/models/otsu").json()
    assert [tensor["name"] for tensor in found["inputs"]] == ["image"]
    numbers = {"name": "input", "shape": [1, 3, 1, 1], "datatype": "FP32", "data": [0, 0, 0]}
    answer = infer(live, "otsu", numbers)
    assert answer.status_code == 422 and "classical" in answer.json()["error"]
    assert infer(live, "otsu", bytes_of(picture(0, (5, 7)))).json()["outputs"][0]["shape"] == [1, 5, 7]


@pytest.mark.parametrize("is_nested", [False, True])
def test_numbers_go_to_the_network_and_nothing_else_happens(live, is_nested):
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 7)).astype(np.float32)
    before = live.models.calls
    tensor = {
        "name": "input",
        "shape": [2, 3, 5, 7],
        "datatype": "FP32",
        "data": (x if is_nested else x.ravel()).tolist(),
    }
    found = has(infer(live, "cells", tensor, id="42", outputs=[{"name": "logits"}]).json(), RESPONSE)
    assert live.models.calls == before + 1
    assert (found["id"], found["model_name"], found["model_version"]) == (
        "42",
        "cells",
        live.engine.get("cells").version,
    )
    (output,) = (has(entry, OUTPUT) for entry in found["outputs"])
    assert (output["name"], output["datatype"], output["shape"]) == ("logits", "FP32", [2, 1, 5, 7])
    assert np.array_equal(np.array(output["data"], np.float32).reshape(2, 1, 5, 7), bright(x))  # bit for bit


def test_pictures_go_the_whole_way(live):
    first, second = (np.full((5, 7, 3), 40, np.uint8) for _ in range(2))
    first[1:3, 2:6], second[4, 0] = 220, 220
    found = infer(live, "cells", bytes_of(first, second)).json()
    assert "id" not in found
    (output,) = found["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("labels", "UINT8", [2, 5, 7])
    expected = np.stack([first[..., 0] > 127, second[..., 0] > 127]).astype(int)
    assert np.array_equal(np.array(output["data"]).reshape(2, 5, 7), expected)


FP32 = {"name": "input", "shape": [1, 3, 1, 2], "datatype": "FP32", "data": [0, 1, 2, 3, 4, 5]}
IMAGE = {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["AAAA"]}
BAD = [
    ({}, 422, "inputs"),
    ({"inputs": []}, 422, "inputs"),
    ({"inputs": [FP32, IMAGE]}, 422, "one tensor"),
    ({"inputs": [3]}, 422, "object"),
    ({"inputs": [{**FP32, "name": "x"}]}, 422, "unknown input 'x'"),
    ({"inputs": [{**FP32, "datatype": "FP64"}]}, 422, "FP32"),
    ({"inputs": [{**FP32, "shape": [6]}]}, 422, "[-1, 3, -1, -1]"),
    ({"inputs": [{**FP32, "shape": [1, 3, 1, 3]}]}, 422, "[9]"),
    ({"inputs": [{**FP32, "shape": [1, 3, -1, 2]}]}, 422, "shape"),
    ({"inputs": [{**FP32, "shape": [1, 3, 1.0, 2]}]}, 422, "shape"),
    ({"inputs": [{**FP32, "shape": [1, 3, 2**31, 2**31]}]}, 413, "x"),
    ({"inputs": [{**FP32, "shape": [9, 3, 1000, 1000]}]}, 413, "9,000,000"),
    ({"inputs": [{**FP32, "data": ["1"] * 6}]}, 422, "not numbers"),
    ({"inputs": [{**FP32, "data": [True] * 6}]}, 422, "not numbers"),
    ({"inputs": [{**FP32, "data": [None] * 6}]}, 422, "not numbers"),
    ({"inputs": [{**FP32, "data": [[1, 2], [3]]}]}, 422, "different lengths"),
    ({"inputs": [{**FP32, "data": [1e39] * 6}]}, 422, "beyond float32"),
    ({"inputs": [{**FP32, "data": {}}]}, 422, "data"),
    ({"inputs": [IMAGE]}, 415, "PNG"),
    ({"inputs": [{**IMAGE, "data": ["a", "b"]}]}, 422, "1 texts"),
    ({"inputs": [{**IMAGE, "data": ["http://127.0.0.1:9/x"]}]}, 422, "not followed"),
    ({"inputs": [{**IMAGE, "shape": [5], "data": ["a"] * 5}]}, 413, "5 pictures"),
    ({"inputs": [{**IMAGE, "shape": [2, 2]}]}, 422, "[-1]"),
    ({"inputs": [FP32], "outputs": [{"name": "labels"}]}, 422, "logits"),
    ({"inputs": [FP32], "outputs": 3}, 422, "outputs"),
    ({"inputs": [FP32], "id": 3}, 422, "id"),
]


@pytest.mark.parametrize(("body", "status", "words"), BAD)
def test_errors_are_one_sentence_under_one_key(live, body, status, words):
    answer = live.ask("POST", "/v2/models/cells/infer", json=body)
    assert answer.status_code == status
    error = answer.json()
    assert set(error) == {"error"} and words in error["error"] and len(error["error"]) < 300


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v2/models/none"), ("GET", "/v2/models/cells/versions/old"), ("POST", "/v2/models/cells/versions/old/infer"),
     ("GET", "/v2/none"), ("GET", "/v2/models/none/ready")],
)  # fmt: skip
def test_what_is_not_there_is_404_in_the_same_form(live, method, path):
    answer = live.ask(method, path)
    assert answer.status_code == 404 and set(answer.json()) == {"error"}


def test_a_wrong_method_and_no_json_have_the_same_form(live):
    assert set(live.ask("PUT", "/v2").json()) == {"error"}
    for content in (b"", b"{", b'{"inputs": [NaN]}', b"[" * 100_000, b"1e400"):
        answer = live.ask("POST", "/v2/models/cells/infer", content=content)
        assert answer.status_code == 422 and set(answer.json()) == {"error"}


def test_pictures_of_several_sizes_are_refused_and_no_seat_stays_taken(live):
    answer = infer(live, "cells", bytes_of(picture(0, (5, 7)), picture(1, (7, 5))))
    assert answer.status_code == 422 and "sizes" in answer.json()["error"]
    assert 'limner_queue_depth{model="cells"} 0' in live.ask("GET", "/metrics").text


def test_more_pictures_than_the_queue_holds_are_refused_for_good(tmp_path):
    narrow = Live(tmp_path, names=("otsu",), limits=Limits(queue=2))
    try:
        answer = infer(narrow, "otsu", bytes_of(*[picture(i, (5, 7)) for i in range(3)]))
        assert answer.status_code == 413 and "Retry-After" not in answer.headers
        assert "3 pictures, the queue of a model 2" in answer.json()["error"]
        assert infer(narrow, "otsu", bytes_of(*[picture(i, (5, 7)) for i in range(2)])).status_code == 200
    finally:
        narrow.close()


def test_large_answers_are_written_in_pieces():
    array = np.random.default_rng(0).normal(size=(1, 2, 300, 301)).astype(np.float32)
    parts = list(answer_parts({"model_name": "m"}, {"logits": array}))
    assert len(parts) > 3 and max(map(len, parts)) < 2_000_000
    (output,) = json.loads(b"".join(parts))["outputs"]
    assert np.array_equal(np.array(output["data"], np.float32).reshape(output["shape"]), array)
    wide = json.loads(b"".join(answer_parts({"model_name": "m"}, {"labels": np.array([[[300, 1]]], np.uint16)})))
    assert wide["outputs"][0]["datatype"] == "UINT16"


def test_what_is_unusual_about_a_picture_is_said(live, monkeypatch):
    monkeypatch.setattr(
        "limner.server.unusual.strange", lambda image, bundle, size_hw: ["darker"] if image.max() < 99 else []
    )
    dark, usual = np.full((5, 7, 3), 40, np.uint8), np.full((5, 7, 3), 140, np.uint8)
    assert infer(live, "cells", bytes_of(usual, dark)).json()["parameters"] == {"warnings": ["picture 1: darker"]}
    assert "parameters" not in infer(live, "cells", bytes_of(usual)).json()


def test_what_is_held_for_a_request_is_given_back(live, monkeypatch):
    taken = []
    monkeypatch.setattr("limner.server.routes.inference_protocol.take", taken.append)
    infer(live, "colors", {**FP32, "shape": [1, 3, 1, 2]})
    infer(live, "colors", bytes_of(picture(0, (5, 7))))
    assert taken == [24, 24, 0, 35]
    monkeypatch.undo()
    infer(live, "colors", {**FP32, "shape": [1, 3, 1, 2]})
    assert live.engine.held.bytes == 0
