"""The textbook networks have exactly the weights and the order of layers of the published systems."""

import pytest
import torch
from torch import nn

from limner.core.errors import RecipeError
from limner.models import build
from limner.models.cost import layer_table, parameters, weights_total
from limner.models.unet import UNet

A = {
    "encoder": "plain", "encoder_widths": [64, 128, 256, 512, 1024], "upsampling": "transposed", "norm": "conv",
    "norm_eps": 1e-3, "norm_bias": True, "initializer": "glorot_uniform", "head_kernel": 1,
}  # fmt: skip
B = {
    "encoder": "plain", "encoder_widths": [32, 64, 128, 256], "upsampling": "transposed", "norm": "level",
    "norm_eps": 1e-3, "level_dropout": [0, 0, 0, 0, 0.5, 0, 0], "initializer": "he_normal", "head_kernel": 1,
}  # fmt: skip
C = {
    "encoder": "plain", "encoder_widths": [16, 32, 64, 128, 256], "upsampling": "transposed", "norm": "none",
    "level_dropout": [0.1, 0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.1, 0.1], "initializer": "he_uniform", "head_kernel": 1,
}  # fmt: skip
D = {
    "encoder": "plain", "encoder_widths": [8, 16, 32, 64, 128, 256, 512], "decoder_widths": [256, 128, 64, 32, 16, 16],
    "upsampling": "transposed", "up_widths": [64, 32, 16, 8, 4, 2], "norm": "none", "initializer": "glorot_uniform",
    "head_kernel": 1,
}  # fmt: skip
TINY = {"encoder": "plain", "encoder_widths": [4, 6], "upsampling": "transposed", "head_kernel": 1}


def count(arguments, channels):
    with torch.device("meta"):
        return weights_total(build("unet", arguments, channels=channels, maps=1))


@pytest.mark.parametrize(
    ("arguments", "channels", "weights"),
    [(A, 3, 31_055_297), (B, 1, 1_927_841), (C, 3, 1_941_105), (C, 1, 1_940_817), (D, 3, 6_667_639)],
)
def test_published_number_of_weights(arguments, channels, weights):
    assert count(arguments, channels) == weights


def test_weights_by_hand():
    # two levels of 4 and 6: (3*9+1)*4 + (4*9+1)*4 + (4*9+1)*6 + (6*9+1)*6 + up (6*4*4+4) + (8*9+1)*4 + (4*9+1)*4 + head 5
    assert count({**TINY, "norm": "none"}, 3) == 112 + 148 + 222 + 330 + 100 + 292 + 148 + 5
    # batch norm: scale, shift, mean and variance of each of 4 + 4, 6 + 6, 4 + 4 channels, or of half as many
    assert count({**TINY, "norm_bias": True}, 3) == 1357 + 4 * 28
    assert count({**TINY, "norm": "level"}, 3) == 1357 + 4 * 14
    assert count(TINY, 3) == 1357 + 4 * 28 - 28  # without the biases that the norm cancels
    assert count({**TINY, "up_widths": [2], "norm": "none"}, 3) == 1357 - 2 * 25 - 2 * 9 * 4


def kinds(arguments, part):
    model = build("unet", {**TINY, **arguments}, channels=3, maps=1)
    return [row.kind for row in layer_table(model, 3, (8, 12)) if row.name.startswith(part) and row.kind != "Identity"]


def test_order_of_layers():
    conv, relu, norm, drop = "Conv2d", "ReLU", "BatchNorm2d", "ReluDropout"
    first = "encoder.levels.0"
    assert kinds({"norm": "conv"}, first) == [conv, norm, relu, conv, norm, relu]
    assert kinds({"norm": "level"}, first) == [conv, relu, conv, relu, norm]
    assert kinds({"norm": "none"}, first) == [conv, relu, conv, relu]
    dropped = {"norm": "level", "level_dropout": [0, 0, 0.5]}
    assert kinds(dropped, first) == [conv, relu, conv, relu, norm]
    assert kinds(dropped, "decoder.0") == [conv, drop, conv, relu, norm]
    assert kinds({"level_dropout": [0.1, 0.2, 0.3]}, first) == [conv, norm, drop, conv, norm, relu]
    table = layer_table(build("unet", TINY, channels=3, maps=2), 3, (8, 12))
    parts = list(dict.fromkeys(row.name.split(".0")[0].split(".1")[0] for row in table if row.weights))
    assert parts == ["encoder.levels", "enlarge", "decoder", "head"]
    assert table[-1].output_shape == (2, 8, 12)


def test_the_enlarged_map_comes_before_the_skip():
    model = build("unet", {**TINY, "norm": "none"}, channels=3, maps=1).eval()
    seen = {}
    for name, part in {"up": model.enlarge[0], "skip": model.encoder.levels[0], "joined": model.decoder[0]}.items():
        part.register_forward_hook(lambda _, inputs, output, name=name: seen.update({name: (inputs[0], output)}))
    with torch.inference_mode():
        model(torch.rand(1, 3, 8, 12))
    assert torch.equal(seen["joined"][0], torch.cat([seen["up"][1], seen["skip"][1]], dim=1))


