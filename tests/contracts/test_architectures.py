"""What every network of the table promises; a new entry is tested without a new line here."""

import numpy as np
import pytest
import torch

from limner.core.errors import RecipeError
from limner.models import ARCHITECTURES, build, config_fields
from limner.runtimes.pytorch import TorchPredictor

CONV, RES = {"encoder": "test_efficientnet"}, {"encoder": "test_resnet"}
SMALL = {  # arguments that make a network small; without an entry the defaults are used; "name variant" is tested too
    "unet": {**CONV, "decoder_widths": [8, 6, 5]},
    "unet plain": {
        "encoder": "plain", "encoder_widths": [4, 6, 8], "upsampling": "transposed", "up_widths": [5, 3], "norm": "none",
        "level_dropout": [0.1, 0.1, 0.2, 0.1, 0.1], "initializer": "he_uniform", "head_kernel": 1,
    },
    "unet level-norm": {"encoder": "plain", "encoder_widths": [4, 6, 8], "norm": "level", "upsampling": "bilinear"},
    "attention-unet": {**CONV, "decoder_widths": [8, 6, 5]},
    "unetpp": {**CONV, "decoder_widths": [8, 6, 5, 4, 4], "dropout": 0.2},
    "residual-unet": {"widths": [4, 6, 8], "blocks": [1, 2, 1]},
    "fpn": {**CONV, "pyramid_width": 16, "branch_width": 8},
    "deeplabv3plus": {**CONV, "width": 16},
    "deeplabv3plus-enhanced": {**RES, "width": 16, "rates": [2, 3]},
    "smp/dpt": {"encoder": "test_vit"},
    "smp/pspnet": RES,  # ends its encoder at stride 8, which leaves the later blocks of timm's EfficientNets idle
}  # fmt: skip
OWN = [*(name for name in ARCHITECTURES if not name.startswith("smp/")), *(case for case in SMALL if " " in case)]
ADAPTED = [name for name in ARCHITECTURES if name.startswith("smp/")]
each = pytest.mark.parametrize("name", OWN)
each_or_adapted = pytest.mark.parametrize("name", OWN + ADAPTED)


def small(name):
    return SMALL.get(name, CONV if name.startswith("smp/") else {})


def network(name, channels=3, maps=2, seed=0):
    if name.startswith("smp/"):
        pytest.importorskip("segmentation_models_pytorch", reason="pip install segmentation-models-pytorch")
    torch.manual_seed(seed)
    return build(name.split()[0], small(name), channels=channels, maps=maps)


@each_or_adapted
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


def cancelled(model, key, x):
    """Whether a weight is the bias of a convolution that the batch norm behind it takes out again: no bias changes the answer."""
    bias = model.get_parameter(key)
    if not key.endswith("conv.bias") or bias.grad is None:
        return False
    with torch.no_grad():
        before = model(x)
        bias += 0.5
        return torch.allclose(model(x), before, atol=1e-4)


@each_or_adapted
def test_gradients_reach_every_weight(name):
    model = network(name).train()
    for part in model.modules():  # timm's residual blocks begin as if they were not there
        if isinstance(part, torch.nn.BatchNorm2d) and not part.weight.any():
            torch.nn.init.constant_(part.weight, 0.5)
    x = torch.rand(4, 3, 64, 96)
    model(x).square().mean().backward()
    without = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert [key for key in without if not cancelled(model, key, x)] == []


@each
def test_one_picture_is_enough_for_a_step(name):
    model = network(name).train()
    model(torch.rand(1, 3, 64, 96)).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@each_or_adapted
def test_saved_and_loaded_it_answers_the_same(name):
    one, other = network(name, seed=1), network(name, seed=2)
    x = torch.rand(1, 3, 37, 53)
    one.train()(torch.rand(2, 3, 64, 96))  # moves running means
    with torch.inference_mode():
        before = other.eval()(x)
        other.load_state_dict(one.state_dict())
        after, expected = other.eval()(x), one.eval()(x)
    assert torch.equal(after, expected) and not torch.equal(before, after)


@each
def test_the_seed_decides_the_first_weights(name):
    one, same, other = (network(name, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)


@each
def test_a_batch_does_not_mix_its_pictures(name):
    x = torch.rand(2, 3, 32, 64)
    with torch.inference_mode():
        model = network(name).eval()
        both, first = model(x), model(x[:1])
    assert torch.allclose(both[:1], first, atol=1e-5)


@each
def test_the_answer_depends_on_every_channel(name):
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        model = network(name).eval()
        plain = model(x)
        for channel in range(3):
            changed = x.clone()
            changed[:, channel] = 1 - changed[:, channel]
            assert not torch.equal(model(changed), plain)


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
def test_bfloat16_training_keeps_every_gradient_finite(name):
    model = network(name).train().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(torch.rand(2, 3, 64, 96)).float().square().mean()
    loss.backward()
    assert all(p.grad.dtype == torch.float32 and torch.isfinite(p.grad).all() for p in model.parameters())


@each
def test_the_encoder_is_a_part_of_its_own(name):
    model = network(name)
    encoder = {id(p) for p in model.encoder.parameters()}
    assert encoder and any(id(p) not in encoder for p in model.parameters())


@each_or_adapted
def test_unknown_arguments_and_values_are_refused(name):
    with pytest.raises(RecipeError, match="depht") as caught:
        build(name.split()[0], {**small(name), "depht": 3}, channels=3, maps=1)
    assert caught.value.where == "model.options.depht"
    with pytest.raises(RecipeError, match="'much'"):
        build(name.split()[0], {**small(name), "dropout": "much"}, channels=3, maps=1)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_entry_names_its_paper_and_its_arguments(name):
    assert any(word in ARCHITECTURES[name].source for word in ("arXiv:", "doi:"))
    assert "dropout" in config_fields(name)


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(RecipeError, match="unknown architecture 'unett'") as caught:
        build("unett", {}, channels=3, maps=1)
    assert "'unet'" in caught.value.fix
