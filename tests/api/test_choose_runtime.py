"""The runtime that was asked for, or the fastest, which is measured once and remembered."""

import dataclasses
import json
import time
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from limner.api import choose_runtime
from limner.api.choose_runtime import cache_file, open_predictor
from limner.api.open import open_segmenter
from limner.core.bundle import Bundle, InputContract
from limner.core.errors import BundleError, MachineError, UsageError
from limner.core.labels import LabelSpace
from limner.core.sample import Sample
from limner.runtimes.onnx import OnnxPredictor
from tests.runtimes.onnx_files import convolve, write_convolution

CONTRACT = InputContract(
    channels=3, scale=1.0, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.5
)  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choose_runtime.sys, "platform", "linux")
    return tmp_path / "cache/limner/runtimes.json"


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "model"
    write_convolution(folder / "model.onnx", maps=3)
    (folder / "weights.safetensors").write_bytes(b"not opened here")
    made = Bundle(
        folder, "unet", {"channels": 3, "maps": 3}, LabelSpace(("background", "cell", "wall")), CONTRACT,
        exports={"onnx": {"files": ["model.onnx"]}},
    )  # fmt: skip
    made.save()
    return made


def slow(seconds, name):
    def load():
        def predictor(batch):
            time.sleep(seconds)
            return batch

        predictor.name = name
        return predictor

    return load


def offer(monkeypatch, **seconds):
    monkeypatch.setattr(
        choose_runtime, "_loaders", lambda bundle: {name: slow(value, name) for name, value in seconds.items()}
    )


def test_without_torch_the_onnx_file_is_all_that_is_needed(bundle, monkeypatch):
    monkeypatch.setattr(choose_runtime, "missing", lambda extra: ["torch"])
    bundle.weights.unlink()
    segmenter, _ = open_segmenter(bundle.folder)
    image = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    expected = convolve(((image.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None], maps=3)[0].argmax(0)
    np.testing.assert_array_equal(segmenter.segment(Sample("a", image)).labels, expected)


def test_a_single_runtime_is_not_measured(bundle, monkeypatch):
    monkeypatch.setattr(choose_runtime, "missing", lambda extra: ["torch"])
    monkeypatch.setattr(choose_runtime, "_measure", lambda *_: pytest.fail("measured"))
    assert open_predictor(bundle, "auto").name == "onnx"


def test_the_fastest_is_chosen_and_remembered(bundle, monkeypatch, cache):
    offer(monkeypatch, torch=0.03, onnx=0.001, openvino=0.01)
    assert open_predictor(bundle, "auto").name == "onnx"
    assert cache_file() == cache
    (entry,) = json.loads(cache.read_text()).values()
    assert entry["runtime"] == "onnx" and entry["ms"]["torch"] > entry["ms"]["openvino"] > entry["ms"]["onnx"] >= 1
    monkeypatch.setattr(choose_runtime, "_measure", lambda *_: pytest.fail("measured again"))
    assert open_predictor(bundle, "auto").name == "onnx"


def test_another_bundle_or_another_choice_is_measured_anew(bundle, monkeypatch, cache):
    offer(monkeypatch, torch=0.0, onnx=0.02)
    assert open_predictor(bundle, "auto").name == "torch"
    offer(monkeypatch, onnx=0.02, openvino=0.0)
    assert open_predictor(bundle, "auto").name == "openvino"
    dataclasses.replace(bundle, training={"steps": 8}).save()
    offer(monkeypatch, torch=0.02, onnx=0.0)
    assert open_predictor(bundle, "auto").name == "onnx"
    assert len(json.loads(cache.read_text())) == 3


def test_several_bundles_are_computed_by_one_runtime(bundle, monkeypatch):
    other = dataclasses.replace(bundle, training={"steps": 8})
    offers = {id(bundle): {"torch": 0.02, "onnx": 0.0, "openvino": 0.01}, id(other): {"torch": 0.0, "openvino": 0.03}}

    def loaders(one):
        return {name: slow(value, name) for name, value in offers[id(one)].items()}

    monkeypatch.setattr(choose_runtime, "_loaders", loaders)
    assert choose_runtime.runtime_for_all([bundle]) == "onnx"
    assert choose_runtime.runtime_for_all([bundle, other]) == "openvino"  # the fastest of the first that both have
    offers[id(other)] = {"onnx-int8": 0.0}
    with pytest.raises(BundleError, match="no runtime opens each of"):
        choose_runtime.runtime_for_all([bundle, other])
    offers[id(other)] = {}
    with pytest.raises(MachineError):
        choose_runtime.runtime_for_all([bundle, other])


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"a": 3}', b"\xff\xfe"])
def test_a_damaged_memory_is_written_anew(bundle, monkeypatch, cache, content):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content)
    offer(monkeypatch, torch=0.02, onnx=0.0)
    assert open_predictor(bundle, "auto").name == "onnx"
    assert len(json.loads(cache.read_text())) == 1


