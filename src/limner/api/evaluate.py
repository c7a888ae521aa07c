"""Score a model, or masks that any other tool predicted, against the truth at native size."""

from __future__ import annotations

from pathlib import Path

from limner.api.model_on_data import check_split, open_both, pictures_to_score, score
from limner.api.run_report import data_facts, make_cases, make_object_cases, versions
from limner.core.command_line import command_line
from limner.core.files import prepare_output
from limner.core.protocols import Listener
from limner.core.report import Report
from limner.evaluation.evaluate import Scorer, write_report_files
from limner.evaluation.figures import write_figures
from limner.evaluation.html import write_report
from limner.evaluation.inspection import Inspector
from limner.evaluation.measure import Plan
from limner.evaluation.page import ReportPage


# long because of its arguments and their docstring: the body is 31 lines
def evaluate(
    model: Path | str,
    data: Path | str,
    *,
    split: str | None = None,
    metrics: str = "all",
    tolerance: float | None = None,
    compat: bool = False,
    out: Path | str | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> Report:
    """Score `model` on one split of the data set in folder `data`.

    Parameters
    ----------
    model : run folder, bundle folder, the name of a classical method, or a folder of predicted masks paired by stem (a missing
        one counts as empty and is named), with ids of objects in its folder ``instances``.
    data : folder in any layout that ``check`` reads.
    split : ``train``, ``val``, ``test`` or ``all``; None = test, or all where there is none. A run folder's own split is used when
        it was trained on these data; pictures that were added since count as test where the data do not say otherwise. That a
        model has learnt from scored pictures is said in ``Report.notes``.
    metrics : ``all``, or ``overlap`` for those that follow from counts of pixels, which is faster; the report then does not look at
        kinds of mistakes and sizes of objects either.
    tolerance : distance that surface Dice accepts, in pixels, or in mm where the data declare a spacing; None = 2 pixels.
    compat : also say what other tools would have printed for the same predictions.
    out : where to write ``summary.json``, ``per_image.csv``, ``report.html`` and, where the data tell objects apart,
        ``per_object.csv``; None = nowhere. It neither is nor holds what is read.
    overwrite : replace `out` when an earlier call made it, once there are scores.

    Raises
    ------
    DataError, BundleError, OutputError, UsageError : see `limner.core.errors`.
    """
    check_split(split)
    Plan(metrics, tolerance=tolerance)  # refuses what it cannot obey before anything is read
    folder = None if out is None else Path(out)
    opened = open_both(Path(model), Path(data), folder=folder, overwrite=overwrite, listener=listener)
    dataset, seen = opened.dataset, opened.seen
    name, items, whole = pictures_to_score(dataset, seen, split)
    scorer = Scorer(
        dataset.label_space, metrics=metrics, spacing=dataset.spacing, tolerance=tolerance, compat=compat
    )  # fmt: skip
    inspector = Inspector(dataset.label_space) if folder is not None and metrics == "all" else None
    report, segmenter = score(opened, name, items, scorer=scorer, inspector=inspector, listener=listener)
    if folder is not None:
        prepare_output(folder, overwrite=overwrite)
        write_report_files(report, folder)
        page = ReportPage(
            title=f"Scores: {dataset.root.name}",
            command=_again(model, data, name, metrics=metrics, tolerance=tolerance, compat=compat),
            report=report,
            label_space=dataset.label_space,
            facts=data_facts(dataset, whole),
            findings=[f.as_dict() for f in dataset.findings],
            cases=make_cases(segmenter, dataset, items, report),
            object_cases=make_object_cases(segmenter, dataset, items, report),
            versions=versions(),
            inspection=inspector.result() if inspector is not None else None,
            train_groups=frozenset(item.group for item in whole.part("train") if item.group and seen.is_whole),
        )
        write_report(page, folder / "report.html", evaluation=folder)
        write_figures(folder / "figures", report=report, inspection=page.inspection, cases=page.cases)
    return report


def _again(
    model: Path | str, data: Path | str, split: str, *, metrics: str, tolerance: float | None, compat: bool
) -> str:
    """What to type to get the same scores again."""
    options = ["--metrics", metrics] if metrics != "all" else []
    options += ["--tolerance", str(tolerance)] if tolerance is not None else []
    options += ["--compat"] if compat else []
    return command_line("limner", "evaluate", model, data, "--split", split, *options, "--out", "NEW_FOLDER")
