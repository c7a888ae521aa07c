"""The sum that a recipe names: weights, options, several outputs; the default gives the numbers it always gave."""

import dataclasses
import inspect

import pytest
import torch
import torch.nn.functional as F

from limner.core.errors import RecipeError, ShapeError
from limner.core.recipe_parts import LossPart
from limner.losses import LOSSES, OPTIONS, compound_loss, resize_nearest, supervised_loss
from tests.contracts.test_losses import case

maps_of = pytest.mark.parametrize("maps", [1, 3])
NOTHING = dict.fromkeys(LOSSES, 0.0)
OTHER = {  # a value of each option that changes the loss of the case
    "class_weights": (0.2, 2.0, 3.0), "label_smoothing": 0.3, "dice_pooling": "batch", "dice_squared": True,
    "tversky_alpha": 0.8, "focal_gamma": 1.0, "focal_tversky_gamma": 0.4,
}  # fmt: skip


def first_default(logits, target, valid):
    """Cross-entropy and Dice per picture, written out as they were before there was a choice."""
    keep = valid.unsqueeze(1)
    if logits.shape[1] == 1:
        pixel = F.binary_cross_entropy_with_logits(logits[:, 0].float(), (target > 0).float(), reduction="none")
        score, truth = torch.sigmoid(logits.float()) * keep, (target > 0).unsqueeze(1).float() * keep
    else:
        pixel = F.cross_entropy(logits.float(), target, reduction="none")
        score = (torch.softmax(logits.float(), dim=1) * keep)[:, 1:]
        truth = (F.one_hot(target, logits.shape[1]).movedim(-1, 1).float() * keep)[:, 1:]
    weight = valid.float()
    entropy = (pixel * weight).sum() / weight.sum().clamp_min(1e-6)
    dice = 2 * (score * truth).sum((2, 3)) / (score.sum((2, 3)) + truth.sum((2, 3))).clamp_min(1.0)
    present = truth.sum((2, 3)) > 0
    missing = score.sum() / (valid.sum() * score.shape[1]).clamp_min(1)
    return (
        logits.new_zeros(()).float() + 1.0 * entropy + 1.0 * ((1 - dice[present]).mean() if present.any() else missing)
    )


