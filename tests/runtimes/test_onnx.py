"""ONNX Runtime and OpenVINO compute what the file says, at any size, and say what is wrong with a broken file."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from limner.core.bundle import InputContract
from limner.core.errors import BundleError
from limner.core.labels import LabelSpace
from limner.core.memory import ran_out
from limner.core.sample import Sample
from limner.inference.segmenter import NetworkSegmenter
from limner.runtimes import onnx
from tests.runtimes.onnx_files import convolve, write_convolution, write_square

SHAPES = [(1, 3, 5, 7), (3, 3, 1, 1), (2, 3, 33, 18)]


def load_onnx(file):
    return onnx.load(file, threads=1)


def load_openvino(file):
    pytest.importorskip("openvino")
    from limner.runtimes import openvino

    return openvino.load(file, threads=1, bfloat16=False)


LOADERS = [load_onnx, load_openvino]


@pytest.mark.parametrize("load", LOADERS)
def test_logits_are_those_of_the_file_at_any_size(tmp_path, load):
    write_convolution(tmp_path / "model.onnx")
    predictor = load(tmp_path / "model.onnx")
    for number, shape in enumerate(SHAPES):
        batch = np.random.default_rng(number).normal(size=shape).astype(np.float32)
        found = predictor(batch)
        assert found.dtype == np.float32 and found.shape == (shape[0], 2, *shape[2:])
        np.testing.assert_allclose(found, convolve(batch), atol=1e-4)


SIGNAL = """
import signal, sys
from limner.runtimes import openvino
predictors = [openvino.load(sys.argv[1], threads=1, bfloat16=False) for _ in range(2)]
openvino.has_fast_bfloat16()
while predictors:
    del predictors[0]
signal.signal(signal.SIGTERM, lambda *_: print("heard", flush=True))
signal.raise_signal(signal.SIGTERM)
"""


def test_a_signal_is_heard_when_networks_are_gone(tmp_path):
    pytest.importorskip("openvino")
    write_convolution(tmp_path / "model.onnx")
    done = subprocess.run(
        [sys.executable, "-c", SIGNAL, str(tmp_path / "model.onnx")], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


@pytest.mark.parametrize("load", LOADERS)
def test_an_answer_stays_when_the_next_picture_is_computed(tmp_path, load):
    write_convolution(tmp_path / "model.onnx")
    predictor = load(tmp_path / "model.onnx")
    first = np.ones((1, 3, 6, 5), np.float32)
    kept = predictor(first)
    before = kept.copy()
    predictor(-first)
    np.testing.assert_array_equal(kept, before)


@pytest.mark.parametrize("load", LOADERS)
def test_a_file_that_is_no_network_is_named(tmp_path, load):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07not a network")
    with pytest.raises(BundleError) as caught:
        load(tmp_path / "model.onnx")
    assert (
        "model.onnx cannot be opened" in caught.value.found and "model.onnx" in caught.value.where and caught.value.fix
    )


def test_full_memory_is_said_in_words_that_are_known(tmp_path):
    write_square(tmp_path / "model.onnx")
    predictor = load_onnx(tmp_path / "model.onnx")
    small = np.array([[[[1.0, 2.0, 3.0]]]], np.float32)
    np.testing.assert_allclose(predictor(small), small + 4)  # (1 + 2 + 3)^2 / 9
    with pytest.raises(RuntimeError) as caught:
        predictor(np.zeros((1, 1, 3000, 4000), np.float32))  # 576 TB, beyond any address space
    assert ran_out(caught.value) and "ONNX Runtime" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(RuntimeError) as caught:
        predictor(np.zeros((1, 2, 3, 3), np.float32))
    assert not ran_out(caught.value)


class Crowded:
    """A session that computes at most so many pixels at once, and stops at more as ONNX Runtime does."""

    def __init__(self, pixels):
        self.pixels, self.refused, self.shapes = pixels, [], []

    def get_inputs(self):
        return [SimpleNamespace(name="image")]

    def run(self, _, inputs):
        batch = inputs["image"]
        if batch.shape[2] * batch.shape[3] > self.pixels:
            self.refused.append(batch.shape)
            raise onnxruntime.capi.onnxruntime_pybind11_state.Fail(
                "[ONNXRuntimeError] : 1 : FAIL : bfc_arena.cc:360\nFailed to allocate memory for requested buffer of size 9"
            )
        self.shapes.append(batch.shape)
        return [batch[:, :1]]


def test_a_picture_that_is_too_large_for_onnx_runtime_comes_in_smaller_tiles():
    contract = InputContract(1, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5)
    session = Crowded(600 * 700)
    segmenter = NetworkSegmenter(onnx.OnnxPredictor(session, name="onnx"), contract, LabelSpace(("background", "x")), 1)
    image = np.zeros((900, 1001, 1), np.uint8)
    image[100:800, 300:950] = 255
    labels = segmenter.segment(Sample("a", image)).labels
    assert session.refused and len(session.shapes) > 1
    np.testing.assert_array_equal(labels, image[..., 0] > 127)


def test_bfloat16_is_asked_for_not_assumed(tmp_path):
    openvino = pytest.importorskip("openvino")
    from limner.runtimes import openvino as runtime

    write_convolution(tmp_path / "model.onnx")
    predictor = runtime.load(tmp_path / "model.onnx", threads=1, bfloat16=True)
    hint = predictor.request.get_compiled_model().get_property("INFERENCE_PRECISION_HINT")
    assert hint == openvino.Type.bf16 or not runtime.has_fast_bfloat16()
    plain = runtime.load(tmp_path / "model.onnx", threads=1, bfloat16=False)
    assert plain.request.get_compiled_model().get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