def test_dropout_has_the_share_of_its_level_and_acts_while_training_only():
    model = build("unet", C, channels=1, maps=1)
    levels = [*model.encoder.levels, *model.decoder]
    assert [level.first[1].share for level in levels] == C["level_dropout"]
    small = build("unet", {**TINY, "level_dropout": [0.5] * 3}, channels=3, maps=1)
    x = torch.rand(1, 3, 16, 24)
    assert not torch.equal(small.train()(x), small.train()(x)) and torch.equal(small.eval()(x), small.eval()(x))


def test_batch_norm_has_the_published_epsilon():
    model = build("unet", {**TINY, "norm_eps": 1e-3}, channels=3, maps=1)
    assert {m.eps for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-3}


@pytest.mark.parametrize(
    ("initializer", "bound", "deviation"),
    [
        ("he_uniform", (6 / 27) ** 0.5, (2 / 27) ** 0.5),
        ("he_normal", None, (2 / 27) ** 0.5),
        ("glorot_uniform", (6 / (27 + 9 * 64)) ** 0.5, (2 / (27 + 9 * 64)) ** 0.5),
    ],
)
def test_first_weights(initializer, bound, deviation):
    torch.manual_seed(0)
    model = build("unet", {**TINY, "encoder_widths": [64, 6], "initializer": initializer}, channels=3, maps=1)
    weight = model.encoder.levels[0].first[0].weight
    assert weight.std().item() == pytest.approx(deviation, rel=0.1)
    assert bound is None or 0.9 * bound < weight.abs().max() <= bound
    assert not any(p.any() for name, p in model.named_parameters() if name.endswith("bias"))


def test_a_pretrained_encoder_keeps_its_first_weights():
    plain, drawn = ({"encoder": "test_efficientnet", "initializer": i} for i in ("default", "he_normal"))
    states = []
    for arguments in (plain, drawn):
        torch.manual_seed(1)
        states.append(build("unet", arguments, channels=3, maps=1).state_dict())
    same = {key for key in states[0] if torch.equal(states[0][key], states[1][key])}
    assert {key for key in states[0] if key.startswith("encoder.")} <= same
    assert not {key for key in same if key.endswith(".weight") and key.startswith(("decoder", "head"))} - {
        key for key in same if ".1." in key
    }


def test_coarser_levels_have_their_own_logits():
    arguments = {**TINY, "encoder_widths": [4, 6, 8, 10], "deep_supervision": True}
    model = build("unet", arguments, channels=3, maps=2).eval()
    x = torch.rand(1, 3, 21, 30)
    with torch.inference_mode():
        levels = model.forward_levels(x)
        assert [tuple(y.shape[-2:]) for y in levels] == [(21, 30), (11, 15), (6, 8)]
        assert torch.equal(levels[0], model(x)) and all(y.shape[1] == 2 for y in levels)
        single = build("unet", {**arguments, "deep_supervision": False}, channels=3, maps=2)
        assert len(single.forward_levels(x)) == 1
    sum(y.square().mean() for y in model.train().forward_levels(torch.rand(2, 3, 32, 48))).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_deep_supervision_leaves_the_other_first_weights():
    states = []
    for deep in (False, True):
        torch.manual_seed(4)
        states.append(build("unet", {"encoder": "test_efficientnet", "deep_supervision": deep}, channels=3, maps=1))
    one, other = (model.state_dict() for model in states)
    assert all(torch.equal(one[key], other[key]) for key in one) and len(other) > len(one)
    assert parameters(states[1]) > parameters(states[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoder_widths": [8]}, "encoder_widths"),
        ({"decoder_widths": [8, 4]}, "decoder_widths"),
        ({"up_widths": [8, 4]}, "up_widths"),
        ({"up_widths": [8], "upsampling": "nearest"}, "up_widths"),
        ({"level_dropout": [0.1, 0.1]}, "level_dropout"),
        ({"level_dropout": [0.1]}, "level_dropout"),
        ({"level_dropout": [0.1, 0.1, 1.0]}, "level_dropout"),
        ({"upsampling": "bilinaer"}, "unknown upsampling 'bilinaer'"),
        ({"norm": "batch"}, "unknown norm 'batch'"),
        ({"initializer": "he"}, "unknown initializer 'he'"),
        ({"head_kernel": 2}, "head_kernel"),
        ({"encoder_widths": 8}, "encoder_widths = 8; expected a list of whole numbers above 0"),
        ({"encoder_widths": [8, 4.5]}, "whole numbers"),
        ({"encoder_widths": [8, True]}, "whole numbers"),
        ({"decoder_widths": [0]}, "decoder_widths"),
        ({"dropout": 1.0}, "below 1"),
        ({"norm_eps": "small"}, "a number"),
        ({"deep_supervision": 1}, "true or false"),
    ],
)
def test_what_cannot_be_built_is_named(change, words):
    with pytest.raises(RecipeError, match=words) as caught:
        build("unet", {**TINY, **change}, channels=3, maps=1)
    assert caught.value.fix


def test_fewer_widths_end_at_a_coarser_stride_and_are_enlarged():
    model = UNet.Config(encoder="test_efficientnet", decoder_widths=(8, 6)).build(channels=1, maps=1).eval()
    assert [step.stride for step in model.steps] == [16, 8]
    with torch.inference_mode():
        assert model(torch.rand(1, 1, 33, 65)).shape == (1, 1, 33, 65)
