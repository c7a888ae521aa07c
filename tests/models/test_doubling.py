"""The matrix product of training is the transposed convolution that it replaces."""

import torch
import torch.nn.functional as F

from limner.models.blocks.doubling import DoublingConv


def test_output_and_gradients_equal_those_of_the_transposed_convolution():
    torch.manual_seed(0)
    layer, x = DoublingConv(5, 3), torch.randn(2, 5, 7, 4, requires_grad=True)
    y, expected = layer(x), F.conv_transpose2d(x, layer.weight, layer.bias, stride=2)
    torch.testing.assert_close(y, expected)
    assert y.is_contiguous(memory_format=torch.channels_last)
    upstream = torch.randn_like(y)
    inputs = (x, layer.weight, layer.bias)
    pairs = zip(*(torch.autograd.grad(out, inputs, upstream) for out in (y, expected)), strict=True)
    for found, wanted in pairs:
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_evaluation_uses_the_standard_layer():
    layer, x = DoublingConv(2, 3).eval(), torch.randn(1, 2, 4, 6)
    torch.testing.assert_close(layer(x), layer.train()(x))
