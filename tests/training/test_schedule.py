"""The rate of a step: warm-up, curve, floor, and what a revision may change."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.recipe_parts import SchedulePart
from limner.training.checkpoint import Progress
from limner.training.schedule import HOLD_STEPS, RISE, START, Schedule, steps_within

WARMUP = st.integers(0, 50)
TOTAL = st.integers(60, 5000)
FLOOR = SchedulePart().floor
FALLING = ("cosine", "poly")


def make(warmup=0, *plan, curve="cosine", budget="none", falls=0, **settings):
    part = SchedulePart(warmup_steps=warmup, curve=curve, budget=budget, **settings)
    return Schedule(part, Progress(plan=list(plan), falls=falls, validations=4))


@given(WARMUP, TOTAL, TOTAL)
def test_the_warm_up_does_not_depend_on_the_length(warmup, one, other):
    for step in range(warmup):
        expected = pytest.approx((step + 1) / warmup)
        assert make(warmup).factor(step) == expected
        assert make(warmup, (0, one)).factor(step) == make(warmup, (0, other)).factor(step) == expected


@pytest.mark.parametrize("curve", ["cosine", "constant", "poly", "one_cycle", "plateau"])
def test_the_first_steps_of_a_budget_do_not_depend_on_its_length(curve):
    """They are timed before the length is known, and must be the same steps when the run is repeated."""
    for step in range(HOLD_STEPS):
        rates = {make(3, *plan, curve=curve, budget="10m").factor(step) for plan in ((), ((0, 80),), ((0, 900),))}
        assert len(rates) == 1, step
    assert make(3, (0, 80), curve="poly", budget="10m").factor(HOLD_STEPS + 1) < 1


@given(WARMUP, TOTAL, st.sampled_from(FALLING))
def test_it_falls_from_the_peak_to_the_floor(warmup, total, curve):
    schedule = make(warmup, (0, total), curve=curve)
    factors = [schedule.factor(step) for step in range(warmup, total + 1)]
    assert factors[0] == 1.0 and all(a >= b for a, b in itertools.pairwise(factors))
    assert factors[-1] == pytest.approx(FLOOR) and schedule.total == total


def test_cosine_by_hand():
    schedule = make(10, (0, 110))
    assert schedule.progress(60) == 0.5
    assert schedule.factor(60) == pytest.approx(FLOOR + (1 - FLOOR) / 2)
    assert schedule.factor(35) == pytest.approx(
        FLOOR + (1 - FLOOR) * (1 + math.sqrt(0.5)) / 2
    )  # a quarter: cos 45 degrees


def test_poly_by_hand():
    schedule = make(0, (0, 100), curve="poly", poly_power=2.0, floor=0.2)
    assert [schedule.factor(step) for step in (0, 50, 100)] == pytest.approx([1.0, 0.2 + 0.8 * 0.25, 0.2])
    assert make(0, (0, 100), curve="poly", floor=0.0).factor(75) == pytest.approx(0.25**0.9)


def test_constant_stays():
    assert {make(0, (0, 100), curve="constant").factor(step) for step in range(101)} == {1.0}


def test_one_cycle_by_hand():
    schedule = make(0, (0, 1000), curve="one_cycle", floor=0.02)
    assert schedule.factor(0) == START and schedule.factor(1000) == pytest.approx(0.02)
    assert schedule.factor(150) == pytest.approx((START + 1) / 2)  # half of the rise
    assert schedule.factor(int(1000 * RISE)) == pytest.approx(1.0)
    assert schedule.factor(650) == pytest.approx(0.02 + 0.98 / 2)  # half of the fall
    rates = [schedule.factor(step) for step in range(1001)]
    assert all(a < b for a, b in itertools.pairwise(rates[:301])) and all(
        a > b for a, b in itertools.pairwise(rates[300:])
    )


def test_plateau_falls_with_the_state_and_not_below_the_floor():
    rates = [make(0, (0, 9), curve="plateau", plateau_factor=0.5, floor=0.2, falls=n).factor(5) for n in range(4)]
    assert rates == [1.0, 0.5, 0.25, 0.2]
    assert make(0, (0, 9), curve="cosine", falls=3).factor(0) == 1.0  # others do not care


@given(WARMUP, TOTAL, st.sampled_from(FALLING), st.data())
def test_a_revision_is_continuous_and_still_ends_at_the_floor(warmup, total, curve, data):
    schedule = make(warmup, (0, total), curve=curve)
    for _ in range(data.draw(st.integers(1, 3))):
        begin = schedule.state.plan[-1][0]
        start = data.draw(st.integers(begin + 1, schedule.total - 1)) if schedule.total > begin + 1 else 1
        if start <= begin:
            break
        before = [schedule.factor(step) for step in range(start + 1)]
        schedule.revise(start, data.draw(st.integers(start + 1, 8000)))
        assert [schedule.factor(step) for step in range(start + 1)] == pytest.approx(before)
        if schedule.total - start < 2:
            break
    start, end = schedule.state.plan[-1]
    factors = [schedule.factor(step) for step in range(max(start, warmup), end + 1)]
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(factors))
    if end > warmup:
        assert schedule.factor(end) == pytest.approx(FLOOR)


def test_a_revised_plan_by_hand():
    schedule = make(0, (0, 100))
    schedule.revise(50, 60)  # half is behind; the other half is taken in ten steps
    assert schedule.progress(50) == 0.5 and schedule.progress(55) == 0.75 and schedule.progress(60) == 1.0
    schedule.revise(55, 57)
    assert schedule.progress(56) == 0.875 and schedule.state.plan == [(0, 100), (50, 60), (55, 57)]


def test_an_end_in_the_past_becomes_the_next_step():
    schedule = make(0, (0, 100))
    schedule.revise(80, 20)
    assert schedule.total == 81


def test_validations_by_hand():
    schedule = make(0, (0, 10))
    assert [step for step in range(1, 11) if schedule.validates(step)] == [3, 5, 8, 10]
    assert not make(0).validates(4)


def test_steps_that_fit():
    assert steps_within(100, step_seconds=2, validation_seconds=5, validations=4) == 40
    assert steps_within(1, step_seconds=2, validation_seconds=5, validations=4) == 1
