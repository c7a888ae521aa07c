"""Train a model on a data set, keep the best, judge it on pictures it has never seen, and report."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.api.extras import require_training
from limner.api.plan import plan_dataset, split_dataset
from limner.api.run_folder import RunFolder
from limner.api.run_report import judge_and_report
from limner.core.choices import nearest
from limner.core.duration import parse_duration
from limner.core.errors import DataError, RecipeError
from limner.core.protocols import Listener, Silent
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset, open_dataset
from limner.data.splits import Split, make_split, read_split

if TYPE_CHECKING:
    from limner.training.checkpoint import Progress

CLEARED = {"schedule.epochs": 0, "schedule.steps": 0, "schedule.revisions": ()}


@dataclass(frozen=True)
class TrainResult:
    """What a run came to.

    Parameters
    ----------
    run, model : the run folder and the bundle in it.
    epochs, steps, seconds : of training, validation included.
    stopped : ``budget``, ``patience``, ``epochs`` or ``interrupted``.
    best : epoch, metric and value of the best validation.
    test : summary of the evaluation on the test split (on validation where there is no test split); empty when interrupted.
    """

    run: Path
    model: Path
    epochs: float
    steps: int
    seconds: float
    stopped: str
    best: dict[str, Any]
    test: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """``train --json``."""
        return {**vars(self), "run": str(self.run), "model": str(self.model)}


def train(
    data: Path | str,
    *,
    recipe: Path | str | Recipe | None = None,
    settings: Mapping[str, Any] | None = None,
    budget: str | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    seed: int | None = None,
    overwrite: bool = False,
    allow_leaks: bool = False,
    listener: Listener | None = None,
) -> TrainResult:
    """Train on the data set in folder `data`.

    Parameters
    ----------
    data : folder in any layout that ``check`` reads.
    recipe : a recipe, its file, or ``auto``; None = decide one.
    settings : dotted keys that overrule the recipe.
    budget : wall-clock time from the first step to the last, as in ``10m``.
    out : run folder; default ``runs/<name of data>``.
    resume : go on with the run in `out`; start it when there is none; return at once when it is finished.
    seed : of everything random.
    overwrite : replace a run folder that Limner made.
    allow_leaks : train although a given split leaks.
    listener : hears of progress.

    Raises
    ------
    DataError, RecipeError, OutputError, MachineError : see `limner.core.errors`.
    """
    require_training()
    listener = listener or Silent()
    folder = RunFolder(Path(out) if out is not None else Path("runs") / Path(data).resolve().name)
    finished = folder.finished() if resume else None
    if finished is not None:
        listener.message(f"{folder.path} is finished already")
        return _result(folder, finished)
    goes_on = folder.check(resume=resume, overwrite=overwrite)
    changes = _changes(settings, budget, seed, planned=recipe is None or recipe == "auto")
    dataset = open_dataset(Path(data), allow=("SPLIT_LEAK",) if allow_leaks else (), listener=listener)
    for finding in dataset.findings:
        if finding.level in ("warning", "fixed"):
            listener.message(f"{finding.level}: {finding.message}")
    chosen, split = _prepare(folder, dataset, recipe, changes, listener, goes_on=goes_on)
    if chosen.schedule.budget != "none":
        parse_duration(chosen.schedule.budget)  # a wrong one is refused before anything is written
    folder.start(chosen, split, dataset.root, goes_on=goes_on, overwrite=overwrite)
    progress = _fit(folder, dataset, split, chosen, resume=resume, listener=listener)
    if not progress.stopped:
        folder.remove_cache()
        listener.message(
            f"interrupted at step {progress.step}; the best model so far is in {folder.model}. "
            f"Go on with: limner train {data} --out {folder.path} --resume"
        )
        return _result(folder, {**_facts(progress), "stopped": "interrupted", "test": {}})
    test = judge_and_report(
        folder,
        dataset,
        split,
        progress,
        command=f"limner train {data} --recipe {folder.recipe} --out NEW_FOLDER",
        listener=listener,
    )
    result = {**_facts(progress), "test": test}
    folder.finish(result)
    return _result(folder, result)


def _changes(
    settings: Mapping[str, Any] | None, budget: str | None, seed: int | None, *, planned: bool
) -> dict[str, Any]:
    """What the call fixes; a budget goes before the length that a given recipe was measured for."""
    changes: dict[str, Any] = {}
    if budget is not None:
        changes = {"schedule.budget": budget} if planned else {**CLEARED, "schedule.budget": budget}
    changes |= settings or {}
    return changes | ({"seed": seed} if seed is not None else {})


def _prepare(
    folder: RunFolder,
    dataset: Dataset,
    recipe: Path | str | Recipe | None,
    changes: dict[str, Any],
    listener: Listener,
    *,
    goes_on: bool,
) -> tuple[Recipe, Split]:
    """The recipe and split of the run: those in the folder when it is resumed, else given or planned ones."""
    if goes_on:
        stored = Recipe.read(folder.recipe)
        explicit = {key: value for key, value in changes.items() if key not in CLEARED or value}
        wanted = stored.override(explicit)
        if wanted != stored:
            different = [key for key, value in explicit.items() if stored.get(key) != wanted.get(key)]
            raise RecipeError(
                f"the run in {folder.path} was started with other values of {', '.join(different)}",
                expected="the same ones with --resume",
                where=str(folder.recipe),
                fix="leave them out, or start a new run in another --out",
            )
        return stored, read_split(folder.split, dataset)
    if isinstance(recipe, Recipe):
        chosen = recipe.override(changes)
    elif recipe is None or str(recipe) == "auto":
        split = split_dataset(dataset, changes)
        return plan_dataset(dataset, split, changes, listener=listener), split
    else:
        if not Path(recipe).is_file() and Path(recipe).suffix != ".toml":
            raise RecipeError(
                f"unknown recipe '{recipe}'",
                expected="a TOML file or the name of a recipe",
                fix=nearest(str(recipe), ["auto"]),
            )
        chosen = Recipe.read(Path(recipe)).override(changes)
    return chosen, make_split(dataset, rule=chosen.split, seed=chosen.seed)


def _fit(
    folder: RunFolder, dataset: Dataset, split: Split, recipe: Recipe, *, resume: bool, listener: Listener
) -> Progress:
    """Build the network, train it, write the bundle of the best weights."""
    from limner.api.network import make_network, make_validation, write_bundle
    from limner.runtimes.allocator import keep_freed_memory
    from limner.runtimes.precision import use_bfloat16
    from limner.training.loader import PatchLoader
    from limner.training.loop import Run
    from limner.training.loop import train as fit

    if not split.part("train") or not split.part("val"):
        raise DataError(
            f"{len(split.part('train'))} pictures to train and {len(split.part('val'))} to validate on",
            expected="at least one each",
            where=str(dataset.root),
            fix="add pictures, or correct splits.csv",
        )
    keep_freed_memory()
    network, arguments, licences = make_network(recipe, dataset.label_space)
    bfloat16 = use_bfloat16(recipe.optimizer.precision)
    loader = PatchLoader(
        dataset.with_items(split.part("train")),
        recipe,
        channels=arguments["channels"],
        cache=folder.cache,
        listener=listener,
    )
    validate = make_validation(dataset, split.part("val"), recipe, channels=arguments["channels"], bfloat16=bfloat16)
    with _interruptible() as stop:
        progress = fit(
            Run(
                model=network,
                loader=loader,
                recipe=recipe,
                checkpoints=folder.checkpoints,
                validate=validate,
                log=folder.log,
                changed=folder.write_history,
                listener=listener,
                bfloat16=bfloat16,
                interrupted=stop.is_set,
            ),
            resume=resume,
        )
    if progress.step == 0:
        raise KeyboardInterrupt
    folder.write_recipe(recipe, progress)
    write_bundle(folder, dataset, split, recipe, progress, arguments=arguments, licences=licences)
    return progress


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """The first Ctrl-C (or termination signal) sets the event, the second one stops at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _facts(progress: Progress) -> dict[str, Any]:
    epochs = progress.history[-1]["epoch"] if progress.history else 0.0
    return {
        "epochs": epochs,
        "steps": progress.step,
        "seconds": round(progress.seconds, 2),
        "stopped": progress.stopped,
        "best": {
            key: None if value != value else value for key, value in progress.best.items()
        },  # NaN: no class to see
    }


def _result(folder: RunFolder, facts: dict[str, Any]) -> TrainResult:
    return TrainResult(run=folder.path, model=folder.model, **facts)
