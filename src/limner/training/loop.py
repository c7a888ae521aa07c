"""The training loop: step, validate, save. Reads top to bottom; the budget is a number of steps by a measured rate."""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from limner.core.duration import parse_duration
from limner.core.errors import DataError, RecipeError
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.losses import compound_loss
from limner.training.checkpoint import Progress, load_checkpoint, save_checkpoint, save_weights
from limner.training.clock import Clock
from limner.training.loader import Batch, PatchLoader
from limner.training.optimize import make_optimizer, set_rate
from limner.training.schedule import HOLD_STEPS, Schedule, steps_within

TIMED_STEPS = range(3, HOLD_STEPS)  # the first ones also build kernels
ROOM = 0.98  # of the budget is planned for
VALIDATION_SHARE = 0.15  # of the budget, at most
REVISE_BEYOND = 0.05  # of the budget
SHORTEST_END = 0.03  # of the schedule: what is left to let the learning rate fall when time is up
ALARM_AFTER = 0.25  # of the schedule; before, rare classes are often not predicted yet


@dataclass(frozen=True)
class Validation:
    """What a validation found: `value` chooses the best epoch (higher is better, NaN = cannot tell)."""

    metric: str
    value: float
    scores: dict[str, float]
    silent: tuple[str, ...] = ()  # classes that the truth shows and the model never predicts
    pictures: tuple[float, ...] = ()  # score of each validation picture, NaN where undefined


@dataclass
class Run:
    """Everything a training run works with.

    Parameters
    ----------
    model : any network of `limner.models`.
    loader : where batches come from.
    recipe : what to do.
    checkpoints : folder of ``last.safetensors`` and ``best.safetensors``.
    validate : scores a module on whole validation pictures.
    log : called with one event, a flat dict, to be kept.
    bfloat16 : compute in bfloat16 where autocast allows, else in float32.
    changed : called with the progress when the length is decided and after each validation.
    interrupted : asked before each step; True ends the run cleanly.
    """

    model: nn.Module
    loader: PatchLoader
    recipe: Recipe
    checkpoints: Path
    validate: Callable[[nn.Module], Validation]
    log: Callable[[dict[str, Any]], None]
    changed: Callable[[Progress], None]
    listener: Listener
    bfloat16: bool
    interrupted: Callable[[], bool] = field(default=lambda: False)


def seed_step(seed: int, step: int) -> None:
    """All of torch's randomness (dropout) of one step follows from (seed, step), so no random state has to be saved."""
    torch.manual_seed((seed * 1_000_003 + step) % 2**63)


