"""Validate, and decide from the score which weights are kept and whether the learning rate falls."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from torch import nn

from limner.training.checkpoint import Progress, save_weights
from limner.training.failure import memory_of_validation
from limner.training.run import Run, Validation
from limner.training.schedule import Schedule

ALARM_AFTER = 0.25  # of the schedule; before, rare classes are often not predicted yet


def validate(run: Run, schedule: Schedule, judged: nn.Module, train_loss: float) -> None:
    """Score, remember the best (the latest that is not measurably worse than the highest), write the history."""
    progress = schedule.state
    with memory_of_validation(progress.step):
        found = run.validate(judged)
    epoch = round(progress.step / run.loader.steps_per_epoch, 2)
    row = {
        "step": progress.step,
        "epoch": epoch,
        "seconds": round(progress.seconds, 2),
        "train_loss": round(train_loss, 6),
        "learning_rate": run.recipe.optimizer.learning_rate * schedule.factor(progress.step - 1),
        **found.scores,
    }
    progress.history.append(row)
    _remember_highest(progress, found)
    undefined = math.isnan(progress.peak["value"])  # no class to see: the latest is kept
    if undefined or found.value >= progress.peak["value"] - _noise(found.pictures, progress.peak["pictures"]):
        progress.best = {"step": progress.step, "epoch": epoch, "metric": found.metric, "value": found.value}
        save_weights(judged, run.checkpoints / "best.safetensors")
    _keep_top(run, progress, judged, found.value)
    run.log({"event": "validation", **row, "best": progress.best["value"], "silent": list(found.silent)})
    run.scalars(progress.step, found.scores)
    _fall_on_plateau(run, schedule)
    if schedule.progress(progress.step) > ALARM_AFTER:
        _alarm(run, progress, found)
    run.changed(progress)


def _alarm(run: Run, progress: Progress, found: Validation) -> None:
    """Name classes that are not predicted at all: once, and again only after they were."""
    for name in found.silent:
        if name not in progress.alarmed:
            run.listener.message(
                f"alarm: class '{name}' is in the validation pictures and is not predicted at all (step {progress.step})"
            )
    progress.alarmed = list(found.silent)


def _remember_highest(progress: Progress, found: Validation) -> None:
    progress.since_best += 1
    progress.since_fall += 1
    peak = progress.peak.get("value")
    if peak is None or math.isnan(peak) or found.value > peak:
        progress.peak = {"value": found.value, "pictures": list(found.pictures)}
        progress.since_best = progress.since_fall = 0


def _keep_top(run: Run, progress: Progress, judged: nn.Module, value: float) -> None:
    """``top-<step>.safetensors`` of the validations with the highest values, the later of equal ones first."""
    if not run.recipe.schedule.keep_top or math.isnan(value):
        return
    rows: list[dict[str, Any]] = [*progress.top, {"step": progress.step, "value": value}]
    rows.sort(key=lambda row: (row["value"], row["step"]), reverse=True)
    progress.top = rows[: run.recipe.schedule.keep_top]
    names = {f"top-{row['step']}.safetensors" for row in progress.top}
    own = f"top-{progress.step}.safetensors"
    if own in names:
        save_weights(judged, run.checkpoints / own)
    for file in run.checkpoints.glob("top-*.safetensors"):
        if file.name not in names:
            file.unlink(missing_ok=True)


def _fall_on_plateau(run: Run, schedule: Schedule) -> None:
    """Let the rate fall after enough validations without a better one; the next fall is counted from here."""
    part, progress = run.recipe.schedule, schedule.state
    if part.curve != "plateau" or progress.since_fall < part.plateau_patience:
        return
    before = schedule.factor(progress.step)
    progress.falls, progress.since_fall = progress.falls + 1, 0
    after = schedule.factor(progress.step)
    if after < before:
        rate = run.recipe.optimizer.learning_rate * after
        run.log({"event": "plateau", "step": progress.step, "learning_rate": rate})


def _noise(pictures: Sequence[float], peak: Sequence[float]) -> float:
    """Half the standard error of the mean difference between two validations of the same pictures; 0 for fewer than two.

    A difference below it says nothing, and of two models that are equally good the later one has learnt more: with few
    validation pictures the highest score is often an early accident.
    """
    pairs = [a - b for a, b in zip(pictures, peak, strict=True) if not math.isnan(a - b)]
    return 0.5 * statistics.stdev(pairs) / math.sqrt(len(pairs)) if len(pairs) > 1 else 0.0
