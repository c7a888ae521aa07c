"""Which optimizer a name means; groups: who learns slower, who does not decay."""

import numpy as np
import pytest
import torch
from torch import nn

from limner.core.errors import RecipeError
from limner.core.recipe_parts import OptimizerPart
from limner.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from limner.training.optimize import OPTIMIZERS, make_optimizer, set_rate


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv2d(3, 4, 3)
        self.decoder = nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5))


class Number(nn.Module):
    """One weight, in a matrix so that it decays."""

    def __init__(self, value=2.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[value]], dtype=torch.float64))


PART = OptimizerPart(learning_rate=0.01, encoder_rate=0.3, weight_decay=0.5)


def groups(pretrained):
    optimizer = make_optimizer(Pair(), PART, pretrained=pretrained)
    return {
        (round(g["peak"], 6), g["weight_decay"]): sum(p.numel() for p in g["params"]) for g in optimizer.param_groups
    }


def test_a_pre_trained_encoder_learns_slower_and_biases_do_not_decay():
    assert groups(True) == {(0.003, 0.5): 108, (0.003, 0.0): 4, (0.01, 0.5): 180, (0.01, 0.0): 15}


def test_without_pre_training_all_learn_alike():
    assert groups(False) == {(0.01, 0.5): 288, (0.01, 0.0): 19}


def test_the_factor_multiplies_the_peak_each_time():
    optimizer = make_optimizer(Pair(), PART, pretrained=True)
    for factor in (0.5, 0.5, 0.1):
        set_rate(optimizer, factor)
        assert sorted({round(g["lr"], 9) for g in optimizer.param_groups}) == pytest.approx(
            [0.003 * factor, 0.01 * factor]
        )
    assert isinstance(optimizer, torch.optim.AdamW)


def path(name, gradients, **settings):
    """The weight 2.0 after each step with these gradients."""
    network = Number()
    optimizer = make_optimizer(network, OptimizerPart(name=name, learning_rate=0.1, **settings), pretrained=False)
    seen = []
    for gradient in gradients:
        network.weight.grad = torch.full_like(network.weight, gradient)
        optimizer.step()
        seen.append(float(network.weight.detach()))
    return seen


def test_sgd_by_hand():
    assert path("sgd", [1.0, 1.0], momentum=0.0, weight_decay=0.0) == pytest.approx([1.9, 1.8])
    assert path("sgd", [1.0, 1.0], momentum=0.5, weight_decay=0.0) == pytest.approx([1.9, 1.9 - 0.1 * 1.5])
    # decay is added to the gradient: 1 + 0.25 * 2, then 1 + 0.25 * 1.85
    assert path("sgd", [1.0, 1.0], momentum=0.0, weight_decay=0.25) == pytest.approx([1.85, 1.85 - 0.1 * 1.4625])


def test_nesterov_by_hand():
    # v1 = 1, step 1 + 0.5 * 1; v2 = 0.5 + 1, step 1 + 0.5 * 1.5
    steps = path("sgd", [1.0, 1.0], momentum=0.5, nesterov=True, weight_decay=0.0)
    assert steps == pytest.approx([2 - 0.15, 2 - 0.15 - 0.175])


def test_adam_and_adamw_differ_in_where_the_decay_goes():
    """The first step of Adam is the rate times the sign of the gradient, whatever its size."""
    assert path("adam", [3.0], weight_decay=0.5) == pytest.approx([1.9])
    assert path("adamw", [3.0], weight_decay=0.5) == pytest.approx([2 * (1 - 0.1 * 0.5) - 0.1])


def test_rmsprop_by_hand():
    # mean square 0.1 * 4 after the first step, epsilon under the root; momentum adds half of a step to the next one
    first = 0.1 * 2 / (0.1 * 4 + 0.01) ** 0.5
    second = 0.1 * 2 / (0.9 * 0.4 + 0.1 * 4 + 0.01) ** 0.5
    settings = {"weight_decay": 0.0, "epsilon": 0.01, "rho": 0.9}
    assert path("rmsprop", [2.0, 2.0], momentum=0.0, **settings) == pytest.approx([2 - first, 2 - first - second])
    steps = path("rmsprop", [2.0, 2.0], momentum=0.5, **settings)
    assert steps == pytest.approx([2 - first, 2 - first - (0.5 * first + second)])
    decayed = path("rmsprop", [2.0], momentum=0.0, weight_decay=0.25, epsilon=0.01)
    assert decayed == pytest.approx([2 - 0.1 * 2.5 / (0.1 * 6.25 + 0.01) ** 0.5])


