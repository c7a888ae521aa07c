"""Compare models picture by picture, and say when a difference is smaller than the noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.api.compared_runs import Run, gather, open_runs
from limner.api.model_files import model_folders
from limner.core.choices import nearest
from limner.core.errors import DataError, UsageError
from limner.core.files import check_output, prepare_output, write_json, write_text
from limner.core.protocols import Listener, Silent
from limner.evaluation.compare import Contender, Versus, compare_two, notes_of, summary_of
from limner.evaluation.compare_page import render_comparison
from limner.evaluation.fold_scores import OUT_OF_FOLD
from limner.evaluation.sentences import OF_INTERVALS, few, plural
from limner.evaluation.stored import StoredScores
from limner.metrics.object_table import EVERY_METRIC


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Parameters
    ----------
    metric : the one that the sentences are about.
    headline : the class that they are about: ``macro`` where there are several, else ``foreground``.
    models : name, runs, seeds and means of each model.
    versus : each model against the first.
    pictures : how many were scored by all.
    unit : of lengths.
    notes : what has to be known about the numbers.
    """

    metric: str
    headline: str
    models: tuple[Mapping[str, Any], ...]
    versus: tuple[Versus, ...]
    pictures: int
    unit: str
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON."""
        return {
            "metric": self.metric, "class": self.headline, "models": [dict(model) for model in self.models],
            "pictures": self.pictures, "unit": self.unit, "comparisons": [one.as_dict() for one in self.versus],
            "notes": list(self.notes),
            "definitions": {"difference": "mean over pictures of the score of the second minus that of the first"},
        }  # fmt: skip


# long because of its arguments and their docstring
def compare(
    runs: Sequence[Path | str],
    *,
    data: Path | str | None = None,
    split: str | None = None,
    metric: str = "dice",
    out: Path | str | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> Comparison:
    """Compare models with the first of them, on the same pictures.

    Parameters
    ----------
    runs : two or more: run folders, folders that ``evaluate --out`` wrote, or folders that hold several runs of one recipe. Runs
        that differ only in their seed are taken together. With `data` also anything that ``evaluate`` takes as a model.
    data : score all of them anew on these data; None = the scores that are stored.
    split : of `data`, as for ``evaluate``.
    metric : the one that the sentences and the list of pictures are about; all are compared. With several classes its mean over
        them, as in a report.
    out : where to write ``compare.json`` and ``compare.html``; None = nowhere. It neither is nor holds what is read.
    overwrite : replace `out` when an earlier call made it.

    Raises
    ------
    DataError : scores of other pictures, other classes or another truth; the message says what differs.
    UsageError : fewer than two runs, a metric that there is not, or a split without data.
    """
    if metric not in EVERY_METRIC:
        raise UsageError(
            f"--metric {metric}", expected=f"one of {', '.join(EVERY_METRIC)}", fix=nearest(metric, EVERY_METRIC)
        )
    if len(runs) < 2 and not (runs and Path(runs[0]).is_dir() and data is None):
        raise UsageError(f"{len(runs)} run", expected="two or more", fix="limner compare RUN RUN")
    if split is not None and data is None:
        raise UsageError(f"--split {split} without --data", expected="the data to score on", fix="add --data DATA")
    folder, read = None if out is None else Path(out), [inner for run in runs for inner in model_folders(run)]
    read += [] if data is None else [Path(data)]
    if folder is not None:
        check_output(folder, overwrite=overwrite, inputs=read)
    found = open_runs([Path(run) for run in runs], data=data, split=split, listener=listener or Silent())
    contenders, notes = gather(found)
    _check_same_pictures(contenders)
    _check_same_truth(contenders)
    notes += _check_training(found, data=None if data is None else Path(data), wanted=split)
    notes += _told([run.scores for run in found])
    contenders, dropped = _same_definitions(contenders)
    if any(metric not in run.values for one in contenders for run in one.runs):
        raise DataError(
            f"the metric {metric} was not taken for all runs", expected="scores of that metric", where=", ".join(map(str, runs)),
            fix="score them anew: add --data DATA, or choose another --metric",
        )  # fmt: skip
    unit = contenders[0].runs[0].unit
    versus = tuple(compare_two(contenders[0], other, metric=metric, unit=unit) for other in contenders[1:])
    models = tuple(summary_of(one, metric) for one in contenders)
    notes = (*notes, *dropped, *notes_of(contenders))
    pictures = len(contenders[0].runs[0].images)
    comparison = Comparison(metric, contenders[0].headline, models, versus, pictures, unit, notes)
    if folder is not None:
        read += [Path(run.scores.name) for run in found]  # those inside of a folder that was named, too
        prepare_output(folder, overwrite=overwrite, inputs=read)
        write_json(folder / "compare.json", comparison.as_dict())
        page = render_comparison(versus, contenders, metric=metric, unit=unit, notes=comparison.notes)
        write_text(folder / "compare.html", page)
    return comparison


def _check_same_pictures(contenders: Sequence[Contender]) -> None:
    first = contenders[0].runs[0]
    for run in _others(contenders):
        more, less = sorted(set(run.images) - set(first.images)), sorted(set(first.images) - set(run.images))
        if more or less:
            found = [f"{run.name} scored {_names(more)} that {first.name} did not"] if more else []
            found += [f"{first.name} scored {_names(less)} that {run.name} did not"] if less else []
            raise DataError(
                "; ".join(found), expected="the same pictures", where=f"{first.name} and {run.name}",
                fix="train both with one split (splits.csv, or the same seed), or score both anew on one set: add --data DATA",
            )  # fmt: skip
        if set(run.classes) != set(first.classes):
            raise DataError(
                f"{run.name} has the classes {', '.join(run.classes)}, {first.name} {', '.join(first.classes)}",
                expected="the same classes", where=f"{first.name} and {run.name}", fix="compare models of the same classes",
            )  # fmt: skip


def _check_same_truth(contenders: Sequence[Contender]) -> None:
    """The truth must show the same number of pixels of each class on each picture."""
    first = contenders[0].runs[0]
    for run in _others(contenders):
        for name, pixels in first.true_pixels.items():
            wrong = (pixels != run.true_pixels[name]).nonzero()[0]
            if wrong.size:
                place = int(wrong[0])
                raise DataError(
                    f"the truth of {first.images[place]} shows {pixels[place]} pixels of {name} in {first.name} and "
                    f"{run.true_pixels[name][place]} in {run.name} ({wrong.size} pictures differ)",
                    expected="the same masks", where=f"{first.name} and {run.name}",
                    fix="the masks were changed in between: score both anew, add --data DATA",
                )  # fmt: skip


def _check_training(runs: Sequence[Run], *, data: Path | None, wanted: str | None) -> tuple[str, ...]:
    """A model must not be compared on pictures it learnt from; other differences of the data are told."""
    notes = []
    for run in runs:
        if (
            run.scores.split == OUT_OF_FOLD
        ):  # each picture by a model that had not seen it; split.csv is that of one fold
            continue
        called = run.trained.learnt(run.scores.images)
        learnt = called if _on_own_data(run) or data is None else run.trained.seen(called, data)
        if learnt and wanted not in ("train", "all"):
            raise DataError(
                f"{run.scores.name} was trained on {_names(learnt)} of the {len(run.scores.images)} scored",
                expected="pictures that no model has seen", where=run.scores.name,
                fix="train all with one split, or score them on other data",
            )  # fmt: skip
        if any("too good" in note for note in run.scores.notes):
            continue  # the evaluation said it, with what it knows beyond names
        if learnt:
            notes.append(
                f"{run.scores.name} was trained on {len(learnt)} of the scored pictures: its scores are too good."
            )
        if len(called) > len(learnt):
            notes.append(
                f"{len(called) - len(learnt)} of the scored pictures are called like pictures that {run.scores.name} was trained "
                "on. These data are not those of its training; if the pictures are the same, its scores are too good."
            )
    return (*notes, *_data_notes(runs))


def _told(scores: Sequence[StoredScores]) -> tuple[str, ...]:
    """What the evaluations had to say, each sentence once with the names of its models; about their own intervals nothing."""
    by_note: dict[str, list[str]] = {}
    for one in scores:
        said = [note for note in one.notes if not note.startswith(OF_INTERVALS)]
        if one.missing:
            pictures = plural(len(one.missing), "picture")
            said.append(f"no prediction for {pictures}, counted as empty: {few(one.missing, 5)}.")
        for note in said:
            by_note.setdefault(note, []).append(one.name)
    return tuple(f"{', '.join(names)}: {note}" for note, names in by_note.items())


def _on_own_data(run: Run) -> bool:
    """Whether the scored data may be those of the training; unknown ones may."""
    scored, learnt = run.scores.data_checksum, run.trained.data_checksum
    return not scored or not learnt or scored == learnt


def _data_notes(runs: Sequence[Run]) -> list[str]:
    """In what the data of the runs differ."""
    notes, single = [], [run for run in runs if run.scores.split != OUT_OF_FOLD]
    trained = {frozenset(run.trained.learnt(run.trained.parts)) for run in single if run.trained.parts}
    if len(trained) > 1:
        notes.append("The models were trained on different pictures of the data.")
    if len({run.scores.data_checksum for run in runs if run.scores.data_checksum}) > 1:
        notes.append("The data were changed between the runs; the scored masks are the same.")
    elif len({run.trained.data_checksum for run in runs if run.trained.data_checksum}) > 1:
        notes.append("The models were trained on different data.")
    elif len({run.trained.labels_checksum for run in runs if run.trained.labels_checksum}) > 1:
        notes.append("The labels were changed between the runs; those of the scored pictures are the same.")
    return notes


def _same_definitions(contenders: Sequence[Contender]) -> tuple[tuple[Contender, ...], tuple[str, ...]]:
    """Without the metrics that were defined differently; those of counts were computed anew and always agree."""
    every = [run for one in contenders for run in one.runs]
    differ = [
        name for name, entry in EVERY_METRIC.items()
        if entry.kind != "overlap" and len({run.definitions[name] for run in every if name in run.definitions}) > 1
    ]  # fmt: skip
    if not differ:
        return tuple(contenders), ()
    kept = tuple(Contender(one.name, tuple(run.without(differ) for run in one.runs), one.seeds) for one in contenders)
    return kept, (f"Not compared, as the runs define them differently (unit or tolerance): {', '.join(differ)}.",)


def _others(contenders: Sequence[Contender]) -> list[StoredScores]:
    return [run for one in contenders for run in one.runs][1:]


def _names(images: Sequence[str]) -> str:
    shown = ", ".join(images[:3]) + (" ..." if len(images) > 3 else "")
    return f"{len(images)} picture{'s' if len(images) != 1 else ''} ({shown})"
