"""Packed convolutions answer with the same numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from limner.models import build
from limner.runtimes.packed import PackedConv, can_pack, pack_convolutions
from limner.runtimes.pytorch import TorchPredictor, ready

pytestmark = pytest.mark.skipif(not can_pack(), reason="this build of torch has no oneDNN")
NETWORKS = {"unet": {"encoder": "plain", "encoder_widths": [5, 7, 9], "norm": "none", "level_dropout": [0.2] * 5}}


def test_answers_are_bit_identical_and_convolutions_are_packed():
    torch.manual_seed(1)
    arguments = NETWORKS["unet"]
    model = build("unet", arguments, channels=3, maps=2)
    batch = np.random.default_rng(0).random((2, 3, 37, 53), np.float32)
    plain = TorchPredictor(model, bfloat16=True)(batch)
    predictor = ready(model, bfloat16=True)
    packed = [module for module in predictor.model.modules() if isinstance(module, PackedConv)]
    assert len(packed) >= 10 and sum(module.activation == "relu" for module in packed) >= 10
    assert np.array_equal(predictor(batch), plain)
    assert np.array_equal(predictor(batch[:1, :, :20]), predictor(batch[:1, :, :20]))


def test_a_timm_encoder_answers_the_same():
    torch.manual_seed(2)
    model = build("unet", {"encoder": "test_efficientnet", "decoder_widths": [8, 6, 5]}, channels=1, maps=1)
    model.train()(torch.rand(2, 1, 64, 64))  # moves running means
    batch = np.random.default_rng(0).random((1, 1, 40, 72), np.float32)
    plain = TorchPredictor(model, bfloat16=True)(batch)
    assert np.array_equal(ready(model, bfloat16=True)(batch), plain)


def test_what_would_lose_stays_as_it_is():
    model = nn.Sequential(
        nn.Conv2d(4, 8, 1),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 8, 3, padding="same"),
        nn.Conv2d(8, 8, 3, padding=1),
    ).eval()
    pack_convolutions(model, dtype=torch.bfloat16)
    assert [isinstance(layer, PackedConv) for layer in model] == [False, False, False, True]


def test_in_float32_nothing_is_packed():
    model = build("unet", NETWORKS["unet"], channels=3, maps=1)
    assert not any(isinstance(module, PackedConv) for module in ready(model, bfloat16=False).model.modules())
