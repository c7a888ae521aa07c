"""Shared parts: sizes, enlarging, attention, pooling, pyramid, residual block; each against numbers worked out another way."""

import numpy as np
import pytest
import torch
from torch import nn

from limner.models.blocks.aspp import ASPP, ImagePooling, rates_at
from limner.models.blocks.attention import AttentionGate
from limner.models.blocks.conv import Float32Depthwise, SeparableConvNormAct
from limner.models.blocks.enlarge import make_enlarger
from limner.models.blocks.fpn import TopDown
from limner.models.blocks.residual import ResidualBlock
from limner.models.blocks.sizes import cut, enlarged, padded


def test_padding_repeats_the_border_and_cutting_undoes_it():
    x = torch.arange(15.0).reshape(1, 1, 3, 5)
    y = padded(x, 4)
    assert np.array_equal(y[0, 0].numpy(), np.pad(x[0, 0].numpy(), ((0, 1), (0, 3)), mode="edge"))
    assert torch.equal(cut(y, (3, 5)), x) and padded(y, 4) is y
    assert padded(x, 4, least=16).shape[-2:] == (16, 16) and padded(x, 1) is x
    assert cut(torch.zeros(1, 1, 8, 8), (21, 9), stride=4).shape[-2:] == (6, 3)


def test_logits_are_enlarged_in_float32():
    y = torch.zeros(1, 2, 3, 4, dtype=torch.bfloat16)
    assert enlarged(y, (3, 4)) is y
    assert enlarged(y, (6, 9)).dtype == torch.float32 and enlarged(y, (6, 9)).shape[-2:] == (6, 9)


def test_enlarging():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2)
    assert torch.equal(make_enlarger("nearest", 1, 1)(x)[0, 0], torch.tensor(np.kron(x[0, 0], np.ones((2, 2)))).float())
    assert make_enlarger("bilinear", 1, 1)(x)[0, 0, 0].tolist() == [1.0, 1.25, 1.75, 2.0]
    assert make_enlarger("transposed", 1, 3)(x).shape == (1, 3, 4, 4)


def test_attention_gate_by_hand():
    gate = AttentionGate(2, 1)
    with torch.no_grad():
        gate.skip.weight.copy_(torch.tensor([1.0, 2, 3, 4, 0, 0, 0, 1]).reshape(1, 2, 2, 2))
        gate.gate.weight.fill_(-2.0)
        gate.gate.bias.fill_(0.5)
        gate.score.weight.fill_(0.1)
        gate.score.bias.fill_(-1.0)
    skip = torch.arange(16.0).reshape(1, 2, 2, 4)
    coarse = torch.tensor([[3.0, 100.0]]).reshape(1, 1, 1, 2)
    # left: 0 + 2 + 12 + 20 + 13 = 47, right: 2 + 6 + 18 + 28 + 15 = 69; gate -5.5 and -199.5; relu 41.5 and 0
    left, right = (1 / (1 + np.exp(-(0.1 * value - 1))) for value in (41.5, 0.0))
    row = [left, 0.75 * left + 0.25 * right, 0.25 * left + 0.75 * right, right]
    np.testing.assert_allclose(gate.weights(skip, coarse)[0, 0].detach(), [row, row], rtol=1e-5)
    np.testing.assert_allclose(gate(skip, coarse)[0].detach(), skip[0].numpy() * np.array([row, row]), rtol=1e-5)


def test_pooling_sees_the_whole_picture_and_one_picture_is_enough():
    layer = ImagePooling(2, 1).train()
    with torch.no_grad():
        layer[0].weight.copy_(torch.tensor([1.0, -2.0]).reshape(1, 2, 1, 1))
        layer[0].bias.fill_(10.0)
    x = torch.rand(1, 2, 3, 5)
    expected = x[0, 0].mean() - 2 * x[0, 1].mean() + 10
    torch.testing.assert_close(layer(x), expected.expand(1, 1, 3, 5))


@pytest.mark.parametrize("separable", [False, True])
def test_branches_of_the_pooling_reach_as_far_as_their_rates(separable):
    aspp = ASPP(2, 3, rates=(2, 5), separable=separable).eval()
    x = torch.zeros(1, 2, 21, 23, requires_grad=True)
    for branch, rate in zip(aspp.atrous, (2, 5), strict=True):
        without_relu = nn.Sequential(*list(branch)[:-1])
        (gradient,) = torch.autograd.grad(without_relu(x)[..., 10, 11].sum(), x)
        rows, columns = np.nonzero(gradient[0].abs().sum(0).numpy())
        assert sorted(set(rows)) == [10 - rate, 10, 10 + rate]
        assert sorted(set(columns)) == [11 - rate, 11, 11 + rate]
    assert aspp(x).shape == (1, 3, 21, 23) and aspp.project[0].in_channels == 4 * 3


def test_rates_reach_as_far_at_other_strides():
    assert rates_at(16, (6, 12)) == (6, 12) and rates_at(8, (6, 12)) == (12, 24)
    assert rates_at(32, (6, 12, 1)) == (3, 6, 1)


def test_pyramid_adds_what_is_coarser():
    pyramid = TopDown((1, 1, 1), 1)
    with torch.no_grad():
        for layer, weight in zip(pyramid.lateral, (1.0, 10.0, 100.0), strict=True):
            layer.weight.fill_(weight)
            layer.bias.zero_()
    fine, middle, coarse = torch.rand(1, 1, 4, 8), torch.rand(1, 1, 2, 4), torch.rand(1, 1, 2, 4)
    with torch.no_grad():
        first, second, third = pyramid([fine, middle, coarse])
    torch.testing.assert_close(third, 100 * coarse)
    torch.testing.assert_close(second, 10 * middle + 100 * coarse)
    torch.testing.assert_close(first[0, 0], fine[0, 0] + torch.tensor(np.kron(second[0, 0], np.ones((2, 2)))).float())


def test_a_residual_block_whose_convolutions_are_silent_is_its_shortcut():
    block = ResidualBlock(2, 2, norm="batch", stride=2).eval()
    nn.init.zeros_(block.second[1].weight)
    x = torch.randn(1, 2, 6, 10)
    mean = x.reshape(1, 2, 3, 2, 5, 2).mean((3, 5))
    torch.testing.assert_close(block(x), torch.where(mean > 0, mean, 0.01 * mean))
    wider = ResidualBlock(2, 5, norm="instance")
    assert wider(x).shape == (1, 5, 6, 10) and len(wider.shortcut) == 2 and len(block.shortcut) == 1


def test_dilated_depthwise_convolutions_stay_in_float32():
    assert isinstance(SeparableConvNormAct(4, 5, dilation=3)[0], Float32Depthwise)
    plain = SeparableConvNormAct(4, 5)
    assert isinstance(plain[0], nn.Conv2d) and plain[0].groups == 4
    assert sum(p.numel() for p in plain.parameters()) == 4 * 9 + 4 * 5 + 2 * 5
