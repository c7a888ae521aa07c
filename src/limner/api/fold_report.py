"""The end of a cross-validation: scores over the pictures of all folds, how far folds differ, which model is kept, one report."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import shutil
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.api.one_run import TrainResult
from limner.api.out_of_fold import OutOfFold, draw_suspects
from limner.api.run_folder import RunFolder
from limner.api.run_report import data_facts, make_cases, make_object_cases, score_items, versions, write_run_report
from limner.core.bundle import Bundle, read_bundle
from limner.core.files import write_atomic, write_json, write_text
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.core.report import Report
from limner.data.dataset import Dataset
from limner.data.folds import Folds
from limner.data.splits import Split, write_split
from limner.evaluation.answers_text import confidence_sentences
from limner.evaluation.evaluate import Scorer
from limner.evaluation.fold_scores import OUT_OF_FOLD, dice_of_folds, median_fold, spread
from limner.evaluation.inspection import Inspector
from limner.evaluation.page import ReportPage, without_nan
from limner.evaluation.ranking import picture_scores

WEAK = 0.5  # mean Dice below which a model's word against a label counts for little
CHOSEN_BY = {"val_dice": "Dice", "val_objects": "F1 of objects"}  # metric that chose the weights, in words


@dataclass(frozen=True)
class FoldRun:
    """One fold that is trained: its number from 1 on, folder, split and result."""

    fold: int
    folder: RunFolder
    split: Split
    result: TrainResult


def judge_folds(
    folder: RunFolder,
    dataset: Dataset,
    dealt: Folds,
    recipe: Recipe,
    runs: Sequence[FoldRun],
    *,
    command: str,
    listener: Listener,
) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Score all folds together and write everything that the run folder holds beside the folds.

    Returns
    -------
    The fold whose model is kept, a row for each fold, and the summary of the out-of-fold scores.
    """
    thresholds = [read_bundle(run.folder.model).calibrated_threshold for run in runs]
    asked = OutOfFold(dataset, dealt, {run.fold: run.folder for run in runs}, folder.path / "oof")
    inspector = Inspector(dataset.label_space)
    report = score_items(
        asked, dataset, asked.items, model=str(folder.path), split=OUT_OF_FOLD,
        threshold=thresholds[0] if len(set(thresholds)) == 1 else None, checksum=dealt.checksum, listener=listener,
        scorer=Scorer(dataset.label_space, metrics="all", spacing=dataset.spacing), inspector=inspector,
    )  # fmt: skip
    report = dataclasses.replace(
        report, notes=(*_too_good(runs, recipe), *report.notes)
    )  # the page takes equal ones once
    rows = _fold_rows(runs, dealt, report)
    kept = median_fold({row["fold"]: row["dice"] for row in rows})
    bundle = _keep_model(folder, runs[kept - 1], len(runs), asked.answers())
    page = ReportPage(
        title=f"Cross-validation: {dataset.root.name}", command=command, report=report, label_space=dataset.label_space,
        recipe=recipe, num_train=round(statistics.fmean(len(run.split.part("train")) for run in runs)),
        facts=_facts(dataset, dealt, runs[kept - 1]), findings=[finding.as_dict() for finding in dataset.findings],
        cases=make_cases(asked, dataset, asked.items, report),
        object_cases=make_object_cases(asked, dataset, asked.items, report),
        notes=[*_notes(runs, rows, kept, recipe, dealt), *_threshold_note(thresholds), *_weak_note(report),
               *confidence_sentences(bundle), *dealt.notes], versions=versions(),
        inspection=inspector.result(), folds=rows, licences=bundle.licences,
        suspects=() if _is_weak(report) else draw_suspects(asked, dataset),
    )  # fmt: skip
    write_run_report(folder, bundle, page)
    _add_fold_column(folder.evaluation / "per_image.csv", dealt)
    asked.write(folder.evaluation, folder.path)
    write_split(folder.split, runs[kept - 1].split, dataset.root)
    _write_history(folder.path / "history.csv", runs)
    write_json(folder.evaluation / "folds.json", without_nan(_document(rows, runs, kept, dealt)))
    return kept, [without_nan(row) for row in rows], report.summary()


def _fold_rows(runs: Sequence[FoldRun], dealt: Folds, report: Report) -> list[dict[str, Any]]:
    dice = dice_of_folds(report, dealt.fold_of)
    rows = []
    for run in runs:
        result, scores = run.result, dice[run.fold]
        row = {
            "fold": run.fold, "run": str(run.folder.path), "n": len(dealt.held_out(run.fold)), "dice": scores.pop(""),
            "scores": scores, "epochs": result.epochs, "steps": result.steps, "seconds": result.seconds,
            "stopped": result.stopped, "best": result.best,
        }  # fmt: skip
        if result.test.get("split") == "test":
            row["test"] = {
                name: score["mean"] for name, score in result.test["scores"]["dice"].items() if name in scores
            }
        rows.append(row)
    return rows


def _document(rows: Sequence[dict[str, Any]], runs: Sequence[FoldRun], kept: int, dealt: Folds) -> dict[str, Any]:
    """``evaluation/folds.json``."""
    metric, first, last = _best_and_last(runs)
    return {
        "rule": dealt.rule, "checksum": dealt.checksum, "kept": kept, "folds": list(rows),
        "spread": spread([row["scores"] for row in rows]),
        "test_spread": spread([row["test"] for row in rows if "test" in row]),
        "validation": {"metric": metric, "chosen_weights": first, "last_weights": last},
    }  # fmt: skip


