"""Cross-validation: one ordinary run for each fold, one after the other, then one report over the pictures that each held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from limner.api.beginning import check_same_data
from limner.api.fit import Job, check_parts
from limner.api.fold_report import FoldRun, judge_folds
from limner.api.one_run import TrainResult, common_end, result_of, run_job
from limner.api.run_folder import RunFolder
from limner.core.duration import parse_duration
from limner.core.errors import DataError, UsageError
from limner.core.files import MARKER, prepare_output
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset
from limner.data.folds import Folds, fold_split, read_fold_numbers, write_folds
from limner.data.splits import Split
from limner.training.place import Place

FOLDS_FILE = "folds.csv"


@dataclass(frozen=True)
class FoldsJob:
    """All that a cross-validation needs.

    Parameters
    ----------
    folder : of the whole; each fold has a run folder of its own in it.
    dataset, dealt, recipe : on what, which picture is in which fold, and how; its budget is that of all folds together.
    log : names of further logs.
    """

    folder: RunFolder
    dataset: Dataset
    dealt: Folds
    recipe: Recipe
    log: tuple[str, ...] = ()

    def fold_folder(self, fold: int) -> RunFolder:
        """The run folder of one fold, from 1 on."""
        return RunFolder(self.folder.path / f"fold{fold}")

    def split(self, fold: int) -> Split:
        """Who trains, chooses and judges in one fold, from 1 on."""
        return fold_split(self.dataset, self.dealt, fold, rule=self.recipe.split, seed=self.recipe.seed)


def check_place(place: Place) -> None:
    """Refuse processes that somebody else has started: they would have to find together again for every fold.

    Raises
    ------
    UsageError : torchrun or srun started several.
    """
    if place.world > 1 and not place.starts_others:
        raise UsageError(
            f"--folds in {place.world} processes that {place.starter} started",
            expected="one process, which starts others with --devices",
            where="--folds",
            fix="train each fold by a call of its own: --set split.folds=5 --set split.fold=1 --out RUN1",
        )


def begin_folds(job: FoldsJob, *, goes_on: bool, overwrite: bool, began: Mapping[str, Any] | None = None) -> None:
    """Make the folder and write who is in which fold, or see that a run that is gone on with has the same data.

    Parameters
    ----------
    began : what it begins with, see `limner.api.beginning`.

    Raises
    ------
    DataError : pictures came, went or changed since the run was started.
    OutputError : the folder may not be written.
    """
    folder, file, pool = job.folder, job.folder.path / FOLDS_FILE, job.dealt.pool()
    if goes_on:
        wanted = {item.name: job.dealt.fold_of.get(item.name, 0) for item in job.dealt.items}
        if read_fold_numbers(file) != wanted:
            raise DataError(
                f"the data in {job.dataset.root} give other folds than those of the run",
                expected="the pictures, names and groups that it was started with", where=str(file),
                fix="give the same data folder, or start a new run in another --out",
            )  # fmt: skip
        check_same_data(folder, job.dataset, pool.items)
    else:
        if not (folder.path / MARKER).exists() or overwrite:
            read = [job.dataset.root, *(item.image for item in job.dataset.items)]
            prepare_output(folder.path, overwrite=overwrite, inputs=read)
        write_folds(file, job.dealt, job.dataset.root)
    folder.start(job.recipe, pool, job.dataset.root, goes_on=goes_on, overwrite=False, began=began)


def train_folds(
    job: FoldsJob, place: Place, listener: Listener, *, again: str, repeat: Callable[[RunFolder], str]
) -> TrainResult:
    """Train the folds that are not finished yet, then score each picture with the model that held it out.

    Parameters
    ----------
    again : command that goes on with it when it is interrupted.
    repeat : makes the command that repeats the run in a folder, of the whole or of one fold.

    Raises
    ------
    LimnerError : see `limner.api.fit.fit`; folds that are finished stay.
    """
    count, done = job.dealt.num_folds, list[TrainResult]()
    if _shares_budget(job.recipe):
        share = fold_recipe(job.recipe, 1).schedule.budget
        listener.message(f"the budget of {job.recipe.schedule.budget} is {share} for each of {count} folds")
    for fold in range(1, count + 1):
        result = _train_fold(job, fold, place, listener, again=again, repeat=repeat)
        done.append(result)
        if result.stopped == "interrupted":
            return _interrupted(job, done)
    runs = [FoldRun(fold, job.fold_folder(fold), job.split(fold), result) for fold, result in enumerate(done, 1)]
    kept, rows, summary = judge_folds(
        job.folder, job.dataset, job.dealt, job.recipe, runs, command=repeat(job.folder), listener=listener
    )
    facts = {
        **_totals(done),
        "stopped": common_end([result.stopped for result in done]),
        "best": {**done[kept - 1].best, "fold": kept},
        "test": summary,
        "folds": rows,
    }
    job.folder.finish(facts)
    return result_of(job.folder, facts)


def fold_recipe(recipe: Recipe, fold: int) -> Recipe:
    """The recipe of one fold: the same, for its share of the budget; steps that are given are those of each fold."""
    count = recipe.split.folds
    changed = recipe.override({"split.fold": fold}, reason=f"one of the {count} folds")
    if not _shares_budget(recipe):
        return changed
    share = f"{round(parse_duration(recipe.schedule.budget) / count, 2):g}s"
    reason = f"{recipe.schedule.budget} shared by {count} folds"
    return changed.override({"schedule.budget": share}, reason=reason)


def _shares_budget(recipe: Recipe) -> bool:
    """Whether there is a budget that decides; steps go before it."""
    return recipe.schedule.budget != "none" and not recipe.schedule.steps


def _train_fold(
    job: FoldsJob, fold: int, place: Place, listener: Listener, *, again: str, repeat: Callable[[RunFolder], str]
) -> TrainResult:
    """The result of one fold, as it is written where the fold is finished already."""
    folder, count = job.fold_folder(fold), job.dealt.num_folds
    finished = folder.finished()
    if finished is not None:
        listener.message(f"fold {fold} of {count} is finished already")
        return result_of(folder, finished)
    goes_on = folder.check(resume=True, overwrite=False)
    recipe = Recipe.read(folder.recipe) if goes_on else fold_recipe(job.recipe, fold)
    split = job.split(fold)
    counts = split.counts()
    listener.message(f"fold {fold} of {count}: {counts['train']} pictures train, {counts['val']} validate")
    one = Job(folder, job.dataset, split, recipe, goes_on, job.log)
    check_parts(one)
    if not goes_on:
        job.folder.log({"event": "fold", "fold": fold})
    folder.start(recipe, split, job.dataset.root, goes_on=goes_on, overwrite=False)
    return run_job(one, place, listener, again=again, repeat=repeat(folder))


def _interrupted(job: FoldsJob, done: Sequence[TrainResult]) -> TrainResult:
    rows = [{"fold": fold, "run": str(result.run), "stopped": result.stopped} for fold, result in enumerate(done, 1)]
    return result_of(
        job.folder, {**_totals(done), "stopped": "interrupted", "best": done[-1].best, "test": {}, "folds": rows}
    )


def _totals(done: Sequence[TrainResult]) -> dict[str, Any]:
    return {
        "epochs": round(sum(result.epochs for result in done), 2),
        "steps": sum(result.steps for result in done),
        "seconds": round(sum(result.seconds for result in done), 2),
    }
