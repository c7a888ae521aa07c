"""Tversky, focal Tversky and generalized Dice against numbers by hand and against NumPy."""

import numpy as np
import pytest
import torch

from limner.core.errors import RecipeError
from limner.losses.dice import soft_dice_loss
from limner.losses.focal_tversky import focal_tversky_loss
from limner.losses.generalized_dice import generalized_dice_loss
from limner.losses.tversky import tversky_loss
from tests.contracts.test_losses import case
from tests.losses.test_values import scores, tensors

HALF = ([[[[0.0] * 4]]], [[[1, 0, 0, 0]]], [[[True] * 4]])  # scores 1/2, one object pixel of four: TP .5, FP 1.5, FN .5


def pairs(logits, target, valid, pooling):
    """Scores and truth of valid pixels: one pair of lists for each picture, or the batch, and each foreground class."""
    p = scores(logits)
    for chosen in [slice(n, n + 1) for n in range(len(p))] if pooling == "picture" else [slice(None)]:
        known = valid.numpy()[chosen]
        for k in range(1, max(2, p.shape[1])):
            yield (p[chosen, 0] if p.shape[1] == 1 else p[chosen, k])[known], (target.numpy()[chosen] == k)[known]


def tversky_oracle(logits, target, valid, pooling, alpha, gamma=1.0):
    terms = []
    for s, t in pairs(logits, target, valid, pooling):
        tp, fp, fn = s[t].sum(), s[~t].sum(), (1 - s[t]).sum()
        if t.any():
            terms.append((1 - tp / (tp + alpha * fp + (1 - alpha) * fn)) ** gamma)
    return np.mean(terms)


def generalized_oracle(logits, target, valid, pooling):
    p, values = scores(logits), []
    p = np.concatenate([1 - p, p], 1) if p.shape[1] == 1 else p
    for chosen in [slice(n, n + 1) for n in range(len(p))] if pooling == "picture" else [slice(None)]:
        known, above, below = valid.numpy()[chosen], 0.0, 0.0
        for k in range(p.shape[1]):
            s, t = p[chosen, k][known], (target.numpy()[chosen] == k)[known]
            if t.any():
                above += (s * t).sum() / t.sum() ** 2
                below += (s.sum() + t.sum()) / t.sum() ** 2
        values.append(1 - 2 * above / below)
    return np.mean(values)


@pytest.mark.parametrize("maps", [1, 3, 5])
@pytest.mark.parametrize("pooling", ["batch", "picture"])
def test_agreement_with_numpy(maps, pooling):
    data = case(maps, 6)
    for alpha in (0.1, 0.3, 0.8):
        found = tversky_loss(*data, alpha=alpha, pooling=pooling).item()
        assert found == pytest.approx(tversky_oracle(*data, pooling, alpha), rel=1e-5)
        found = focal_tversky_loss(*data, alpha=alpha, gamma=0.6, pooling=pooling).item()
        assert found == pytest.approx(tversky_oracle(*data, pooling, alpha, 0.6), rel=1e-5)
    found = generalized_dice_loss(*data, pooling=pooling).item()
    assert found == pytest.approx(generalized_oracle(*data, pooling), rel=1e-5)


def test_by_hand():
    data = tensors(*HALF)
    assert tversky_loss(*data, alpha=0.25).item() == pytest.approx(0.75 / 1.25)  # cost 0.375 + 0.375
    assert tversky_loss(*data, alpha=0.75).item() == pytest.approx(1.25 / 1.75)  # cost 1.125 + 0.125
    assert focal_tversky_loss(*data, alpha=0.25, gamma=2.0).item() == pytest.approx(0.36)
    # object: w 1, 2 * 0.5 of 3; background: w 1/9, 2 * 1.5 of 5
    assert generalized_dice_loss(*data).item() == pytest.approx(1 - (1 + 3 / 9) / (3 + 5 / 9))


@pytest.mark.parametrize("maps", [1, 4])
@pytest.mark.parametrize("pooling", ["batch", "picture"])
def test_tversky_at_one_half_is_dice(maps, pooling):
    data = case(maps, 7)
    assert torch.allclose(tversky_loss(*data, alpha=0.5, pooling=pooling), soft_dice_loss(*data, pooling=pooling))


def test_alpha_is_the_price_of_what_is_invented():
    target, valid = torch.tensor([[[1, 1, 0, 0]]]), torch.ones(1, 1, 4, dtype=torch.bool)
    too_much, too_little = torch.tensor([[[[9.0, 9, 9, -9]]]]), torch.tensor([[[[9.0, -9, -9, -9]]]])
    for loss in (tversky_loss, focal_tversky_loss):
        assert loss(too_much, target, valid, alpha=0.3) < loss(too_little, target, valid, alpha=0.3)
        assert loss(too_much, target, valid, alpha=0.9) > loss(too_little, target, valid, alpha=0.9)


def test_pictures_without_an_object_are_left_out_while_another_has_one():
    logits = torch.full((2, 1, 1, 2), 20.0)
    target, valid = torch.tensor([[[1, 1]], [[0, 0]]]), torch.ones(2, 1, 2, dtype=torch.bool)
    for loss in (tversky_loss, focal_tversky_loss):
        assert loss(logits, target, valid, pooling="picture").item() == pytest.approx(0, abs=1e-6)
        assert loss(logits, torch.zeros_like(target), valid).item() == pytest.approx(1)
    assert tversky_loss(logits, target, valid, pooling="batch").item() == pytest.approx(0.6 / 2.6)


def test_generalized_dice_counts_the_background_of_an_empty_picture():
    logits = torch.zeros(1, 1, 2, 3)
    data = logits, torch.zeros(1, 2, 3, dtype=torch.long), torch.ones(1, 2, 3, dtype=torch.bool)
    assert generalized_dice_loss(*data).item() == pytest.approx(1 - 2 * 3 / 9)  # background alone: 2 * 3 of 3 + 6


def test_small_classes_weigh_as_much_as_large_ones_in_generalized_dice():
    target = torch.zeros(1, 20, 50, dtype=torch.long)
    target[0, 0, 0] = 1  # one pixel of a thousand
    valid = torch.ones_like(target, dtype=torch.bool)
    missed = torch.full((1, 1, 20, 50), -9.0)
    assert generalized_dice_loss(missed, target, valid) > 0.95


def test_a_perfect_picture_has_a_finite_gradient():
    target, valid = torch.tensor([[[1, 0, 1]]]), torch.ones(1, 1, 3, dtype=torch.bool)
    for loss in (tversky_loss, focal_tversky_loss, generalized_dice_loss):
        logits = torch.tensor([[[[300.0, -300.0, 300.0]]]], requires_grad=True)
        value = loss(logits, target, valid)
        value.backward()
        assert 0 <= value < 1e-6 and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", [tversky_loss, focal_tversky_loss, generalized_dice_loss])
def test_unknown_pooling_is_named(loss):
    with pytest.raises(RecipeError, match="'slide'"):
        loss(*case(1), pooling="slide")
