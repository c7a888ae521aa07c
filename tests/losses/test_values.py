"""Numbers worked out by hand or by a second implementation in NumPy."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from limner.core.errors import RecipeError
from limner.losses.binary_cross_entropy import binary_cross_entropy_loss
from limner.losses.class_maps import class_maps
from limner.losses.cross_entropy import cross_entropy_loss
from limner.losses.dice import soft_dice_loss
from limner.losses.focal import focal_loss
from tests.contracts.test_losses import case


def tensors(logits, target, valid):
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(target), torch.tensor(valid)


def scores(logits):
    """Sigmoid or softmax in double precision."""
    x = logits.numpy().astype(np.float64)
    if x.shape[1] == 1:
        return 1 / (1 + np.exp(-x))
    powers = np.exp(x - x.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def cross_entropy_oracle(logits, target, valid, weights):
    p, total, weight = scores(logits), 0.0, 0.0
    for n, y, x in np.argwhere(valid.numpy()):
        k = int(target[n, y, x])
        chance = (p[n, 0, y, x] if k else 1 - p[n, 0, y, x]) if p.shape[1] == 1 else p[n, k, y, x]
        total, weight = total - weights[k] * math.log(chance), weight + weights[k]
    return total / weight


def dice_oracle(logits, target, valid, pooling, power=1):
    p, terms = scores(logits), []
    pictures = [slice(n, n + 1) for n in range(len(p))] if pooling == "picture" else [slice(None)]
    for chosen in pictures:
        known = valid.numpy()[chosen]
        for k in range(1, max(2, p.shape[1])):
            s = (p[chosen, 0] if p.shape[1] == 1 else p[chosen, k])[known]
            t = (target.numpy()[chosen] == k)[known].astype(float)
            if t.any():
                terms.append(1 - 2 * (s * t).sum() / ((s**power).sum() + (t**power).sum()))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("maps", [1, 3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_agreement_with_numpy(maps, seed):
    logits, target, valid = case(maps, seed)
    weights = tuple(0.5 + 0.7 * k for k in range(max(2, maps)))
    plain = (1.0,) * max(2, maps)
    for pooling in ("batch", "picture"):
        for squared in (False, True):
            value = soft_dice_loss(logits, target, valid, pooling=pooling, squared=squared).item()
            assert value == pytest.approx(dice_oracle(logits, target, valid, pooling, 1 + squared), rel=1e-5)
    assert cross_entropy_loss(logits, target, valid).item() == pytest.approx(
        cross_entropy_oracle(logits, target, valid, plain), rel=1e-5
    )
    weighted = cross_entropy_loss(logits, target, valid, class_weights=weights)
    assert weighted.item() == pytest.approx(cross_entropy_oracle(logits, target, valid, weights), rel=1e-5)


@pytest.mark.parametrize("maps", [1, 3, 5])
def test_cross_entropy_agrees_with_scikit_learn(maps):
    logits, target, valid = case(maps, 2)
    p = scores(logits)
    p = np.concatenate([1 - p, p], 1) if maps == 1 else p
    chances, truth = np.moveaxis(p, 1, -1)[valid.numpy()], target.numpy()[valid.numpy()]
    weights = np.linspace(0.4, 2, chances.shape[1])
    found = cross_entropy_loss(logits, target, valid, class_weights=tuple(weights)).item()
    known = list(range(chances.shape[1]))
    assert found == pytest.approx(log_loss(truth, chances, sample_weight=weights[truth], labels=known), rel=1e-5)
    assert cross_entropy_loss(logits, target, valid).item() == pytest.approx(
        log_loss(truth, chances, labels=known), rel=1e-5
    )


@pytest.mark.parametrize("maps", [1, 3])
def test_label_smoothing_mixes_the_truth_with_all_classes(maps):
    logits, target, valid = case(maps, 3)
    p = scores(logits)
    p = np.concatenate([1 - p, p], 1) if maps == 1 else p
    weights = np.arange(1.0, p.shape[1] + 1)
    total = size = 0.0
    for n, y, x in np.argwhere(valid.numpy()):
        wanted = np.full(p.shape[1], 0.2 / p.shape[1])
        wanted[int(target[n, y, x])] += 0.8
        weight = weights[int(target[n, y, x])]
        total, size = total - weight * (wanted * np.log(p[n, :, y, x])).sum(), size + weight
    found = cross_entropy_loss(logits, target, valid, class_weights=tuple(weights), label_smoothing=0.2)
    assert found.item() == pytest.approx(total / size, rel=1e-5)


@pytest.mark.parametrize("maps", [1, 3])
def test_one_yes_or_no_for_each_class(maps):
    logits, target, valid = case(maps, 4)
    p = 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))
    terms = []
    for n, y, x in np.argwhere(valid.numpy()):
        for k in range(maps):
            yes = int(target[n, y, x]) == (1 if maps == 1 else k)
            terms.append(-math.log(p[n, k, y, x] if yes else 1 - p[n, k, y, x]))
    assert binary_cross_entropy_loss(logits, target, valid).item() == pytest.approx(np.mean(terms), rel=1e-5)
    if maps == 1:
        assert torch.allclose(
            binary_cross_entropy_loss(logits, target, valid), cross_entropy_loss(logits, target, valid)
        )


@pytest.mark.parametrize("maps", [1, 4])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_cross_entropy_weighted_by_doubt(maps, gamma):
    logits, target, valid = case(maps, 5)
    p, terms = scores(logits), []
    for n, y, x in np.argwhere(valid.numpy()):
        k = int(target[n, y, x])
        chance = (p[n, 0, y, x] if k else 1 - p[n, 0, y, x]) if maps == 1 else p[n, k, y, x]
        terms.append(-((1 - chance) ** gamma) * math.log(chance))
    assert focal_loss(logits, target, valid, gamma=gamma).item() == pytest.approx(np.mean(terms), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_a_finite_gradient_where_all_is_right(gamma):
    logits = torch.full((1, 1, 1, 2), 200.0, requires_grad=True)
    focal_loss(
        logits, torch.ones(1, 1, 2, dtype=torch.long), torch.ones(1, 1, 2, dtype=torch.bool), gamma=gamma
    ).backward()
    assert torch.isfinite(logits.grad).all()


def test_focal_by_hand():
    logits, target, valid = tensors([[[[0.0, math.log(3)]]]], [[[1, 0]]], [[[True, True]]])
    expected = (0.25 * math.log(2) + 0.5625 * math.log(4)) / 2  # chances 1/2 and 1/4
    assert focal_loss(logits, target, valid, gamma=2.0).item() == pytest.approx(expected)


def test_dice_by_hand():
    # scores 0.5 on four pixels, two of them foreground: 2 * 1 / (2 + 2) = 0.5
    assert soft_dice_loss(*tensors([[[[0.0] * 4]]], [[[1, 1, 0, 0]]], [[[True] * 4]])).item() == pytest.approx(0.5)
    # the last background pixel is not known: 2 * 1 / (1.5 + 2) = 4/7
    assert soft_dice_loss(
        *tensors([[[[0.0] * 4]]], [[[1, 1, 0, 0]]], [[[True, True, True, False]]])
    ).item() == pytest.approx(3 / 7)
    # no foreground: the mean score
    assert soft_dice_loss(*tensors([[[[0.0] * 4]]], [[[0] * 4]], [[[True] * 4]])).item() == pytest.approx(0.5)


def test_dice_with_squares_by_hand():
    # scores 0.5 on four pixels, two of them foreground: 2 * 1 / (4 * 0.25 + 2) = 2/3
    found = soft_dice_loss(*tensors([[[[0.0] * 4]]], [[[1, 1, 0, 0]]], [[[True] * 4]]), squared=True)
    assert found.item() == pytest.approx(1 / 3)


def test_dice_is_pooled_over_the_batch_or_taken_for_each_picture():
    logits = torch.full((2, 1, 1, 2), 20.0)
    target = torch.tensor([[[1, 1]], [[0, 0]]])  # the second picture shows nothing: 2 * 2 / (4 + 2)
    valid = torch.ones(2, 1, 2, dtype=torch.bool)
    assert soft_dice_loss(logits, target, valid, pooling="batch").item() == pytest.approx(1 / 3)
    assert soft_dice_loss(logits, target, valid, pooling="picture").item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(RecipeError, match="'pixel'"):
        soft_dice_loss(logits, target, valid, pooling="pixel")


def test_cross_entropy_by_hand():
    logits, target, valid = tensors([[[[0.0, math.log(3)]]]], [[[1, 0]]], [[[True, True]]])
    expected = (math.log(2) + math.log(4)) / 2  # chances 1/2 and 1/4
    assert cross_entropy_loss(logits, target, valid).item() == pytest.approx(expected)
    weighted = cross_entropy_loss(logits, target, valid, class_weights=(3.0, 1.0))
    assert weighted.item() == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)


def test_a_wrong_number_of_weights_is_named():
    with pytest.raises(RecipeError, match="3 class_weights for 2 classes") as caught:
        cross_entropy_loss(*case(1), class_weights=(1.0, 2.0, 3.0))
    assert caught.value.where == "loss.class_weights" and caught.value.fix


def test_maps_are_zero_where_not_valid():
    logits, target, valid = case(3)
    score, truth = class_maps(logits, target, valid)
    assert score.shape == truth.shape == (2, 3, 5, 7)
    assert torch.equal(score.sum(1) > 0, valid) and torch.equal(truth.sum(1), valid.float())
    assert torch.equal(truth.argmax(1)[valid], target[valid])
    score, truth = class_maps(*case(1))
    assert score.shape == truth.shape == (2, 1, 5, 7)