@pytest.mark.parametrize("maps", [1, 3, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shown", [True, False])
def test_the_default_is_the_same_to_the_last_bit(maps, dtype, shown):
    logits, target, valid = case(maps, 13, size=(3, 33, 21))
    target = target if shown else torch.zeros_like(target)
    old, new = (logits.to(dtype).clone().requires_grad_() for _ in range(2))
    expected, found = first_default(old, target, valid), compound_loss(new, target, valid, LossPart())
    expected.backward()
    found.backward()
    assert torch.equal(found, expected) and torch.equal(new.grad, old.grad)
    again = logits.to(dtype).clone().requires_grad_()
    value = supervised_loss([again], target, valid, LossPart())
    value.backward()
    assert torch.equal(value, expected) and torch.equal(again.grad, old.grad)


@maps_of
def test_the_sum_is_weighted_and_parts_can_be_left_out(maps):
    data = case(maps)
    ce, dice = LOSSES["cross_entropy"](*data), LOSSES["dice"](*data)
    both = compound_loss(*data, LossPart(cross_entropy=2.0, dice=0.5))
    assert both.item() == pytest.approx(2 * ce.item() + 0.5 * dice.item(), rel=1e-6)
    for name, loss in LOSSES.items():
        part = LossPart(**{**NOTHING, name: 0.25})
        assert compound_loss(*data, part).item() == pytest.approx(0.25 * loss(*data).item(), rel=1e-6), name


def test_all_at_once_is_the_sum_of_all():
    data = case(3)
    part = LossPart(**{name: 0.1 * (i + 1) for i, name in enumerate(LOSSES)})
    expected = sum(0.1 * (i + 1) * loss(*data).item() for i, loss in enumerate(LOSSES.values()))
    assert compound_loss(*data, part).item() == pytest.approx(expected, rel=1e-5)


def test_a_loss_of_weight_zero_is_not_computed(monkeypatch):
    def fail(*_args, **_options):
        raise AssertionError("computed")

    for name in set(LOSSES) - {"focal"}:
        monkeypatch.setitem(LOSSES, name, fail)
    compound_loss(*case(1), LossPart(**{**NOTHING, "focal": 1.0}))


def test_every_loss_and_option_is_a_field_of_the_recipe_and_every_field_is_used():
    fields = {field.name for field in dataclasses.fields(LossPart)}
    used = {field for options in OPTIONS.values() for field in options.values()}
    assert set(LOSSES) <= fields and used <= fields and set(OPTIONS) <= set(LOSSES)
    assert fields - set(LOSSES) - used == {"deep_supervision"} and set(OTHER) == used
    for name, loss in LOSSES.items():
        accepted = list(inspect.signature(loss).parameters.values())
        assert [p.name for p in accepted[:3]] == ["logits", "target", "valid"]
        assert {p.name for p in accepted[3:]} == set(OPTIONS.get(name, {})), name
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in accepted[3:])


def test_defaults_of_functions_and_recipe_agree():
    part = LossPart()
    for name, options in OPTIONS.items():
        for argument, field in options.items():
            assert inspect.signature(LOSSES[name]).parameters[argument].default == getattr(part, field)


@pytest.mark.parametrize(("name", "field"), [(n, f) for n, options in OPTIONS.items() for f in options.values()])
def test_every_option_reaches_its_loss(name, field):
    data = case(3, 21)
    part = LossPart(**{**NOTHING, name: 1.0})
    changed = dataclasses.replace(part, **{field: OTHER[field]})
    assert abs(compound_loss(*data, part) - compound_loss(*data, changed)) > 1e-4


@pytest.mark.parametrize("weights", [NOTHING, {"dice": -1.0}])
def test_weights_that_train_nothing_are_refused(weights):
    with pytest.raises(RecipeError, match="loss weights") as caught:
        compound_loss(*case(1), LossPart(**weights))
    assert caught.value.where == "loss" and caught.value.fix


def coarse(target, height, width):
    """The value at the centre of each coarse pixel, by hand for whole factors."""
    rows, columns = target.shape[1] // height, target.shape[2] // width
    return target[:, rows // 2 :: rows, columns // 2 :: columns]


@maps_of
def test_outputs_are_weighed_and_compared_at_their_own_size(maps):
    _, target, valid = case(maps, 15, size=(2, 12, 20))
    levels = [case(maps, seed, size=(2, *size))[0] for seed, size in ((16, (12, 20)), (17, (6, 10)), (18, (3, 5)))]
    part = LossPart(deep_supervision=0.4)
    found = supervised_loss(levels, target, valid, part)
    parts = [
        compound_loss(logits, coarse(target, *logits.shape[2:]), coarse(valid, *logits.shape[2:]), part).item()
        for logits in levels
    ]
    assert found.item() == pytest.approx((parts[0] + 0.4 * parts[1] + 0.16 * parts[2]) / 1.56, rel=1e-6)
    only_finest = supervised_loss(levels, target, valid, dataclasses.replace(part, deep_supervision=0.0))
    assert only_finest.item() == pytest.approx(parts[0], rel=1e-7)


def test_every_output_gets_a_gradient_and_unknown_pixels_none():
    _, target, valid = case(3, 19, size=(2, 12, 20))
    levels = [case(3, 20, size=(2, *size))[0].requires_grad_() for size in ((12, 20), (6, 10), (4, 5))]
    supervised_loss(levels, target, valid, LossPart()).backward()
    for logits in levels:
        known = resize_nearest(valid, tuple(logits.shape[2:]))
        pull = logits.grad.abs().sum(1)
        assert (pull[known] > 0).all() and not pull[~known].any()


def test_nearest_never_invents_a_class():
    target = torch.tensor([[[0, 0, 2, 2], [0, 0, 2, 2], [4, 4, 0, 0]]])
    for size in ((1, 1), (2, 3), (3, 4), (7, 5)):
        resized = resize_nearest(target, size)
        assert resized.shape == (1, *size) and resized.dtype == torch.int64
        assert set(resized.unique().tolist()) <= {0, 2, 4}
    assert resize_nearest(target, (3, 2)).tolist() == [[[0, 2], [0, 2], [4, 0]]]
    assert resize_nearest(target, (6, 8))[:, ::2, ::2].equal(target)
    assert resize_nearest(target, (3, 4)) is target


def test_no_output_is_refused():
    with pytest.raises(ShapeError, match="no outputs"):
        supervised_loss([], *case(1)[1:], LossPart())
