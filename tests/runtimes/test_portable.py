"""What stands for operations that ONNX lacks gives torch's own numbers, also when sizes are known only while computing."""

import pytest
import torch
import torch.nn.functional as F
from timm.layers.conv2d_same import Conv2dSame
from torch import nn

from limner.models import build
from limner.models.blocks.sizes import cut, padded
from limner.runtimes.portable import AnySize, PortableOperations, averages, cubic


@pytest.mark.parametrize("num_in", [1, 5, 6, 7, 13, 64])
@pytest.mark.parametrize("num_out", [1, 2, 3, 6])
def test_averages_are_those_of_adaptive_pooling(num_in, num_out):
    x = torch.rand(2, 3, num_in, 11)
    expected = F.adaptive_avg_pool2d(x, (num_out, 4))
    found = averages(num_in, num_out) @ x @ averages(11, 4).T
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(13, 9), (20, 31), (4, 3), (26, 5), (1, 1)])
def test_cubic_weights_are_those_of_antialiased_interpolation(size):
    x = torch.randn(1, 2, 13, 9)
    expected = F.interpolate(x, size=size, mode="bicubic", antialias=True)
    found = cubic(13, size[0]) @ x @ cubic(9, size[1]).T
    torch.testing.assert_close(found, expected, atol=5e-6, rtol=0)


def test_calls_inside_are_replaced_and_others_are_not():
    x = torch.rand(1, 2, 9, 7)
    calls = [
        lambda: nn.AdaptiveAvgPool2d(1)(x),
        lambda: nn.AdaptiveAvgPool2d((3, None))(x),
        lambda: F.interpolate(x, size=(2, 3), mode="area"),
        lambda: F.interpolate(x, size=(12, 5), mode="bicubic", antialias=True),
        lambda: F.interpolate(x, size=(12, 5), mode="bilinear", align_corners=False),
        lambda: F.relu(x - 0.5),
    ]
    for call in calls:
        expected = call()
        with PortableOperations():
            found = call()
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


class Halves(nn.Module):
    """Answers with the padded picture's own corner, so that another padding shows."""

    def __init__(self, multiple, least=1):
        super().__init__()
        self.encoder = nn.Identity()
        self.encoder.strides = (1, multiple)
        self.least = least

    def forward(self, x):
        size_hw = x.shape[-2:]
        wide = padded(x, self.encoder.strides[-1], least=self.least)
        return cut(wide + wide.mean((2, 3), keepdim=True), size_hw)


@pytest.mark.parametrize(("multiple", "least"), [(4, 1), (8, 24), (1, 1)])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 24), (21, 3)])
def test_padding_is_the_networks_own(multiple, least, size):
    network, x = Halves(multiple, least), torch.rand(2, 3, *size)
    torch.testing.assert_close(AnySize(network)(x), network(x))


@pytest.mark.parametrize("size", [(1, 1), (37, 61), (64, 96)])
@pytest.mark.parametrize("architecture", ["unet", "deeplabv3plus"])  # the second dilates its encoder
def test_constant_padding_is_that_of_the_encoder_and_goes_again(architecture, size):
    torch.manual_seed(0)
    network = build(architecture, {"encoder": "tf_efficientnet_lite0"}, channels=3, maps=2).eval()
    layers = [module for module in network.modules() if type(module) is Conv2dSame]
    x = torch.randn(2, 3, *size)
    with torch.inference_mode():
        expected = network(x)
        torch.testing.assert_close(AnySize(network)(x), expected, atol=1e-5, rtol=1e-5)
        assert len(layers) > 3 and not any("forward" in vars(layer) for layer in layers)
        torch.testing.assert_close(network(x), expected, atol=0, rtol=0)