def _best_and_last(runs: Sequence[FoldRun]) -> tuple[str, float, float]:
    """The metric that chose the weights, and its mean over the folds for the weights that were kept and for the last ones."""
    metric = next((str(run.result.best["metric"]) for run in runs if run.result.best), "val_dice")
    best = [run.result.best["value"] for run in runs if run.result.best.get("metric") == metric]
    last = [rows[-1].get(metric) or "nan" for run in runs if (rows := _history(run))]
    known = [float(value) for value in best if value is not None]
    ends = [value for value in map(float, last) if not math.isnan(value)]
    return metric, statistics.fmean(known) if known else math.nan, statistics.fmean(ends) if ends else math.nan


def _history(run: FoldRun) -> list[dict[str, str]]:
    file = run.folder.path / "history.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines())) if file.is_file() else []


def _write_history(path: Path, runs: Sequence[FoldRun]) -> None:
    """The validations of all folds, with the number of the fold first."""
    rows = [{"fold": str(run.fold), **row} for run in runs for row in _history(run)]
    if rows:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, text.getvalue())


def _add_fold_column(path: Path, dealt: Folds) -> None:
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    place, text = rows[0].index("image"), io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [[*rows[0], "fold"], *([*row, dealt.fold_of[row[place]]] for row in rows[1:])]
    )
    write_text(path, text.getvalue())


def _keep_model(folder: RunFolder, run: FoldRun, count: int, answers: Mapping[str, Any]) -> Bundle:
    """The bundle of one fold as that of the whole run, with what the pictures of all folds taught."""
    bundle = read_bundle(run.folder.model)
    folder.model.mkdir(parents=True, exist_ok=True)
    write_atomic(folder.model / bundle.weights.name, lambda path: shutil.copyfile(bundle.weights, path))
    training = {**bundle.training, "cross_validation": {"folds": count, "fold": run.fold}}
    kept = dataclasses.replace(
        bundle, folder=folder.model, training=training, exports={}, answers={**bundle.answers, **answers}
    )
    kept.save()
    return kept


def _facts(dataset: Dataset, dealt: Folds, kept: FoldRun) -> dict[str, str]:
    facts = data_facts(dataset, kept.split)
    groups = len({item.group for item in dealt.items if item.group})
    facts["split"] = f"{dealt.num_folds} folds and {len(dealt.test)} test pictures: {dealt.rule}"
    facts["groups"] = str(groups) if groups else "none known: every picture counts as one of its own"
    facts["report of each fold"] = ", ".join(f"fold{fold}/report.html" for fold in range(1, dealt.num_folds + 1))
    return facts


def _notes(
    runs: Sequence[FoldRun], rows: Sequence[dict[str, Any]], kept: int, recipe: Recipe, dealt: Folds
) -> list[str]:
    """What a reader of the scores must not overlook."""
    notes = [f"Each picture was predicted by the one of {len(runs)} models that had not learnt from it."]
    notes += _too_good(runs, recipe) or [
        "Other pictures than those that a fold holds out chose its weights: the scores are not too good."
    ]
    notes.append(
        f"model/ is that of fold {kept}, which has the median score: the highest one is as a rule that of the easiest pictures, "
        "not of the best weights."
    )
    tested = [row["test"] for row in rows if "test" in row]
    for name, found in spread(tested).items():
        each = ", ".join("undefined" if values.get(name) is None else f"{values[name]:.3f}" for values in tested)
        if found["n"]:
            notes.append(
                f"On the {len(dealt.test)} test pictures, which are in no fold, the models of the folds reach a Dice for {name} of "
                f"{found['mean']:.3f} on average (standard deviation {found['sd']:.3f}: {each})."
            )
    return notes


def _too_good(runs: Sequence[FoldRun], recipe: Recipe) -> list[str]:
    """What the out-of-fold scores owe to choices by the same pictures; empty where others chose."""
    if recipe.split.inner_val_share:
        return []
    metric, best, last = _best_and_last(runs)
    told = f": {best:.3f} with the chosen weights, {last:.3f} with the last ones" if last == last else ""
    return [
        "The pictures that a fold holds out also chose its best weights, how sure its scores are and its rules, where there are "
        f"any, so the out-of-fold scores are a little too good (mean validation {CHOSEN_BY.get(metric, metric)} of the "
        f"folds{told}). With split.inner_val_share other pictures choose."
    ]


def _threshold_note(thresholds: Sequence[float | None]) -> list[str]:
    if len(set(thresholds)) == 1:
        return []
    each = ", ".join("none" if value is None else f"{value:g}" for value in thresholds)
    return [f"The folds have thresholds of their own: {each}."]


def _is_weak(report: Report) -> bool:
    known = [value for value in picture_scores(report).values() if not math.isnan(value)]
    return not known or statistics.fmean(known) < WEAK


def _weak_note(report: Report) -> list[str]:
    if not _is_weak(report):
        return []
    return [
        "The models are too weak for what they say about labels: evaluation/suspects.csv has it, and nothing is shown here."
    ]