@pytest.mark.parametrize(
    ("name", "momentum", "scale"),
    [("rmsprop", 0.0, 1.0), ("rmsprop", 0.6, 1e-3), ("rmsprop", 0.0, 1e-4), ("adam", 0.0, 1.0)],
)
def test_steps_are_those_of_keras(monkeypatch, name, momentum, scale):
    """Gradients of ordinary size, and so small that the place of epsilon decides."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    gradients = np.random.default_rng(3).normal(size=(40, 5, 7)).astype(np.float32) * np.float32(scale)
    ours = nn.Parameter(torch.ones(5, 7))
    part = OptimizerPart(name=name, learning_rate=0.01, momentum=momentum, weight_decay=0.0, epsilon=1e-7)
    optimizer = make_optimizer(nn.ParameterList([ours]), part, pretrained=False)
    theirs = keras.Variable(np.ones((5, 7), np.float32))
    made = keras.optimizers.RMSprop(0.01, momentum=momentum) if name == "rmsprop" else keras.optimizers.Adam(0.01)
    for gradient in gradients:
        ours.grad = torch.from_numpy(gradient)
        optimizer.step()
        made.apply([keras.ops.convert_to_tensor(gradient)], [theirs])
    assert np.allclose(
        ours.detach(), keras.ops.convert_to_numpy(theirs), rtol=1e-4, atol=1e-4 if name == "adam" else 1e-6
    )


def test_an_optimizer_without_gradients_changes_nothing():
    network = Number()
    optimizer = make_optimizer(network, OptimizerPart(name="rmsprop"), pretrained=False)
    assert optimizer.step(lambda: 3.0) == 3.0 and float(network.weight.detach()) == 2.0


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_the_state_of_each_survives_a_checkpoint(tmp_path, name, momentum):
    part = OptimizerPart(name=name, learning_rate=0.01, momentum=momentum)

    def made(seed):
        torch.manual_seed(seed)
        network = Pair().to(memory_format=torch.channels_last)
        return network, make_optimizer(network, part, pretrained=True)

    def step(network, optimizer, seed):
        torch.manual_seed(seed)
        set_rate(optimizer, 0.5)
        optimizer.zero_grad()
        network.decoder(network.encoder(torch.rand(2, 3, 7, 9))).square().mean().backward()
        optimizer.step()

    network, optimizer = made(1)
    for seed in range(3):
        step(network, optimizer, seed)
    save_checkpoint(tmp_path / "x", Progress(step=3), network, optimizer, None)
    other, fresh = made(2)
    load_checkpoint(tmp_path / "x", other, fresh, None)
    step(network, optimizer, 9)
    step(other, fresh, 9)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


def test_an_unknown_name_names_the_known():
    with pytest.raises(RecipeError, match=r"unknown optimizer 'adamax'.*one of adam, adamw, rmsprop, sgd"):
        make_optimizer(Pair(), OptimizerPart(name="adamax"), pretrained=False)


@pytest.mark.parametrize("name", ["learning_rate", "encoder_rate", "weight_decay", "clip_norm"])
def test_numbers_below_zero_are_refused(name):
    with pytest.raises(RecipeError, match=rf"optimizer.{name} = -0.5.*at least 0") as caught:
        make_optimizer(Pair(), OptimizerPart(**{name: -0.5}), pretrained=False)
    assert caught.value.where == f"optimizer.{name}"


def test_nesterov_needs_momentum():
    with pytest.raises(RecipeError, match="nesterov without momentum"):
        make_optimizer(Pair(), OptimizerPart(name="sgd", nesterov=True, momentum=0.0), pretrained=False)
