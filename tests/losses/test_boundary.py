"""Distances to the outline by brute force, and what the boundary loss makes of them."""

import math

import numpy as np
import pytest
import torch

from limner.losses.boundary import boundary_loss, signed_distance
from tests.contracts.test_losses import case
from tests.losses.test_values import scores


def brute_force(inside, known):
    """For each pixel the least distance to a known pixel of the other kind, less half a pixel, by trying all."""
    height, width = inside.shape
    diagonal = math.hypot(height, width)
    out = np.zeros(inside.shape)
    for y, x in np.ndindex(height, width):
        others = np.argwhere(known & (inside != inside[y, x]))
        least = min((math.hypot(y - v, x - u) for v, u in others), default=diagonal + 0.5) - 0.5
        out[y, x] = (-least if inside[y, x] else least) / diagonal
    return out


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (6, 11), (23, 8)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("known_share", [1.0, 0.6])
def test_distances_agree_with_brute_force(size, share, known_share):
    rng = np.random.default_rng(3)
    inside, known = rng.random(size) < share, rng.random(size) < known_share
    found = signed_distance(inside, known)
    assert found.dtype == np.float32 and np.abs(found).max() <= 1
    assert np.allclose(found[known], brute_force(inside, known)[known], atol=1e-5)
    assert (np.sign(found[known]) == np.where(inside, -1, 1)[known]).all()  # never 0


def test_exchanging_object_and_background_turns_the_sign():
    rng = np.random.default_rng(4)
    inside, known = rng.random((9, 14)) < 0.4, np.ones((9, 14), bool)
    assert np.allclose(signed_distance(inside, known), -signed_distance(~inside, known))


@pytest.mark.parametrize("maps", [1, 3])
def test_agreement_with_numpy(maps):
    logits, target, valid = case(maps, 12)
    target[0][target[0] == max(1, maps - 1)] = 0  # the last class is absent from the first picture
    p, terms = scores(logits), []
    for n in range(len(p)):
        known = valid.numpy()[n]
        for k in range(1, max(2, maps)):
            truth, score = target.numpy()[n] == k, p[n, 0] if maps == 1 else p[n, k]
            if truth[known].any():
                terms.append((brute_force(truth, known) * (score - truth))[known].mean())
    assert boundary_loss(logits, target, valid).item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_by_hand():
    # one row of four, diagonal sqrt(17): object in the first two; distances -1.5 -0.5 0.5 1.5; scores 1/2
    target, valid = torch.tensor([[[1, 1, 0, 0]]]), torch.ones(1, 1, 4, dtype=torch.bool)
    found = boundary_loss(torch.zeros(1, 1, 1, 4), target, valid)
    assert found.item() == pytest.approx((0.75 + 0.25 + 0.25 + 0.75) / 4 / 17**0.5)
    # the third is not known: the object's second pixel is 2 - 1/2 from the background
    valid[0, 0, 2] = False
    found = boundary_loss(torch.zeros(1, 1, 1, 4), target, valid)
    assert found.item() == pytest.approx((2.5 + 1.5 + 1.5) / 2 / 3 / 17**0.5)


def test_a_mistake_far_from_the_outline_costs_more():
    target, valid = torch.zeros(1, 12, 20, dtype=torch.long), torch.ones(1, 12, 20, dtype=torch.bool)
    target[0, 3:8, 2:6] = 1
    costs = []
    for column in (6, 9, 19):
        logits = torch.where(target > 0, 30.0, -30.0).unsqueeze(1)
        logits[0, 0, 5, column] = 30.0
        costs.append(boundary_loss(logits, target, valid).item())
    assert costs == pytest.approx([d / math.hypot(12, 20) / 240 for d in (0.5, 3.5, 13.5)], rel=1e-4)


def test_the_same_picture_at_twice_the_size_costs_about_the_same():
    rng = np.random.default_rng(5)
    truth = np.zeros((1, 15, 21), int)
    truth[0, 4:11, 5:13] = 1
    logits = rng.normal(0, 1, (1, 1, 15, 21)).astype(np.float32)
    small = boundary_loss(torch.tensor(logits), torch.tensor(truth), torch.ones(1, 15, 21, dtype=torch.bool))
    large = boundary_loss(
        torch.tensor(np.kron(logits, np.ones((1, 1, 2, 2), np.float32))),
        torch.tensor(np.kron(truth, np.ones((1, 2, 2), int))),
        torch.ones(1, 30, 42, dtype=torch.bool),
    )
    assert large.item() == pytest.approx(small.item(), rel=0.05)
