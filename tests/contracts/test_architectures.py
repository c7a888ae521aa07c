"""What every network of the table promises; a new entry is tested without a new line here."""

import numpy as np
import pytest
import torch

from limner.core.errors import RecipeError
from limner.models import ARCHITECTURES, build
from limner.runtimes.pytorch import TorchPredictor

SMALL = {  # arguments that make a network small; without an entry the defaults are used
    "unet": {"encoder": "test_efficientnet", "decoder_widths": [8, 6, 5]},
    "plain_unet": {"widths": [4, 6, 8], "dropout": [0.1, 0.1, 0.2, 0.1, 0.1]},
}
each = pytest.mark.parametrize("name", ARCHITECTURES)


def network(name, channels=3, maps=2, seed=0):
    torch.manual_seed(seed)
    return build(name, SMALL.get(name, {}), channels=channels, maps=maps)


@each
@pytest.mark.parametrize("size", [(37, 53), (1, 1), (3, 400), (64, 32)])
def test_logits_have_the_size_of_the_input(name, size):
    with torch.inference_mode():
        logits = network(name).eval()(torch.rand(2, 3, *size))
    assert logits.shape == (2, 2, *size) and logits.dtype == torch.float32 and torch.isfinite(logits).all()


@each
@pytest.mark.parametrize(("channels", "maps"), [(1, 1), (2, 4), (5, 7)])
def test_any_number_of_channels_and_maps(name, channels, maps):
    with torch.inference_mode():
        assert network(name, channels, maps).eval()(torch.rand(1, channels, 32, 64)).shape == (1, maps, 32, 64)


@each
def test_gradients_reach_every_weight(name):
    model = network(name).train()
    model(torch.rand(4, 3, 64, 64)).square().mean().backward()
    without = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@each
def test_saved_and_loaded_it_answers_the_same(name):
    one, other = network(name, seed=1), network(name, seed=2)
    x = torch.rand(1, 3, 37, 53)
    one.train()(torch.rand(2, 3, 64, 64))  # moves running means
    with torch.inference_mode():
        before = other.eval()(x)
        other.load_state_dict(one.state_dict())
        after, expected = other.eval()(x), one.eval()(x)
    assert torch.equal(after, expected) and not torch.equal(before, after)


@each
def test_a_batch_does_not_mix_its_pictures(name):
    x = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        model = network(name).eval()
        both, first = model(x), model(x[:1])
    assert torch.allclose(both[:1], first, atol=1e-5)


@each
def test_the_answer_depends_on_every_channel_and_moves_with_the_picture(name):
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        model = network(name).eval()
        plain = model(x)
        for channel in range(3):
            changed = x.clone()
            changed[:, channel] = 1 - changed[:, channel]
            assert not torch.allclose(model(changed), plain)


@each
def test_a_predictor_leaves_the_mode_as_it_was(name):
    model = network(name).train()
    predictor = TorchPredictor(model, bfloat16=False)
    batch = np.random.default_rng(0).random((1, 3, 20, 30), np.float32)
    first, second = predictor(batch), predictor(batch)
    assert model.training and np.array_equal(first, second)  # neither dropout nor batch statistics
    assert first.shape == (1, 2, 20, 30) and first.dtype == np.float32
    rough = TorchPredictor(model, bfloat16=True)(batch)
    assert rough.dtype == np.float32 and np.abs(rough - first).max() < 0.1 * max(1.0, np.abs(first).max())


@each
def test_unknown_arguments_are_refused(name):
    with pytest.raises(RecipeError, match="depht"):
        build(name, {**SMALL.get(name, {}), "depht": 3}, channels=3, maps=1)


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(RecipeError, match="unknown architecture 'unett'") as caught:
        build("unett", {}, channels=3, maps=1)
    assert caught.value.fix == "did you mean 'unet' or 'plain_unet'?" or "'unet'" in caught.value.fix
