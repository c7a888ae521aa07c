"""Train a model on a data set, keep the best, judge it on pictures it has never seen, and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from limner.api.beginning import CLEARED, beginning, check_same_data, stored_recipe
from limner.api.classical_recipe import classical_recipe
from limner.api.extras import require
from limner.api.fit import Job, check_parts
from limner.api.folds import FoldsJob, begin_folds, check_place, train_folds
from limner.api.given_recipe import given_recipe, with_changes
from limner.api.logs import require_logs
from limner.api.one_run import TrainResult, everywhere, result_of, run_job
from limner.api.plan import plan_dataset, split_dataset, with_preset
from limner.api.query_recipe import with_queries
from limner.api.run_commands import going_on, repeating
from limner.api.run_folder import RunFolder
from limner.api.value_range import with_value_range
from limner.core.augmentation import check_augmentation
from limner.core.bundle import read_bundle
from limner.core.duration import parse_duration
from limner.core.errors import LimnerError, UsageError
from limner.core.named_recipes import AUTO
from limner.core.object_head import QUERIES
from limner.core.protocols import Listener, Silent
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset, Item, open_dataset
from limner.data.folds import Folds, deal_folds, split_of
from limner.data.splits import AUTOMATIC, GIVEN, Split, is_given, read_split
from limner.training.place import Place, find_place

__all__ = ["TrainResult", "train"]


@dataclass(frozen=True)
class Call:
    """The arguments of `train` that decide what is trained, and where to."""

    folder: RunFolder
    data: Path
    recipe: Path | str | Recipe | None
    preset: str | None
    changes: Mapping[str, Any]
    resume: bool
    log: tuple[str, ...]
    overwrite: bool
    allow_leaks: bool


# long because of its arguments and their docstring: the body is 40 lines
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
    folds: int | None = None,
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
    recipe : a recipe, its file or its name, the name of a classical method, or ``auto``; None = decide one.
    preset : variations for a kind of pictures, over those of the recipe: ``photo``, ``microscopy``, ``radiology`` or ``aerial``.
    settings : dotted keys that overrule the recipe and the preset.
    budget : wall-clock time from the first step to the last, as in ``10m``; all folds together share it evenly.
    out : run folder; default ``runs/<name of data>``.
    resume : go on with the run in `out`; start it when there is none; return at once when it is finished. What else is
        given has to be what the run began with, and may be left out. Of a finished run the data are not opened.
    seed : of everything random.
    folds : cross-validation: so many models, each of which holds out other pictures, one after the other. None = as the recipe
        says, which by itself is none.
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
    folder = RunFolder(Path(out) if out is not None else Path("runs") / Path(data).resolve().name)
    if resume and recipe is None and classical_recipe(folder.recipe) is not None:
        recipe = folder.recipe  # the run says what it is
    if classical_recipe(recipe) is not None:
        from limner.api.train_classical import train_classical

        assert recipe is not None
        _refuse_network_arguments(preset=preset, folds=folds, log=log, devices=devices, nodes=nodes)
        return train_classical(
            data, method=recipe, settings=settings, budget=budget, out=out, resume=resume, seed=seed,
            overwrite=overwrite, allow_leaks=allow_leaks, listener=listener,
        )  # fmt: skip
    require("train")
    require_logs(log)
    place = find_place(devices, nodes)
    hears = (listener or Silent()) if place.first else Silent()
    changes = _changes(settings, budget, seed, folds, planned=recipe is None or recipe == AUTO)
    call = Call(folder, Path(data), recipe, preset, changes, resume, tuple(log), overwrite, allow_leaks)
    job = everywhere(place, lambda: _begin(call, place, hears))
    if isinstance(job, TrainResult):
        return job
    again = going_on(data, folder, allow_leaks=allow_leaks)
    repeat = partial(repeating, data, allow_leaks=allow_leaks)
    if isinstance(job, FoldsJob):
        return train_folds(job, place, hears, again=again, repeat=repeat)
    return run_job(job, place, hears, again=again, repeat=repeat(folder))


def _refuse_network_arguments(**arguments: Any) -> None:
    """Refuse what only the training of a network knows.

    Raises
    ------
    UsageError : one of them was given.
    """
    given = [name for name, value in arguments.items() if value and value != 1]
    if given:
        raise UsageError(
            f"--{given[0]} with a method without a network",
            expected="data, recipe, settings, budget, out, resume, seed",
            where=f"--{given[0]}",
            fix="leave it out, or train a network",
        )


def _begin(call: Call, place: Place, listener: Listener) -> Job | FoldsJob | TrainResult:
    """Check the data, decide recipe and split, make the folder; or the result of a run that is finished already."""
    folder = call.folder
    finished = folder.finished() if call.resume else None
    if finished is not None:
        _check_same_call(call)
        listener.message(f"{folder.path} is finished already")
        return result_of(folder, finished)
    goes_on = folder.check(resume=call.resume, overwrite=call.overwrite, inputs=[call.data])
    given = given_recipe(call.recipe)
    dataset = open_dataset(call.data, allow=_allowed(call, given, goes_on=goes_on), listener=listener)
    for finding in dataset.findings:
        if finding.level in ("warning", "fixed"):
            listener.message(f"{finding.level}: {finding.message}")
    changes, reasons = with_preset(call.changes, call.preset, dataset.label_space)
    if goes_on:
        chosen = stored_recipe(folder, given, changes, planned=call.recipe == AUTO)
        parts = _parts_again(folder, dataset, chosen)
    else:
        chosen = with_queries(_decided(dataset, given, changes, listener).explain(reasons))
        chosen = without_objects(chosen, dataset)
        parts = _parts(dataset, chosen)
        chosen = chosen.explain({"split.rule": parts.rule})
        for sentence in (parts.rule, *parts.notes):
            listener.message(f"split: {sentence}")
    whole = parts.pool() if isinstance(parts, Folds) else parts
    if not goes_on:
        chosen = with_value_range(chosen, dataset, _may_train(dataset, chosen, whole), listener)
    check_augmentation(chosen, dataset.label_space)
    if chosen.schedule.budget != "none":
        parse_duration(chosen.schedule.budget)  # a wrong one is refused before anything is written
    began = None if goes_on else beginning(given, changes, dataset, whole.items)
    if began is not None and chosen.split.fold and chosen.split.inner_val_share:
        began["held_out"] = sorted({item.name for item in dataset.items} - {item.name for item in whole.items})
    if isinstance(parts, Folds):
        check_place(place)
        job_of_folds = FoldsJob(folder, dataset, parts, chosen, call.log)
        begin_folds(job_of_folds, goes_on=goes_on, overwrite=call.overwrite, began=began)
        return job_of_folds
    if goes_on:
        check_same_data(folder, dataset, whole.items)
    job = Job(folder, dataset, parts, chosen, call.resume, call.log)
    check_parts(job)
    folder.start(chosen, parts, dataset.root, goes_on=goes_on, overwrite=call.overwrite, began=began)
    return job


def _check_same_call(call: Call) -> None:
    """Refuse to answer a call with the result of a finished run that was asked for something else; no data are opened.

    Raises
    ------
    RecipeError : another recipe, or other values.
    """
    folder, changes = call.folder, call.changes
    if call.preset is not None:
        changes, _ = with_preset(changes, call.preset, read_bundle(folder.model).label_space)
    stored_recipe(folder, given_recipe(call.recipe), changes, planned=call.recipe == AUTO)


def _allowed(call: Call, given: Recipe | None, *, goes_on: bool) -> tuple[str, ...]:
    """Findings that do not stop the run: a split that leaks harms nobody where an automatic one takes its place."""
    start = Recipe.read(call.folder.recipe) if goes_on else given
    rule = call.changes.get("split.rule", GIVEN if start is None else start.split.rule)
    return ("SPLIT_LEAK",) if call.allow_leaks or rule == AUTOMATIC else ()


def _changes(
    settings: Mapping[str, Any] | None, budget: str | None, seed: int | None, folds: int | None, *, planned: bool
) -> dict[str, Any]:
    """What the call fixes; a budget goes before the length that a given recipe was measured for."""
    changes: dict[str, Any] = {}
    if budget is not None:
        changes = {"schedule.budget": budget} if planned else {**CLEARED, "schedule.budget": budget}
    changes |= settings or {}
    if folds is not None:
        if folds < 2:
            raise UsageError(
                f"--folds {folds}", expected="at least 2", where="--folds", fix="--folds 5, or leave it out"
            )
        changes["split.folds"] = folds
    return changes | ({"seed": seed} if seed is not None else {})


def _decided(dataset: Dataset, given: Recipe | None, changes: Mapping[str, Any], listener: Listener) -> Recipe:
    """The given recipe, or a planned one; it says whether a split that the data bring is obeyed."""
    if given is None:
        return plan_dataset(dataset, split_dataset(dataset, changes), changes, listener=listener)
    chosen = with_changes(given, changes, listener)
    return chosen.override({"split.rule": GIVEN if is_given(dataset, chosen.split) else AUTOMATIC})


def without_objects(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe without an object head where the labels do not tell objects apart; query masks know stuff alone, too."""
    if dataset.label_space.things or recipe.objects.head in ("none", QUERIES):
        return recipe
    return recipe.override({"objects.head": "none"}, reason="the labels do not tell one object from another")


