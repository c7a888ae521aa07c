"""What every loss of the table promises: `(logits, target, valid)` to one number."""

import numpy as np
import pytest
import torch

from limner.losses import LOSSES

each = pytest.mark.parametrize("name", LOSSES)
maps_of = pytest.mark.parametrize("maps", [1, 3])

# losses that need not pull at every valid pixel, and why; which pixels those are is tested with the loss itself
FLAT = {
    "lovasz": "a background pixel that is less wrong than all object pixels changes no IoU; hinge errors of 0 are flat",
}
# losses that are not smooth, and why; finite differences are taken away from the kinks
KINKED = {"lovasz": "piecewise linear: the weights of the errors change with their order"}


def case(maps, seed=0, size=(2, 5, 7)):
    """Random logits, a target in which every class occurs, and about a fifth of the pixels unknown."""
    rng = np.random.default_rng(seed)
    logits = torch.tensor(rng.normal(0, 2, (size[0], maps, *size[1:])), dtype=torch.float32)
    target = torch.tensor(rng.integers(0, max(2, maps), size))
    return logits, target, torch.tensor(rng.random(size) > 0.2)


def perfect(target, maps, sure=12.0):
    """`sure` for the true class and -`sure` for every other one: right under softmax and under one sigmoid per map."""
    truth = (target > 0).unsqueeze(1) if maps == 1 else torch.nn.functional.one_hot(target, maps).movedim(-1, 1)
    return truth.float().mul(2 * sure).sub(sure)


def far_from_kinks(maps, size):
    """A case in which no two errors of a class are close enough to change places, and no hinge is near its corner."""
    for seed in range(1000):
        logits, target, valid = case(maps, seed, size)
        logits = logits / 2
        truth = perfect(target, maps, sure=1.0)
        errors = 1 - logits * truth if maps == 1 else (truth.clamp_min(0) - logits.softmax(1)).abs()[:, 1:]
        known = errors.movedim(1, -1)[valid].T
        gaps = known.sort().values.diff().abs()
        if gaps.min() > (0.02 if maps == 1 else 0.006) and known.abs().min() > 0.02:
            return logits, target, valid
    raise AssertionError("no case found")


@each
@maps_of
def test_perfect_is_below_random_and_random_below_wrong(name, maps):
    logits, target, valid = case(maps)
    loss = LOSSES[name]
    right, wrong = loss(perfect(target, maps), target, valid), loss(-perfect(target, maps), target, valid)
    assert 0 <= right < 0.01 < loss(logits, target, valid) < wrong


@each
@maps_of
def test_unknown_pixels_count_for_nothing(name, maps):
    logits, target, valid = case(maps)
    logits.requires_grad_()
    value = LOSSES[name](logits, target, valid)
    value.backward()
    gradient = logits.grad.abs().sum(1)
    assert not gradient[~valid].any() and (gradient[valid] > 0).any()
    assert (gradient[valid] > 0).all() or name in FLAT
    other = torch.where(valid.unsqueeze(1), logits.detach(), torch.full_like(logits, 50.0))
    others = torch.where(valid, target, 1 - target.clamp_max(1))
    assert torch.equal(LOSSES[name](other, others, valid), value.detach())


@each
@maps_of
def test_nothing_known_is_zero_with_zero_gradient(name, maps):
    logits, target, valid = case(maps)
    logits.requires_grad_()
    value = LOSSES[name](logits, target, torch.zeros_like(valid))
    value.backward()
    assert value.item() == 0 and not logits.grad.any()


@each
@maps_of
def test_absent_classes_give_a_finite_loss_that_pushes_them_down(name, maps):
    logits, target, valid = case(maps)
    logits.requires_grad_()
    value = LOSSES[name](logits, torch.zeros_like(target), valid)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(logits.grad).all()
    foreground = logits.grad[:, 0] if maps == 1 else logits.grad[:, 1:].sum(1)
    assert foreground[valid].sum() > 0  # a smaller logit is better


@each
def test_the_order_of_foreground_classes_does_not_matter(name):
    logits, target, valid = case(4)
    order = torch.tensor([0, 3, 1, 2])
    renamed = torch.argsort(order)[target]
    assert torch.allclose(
        LOSSES[name](logits[:, order], renamed, valid), LOSSES[name](logits, target, valid), atol=1e-6
    )


@each
@maps_of
def test_the_order_of_pictures_and_pixels_does_not_matter(name, maps):
    logits, target, valid = case(maps)
    turned = LOSSES[name](logits.flip(0).transpose(2, 3), target.flip(0).transpose(1, 2), valid.flip(0).transpose(1, 2))
    assert torch.allclose(turned, LOSSES[name](logits, target, valid), atol=1e-6)


@each
@maps_of
def test_gradients_are_those_of_finite_differences(name, maps):
    logits, target, valid = far_from_kinks(maps, (1, 3, 4)) if name in KINKED else case(maps, size=(1, 3, 4))
    inputs = (logits if name in KINKED else logits.div(2)).requires_grad_()
    with pytest.warns(UserWarning, match="double precision"):
        assert torch.autograd.gradcheck(
            lambda x: LOSSES[name](x, target, valid), (inputs,), eps=1e-2, atol=2e-3, rtol=2e-2
        )


@each
@maps_of
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_summed_in_full(name, maps, dtype):
    logits, target, valid = case(maps, size=(2, 64, 64))
    value = LOSSES[name](logits.to(dtype), target, valid)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(LOSSES[name](logits, target, valid).item(), rel=0.01)
    extreme = LOSSES[name](torch.full_like(logits, 6e4).to(dtype), target, valid)
    assert torch.isfinite(extreme)


def test_exceptions_are_losses_and_have_reasons():
    assert set(FLAT) | set(KINKED) <= set(LOSSES) and all({**FLAT, **KINKED}.values())


@each
def test_says_where_it_comes_from_and_what_it_does_without_an_object(name):
    text = LOSSES[name].__doc__
    assert "References" in text and "valid" in text
    assert "no foreground" in text or "absent class" in text
