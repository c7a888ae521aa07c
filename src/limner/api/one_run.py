"""One run from its job to its result: train, judge, report. A cross-validation is several of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.api.fit import Job, fit
from limner.api.logs import open_logs
from limner.api.model_card import write_model_card
from limner.api.run_folder import RunFolder
from limner.api.run_report import judge_and_report
from limner.core.bundle import read_bundle
from limner.core.protocols import Listener
from limner.training.place import Place

if TYPE_CHECKING:
    from limner.training.checkpoint import Progress


@dataclass(frozen=True)
class TrainResult:
    """What a run came to.

    Parameters
    ----------
    run, model : the run folder and the bundle in it.
    epochs, steps, seconds : of training, validation included; of all folds together in a cross-validation.
    stopped : ``budget``, ``patience``, ``epochs`` or ``interrupted``.
    best : epoch, metric and value of the best validation; in a cross-validation of the fold whose model is kept, named in ``fold``.
    test : summary of the evaluation on the test split (on validation where there is no test split), in a cross-validation of the
        out-of-fold predictions; empty when interrupted.
    folds : of a cross-validation, for each fold its number, run, training and scores; empty for a single run.
    """

    run: Path
    model: Path
    epochs: float
    steps: int
    seconds: float
    stopped: str
    best: dict[str, Any]
    test: dict[str, Any]
    folds: Sequence[dict[str, Any]] = ()

    def as_dict(self) -> dict[str, Any]:
        """``train --json``; ``folds`` is there for a cross-validation."""
        document = {**vars(self), "run": str(self.run), "model": str(self.model), "folds": list(self.folds)}
        if not self.folds:
            del document["folds"]
        return document


def run_job(job: Job, place: Place, listener: Listener, *, again: str, repeat: str) -> TrainResult:
    """Train the job, judge its best weights and write the report.

    Parameters
    ----------
    again, repeat : commands that go on with the run when it is interrupted, and that repeat it.

    Raises
    ------
    LimnerError : see `limner.api.fit.fit`.
    """
    progress = fit(job, place, listener)
    if not progress.stopped or not place.first:
        return _without_scores(job, place, progress, again, listener)
    return _judged(job, progress, repeat, listener)


def result_of(folder: RunFolder, facts: dict[str, Any]) -> TrainResult:
    """The result from what ``train.json`` says."""
    return TrainResult(run=folder.path, model=folder.model, **facts)


def everywhere(place: Place, begin: Callable[[], Any]) -> Any:
    """What the first process begins with, in all that somebody else has started."""
    if place.world == 1 or place.starts_others:
        return begin()
    from limner.training.distributed import made_by_first

    return made_by_first(place, begin)


def common_end(ends: Sequence[str]) -> str:
    """Why several runs stopped, in one word: what most of them say, the latest of equals."""
    counts = Counter(ends)
    return max(reversed(ends), key=lambda end: counts[end]) if ends else ""


def _judged(job: Job, progress: Progress, command: str, listener: Listener) -> TrainResult:
    """The result with the test scores; writes the report, and the mark that the run is finished."""
    test = judge_and_report(job.folder, job.dataset, job.split, progress, command=command, listener=listener)
    if job.log:
        with open_logs(job.log, job.folder, job.recipe, listener) as logs:
            logs.scalars(progress.step, _test_scalars(test))
    result = {**_facts(progress), "test": test}
    job.folder.finish(result)
    return result_of(job.folder, result)


def _without_scores(job: Job, place: Place, progress: Progress, command: str, listener: Listener) -> TrainResult:
    """The result of an interrupted run, and of a process that does not judge."""
    if place.first:
        job.folder.remove_cache()
        if (job.folder.model / "bundle.json").is_file():
            write_model_card(read_bundle(job.folder.model))
        listener.message(
            f"interrupted at step {progress.step}; the best model so far is in {job.folder.model}. Go on with: {command}"
        )
    facts = _facts(progress)
    return result_of(job.folder, {**facts, "stopped": facts["stopped"] or "interrupted", "test": {}})


def _test_scalars(test: dict[str, Any]) -> dict[str, float]:
    """Means of the test scores that are defined, by metric and class."""
    return {
        f"test_{metric}/{name}": score["mean"]
        for metric, by_class in test["scores"].items()
        for name, score in by_class.items()
        if score["mean"] is not None
    }


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
