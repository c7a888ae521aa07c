"""How many validations a budget is given: patience counts them, so that they do not crowd within an epoch."""

import types

import pytest

from limner.core.recipe import Recipe
from limner.training.checkpoint import Progress
from limner.training.length import decide_length
from limner.training.schedule import Schedule


def decided(budget="100s", step_seconds=0.01, steps_per_epoch=50, **settings):
    """Validations and epochs of a budgeted run whose validations cost nothing."""
    changes = {f"schedule.{key}": value for key, value in settings.items()}
    recipe = Recipe().override({"schedule.budget": budget, "schedule.validations": 500} | changes)
    progress, loader = Progress(step=9, seconds=0.1), types.SimpleNamespace(steps_per_epoch=steps_per_epoch)
    run = types.SimpleNamespace(recipe=recipe, loader=loader, log=lambda event: None)
    clock = types.SimpleNamespace(durations=[step_seconds] * 9, tick=lambda kind: 0.0)
    schedule = Schedule(recipe.schedule, progress)
    decide_length(run, schedule, clock, lambda: None)
    return progress.validations, schedule.total / steps_per_epoch


@pytest.mark.parametrize("settings", [{"patience": 20}, {"curve": "plateau"}], ids=["patience", "plateau"])
def test_not_more_than_one_after_each_epoch_where_patience_counts_them(settings):
    validations, epochs = decided(**settings)
    assert epochs == pytest.approx(196, abs=1) and validations == pytest.approx(epochs, abs=1)
    assert decided(steps_per_epoch=5000, **settings)[0] == 8  # two epochs: still as many as a run has by default
    assert decided(steps_per_epoch=5000, validations=4, **settings)[0] == 4
    assert decided(steps_per_epoch=2, **settings)[0] == 500
    assert decided(epochs=30, **settings)[0] == 30


def test_as_many_as_wished_where_nothing_counts_them():
    assert decided()[0] == decided(curve="constant", steps_per_epoch=5000)[0] == 500
