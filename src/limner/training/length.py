"""How many steps: from the recipe, or from a budget by timing the first steps, corrected while the run goes on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from limner.core.duration import parse_duration
from limner.core.errors import RecipeError
from limner.core.recipe import Recipe
from limner.core.recipe_parts import SchedulePart
from limner.training.clock import Clock
from limner.training.failure import memory_of_validation
from limner.training.run import Run
from limner.training.schedule import HOLD_STEPS, Schedule, steps_within

TIMED_STEPS = range(3, HOLD_STEPS)  # the first ones also build kernels
ROOM = 0.98  # of the budget is planned for
VALIDATION_SHARE = 0.15  # of the budget, at most
REVISE_BEYOND = 0.05  # of the budget
FEWEST = SchedulePart().validations  # even where they are more than one per epoch
SHORTEST_END = 0.03  # of the schedule: what is left to let the learning rate fall when time is up


def check_length(recipe: Recipe) -> None:
    """Refuse a recipe that does not say how long.

    Raises
    ------
    RecipeError : neither steps, nor epochs, nor a budget.
    """
    if recipe.schedule.budget == "none" and not (recipe.schedule.steps or recipe.schedule.epochs):
        raise RecipeError(
            "neither epochs, steps nor a budget is given",
            expected="one of them",
            where="schedule",
            fix="--budget 10m or --set schedule.epochs=50",
        )


def most_steps(run: Run) -> int:
    """Steps that the recipe's epochs allow beside a budget."""
    epochs = run.recipe.schedule.epochs
    return epochs * run.loader.steps_per_epoch if epochs else 2**62


def begin_plan(run: Run, schedule: Schedule) -> None:
    """The plan of the recipe's steps or epochs; that of a resumed run stays, and the clock will fill that of a budget."""
    part, progress = run.recipe.schedule, schedule.state
    if not progress.plan:
        if part.steps:
            progress.plan = [(0, part.steps), *part.revisions]
        elif part.epochs and part.budget == "none":
            progress.plan = [(0, most_steps(run))]
    progress.validations = progress.validations or part.validations


def decide_length(run: Run, schedule: Schedule, clock: Clock, validate: Callable[[], object]) -> None:
    """Turn the budget into a number of steps, once enough steps are timed: one validation is timed, too.

    The quickest quarter counts: a stall at the start would shorten the schedule for good, while too long a schedule is cut
    later without harm.
    """
    part, progress = run.recipe.schedule, schedule.state
    if progress.plan or (len(clock.durations) < TIMED_STEPS.stop and progress.step < most_steps(run)):
        return
    if progress.step >= most_steps(run):
        schedule.revise(0, progress.step)
        return
    budget = parse_duration(part.budget) * ROOM
    with memory_of_validation(progress.step):
        validate()
    cost = clock.tick("validation")
    step_seconds = statistics.quantiles(clock.durations[TIMED_STEPS.start : TIMED_STEPS.stop], n=4)[0]
    wanted = _wanted_validations(run, progress.step + (budget - progress.seconds) / max(step_seconds, 1e-6))
    progress.validations = max(1, min(wanted, int(VALIDATION_SHARE * budget / max(cost, 1e-3))))
    fitting = progress.step + steps_within(
        budget - progress.seconds, step_seconds=step_seconds, validation_seconds=cost, validations=progress.validations
    )
    schedule.revise(0, min(fitting, most_steps(run)))
    run.log({"event": "length", "steps": schedule.total, "step_seconds": step_seconds, "validation_seconds": cost})


def _wanted_validations(run: Run, steps: float) -> int:
    """As many as the recipe says; where patience counts them, not more than one after each epoch of about `steps` steps.

    A recipe that validates after every one of 500 epochs, trained for a budget that holds 20 of them, would validate 25 times
    within an epoch, and a patience of 20 validations would be used up before the network has seen every picture once.
    """
    part = run.recipe.schedule
    if not part.patience and part.curve != "plateau":
        return part.validations
    epochs = math.ceil(min(steps, most_steps(run)) / run.loader.steps_per_epoch)
    return min(part.validations, max(FEWEST, epochs))


def watch(run: Run, schedule: Schedule, clock: Clock) -> None:
    """Stop at the end or when patience is out; move the end when the machine turned out slower or faster."""
    part, progress = run.recipe.schedule, schedule.state
    if progress.plan and progress.step >= schedule.total:
        by_epochs = part.budget == "none" or schedule.total == most_steps(run)
        progress.stopped = "epochs" if by_epochs else "budget"
    elif part.patience and progress.since_best >= part.patience:
        progress.stopped = "patience"
    elif progress.plan and part.budget != "none" and not part.steps:
        _review(run, schedule, clock, parse_duration(part.budget) * ROOM)


def _review(run: Run, schedule: Schedule, clock: Clock, budget: float) -> None:
    progress = schedule.state
    if not clock.review_due(budget):
        return
    due = progress.validations * (1 - schedule.progress(progress.step)) * clock.validation_seconds()
    expected = progress.seconds + (schedule.total - progress.step) * clock.step_seconds() + due
    fitting = int((budget - progress.seconds - due) / clock.step_seconds())
    end = min(progress.step + max(fitting, math.ceil(SHORTEST_END * schedule.total)), most_steps(run))
    if abs(expected - budget) > REVISE_BEYOND * budget and end != schedule.total:
        schedule.revise(progress.step, end)
        run.log({"event": "revised", "step": progress.step, "steps": schedule.total, "expected_seconds": expected})
