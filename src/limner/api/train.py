"""Train a model on a data set, keep the best, judge it on pictures it has never seen, and report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.api.extras import require_training
from limner.api.fit import Job, check_parts, fit
from limner.api.logs import open_logs, require_logs
from limner.api.plan import plan_dataset, split_dataset, with_preset
from limner.api.run_folder import RunFolder
from limner.api.run_report import judge_and_report
from limner.core.augmentation import check_augmentation
from limner.core.duration import parse_duration
from limner.core.errors import RecipeError
from limner.core.named_recipes import AUTO, read_recipe
from limner.core.protocols import Listener, Silent
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset, open_dataset
from limner.data.splits import Split, make_split, read_split
from limner.training.place import Place, find_place

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


# long because of its arguments and their docstring: the body is 25 lines
def train(
    data: Path | str,
    *,
    recipe: Path | str | Recipe | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    budget: str | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    seed: int | None = None,
    devices: int = 1,
    nodes: int = 1,
    log: Sequence[str] = (),
    overwrite: bool = False,
    allow_leaks: bool = False,
    listener: Listener | None = None,
) -> TrainResult:
    """Train on the data set in folder `data`.

    Parameters
    ----------
    data : folder in any layout that ``check`` reads.
    recipe : a recipe, its file or its name, or ``auto``; None = decide one.
    preset : variations for a kind of pictures, over those of the recipe: ``photo``, ``microscopy``, ``radiology`` or ``aerial``.
    settings : dotted keys that overrule the recipe and the preset.
    budget : wall-clock time from the first step to the last, as in ``10m``.
    out : run folder; default ``runs/<name of data>``.
    resume : go on with the run in `out`; start it when there is none; return at once when it is finished.
    seed : of everything random.
    devices, nodes : processes per machine, one GPU each, and machines. Started by torchrun or srun, the call takes both from
        there, and all processes but the first return without scores.
    log : further places for the curves: ``tensorboard``, ``mlflow``.
    overwrite : replace a run folder that Limner made.
    allow_leaks : train although a given split leaks.
    listener : hears of progress.

    Raises
    ------
    DataError, RecipeError, OutputError, MachineError, UsageError : see `limner.core.errors`.
    """
    require_training()
    require_logs(log)
    place = find_place(devices, nodes)
    hears = (listener or Silent()) if place.first else Silent()
    folder = RunFolder(Path(out) if out is not None else Path("runs") / Path(data).resolve().name)
    job = _everywhere(
        place,
        lambda: _begin(
            folder,
            Path(data),
            recipe,
            preset,
            _changes(settings, budget, seed, planned=recipe is None or recipe == AUTO),
            resume=resume,
            log=tuple(log),
            overwrite=overwrite,
            allow_leaks=allow_leaks,
            listener=hears,
        ),
    )
    if isinstance(job, TrainResult):
        return job
    progress = fit(job, place, hears)
    if not progress.stopped or not place.first:
        return _without_scores(job, place, progress, f"limner train {data} --out {folder.path} --resume", hears)
    return _judged(job, progress, f"limner train {data} --recipe {folder.recipe} --out NEW_FOLDER", hears)


def _judged(job: Job, progress: Progress, command: str, listener: Listener) -> TrainResult:
    """The result with the test scores; writes the report, and the mark that the run is finished."""
    test = judge_and_report(job.folder, job.dataset, job.split, progress, command=command, listener=listener)
    if job.log:
        with open_logs(job.log, job.folder, job.recipe, listener) as logs:
            logs.scalars(progress.step, _test_scalars(test))
    result = {**_facts(progress), "test": test}
    job.folder.finish(result)
    return _result(job.folder, result)


def _begin(
    folder: RunFolder,
    data: Path,
    recipe: Path | str | Recipe | None,
    preset: str | None,
    changes: dict[str, Any],
    *,
    resume: bool,
    log: tuple[str, ...],
    overwrite: bool,
    allow_leaks: bool,
    listener: Listener,
) -> Job | TrainResult:
    """Check the data, decide recipe and split, make the folder; or the result of a run that is finished already."""
    finished = folder.finished() if resume else None
    if finished is not None:
        listener.message(f"{folder.path} is finished already")
        return _result(folder, finished)
    goes_on = folder.check(resume=resume, overwrite=overwrite)
    dataset = open_dataset(data, allow=("SPLIT_LEAK",) if allow_leaks else (), listener=listener)
    for finding in dataset.findings:
        if finding.level in ("warning", "fixed"):
            listener.message(f"{finding.level}: {finding.message}")
    changes, reasons = with_preset(changes, preset, dataset.label_space)
    chosen, split = _prepare(folder, dataset, recipe, changes, listener, goes_on=goes_on)
    if not goes_on:
        chosen = chosen.explain(reasons)
    check_augmentation(chosen, dataset.label_space)
    if chosen.schedule.budget != "none":
        parse_duration(chosen.schedule.budget)  # a wrong one is refused before anything is written
    job = Job(folder, dataset, split, chosen, resume, log)
    check_parts(job)
    folder.start(chosen, split, dataset.root, goes_on=goes_on, overwrite=overwrite)
    return job


def _everywhere(place: Place, begin: Callable[[], Job | TrainResult]) -> Job | TrainResult:
    """What the first process begins with, in all that somebody else has started."""
    if place.world == 1 or place.starts_others:
        return begin()
    from limner.training.distributed import made_by_first

    return made_by_first(place, begin)


def _without_scores(job: Job, place: Place, progress: Progress, command: str, listener: Listener) -> TrainResult:
    """The result of an interrupted run, and of a process that does not judge."""
    if place.first:
        job.folder.remove_cache()
        listener.message(
            f"interrupted at step {progress.step}; the best model so far is in {job.folder.model}. Go on with: {command}"
        )
    facts = _facts(progress)
    return _result(job.folder, {**facts, "stopped": facts["stopped"] or "interrupted", "test": {}})


def _test_scalars(test: dict[str, Any]) -> dict[str, float]:
    """Means of the test scores that are defined, by metric and class."""
    return {
        f"test_{metric}/{name}": score["mean"]
        for metric, by_class in test["scores"].items()
        for name, score in by_class.items()
        if score["mean"] is not None
    }


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
    elif recipe is None or str(recipe) == AUTO:
        split = split_dataset(dataset, changes)
        return plan_dataset(dataset, split, changes, listener=listener), split
    else:
        chosen = read_recipe(recipe).override(changes)
    return chosen, make_split(dataset, rule=chosen.split, seed=chosen.seed)


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
