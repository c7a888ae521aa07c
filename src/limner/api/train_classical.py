"""Tune a classical method on the training pictures, judge it like a network, and write a run folder with a bundle."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from limner.api.beginning import beginning, check_same_data
from limner.api.classical_recipe import (
    decide_recipe,
    history_csv,
    method_of,
    recipe_toml,
    stored_recipe,
    tuned_recipe,
    tuning_words,
)
from limner.api.one_run import TrainResult
from limner.api.run_commands import repeating
from limner.api.run_folder import RunFolder
from limner.api.run_report import judge_and_report
from limner.api.training_samples import TrainingSamples, picture_dice
from limner.classical.segmenter import ClassicalSegmenter
from limner.classical.tune import Tuned, tune
from limner.core.bundle import Bundle, InputContract, read_bundle
from limner.core.duration import parse_duration
from limner.core.errors import BundleError, DataError, LimnerError
from limner.core.files import write_text
from limner.core.protocols import Listener, Silent
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset, open_dataset
from limner.data.splits import AUTOMATIC, GIVEN, Split, is_given, make_split, read_split

if TYPE_CHECKING:
    from limner.training.checkpoint import Progress

NO_NETWORK = InputContract(
    channels=0,
    scale=1.0,
    normalization="percentile",
    intensity_range=(0.0, 255.0),
    tile=0,
    overlap=0.0,
    flips="",
    threshold=0.5,
)


@dataclass(frozen=True)
class ClassicalRun:
    """All that tuning needs: the folder, the data, who trains, the method with the options that are fixed, and for how long."""

    folder: RunFolder
    dataset: Dataset
    split: Split
    recipe: Recipe
    method: ClassicalSegmenter


@dataclass(frozen=True)
class NoCurves:
    """What a report asks of a training: how long it took. There are no validations to draw."""

    seconds: float
    history: list[dict[str, Any]] = field(default_factory=list)


# long because of its arguments and their docstring: the body is 34 lines
def train_classical(
    data: Path | str,
    *,
    method: str | Path | Recipe,
    settings: Mapping[str, Any] | None = None,
    budget: str | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    seed: int | None = None,
    overwrite: bool = False,
    allow_leaks: bool = False,
    listener: Listener | None = None,
) -> TrainResult:
    """Choose the options of a classical method on the training pictures of the data set in folder `data`.

    Options that the recipe names are obeyed, the others are tuned; the run's own recipe names all of them. Validation pictures
    choose nothing.

    Parameters
    ----------
    data : folder in any layout that ``check`` reads, of two classes.
    method : its name, such as ``otsu``, a recipe or a file of one with ``model.architecture = "classical/otsu"``.
    settings : dotted keys that overrule the recipe; only seed, split, model and ``schedule.budget`` mean something here.
    budget : most wall-clock time for tuning; most methods need far less, see `limner.classical.tune`.
    out : run folder; default ``runs/<name of data>``.
    resume : return at once when the run in `out` is finished, else start it again with its own recipe and split.
    seed : of an automatic split.
    overwrite : replace a run folder that Limner made.
    allow_leaks : train although a given split leaks.
    listener : hears of progress.

    Returns
    -------
    ``steps`` counts the settings compared, ``best`` holds the mean Dice on training pictures (``train_dice``), ``test`` the scores
    on the test split, on validation where there is none.

    Raises
    ------
    DataError, RecipeError, OutputError, MachineError : see `limner.core.errors`.
    """
    hears = listener or Silent()
    folder = RunFolder(Path(out) if out is not None else Path("runs") / Path(data).resolve().name)
    changes = ({"schedule.budget": budget} if budget is not None else {}) | dict(settings or {})
    changes |= {"seed": seed} if seed is not None else {}
    finished = folder.finished() if resume else None
    if finished is not None:
        stored_recipe(folder, method, changes)  # a call that asks for something else is refused
        hears.message(f"{folder.path} is finished already")
        return TrainResult(run=folder.path, model=folder.model, **finished)
    goes_on = folder.check(resume=resume, overwrite=overwrite, inputs=[Path(data)])
    recipe = stored_recipe(folder, method, changes) if goes_on else decide_recipe(method, changes)
    chosen = method_of(recipe)
    if recipe.schedule.budget != "none":
        parse_duration(recipe.schedule.budget)  # a wrong one is refused before anything is written
    harmless = allow_leaks or recipe.split.rule == AUTOMATIC  # a split that is not used leaks nothing
    dataset = open_dataset(Path(data), allow=("SPLIT_LEAK",) if harmless else (), listener=hears)
    _two_classes(dataset, chosen.name)
    for finding in dataset.findings:
        if finding.level in ("warning", "fixed"):
            hears.message(f"{finding.level}: {finding.message}")
    recipe = recipe.override({"split.rule": GIVEN if is_given(dataset, recipe.split) else AUTOMATIC})
    split = _split(folder, dataset, recipe, goes_on=goes_on)
    if goes_on:
        check_same_data(folder, dataset, split.items)
    began = None if goes_on else beginning(None, changes, dataset, split.items)
    folder.start(recipe, split, dataset.root, goes_on=goes_on, overwrite=overwrite, began=began)
    run = ClassicalRun(folder, dataset, split, recipe, chosen)
    bundle = _tuned_before(run) or _tune(run, hears)
    write_text(folder.recipe, recipe_toml(tuned_recipe(recipe, bundle, split_rule=split.rule)))
    command = repeating(data, folder, allow_leaks=allow_leaks)
    facts = _facts(folder, bundle)
    curves = cast("Progress", NoCurves(seconds=facts["seconds"]))
    result = {**facts, "test": judge_and_report(folder, dataset, split, curves, command=command, listener=hears)}
    folder.finish(result)
    return TrainResult(run=folder.path, model=folder.model, **result)


def _split(folder: RunFolder, dataset: Dataset, recipe: Recipe, *, goes_on: bool) -> Split:
    """As the recipe says; as it was written where the data or the rules are no longer those of the start."""
    stored = read_split(folder.split, dataset) if goes_on else None
    try:
        made = make_split(dataset, rule=recipe.split, seed=recipe.seed)
    except LimnerError:
        if stored is None:
            raise
        return stored
    return made if stored is None or made.checksum == stored.checksum else stored


def _two_classes(dataset: Dataset, method: str) -> None:
    if len(dataset.label_space) > 2:
        raise DataError(
            f"{len(dataset.label_space)} classes in the data",
            expected=f"two for {method}, which tells objects from background",
            where=str(dataset.root),
            fix="train a network, or declare two classes in limner.toml",
        )


def _tune(run: ClassicalRun, listener: Listener) -> Bundle:
    """Compare settings on the training pictures; writes ``history.csv``, the log and the bundle of the best one."""
    budget = run.recipe.schedule.budget
    seconds = math.inf if budget == "none" else parse_duration(budget)
    samples = TrainingSamples(run.dataset, run.split)
    tuned = tune(run.method, samples, dice=picture_dice, budget_seconds=seconds, listener=listener)
    write_text(run.folder.path / "history.csv", history_csv(tuned))
    for number, each in enumerate(tuned.tried, 1):
        run.folder.log({"event": "try", "step": number, **dataclasses.asdict(each)})
    run.folder.model.mkdir(parents=True, exist_ok=True)
    bundle = _bundle(run, tuned)
    bundle.save()
    return bundle


def _bundle(run: ClassicalRun, tuned: Tuned) -> Bundle:
    import limner

    dataset, split = run.dataset, run.split
    steps = [place for place, each in enumerate(tuned.tried, 1) if each.options == tuned.options]
    score = None if math.isnan(tuned.score) else tuned.score
    return Bundle(
        folder=run.folder.model,
        architecture=run.recipe.model.architecture,
        arguments=tuned.options,
        label_space=dataset.label_space,
        contract=dataclasses.replace(NO_NETWORK, channels=dataset.num_channels),
        training={
            "limner": limner.__version__,
            "data": dataset.root.name,
            "data_checksum": dataset.checksum,
            "split_checksum": split.checksum,
            "pictures": split.counts(),
            "seed": run.recipe.seed,
            **({} if dataset.spacing is None else {"spacing_mm": list(dataset.spacing)}),
            "steps": len(tuned.tried),
            "stopped": tuned.stopped,
            "best": {"epoch": 0.0, "step": steps[-1], "metric": "train_dice", "value": score},
            "tuning": tuning_words(tuned),
        },
    )


def _tuned_before(run: ClassicalRun) -> Bundle | None:
    """The bundle of a run that was interrupted after it had been written."""
    try:
        bundle = read_bundle(run.folder.model)
    except BundleError:
        return None
    known = bundle.training.get("split_checksum") == run.split.checksum and "tuning" in bundle.training
    return bundle if known and bundle.architecture == run.recipe.model.architecture else None


def _facts(folder: RunFolder, bundle: Bundle) -> dict[str, Any]:
    """What the result says of the training."""
    with (folder.path / "history.csv").open(encoding="utf-8", newline="") as file:
        seconds = float(list(csv.DictReader(file))[-1]["seconds"])
    told = bundle.training
    return {
        "epochs": 0.0,
        "steps": told["steps"],
        "seconds": seconds,
        "stopped": told["stopped"],
        "best": told["best"],
    }