def train(run: Run, *, resume: bool) -> Progress:
    """Train until the schedule ends, patience runs out, or somebody interrupts; the best weights lie in `checkpoints`.

    Returns
    -------
    Progress with ``stopped`` set, or empty when interrupted.

    Raises
    ------
    RecipeError : the recipe does not say how long.
    DataError : the loss is not a number.
    MachineError : the disk is full; the last whole checkpoint stays.
    """
    recipe = run.recipe
    if recipe.schedule.budget == "none" and not (recipe.schedule.steps or recipe.schedule.epochs):
        raise RecipeError(
            "neither epochs, steps nor a budget is given",
            expected="one of them",
            where="schedule",
            fix="--budget 10m or --set schedule.epochs=50",
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(accelerator="auto", devices=1, precision="bf16-mixed" if run.bfloat16 else "32-true")
    torch.use_deterministic_algorithms(True, warn_only=True)
    raw = run.model.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(raw, recipe.optimizer, pretrained=recipe.encoder.pretrained)
    average = _average(raw, recipe.optimizer.ema)
    judged = raw if average is None else average.module
    progress, last = Progress(), run.checkpoints / "last.safetensors"
    if resume and last.is_file():
        progress = load_checkpoint(last, raw, optimizer, average)
        run.log({"event": "resumed", "step": progress.step, "seconds": progress.seconds})
    schedule = _schedule(recipe, run.loader, progress)
    clock = Clock(progress)
    model, optimizer = fabric.setup(raw, optimizer)
    batches = run.loader.batches(progress.step)
    losses: list[float] = []
    raw.train()
    while not progress.stopped and not run.interrupted():
        losses.append(
            _step(fabric, model, optimizer, next(batches), run, schedule.factor(progress.step), progress.step)
        )
        if average is not None:
            average.update_parameters(raw)
        progress.step += 1
        clock.tick("step")
        timed = len(clock.durations) >= TIMED_STEPS.stop or progress.step >= _most_steps(run)
        if not schedule.plan and timed:
            _decide_length(run, schedule, progress, clock, judged)
        if schedule.validates(progress.step, progress.validations):
            _validate(run, progress, judged, statistics.fmean(losses), schedule)
            losses.clear()
            clock.tick("validation")
        _watch(run, schedule, progress, clock)
        if progress.stopped or clock.checkpoint_due():
            save_checkpoint(last, progress, raw, optimizer, average)
            clock.saved()
        _show(run, schedule, progress, losses)
    batches.close()
    if not progress.stopped and progress.step:
        save_checkpoint(last, progress, raw, optimizer, average)
        if not progress.best:
            save_weights(judged, run.checkpoints / "best.safetensors")
    return progress


def _step(
    fabric: Fabric, model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch, run: Run, factor: float, step: int
) -> float:
    """One optimizer step; returns the loss."""
    recipe = run.recipe
    seed_step(recipe.seed, step)
    set_rate(optimizer, factor)
    images = torch.from_numpy(batch.images).to(fabric.device).contiguous(memory_format=torch.channels_last)
    target, valid = (torch.from_numpy(array).to(fabric.device) for array in (batch.target, batch.valid))
    loss: Tensor = compound_loss(
        model(images),
        target,
        valid,
        cross_entropy=recipe.loss.cross_entropy,
        dice=recipe.loss.dice,
        dice_pooling=recipe.loss.dice_pooling,
        class_weights=recipe.loss.class_weights,
    )
    value = float(loss.detach())
    if value != value:
        raise DataError(
            f"the loss became not-a-number at step {step}",
            expected="a finite loss",
            fix='lower optimizer.learning_rate, or set optimizer.precision = "float32"; run limner check on the data',
        )
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(loss)
    fabric.clip_gradients(model, optimizer, max_norm=recipe.optimizer.clip_norm, error_if_nonfinite=False)
    optimizer.step()
    return value


def _average(model: nn.Module, decay: float) -> AveragedModel | None:
    if not decay:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]


def _schedule(recipe: Recipe, loader: PatchLoader, progress: Progress) -> Schedule:
    """The plan of a resumed run, of the recipe's steps or epochs, or an empty one that the clock will fill."""
    part = recipe.schedule
    if not progress.plan:
        if part.steps:
            progress.plan = [(0, part.steps), *part.revisions]
        elif part.epochs and part.budget == "none":
            progress.plan = [(0, part.epochs * loader.steps_per_epoch)]
    progress.validations = progress.validations or part.validations
    return Schedule(part.warmup_steps, list(progress.plan), hold_steps=0 if part.budget == "none" else HOLD_STEPS)


def _most_steps(run: Run) -> int:
    """Steps that the recipe's epochs allow beside a budget."""
    epochs = run.recipe.schedule.epochs
    return epochs * run.loader.steps_per_epoch if epochs else 2**62


def _decide_length(run: Run, schedule: Schedule, progress: Progress, clock: Clock, judged: nn.Module) -> None:
    """Turn the budget into a number of steps: time the first steps and one validation.

    The quickest quarter counts: a stall at the start would shorten the schedule for good, while too long a schedule is cut
    later without harm.
    """
    part = run.recipe.schedule
    if progress.step >= _most_steps(run):
        schedule.revise(0, progress.step)
        progress.plan = list(schedule.plan)
        return
    budget = parse_duration(part.budget) * ROOM
    run.validate(judged)
    cost = clock.tick("validation")
    step_seconds = statistics.quantiles(clock.durations[TIMED_STEPS.start : TIMED_STEPS.stop], n=4)[0]
    progress.validations = max(1, min(part.validations, int(VALIDATION_SHARE * budget / max(cost, 1e-3))))
    fitting = progress.step + steps_within(
        budget - progress.seconds, step_seconds=step_seconds, validation_seconds=cost, validations=progress.validations
    )
    schedule.revise(0, min(fitting, _most_steps(run)))
    progress.plan = list(schedule.plan)
    run.log({"event": "length", "steps": schedule.total, "step_seconds": step_seconds, "validation_seconds": cost})


