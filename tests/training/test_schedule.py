"""The rate of a step: warm-up, cosine, floor, and what a revision may change."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.training.schedule import FLOOR, Schedule, steps_within

WARMUP = st.integers(0, 50)
TOTAL = st.integers(60, 5000)


@given(WARMUP, TOTAL, TOTAL)
def test_the_warm_up_does_not_depend_on_the_length(warmup, one, other):
    for step in range(warmup):
        expected = pytest.approx((step + 1) / warmup)
        assert Schedule(warmup).factor(step) == expected
        assert Schedule(warmup, [(0, one)]).factor(step) == Schedule(warmup, [(0, other)]).factor(step) == expected


@given(WARMUP, TOTAL)
def test_it_falls_from_the_peak_to_the_floor(warmup, total):
    schedule = Schedule(warmup, [(0, total)])
    factors = [schedule.factor(step) for step in range(warmup, total + 1)]
    assert factors[0] == 1.0 and all(a >= b for a, b in itertools.pairwise(factors))
    assert factors[-1] == pytest.approx(FLOOR) and schedule.total == total


def test_half_way_by_hand():
    schedule = Schedule(10, [(0, 110)])
    assert schedule.progress(60) == 0.5
    assert schedule.factor(60) == pytest.approx(FLOOR + (1 - FLOOR) / 2)
    assert schedule.factor(35) == pytest.approx(
        FLOOR + (1 - FLOOR) * (1 + math.sqrt(0.5)) / 2
    )  # a quarter: cos 45 degrees


@given(WARMUP, TOTAL, st.data())
def test_a_revision_is_continuous_and_still_ends_at_the_floor(warmup, total, data):
    schedule = Schedule(warmup, [(0, total)])
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(schedule.plan[-1][0] + 1, schedule.total - 1)) if schedule.total > 1 else 1
        if start <= schedule.plan[-1][0]:
            break
        before = [schedule.factor(step) for step in range(start + 1)]
        schedule.revise(start, data.draw(st.integers(start + 1, 8000)))
        assert [schedule.factor(step) for step in range(start + 1)] == pytest.approx(before)
        if schedule.total - start < 2:
            break
    start, end = schedule.plan[-1]
    factors = [schedule.factor(step) for step in range(max(start, warmup), end + 1)]
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(factors))
    if end > warmup:
        assert schedule.factor(end) == pytest.approx(FLOOR)


def test_a_revised_plan_by_hand():
    schedule = Schedule(0, [(0, 100)])
    schedule.revise(50, 60)  # half is behind; the other half is taken in ten steps
    assert schedule.progress(50) == 0.5 and schedule.progress(55) == 0.75 and schedule.progress(60) == 1.0
    schedule.revise(55, 57)
    assert schedule.progress(56) == 0.875 and schedule.plan == [(0, 100), (50, 60), (55, 57)]


def test_an_end_in_the_past_becomes_the_next_step():
    schedule = Schedule(0, [(0, 100)])
    schedule.revise(80, 20)
    assert schedule.total == 81


def test_steps_that_fit():
    assert steps_within(100, step_seconds=2, validation_seconds=5, validations=4) == 40
    assert steps_within(1, step_seconds=2, validation_seconds=5, validations=4) == 1
