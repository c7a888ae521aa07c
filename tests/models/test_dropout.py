"""Dropout: the share, the mean, the seed, and nothing outside training."""

import pytest
import torch

from limner.models.blocks.dropout import ReluDropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_share_and_scale(dtype):
    torch.manual_seed(3)
    x = torch.ones(2, 5, 61, 47, dtype=dtype, requires_grad=True)
    y = ReluDropout(0.3)(x * 1)
    y.sum().backward()
    assert y.dtype == dtype and y.shape == x.shape
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert y.float().mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(x.grad == 0, y == 0)


def test_the_mask_follows_from_the_seed_alone():
    x, layer = torch.ones(1, 3, 9, 7), ReluDropout(0.5)
    first, second, again = (torch.manual_seed(seed) and layer(x.clone()) for seed in (1, 2, 1))
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_nothing_is_dropped_outside_training_or_for_a_share_of_nothing():
    x = torch.rand(1, 3, 9, 7)
    assert torch.equal(ReluDropout(0.5).eval()(x.clone()), x) and torch.equal(ReluDropout(0.0)(x.clone()), x)


def test_negative_values_become_zero_and_have_no_gradient():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 31, 17, requires_grad=True)
    y = ReluDropout(0.25)(x * 1)
    (2 * y).sum().backward()
    assert torch.equal(y[x <= 0], torch.zeros_like(y[x <= 0]))
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / 0.75)
    torch.testing.assert_close(x.grad, torch.where(kept, 2 / 0.75, 0.0))
