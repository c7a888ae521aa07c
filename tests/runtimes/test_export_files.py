"""One file with everything in it, words for strangers, silence while it is written, and INT8 that still resembles the network."""

import json

import numpy as np
import onnx as onnx_format
import pytest
import torch
from torch import nn

from limner.core.bundle import Bundle, InputContract
from limner.core.errors import BundleError
from limner.core.labels import LabelSpace
from limner.runtimes import export_onnx as module
from limner.runtimes import onnx
from limner.runtimes.export_onnx import describe, export_onnx
from limner.runtimes.parity import compare
from limner.runtimes.pytorch import TorchPredictor
from limner.runtimes.quantize_onnx import quantize_onnx
from tests.runtimes.onnx_files import write_convolution

CONTRACT = InputContract(
    channels=1, scale=0.5, normalization="unit", intensity_range=(10.0, 4095.0), tile=256, overlap=0.25, flips="x",
    threshold=0.4,
)  # fmt: skip


class Network(nn.Module):
    """Two layers; `middle` stands between them."""

    def __init__(self, channels=3, maps=1, middle=None):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU())
        self.encoder.strides = (1, 4)
        self.head = nn.Conv2d(8, maps, 1)
        self.middle = middle or (lambda y: y)

    def forward(self, x):
        return self.head(self.middle(self.encoder(x)))


def make(seed=0, **options):
    torch.manual_seed(seed)
    return TorchPredictor(Network(**options).eval(), bfloat16=False)


def tiles(channels=3, count=6):
    random = np.random.default_rng(1)
    return [random.uniform(-1, 1, (1, channels, 24, 36)).astype(np.float32) for _ in range(count)]


def test_the_file_names_its_axes_and_says_what_to_feed(tmp_path):
    space = LabelSpace(("background", "cell", "wall"), ((0, 0, 0), (255, 0, 16), (1, 2, 3)))
    bundle = Bundle(tmp_path, "unet", {"channels": 3, "maps": 3}, space, CONTRACT)
    export_onnx(make(maps=3).model, tmp_path / "m.onnx", channels=3, metadata=describe(bundle))
    model = onnx_format.load(tmp_path / "m.onnx")
    axes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input]
    assert axes == [["batch", 3, "height", "width"]]
    assert [v.name for v in (*model.graph.input, *model.graph.output)] == ["image", "logits"]
    assert model.opset_import[0].version == 17 and model.producer_name == "limner"
    words = {entry.key: entry.value for entry in model.metadata_props}
    facts = {key.removeprefix("limner."): json.loads(v) for key, v in words.items() if v[0] in "[{"}
    assert facts["classes"][1] == {"id": 1, "name": "cell", "color": "#ff0010"}
    assert facts["input"]["intensity_range"] == [10.0, 4095.0] and facts["input"]["divide_by"] == 255.0
    assert facts["output"]["activation"] == "softmax" and facts["tiling"]["tile"] == 256
    assert words["limner.architecture"] == "unet"


def test_two_classes_are_described_as_one_map_with_a_threshold(tmp_path):
    bundle = Bundle(tmp_path, "unet", {"channels": 1, "maps": 1}, LabelSpace(("background", "cell")), CONTRACT)
    output = json.loads(describe(bundle)["limner.output"])
    assert output["activation"] == "sigmoid" and output["threshold"] == 0.4


def test_a_network_that_onnx_cannot_hold_is_refused_in_silence(tmp_path, capfd):
    network = make(middle=lambda y: torch.special.bessel_j0(y)).model
    with pytest.raises(BundleError, match="Network cannot be written as ONNX") as caught:
        export_onnx(network, tmp_path / "m.onnx", channels=3)
    assert "bessel" in caught.value.found and "\n" not in caught.value.found
    assert "opset 17" in caught.value.expected and caught.value.fix
    assert capfd.readouterr().out == ""
    print("heard again")
    assert "heard again" in capfd.readouterr().out


def test_a_network_beyond_one_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 900)
    with pytest.raises(BundleError, match=r"the weights take 0\.0 GiB"):
        export_onnx(make().model, tmp_path / "m.onnx", channels=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep_edges", [False, True])
def test_int8_resembles_the_network_and_keeps_its_words(tmp_path, keep_edges, capfd):
    network = make()
    export_onnx(network.model, tmp_path / "m.onnx", channels=3, metadata={"limner.architecture": "two layers"})
    kept = quantize_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", tiles(), keep_edges=keep_edges)
    model = onnx_format.load(tmp_path / "q.onnx")
    constants = {weight.name for weight in model.graph.initializer}
    plain = [node.name for node in model.graph.node if node.op_type == "Conv" and node.input[1] in constants]
    assert {entry.key: entry.value for entry in model.metadata_props}["limner.architecture"] == "two layers"
    assert len(kept) == (2 if keep_edges else 0) and plain == list(kept)  # of two layers both are edges
    parity = compare(network, onnx.load(tmp_path / "q.onnx", threads=1), tiles(count=2), threshold=0.5)
    assert parity.max_abs_logit_difference < 0.05 * parity.logit_spread
    assert (parity.max_abs_logit_difference < 1e-5) == keep_edges
    assert capfd.readouterr().out == ""


def test_a_network_of_one_layer_has_nothing_between_its_edges(tmp_path):
    write_convolution(tmp_path / "m.onnx")
    with pytest.raises(BundleError, match="no layer is left"):
        quantize_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", tiles(), keep_edges=True)


@pytest.mark.parametrize("keep_edges", [False, True])
def test_int8_of_openvino_resembles_the_network(tmp_path, keep_edges, capfd):
    pytest.importorskip("nncf")
    pytest.importorskip("openvino")
    from limner.runtimes.openvino import core, load
    from limner.runtimes.quantize_openvino import quantize_openvino

    network = make()
    export_onnx(network.model, tmp_path / "m.onnx", channels=3)
    words = {"limner.architecture": "two layers"}
    kept = quantize_openvino(tmp_path / "m.onnx", tmp_path / "q", tiles(), keep_edges=keep_edges, metadata=words)
    model = core().read_model(tmp_path / "q/model.xml")
    assert model.get_rt_info(["limner", "architecture"]).value == "two layers"
    assert len(kept) == (2 if keep_edges else 0)
    parity = compare(network, load(tmp_path / "q/model.xml", threads=1, bfloat16=False), tiles(count=2), threshold=0.5)
    assert parity.max_abs_logit_difference < 0.05 * parity.logit_spread
    assert (parity.max_abs_logit_difference < 1e-5) == keep_edges
    assert capfd.readouterr().out == ""
