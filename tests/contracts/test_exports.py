"""Every network of the table says the same as an ONNX file, at every size; a new entry is tested without a new line here."""

import numpy as np
import pytest
import torch

from limner.api.network import model_arguments
from limner.core.named_recipes import named_recipe, recipe_names
from limner.models import build
from limner.runtimes import onnx
from limner.runtimes.export_onnx import export_onnx
from limner.runtimes.parity import compare, failures_float32
from limner.runtimes.pytorch import TorchPredictor
from tests.contracts.test_architectures import ADAPTED, OWN, network

SHAPES = [(1, 1, 1), (1, 5, 7), (1, 37, 61), (3, 20, 33), (1, 96, 160)]
SHARE = 1e-4  # of the spread of the logits: ten times stricter than the gate


def lively(model, channels=3):
    """Running means that are no zeros, and logits that differ from pixel to pixel."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.8, 1.6)
    return TorchPredictor(model.eval(), bfloat16=False)


def tiles(channels, shapes=SHAPES):
    random = np.random.default_rng(5)
    return [random.normal(size=(n, channels, h, w)).astype(np.float32) for n, h, w in shapes]


def check(plain, folder, channels, shapes=SHAPES):
    export_onnx(plain.model, folder / "model.onnx", channels=channels)
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]
    parity = compare(plain, onnx.load(folder / "model.onnx", threads=1), tiles(channels, shapes), threshold=0.5)
    assert failures_float32(parity) == []
    assert parity.max_abs_logit_difference <= SHARE * parity.logit_spread
    assert parity.tiles == sum(n for n, _, _ in shapes)


@pytest.mark.parametrize("name", [*OWN, *ADAPTED])
def test_an_onnx_file_says_the_same_at_every_size(name, tmp_path):
    check(lively(network(name)), tmp_path, 3)


@pytest.mark.parametrize("name", recipe_names())
def test_the_network_of_a_recipe_says_the_same(name, tmp_path):
    recipe = named_recipe(name)
    torch.manual_seed(0)
    model = build(recipe.model.architecture, model_arguments(recipe), channels=recipe.data.channels, maps=1)
    plain = TorchPredictor(model.eval(), bfloat16=False)  # as initialised: a hundred layers of random gains are chaotic
    check(plain, tmp_path, recipe.data.channels, [(1, 5, 7), (2, 37, 61)])


@pytest.mark.parametrize("name", ["unet", "smp/pspnet", "unet plain"])
def test_openvino_says_the_same_at_every_size(name, tmp_path):
    pytest.importorskip("openvino")
    from limner.runtimes import openvino
    from limner.runtimes.export_openvino import export_openvino

    model = network(name)
    plain = lively(model)
    export_onnx(model, tmp_path / "model.onnx", channels=3)
    file = export_openvino(tmp_path / "model.onnx", tmp_path / "openvino")
    assert sorted(path.name for path in file.parent.iterdir()) == ["model.bin", "model.xml"]
    candidate = openvino.load(file, threads=1, bfloat16=False)
    parity = compare(plain, candidate, tiles(3, SHAPES[:4]), threshold=0.5)
    assert failures_float32(parity) == []
    assert parity.max_abs_logit_difference <= SHARE * parity.logit_spread
