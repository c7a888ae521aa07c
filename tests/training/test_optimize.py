"""Groups: who learns slower, who does not decay."""

import pytest
import torch
from torch import nn

from limner.core.errors import RecipeError
from limner.core.recipe_parts import OptimizerPart
from limner.training.optimize import make_optimizer, set_rate


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv2d(3, 4, 3)
        self.decoder = nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5))


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


def test_an_unknown_name_names_the_known():
    with pytest.raises(RecipeError, match=r"unknown optimizer 'adam'.*one of adamw"):
        make_optimizer(Pair(), OptimizerPart(name="adam"), pretrained=False)
