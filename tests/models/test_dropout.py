"""Dropout: the share, the mean, the seed, and nothing outside training."""

import pytest
import torch

from limner.models.blocks.dropout import QuickDropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_share_and_scale(dtype):
    torch.manual_seed(3)
    x = torch.ones(2, 5, 61, 47, dtype=dtype, requires_grad=True)
    y = QuickDropout(0.3)(x)
    y.sum().backward()
    assert y.dtype == dtype and y.shape == x.shape
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert y.float().mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(x.grad == 0, y == 0)


def test_the_mask_follows_from_the_seed_alone():
    x, layer = torch.ones(1, 3, 9, 7), QuickDropout(0.5)
    first, second, again = (torch.manual_seed(seed) and layer(x) for seed in (1, 2, 1))
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_nothing_is_dropped_outside_training_or_for_a_share_of_nothing():
    x = torch.rand(1, 3, 9, 7)
    assert torch.equal(QuickDropout(0.5).eval()(x), x) and torch.equal(QuickDropout(0.0)(x), x)