def _parts(dataset: Dataset, recipe: Recipe) -> Split | Folds:
    """Who trains, chooses and judges; for a cross-validation in which fold each picture is."""
    rule = recipe.split
    if rule.folds and not rule.fold:
        return deal_folds(dataset, rule=rule, seed=recipe.seed, folds=rule.folds)
    return split_of(dataset, rule=rule, seed=recipe.seed)


def _may_train(dataset: Dataset, recipe: Recipe, whole: Split) -> Sequence[Item]:
    """The pictures that train; in one fold trained alone those of all folds, so that it is the same as among the others."""
    rule = recipe.split
    if rule.folds and rule.fold:
        whole = deal_folds(dataset, rule=rule, seed=recipe.seed, folds=rule.folds).pool()
    return whole.part("train")


def _parts_again(folder: RunFolder, dataset: Dataset, recipe: Recipe) -> Split | Folds:
    """The split as it was written; as it would be made now where both agree, since that knows its rule and notes.

    Folds are compared where the run is begun.
    """
    if recipe.split.folds and not recipe.split.fold:
        return _parts(dataset, recipe)
    stored = read_split(folder.split, dataset)
    try:
        made = split_of(dataset, rule=recipe.split, seed=recipe.seed)
    except LimnerError:
        return stored
    return made if made.checksum == stored.checksum else stored