def _validate(run: Run, progress: Progress, judged: nn.Module, train_loss: float, schedule: Schedule) -> None:
    """Score, remember the best (the latest that is not measurably worse than the highest), write the history."""
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
    progress.since_best += 1
    peak = progress.peak.get("value")
    if peak is None or math.isnan(peak) or found.value > peak:
        progress.peak = {"value": found.value, "pictures": list(found.pictures)}
        progress.since_best = 0
    undefined = math.isnan(progress.peak["value"])  # no class to see: the latest is kept
    if undefined or found.value >= progress.peak["value"] - _noise(found.pictures, progress.peak["pictures"]):
        progress.best = {"step": progress.step, "epoch": epoch, "metric": found.metric, "value": found.value}
        save_weights(judged, run.checkpoints / "best.safetensors")
    run.log({"event": "validation", **row, "best": progress.best["value"], "silent": list(found.silent)})
    for name in found.silent if schedule.progress(progress.step) > ALARM_AFTER else ():
        run.listener.message(
            f"alarm: class '{name}' is in the validation pictures and is not predicted at all (step {progress.step})"
        )
    run.changed(progress)


def _noise(pictures: Sequence[float], peak: Sequence[float]) -> float:
    """Half the standard error of the mean difference between two validations of the same pictures; 0 for fewer than two.

    A difference below it says nothing, and of two models that are equally good the later one has learnt more: with few
    validation pictures the highest score is often an early accident.
    """
    pairs = [a - b for a, b in zip(pictures, peak, strict=True) if not math.isnan(a - b)]
    return 0.5 * statistics.stdev(pairs) / math.sqrt(len(pairs)) if len(pairs) > 1 else 0.0


def _watch(run: Run, schedule: Schedule, progress: Progress, clock: Clock) -> None:
    """Stop at the end or when patience is out; move the end when the machine turned out slower or faster."""
    part = run.recipe.schedule
    if schedule.plan and progress.step >= schedule.total:
        by_epochs = part.budget == "none" or schedule.total == _most_steps(run)
        progress.stopped = "epochs" if by_epochs else "budget"
    elif part.patience and progress.since_best >= part.patience:
        progress.stopped = "patience"
    elif schedule.plan and part.budget != "none" and not part.steps:
        budget = parse_duration(part.budget) * ROOM
        if not clock.review_due(budget):
            return
        due = progress.validations * (1 - schedule.progress(progress.step)) * clock.validation_seconds()
        expected = progress.seconds + (schedule.total - progress.step) * clock.step_seconds() + due
        fitting = int((budget - progress.seconds - due) / clock.step_seconds())
        end = min(progress.step + max(fitting, math.ceil(SHORTEST_END * schedule.total)), _most_steps(run))
        if abs(expected - budget) > REVISE_BEYOND * budget and end != schedule.total:
            schedule.revise(progress.step, end)
            progress.plan = list(schedule.plan)
            run.log({"event": "revised", "step": progress.step, "steps": schedule.total, "expected_seconds": expected})


def _show(run: Run, schedule: Schedule, progress: Progress, losses: list[float]) -> None:
    recent = losses[-20:]
    text = f"loss {statistics.fmean(recent):.3f}" if recent else ""
    if progress.best:
        text += f"  val {progress.history[-1].get('val_dice', float('nan')):.4f}  best {progress.best['value']:.4f}"
    run.listener.progress("train", progress.step, schedule.total, text.strip())
