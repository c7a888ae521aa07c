"""The training loop: step, validate, save. Reads top to bottom; the budget is a number of steps by a measured rate."""

from __future__ import annotations

import math
import statistics

import torch

from limner.core.errors import MachineError, RecipeError
from limner.training.checkpoint import Progress, load_checkpoint, read_progress, save_checkpoint, save_weights
from limner.training.clock import Clock
from limner.training.crops import Crops
from limner.training.distributed import Crew
from limner.training.failure import diverged, out_of_memory, partners, ran_out_of_memory
from limner.training.length import begin_plan, check_length, decide_length, watch
from limner.training.loader import Batch
from limner.training.optimize import make_optimizer
from limner.training.run import Run, Validation
from limner.training.schedule import Schedule
from limner.training.selection import validate
from limner.training.step import Learner, has_levels, make_average, seed_step

__all__ = ["Run", "Validation", "seed_step", "train"]


def train(run: Run, *, resume: bool) -> Progress:
    """Train until the schedule ends, patience runs out, or somebody interrupts; the best weights lie in `checkpoints`.

    Returns
    -------
    Progress with ``stopped`` set, or empty when interrupted; in processes but the first without history and best.

    Raises
    ------
    RecipeError : the recipe does not say how long, or cannot be shared among so many processes.
    DataError : the loss is infinite or not a number; the best weights so far stay.
    MachineError : memory ran out, also in parts of half the size; the disk is full; another process has ended. The last whole
        checkpoint stays.
    """
    check_length(run.recipe)
    _check_parts(run)
    with partners(run.place.world):
        return _train(run, Crew(run.place, bfloat16=run.bfloat16, spare_weights=has_levels(run.model)), resume=resume)


def _train(run: Run, crew: Crew, *, resume: bool) -> Progress:
    recipe = run.recipe
    torch.use_deterministic_algorithms(True, warn_only=True)
    network = crew.place_network(run.model)
    last = run.checkpoints / "last.safetensors"
    goes_on = resume and last.is_file()
    progress = read_progress(last) if goes_on else Progress(slow_encoder=run.pretrained)
    slow = recipe.encoder.pretrained if progress.slow_encoder is None else progress.slow_encoder
    optimizer = make_optimizer(network, recipe.optimizer, pretrained=slow)
    average = make_average(network, recipe.optimizer.ema)
    judged = network if average is None else average.module
    if goes_on:
        progress = load_checkpoint(last, network, optimizer, average)
    _agree_on_start(run, crew, progress)
    schedule = Schedule(recipe.schedule, progress)
    begin_plan(run, schedule)
    learner = Learner(crew, network, optimizer, average, recipe)
    clock = Clock(progress)
    batches = run.loader.batches(progress.step)
    losses: list[float] = []
    while not progress.stopped and not crew.any(run.interrupted()):
        losses.append(_learn(run, learner, schedule, next(batches)))
        progress.step += 1
        clock.tick("step")
        if run.place.first:
            run.scalars(progress.step, {"train_loss": losses[-1], "learning_rate": _rate(run, schedule)})
            decide_length(run, schedule, clock, lambda: run.validate(judged))
            if schedule.validates(progress.step):
                validate(run, schedule, judged, statistics.fmean(losses))
                losses.clear()
                clock.tick("validation")
            watch(run, schedule, clock)
            if progress.stopped or clock.checkpoint_due():
                save_checkpoint(last, progress, network, optimizer, average)
                clock.saved()
            _show(run, schedule, losses)
        progress.plan, progress.falls, progress.stopped = crew.from_first(
            (progress.plan, progress.falls, progress.stopped)
        )
    batches.close()
    if run.place.first and not progress.stopped and progress.step:
        save_checkpoint(last, progress, network, optimizer, average)
        if not progress.best:
            save_weights(judged, run.checkpoints / "best.safetensors")
    crew.leave()
    return progress


def _learn(run: Run, learner: Learner, schedule: Schedule, batch: Batch | Crops) -> float:
    """One step; where memory runs out, the same step once more in parts of half the size. Returns the loss."""
    step, patches = schedule.state.step, math.ceil(learner.patches / learner.parts)
    rate, changing = schedule.factor(step), False
    try:
        loss, changing = learner.gradients(batch, step), True
        if not math.isfinite(loss):
            raise diverged(run.recipe, step, loss, rate=run.recipe.optimizer.learning_rate * rate)
        learner.update(rate)
        return loss
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        failure = error.with_traceback(None)  # the frames hold what fills the memory
    # weights that are partly changed cannot go back; nor can several processes, of which one may wait for the other's gradients
    if changing or run.place.world > 1 or learner.retried or not learner.halve():
        raise out_of_memory(run.recipe, step, patches=patches, can_split=learner.can_split) from failure
    reason = f"memory ran out at step {step} with {patches} patches at once"
    run.halved(learner.parts, reason)
    run.log({"event": "memory", "step": step, "accumulate": learner.parts})
    run.listener.message(f"{reason}; going on in parts of half the size: optimizer.accumulate = {learner.parts}")
    return _learn(run, learner, schedule, batch)


def _check_parts(run: Run) -> None:
    """Refuse parts and shares of a batch that would be empty."""
    recipe, world = run.recipe, run.place.world
    if recipe.optimizer.accumulate < 1:
        raise RecipeError(
            f"optimizer.accumulate = {recipe.optimizer.accumulate}",
            expected="a number of at least 1",
            where="optimizer.accumulate",
            fix="--set optimizer.accumulate=1",
        )
    if recipe.sampling.batch < world:
        raise RecipeError(
            f"a batch of {recipe.sampling.batch} for {world} processes",
            expected="one patch for each at least",
            where="sampling.batch",
            fix=f"--set sampling.batch={world}, or fewer --devices",
        )


def _agree_on_start(run: Run, crew: Crew, progress: Progress) -> None:
    """All processes begin with the same step; the first one says so.

    Raises
    ------
    MachineError : some do not see the checkpoint that the first one goes on from.
    """
    first = crew.from_first(progress.step)
    if crew.any(progress.step != first):
        raise MachineError(
            f"the first process goes on from step {first}, another one sees no checkpoint of it",
            expected="one run folder for all machines",
            where=str(run.checkpoints),
            fix="put --out on a file system that all machines share",
        )
    if run.place.first and first:
        run.log({"event": "resumed", "step": progress.step, "seconds": progress.seconds})
        run.changed(progress)


def _rate(run: Run, schedule: Schedule) -> float:
    """The learning rate of the step just taken."""
    return run.recipe.optimizer.learning_rate * schedule.factor(schedule.state.step - 1)


def _show(run: Run, schedule: Schedule, losses: list[float]) -> None:
    progress, recent = schedule.state, losses[-20:]
    text = f"loss {statistics.fmean(recent):.3f}" if recent else ""
    if progress.best:
        latest = progress.history[-1].get(progress.best["metric"], float("nan"))
        text += f"  val {latest:.4f}  best {progress.best['value']:.4f}"
    run.listener.progress("train", progress.step, schedule.total, text.strip())
