"""The textbook U-Net has exactly the parameters of the published system."""

import pytest
import torch

from limner.models.plain_unet import PlainUNet


@pytest.mark.parametrize(("channels", "parameters"), [(3, 1_941_105), (1, 1_940_817)])
def test_published_number_of_parameters(channels, parameters):
    model = PlainUNet.Config().build(channels=channels, maps=1)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert not list(model.buffers())


def test_parameters_by_hand():
    # two levels of 4 and 6: (3*9+1)*4 + (4*9+1)*4 + (4*9+1)*6 + (6*9+1)*6 + up (6*4*4+4) + (8*9+1)*4 + (4*9+1)*4 + head 5
    model = PlainUNet.Config(widths=(4, 6), dropout=(0.0,) * 3).build(channels=3, maps=1)
    assert sum(p.numel() for p in model.parameters()) == 112 + 148 + 222 + 330 + 100 + 292 + 148 + 5


def test_biases_start_at_zero_and_weights_within_he_bounds():
    torch.manual_seed(0)
    model = PlainUNet.Config().build(channels=3, maps=1)
    first = model.encoder[0][0]
    bound = (6 / (3 * 9)) ** 0.5
    assert not first.bias.any() and 0.9 * bound < first.weight.abs().max() <= bound


def test_dropout_acts_while_training_only():
    model = PlainUNet.Config(widths=(4, 6), dropout=(0.5,) * 3).build(channels=3, maps=1)
    x = torch.rand(1, 3, 16, 16)
    assert not torch.equal(model.train()(x), model.train()(x)) and torch.equal(model.eval()(x), model.eval()(x))
