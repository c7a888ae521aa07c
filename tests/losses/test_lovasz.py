"""The Lovasz loss from the definition: sets of wrong pixels, one after the other."""

import itertools

import numpy as np
import pytest
import torch

from limner.losses.lovasz import lovasz_loss, lovasz_weights
from tests.contracts.test_losses import case, perfect
from tests.losses.test_values import scores


def set_loss(truth, wrong):
    """1 - IoU of the picture in which exactly the pixels `wrong` are predicted wrongly."""
    predicted = truth ^ wrong
    return 1 - (predicted & truth).sum() / (predicted | truth).sum()


def extension(truth, errors):
    """The Lovasz extension: pixels become wrong from the largest error down; each step of the set loss times its error."""
    wrong, total, before = np.zeros(len(truth), bool), 0.0, 0.0
    for i in np.argsort(-errors, kind="stable"):
        wrong[i] = True
        after = set_loss(truth, wrong)
        total, before = total + errors[i] * (after - before), after
    return total


def oracle(logits, target, valid, pooling):
    maps, terms = logits.shape[1], []
    p, x = scores(logits), logits.numpy().astype(np.float64)
    for chosen in [slice(n, n + 1) for n in range(len(p))] if pooling == "picture" else [slice(None)]:
        known = valid.numpy()[chosen]
        for k in range(1, max(2, maps)):
            t = (target.numpy()[chosen] == k)[known]
            if maps == 1:
                errors = np.maximum(0, np.where(t, 1 - x[chosen, 0][known], 1 + x[chosen, 0][known]))
            else:
                errors = np.abs(t - p[chosen, k][known])
            if t.any():
                terms.append(extension(t, errors))
    return np.mean(terms)


@pytest.mark.parametrize("maps", [1, 3, 5])
@pytest.mark.parametrize("pooling", ["batch", "picture"])
@pytest.mark.parametrize("seed", [0, 1])
def test_agreement_with_the_definition(maps, pooling, seed):
    data = case(maps, seed)
    assert lovasz_loss(*data, pooling=pooling).item() == pytest.approx(oracle(*data, pooling), rel=1e-5)


def test_on_decided_pixels_it_is_one_minus_iou():
    target = torch.tensor([[[1, 1, 1, 0, 0, 0, 0]]])
    valid = torch.ones_like(target, dtype=torch.bool)
    for wrong in itertools.product([False, True], repeat=7):
        wrong = torch.tensor(wrong)
        answer = torch.where(wrong, 1 - target, target)
        expected = set_loss(target.numpy().ravel() > 0, wrong.numpy())
        two_maps = torch.nn.functional.one_hot(answer, 2).movedim(-1, 1) * 60.0
        assert lovasz_loss(two_maps, target, valid).item() == pytest.approx(expected, abs=1e-6)
        hinge = perfect(answer, 1, sure=1.0)  # errors of 0 where right and 2 where wrong
        assert lovasz_loss(hinge, target, valid).item() == pytest.approx(2 * expected, abs=1e-6)


def test_weights_by_hand():
    # sorted: object .9, background .8, object .3, background .1; IoU losses 1/2, 2/3, 1, 1
    errors, truth = torch.tensor([[0.3, 0.9, 0.1, 0.8]]), torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    weights = lovasz_weights(errors, truth, torch.ones(1, 4, dtype=torch.bool))
    assert torch.allclose(weights, torch.tensor([[1 / 3, 1 / 2, 0, 1 / 6]]))
    # without the pixel of error .8: 1/2, 1, 1
    weights = lovasz_weights(errors, truth, torch.tensor([[True, True, True, False]]))
    assert torch.allclose(weights, torch.tensor([[1 / 2, 1 / 2, 0, 0]]))


def test_weights_keep_their_digits_on_large_pictures():
    generator = torch.Generator().manual_seed(0)
    errors = torch.rand(1, 400_000, generator=generator)
    truth = (torch.rand(1, 400_000, generator=generator) > 0.7).float()
    weights = lovasz_weights(errors, truth, torch.ones_like(errors, dtype=torch.bool))
    order = errors[0].argsort(descending=True)
    hit = truth[0, order].double()
    losses = 1 - (hit.sum() - hit.cumsum(0)) / (hit.sum() + (1 - hit).cumsum(0))
    steps = torch.diff(losses, prepend=torch.zeros(1, dtype=torch.float64))
    assert torch.allclose(weights[0, order].double(), steps, rtol=1e-5, atol=1e-15)
    assert weights.double().sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("maps", [1, 3])
def test_which_pixels_have_no_gradient(maps):
    logits, target, valid = case(maps, 8, size=(1, 7, 9))
    target = target * (
        torch.arange(63).reshape(1, 7, 9) % 5 == 0
    )  # mostly background, so that some of it is beyond doubt
    logits = (logits / 2 + perfect(target, maps, sure=0.5)).requires_grad_()
    lovasz_loss(logits, target, valid).backward()
    pulled = (logits.grad.abs().sum(1) > 0)[0]
    p = torch.tensor(scores(logits.detach()))
    expected = torch.zeros_like(pulled)
    for k in range(1, max(2, maps)):
        truth = target[0] == k
        hinge = 1 - logits.detach()[0, 0] * (2 * truth.float() - 1)
        errors = hinge if maps == 1 else (truth.double() - p[0, k]).abs()
        least = errors[truth & valid[0]].min()  # no background pixel below it can change the IoU
        expected |= valid[0] & (errors > 0) & (truth | (errors > least))
    assert torch.equal(pulled, expected)
    assert not expected.logical_or(~valid[0]).all()  # there are such pixels here


def test_it_is_convex_in_the_logits_of_one_map():
    _, target, valid = case(1, 9)
    a, b = case(1, 10)[0], case(1, 11)[0]
    for share in (0.2, 0.5, 0.9):
        between = lovasz_loss(share * a + (1 - share) * b, target, valid)
        assert between <= share * lovasz_loss(a, target, valid) + (1 - share) * lovasz_loss(b, target, valid) + 1e-5
