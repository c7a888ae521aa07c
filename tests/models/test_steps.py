"""The plan of a decoder: strides, skips and channels."""

import pytest

from limner.core.errors import RecipeError
from limner.models.blocks.steps import Step, plan_steps


def test_an_encoder_that_starts_at_stride_2():
    steps = plan_steps((5, 7, 9), (2, 4, 8), (30, 20, 10), upsampling="nearest")
    assert steps == (Step(4, 9, 9, 7, 30), Step(2, 30, 30, 5, 20), Step(1, 20, 20, 0, 10))


def test_an_encoder_that_starts_at_stride_4_has_no_skip_below():
    steps = plan_steps((5, 7), (4, 8), (30, 20, 10), upsampling="bilinear")
    assert [(s.stride, s.num_skip) for s in steps] == [(4, 5), (2, 0), (1, 0)]


def test_an_encoder_that_starts_at_full_size_and_one_with_a_gap():
    steps = plan_steps((3, 5, 7), (1, 2, 8), (30, 20, 10), upsampling="nearest")
    assert [(s.stride, s.num_skip) for s in steps] == [(4, 0), (2, 5), (1, 3)]


def test_transposed_convolutions_have_widths_of_their_own():
    plan = plan_steps((5, 7), (1, 4), (30, 20), upsampling="transposed")
    assert [(s.num_in, s.num_up) for s in plan] == [(7, 30), (30, 20)]
    narrow = plan_steps((5, 7), (1, 4), (30, 20), upsampling="transposed", up_widths=(2, 1))
    assert [(s.num_in, s.num_up) for s in narrow] == [(7, 2), (30, 1)]


@pytest.mark.parametrize(
    ("stride", "widths"), [(32, (128, 64, 48, 32, 16)), (8, (48, 32, 16)), (64, (128, 128, 64, 48, 32, 16))]
)
def test_own_widths_end_at_input_size(stride, widths):
    assert tuple(s.num_out for s in plan_steps((4, 8), (2, stride), (), upsampling="nearest")) == widths


@pytest.mark.parametrize("widths", [(8, 8, 8, 8), (8, 0, 8)])
def test_too_many_or_empty_widths_are_refused(widths):
    with pytest.raises(RecipeError, match="decoder_widths"):
        plan_steps((4, 8), (2, 8), widths, upsampling="nearest")