def test_where_nothing_can_be_remembered_it_still_works(bundle, monkeypatch, cache):
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where the folder should be")
    offer(monkeypatch, torch=0.02, onnx=0.0)
    assert open_predictor(bundle, "auto").name == "onnx"


def test_a_runtime_that_fails_is_passed_over(bundle, monkeypatch):
    def broken():
        raise BundleError("cannot be opened")

    monkeypatch.setattr(choose_runtime, "_loaders", lambda bundle: {"openvino": broken, "onnx": slow(0.0, "onnx")})
    assert open_predictor(bundle, "auto").name == "onnx"


def test_a_runtime_whose_memory_runs_out_is_passed_over(bundle, monkeypatch):
    class Session:
        def get_inputs(self):
            return [SimpleNamespace(name="image")]

        def run(self, *_):
            raise onnxruntime.capi.onnxruntime_pybind11_state.Fail("Failed to allocate memory for requested buffer")

    def full():
        return lambda batch: np.empty((2**50, 2**6), np.uint8)

    monkeypatch.setattr(
        choose_runtime, "_loaders",
        lambda bundle: {
            "onnx": lambda: OnnxPredictor(Session(), name="onnx"), "openvino": full, "torch": slow(0.0, "torch"),
        },
    )  # fmt: skip
    assert open_predictor(bundle, "auto").name == "torch"


def test_what_is_missing_is_named_with_the_way_to_get_it(bundle, monkeypatch):
    with pytest.raises(UsageError, match="onx"):
        open_predictor(bundle, "onx")
    with pytest.raises(BundleError) as caught:
        open_predictor(bundle, "onnx-int8")
    assert "limner export" in caught.value.fix and "--int8" in caught.value.fix
    monkeypatch.setattr(choose_runtime, "missing", lambda extra: [extra])
    with pytest.raises(MachineError) as absent:
        open_predictor(bundle, "openvino")
    assert "limner[openvino]" in absent.value.fix
    with pytest.raises(MachineError) as none:
        open_predictor(dataclasses.replace(bundle, exports={}), "auto")
    assert "limner export MODEL --to onnx" in none.value.fix and "limner[train]" in none.value.fix


def test_mirrored_copies_are_those_of_the_training(bundle):
    with pytest.raises(UsageError, match="without mirroring"):
        open_segmenter(bundle.folder, runtime="onnx", tta=True)
    dataclasses.replace(bundle, training={"mirrored": "x"}).save()
    segmenter, _ = open_segmenter(bundle.folder, runtime="onnx", tta=True)
    assert segmenter.contract.flips == "x"


def test_openvino_reads_the_onnx_file_in_float32_only(bundle):
    pytest.importorskip("openvino")
    assert open_predictor(bundle, "openvino").name == "openvino"
    dataclasses.replace(bundle, exports={**bundle.exports, "onnx-int8": {"files": ["model.onnx"]}}).save()
    with pytest.raises(BundleError, match="openvino-int8"):
        open_segmenter(bundle.folder, runtime="openvino-int8")


@pytest.mark.parametrize("passed", [True, False])
def test_bfloat16_only_where_the_export_has_judged_it(bundle, passed):
    pytest.importorskip("openvino")
    from limner.runtimes import openvino

    export = {"files": ["model.onnx"], "bfloat16": {"passed": passed, "label_disagreement": 0.0}}
    found = open_predictor(dataclasses.replace(bundle, exports={"openvino": export}), "openvino")
    assert found.name == ("openvino bfloat16" if passed and openvino.has_fast_bfloat16() else "openvino")
