"""ONNX Runtime and OpenVINO compute what the file says, at any size, and say what is wrong with a broken file."""

import numpy as np
import pytest

from limner.core.errors import BundleError
from limner.runtimes import onnx
from tests.runtimes.onnx_files import convolve, write_convolution

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


def test_bfloat16_is_asked_for_not_assumed(tmp_path):
    openvino = pytest.importorskip("openvino")
    from limner.runtimes import openvino as runtime

    write_convolution(tmp_path / "model.onnx")
    predictor = runtime.load(tmp_path / "model.onnx", threads=1, bfloat16=True)
    hint = predictor.request.get_compiled_model().get_property("INFERENCE_PRECISION_HINT")
    assert hint == openvino.Type.bf16 or not runtime.has_fast_bfloat16()
    plain = runtime.load(tmp_path / "model.onnx", threads=1, bfloat16=False)
    assert plain.request.get_compiled_model().get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
