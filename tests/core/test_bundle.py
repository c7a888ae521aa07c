"""The model folder: written, read, and refused when it is not whole."""

import dataclasses
import json

import pytest

from limner.core.bundle import FORMAT_VERSION, Bundle, InputContract, read_bundle
from limner.core.errors import BundleError
from limner.core.labels import LabelSpace
from limner.core.object_head import ObjectHead

CONTRACT = InputContract(
    channels=1, scale=0.5, normalization="percentile", intensity_range=(3.0, 900.0), tile=640, overlap=0.25, flips="xy",
    threshold=0.4,
)  # fmt: skip


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "run" / "model"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    made = Bundle(
        folder, "unet", {"channels": 3, "maps": 3}, LabelSpace(("background", "cell", "wall")), CONTRACT,
        {"steps": 7, "best": {"value": 0.5}}, ("Apache-2.0",),
    )  # fmt: skip
    made.save()
    return made


def test_round_trip_from_the_run_and_from_the_bundle(bundle):
    assert read_bundle(bundle.folder) == read_bundle(bundle.folder.parent) == bundle
    assert read_bundle(bundle.folder).contract.intensity_range == (3.0, 900.0)
    tree = json.loads((bundle.folder / "bundle.json").read_text())
    assert tree["format_version"] == FORMAT_VERSION and tree["classes"]["names"] == ["background", "cell", "wall"]
    # sha256sum of the seven bytes
    assert tree["files"] == {"weights.safetensors": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"}


def change(bundle, **values):
    file = bundle.folder / "bundle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def refused(path, words):
    with pytest.raises(BundleError) as caught:
        read_bundle(path)
    assert words in caught.value.found and caught.value.expected and caught.value.where and caught.value.fix
    return caught.value


def test_older_keys_may_be_absent(bundle):
    file = bundle.folder / "bundle.json"
    tree = json.loads(file.read_text())
    del tree["training"], tree["licences"], tree["classes"]["colors"]
    file.write_text(json.dumps(tree))
    found = read_bundle(bundle.folder)
    assert found.training == {} and found.licences == () and found.label_space == bundle.label_space


def test_a_newer_version_says_to_update(bundle):
    change(bundle, format_version=FORMAT_VERSION + 1)
    assert "pip install -U limner" in refused(bundle.folder, f"version {FORMAT_VERSION + 1}").fix


def test_changed_and_missing_weights_are_noticed(bundle):
    bundle.weights.write_bytes(b"Weights")
    assert "changed" in refused(bundle.folder, "weights.safetensors is changed").found
    bundle.weights.unlink()
    refused(bundle.folder, "weights.safetensors is missing")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"format_version": "x"}', '{"format_version": 1}', '{"format_version": 1, "input": {}}'],
)  # fmt: skip
def test_a_broken_description_is_refused(bundle, text):
    (bundle.folder / "bundle.json").write_text(text)
    refused(bundle.folder, "cannot be read")


@pytest.mark.parametrize("values", [{"input": {"channels": 3}}, {"classes": []}, {"files": 3}, {"input": None}])
def test_parts_of_another_kind_are_refused(bundle, values):
    change(bundle, **values)
    refused(bundle.folder, "cannot be read")


def test_bytes_that_are_no_text_are_refused(bundle):
    (bundle.folder / "bundle.json").write_bytes(b"\xff\xfe{}")
    refused(bundle.folder, "cannot be read")


def test_no_model_at_all(tmp_path):
    assert "limner train" in refused(tmp_path / "nowhere", "no model at").fix
    refused(tmp_path, "no model at")


def with_export(bundle, **more):
    (bundle.folder / "model.onnx").write_bytes(b"network")
    made = dataclasses.replace(bundle, exports={"onnx": {"files": ["model.onnx"], **more}}, answers={"postprocess": {}})
    made.save()
    return made


def test_exports_are_kept_and_their_files_are_guarded(bundle):
    made = with_export(bundle, precision="float32")
    assert read_bundle(bundle.folder) == made
    (bundle.folder / "model.onnx").write_bytes(b"Network")
    refused(bundle.folder, "model.onnx is changed")
    (bundle.folder / "model.onnx").unlink()
    refused(bundle.folder, "model.onnx is missing")


def test_weights_may_be_left_out_where_there_is_an_export(bundle):
    bundle.weights.unlink()
    refused(bundle.folder, "weights.safetensors is missing")
    bundle.weights.write_bytes(b"weights")
    with_export(bundle)
    bundle.weights.unlink()
    assert read_bundle(bundle.folder).exports["onnx"]["files"] == ["model.onnx"]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "c:\\x", "..\\x"])
def test_files_outside_of_the_folder_are_not_touched(bundle, name):
    made = with_export(bundle)
    change(bundle, exports={"onnx": {"files": [name]}})
    refused(bundle.folder, "outside")
    change(bundle, exports=made.exports, files={name: "0"})
    refused(bundle.folder, "outside")


@pytest.mark.parametrize("exports", [{"onnx": 3}, {"onnx": {}}, {"onnx": {"files": []}}, [1]])
def test_exports_of_another_shape_are_refused(bundle, exports):
    change(bundle, exports=exports)
    refused(bundle.folder, "bundle.json cannot be read")


def test_the_threshold_that_people_are_told_is_that_of_calibrated_scores(bundle):
    cells = LabelSpace(("background", "cell"))
    raw = dataclasses.replace(bundle, label_space=cells)
    assert (bundle.threshold, bundle.calibrated_threshold) == (None, None)  # several classes compete
    assert (raw.threshold, raw.calibrated_threshold) == (0.4, 0.4)
    unsure = dataclasses.replace(raw, contract=dataclasses.replace(CONTRACT, temperature=2.0))
    odds = (0.4 / 0.6) ** 0.5
    assert (unsure.threshold, unsure.calibrated_threshold) == (0.4, round(odds / (1 + odds), 6))
    for same in (0.0, 0.5, 1.0):
        assert unsure.contract.calibrated(same) == same
    steep = dataclasses.replace(CONTRACT, temperature=1e-3)
    assert steep.calibrated(0.9) == pytest.approx(1) and steep.calibrated(0.1) == pytest.approx(0)


def test_query_masks_that_become_objects_have_no_threshold(bundle):
    contract = dataclasses.replace(CONTRACT, objects=ObjectHead("queries", "queries", 9.0))
    stuff, things = LabelSpace(("background", "cell")), LabelSpace(("background", "cell"), things=("cell",))
    assert dataclasses.replace(bundle, label_space=stuff, contract=contract).threshold == 0.4
    assert dataclasses.replace(bundle, label_space=things, contract=contract).calibrated_threshold is None
    flow = dataclasses.replace(CONTRACT, objects=ObjectHead("flow", "flow", 9.0))
    assert dataclasses.replace(bundle, label_space=things, contract=flow).threshold == 0.4
