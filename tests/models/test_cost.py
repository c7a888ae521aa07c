"""Weights and arithmetic of networks, against counts by hand and the published ones of torchvision."""

import time

import pytest
import torch
import torchvision
from torch import nn

from limner.models import build
from limner.models.blocks.doubling import DoublingConv
from limner.models.cost import gmacs, layer_table, output_hw, parameters, weights_total
from limner.models.dry_run import dry_run


def test_weights_count_running_statistics_but_no_counters():
    module = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))
    assert parameters(module) == 3 * 5 * 9 + 5 + 10 and weights_total(module) == parameters(module) + 10


@pytest.mark.parametrize(
    ("layer", "channels", "expected"),
    [
        (nn.Conv2d(4, 10, 3, padding=1), 4, 7 * 6 * 10 * 4 * 9),
        (nn.Conv2d(4, 8, 3, padding=1, groups=4), 4, 7 * 6 * 8 * 1 * 9),
        (nn.Conv2d(4, 10, 3, padding=2, dilation=2), 4, 7 * 6 * 10 * 4 * 9),
        (DoublingConv(4, 10), 4, 7 * 6 * 4 * 10 * 4),
        (nn.Linear(6, 9), 2, 2 * 7 * 6 * 9),
        (nn.BatchNorm2d(3), 3, 0),
    ],
)
def test_arithmetic_by_hand(layer, channels, expected):
    assert gmacs(layer, channels, (7, 6)) * 1e9 == pytest.approx(expected)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "resnext50_32x4d", "swin_t", "vit_b_16"])
def test_arithmetic_as_published(name):
    meta = torchvision.models.get_model_weights(name).DEFAULT.meta
    with torch.device("meta"):
        module = torchvision.models.get_model(name)
    assert parameters(module) == meta["num_params"]
    if name not in ("swin_t", "vit_b_16"):  # published without the products of attention
        assert gmacs(module, 3, (224, 224)) == pytest.approx(meta["_ops"], rel=0.005)


def test_a_table_has_every_weight_and_every_shape():
    model = build("unet", {"encoder": "test_efficientnet", "deep_supervision": True}, channels=3, maps=2)
    table = layer_table(model, 3, (64, 96))
    assert sum(row.weights for row in table) == weights_total(model)
    shapes = {row.name: row.output_shape for row in table}
    assert shapes["head"] == (2, 64, 96) and shapes["decoder.0.first.0"] == (128, 4, 6)
    assert shapes["level_heads.0"] == () and table[0].kind == "Conv2d"  # the plain forward pass does not call it
    names = [row.name for row in table]
    assert len(set(names)) == len(names) and set(names) <= dict(model.named_modules()).keys()


def test_attention_that_calls_no_layer_is_counted_too():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            y = x.flatten(2).transpose(1, 2)
            return self.attention(y, y, y, need_weights=False)[0]

    block = Block()
    assert sum(row.weights for row in layer_table(block, 8, (3, 5))) == parameters(block) == 3 * 72 + 72
    assert gmacs(block, 8, (3, 5)) * 1e9 == pytest.approx(15 * 8 * 32 + 2 * 15 * 15 * 8)


def test_nothing_of_the_module_changes():
    model = build("unet", {"encoder": "test_efficientnet"}, channels=3, maps=1).train()
    model.encoder.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert output_hw(model, 3, (37, 53)) == (37, 53)
    assert dry_run(model, 3, (37, 53)).device.type == "meta"
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model.training and not model.encoder.training and model.decoder.training


def test_the_largest_network_takes_seconds_at_most():
    start = time.perf_counter()
    with torch.device("meta"):
        model = build("residual-unet", {}, channels=3, maps=1)
    assert gmacs(model, 3, (512, 512)) > 100 and layer_table(model, 3, (512, 512))
    assert time.perf_counter() - start < 5
