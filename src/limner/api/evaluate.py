"""Score a model, or masks that any other tool predicted, against the truth at native size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from limner.api.model_files import model_folders
from limner.api.open import classical_method, open_segmenter
from limner.api.predicted import Predicted
from limner.api.run_report import data_facts, make_cases, make_object_cases, score_items, versions
from limner.api.seen_before import Seen, given_split, what_was_seen
from limner.classical.segmenter import ClassicalSegmenter
from limner.core.bundle import Bundle, read_bundle
from limner.core.choices import nearest
from limner.core.errors import BundleError, DataError, UsageError
from limner.core.files import check_apart, check_output, prepare_output
from limner.core.labels import LabelSpace
from limner.core.protocols import Listener, Segmenter, Silent
from limner.core.report import Report
from limner.data.dataset import Dataset, Item, open_dataset
from limner.data.findings import finding
from limner.data.splits import Split, split_checksum
from limner.evaluation.evaluate import Scorer, write_report_files
from limner.evaluation.figures import write_figures
from limner.evaluation.html import write_report
from limner.evaluation.inspection import Inspector
from limner.evaluation.measure import Plan
from limner.evaluation.page import ReportPage

SPLITS = ("train", "val", "test", "all")


# long because of its arguments and their docstring: the body is 38 lines
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
    if split is not None and split not in SPLITS:
        raise UsageError(f"--split {split}", expected=f"one of {', '.join(SPLITS)}", fix=nearest(split, SPLITS))
    Plan(metrics, tolerance=tolerance)  # refuses what it cannot obey before anything is read
    listener, model, folder = listener or Silent(), Path(model), None if out is None else Path(out)
    method, bundle = _find_model(model)
    if folder is not None:
        check_output(folder, overwrite=overwrite, inputs=[*model_folders(model), Path(data)])
    space = bundle.label_space if bundle is not None else None
    allowed = ["SPLIT_LEAK", "FEW_SAMPLES"]  # one picture can be scored
    if bundle is not None or method is not None:
        allowed.append("EMPTY_MASKS")  # the classes are known, and false alarms can be counted
    dataset = _nothing_to_learn(open_dataset(Path(data), label_space=space, allow=allowed, listener=listener))
    if folder is not None:
        check_apart(folder, (file for item in dataset.items for file in (item.image, item.mask) if file is not None))
    seen = what_was_seen(model, bundle, dataset)
    name, items, whole = _items(seen, dataset, split)
    segmenter, label, threshold = _open(model, method, bundle, dataset, items, metrics, listener)
    scorer = Scorer(
        dataset.label_space, metrics=metrics, spacing=dataset.spacing, tolerance=tolerance, compat=compat
    )  # fmt: skip
    inspector = Inspector(dataset.label_space) if folder is not None and metrics == "all" else None
    report = score_items(
        segmenter, dataset, items, model=label, split=name, threshold=threshold, checksum=split_checksum(items),
        listener=listener, scorer=scorer, inspector=inspector,
    )  # fmt: skip
    notes = (*seen.notes(items), *_classes_by_number(bundle, dataset), *_never_shown(bundle, report), *report.notes)
    report = dataclasses.replace(report, notes=notes)
    if isinstance(segmenter, Predicted):
        report = dataclasses.replace(report, missing=segmenter.missing, notes=(*segmenter.notes, *notes))
    if folder is not None:
        prepare_output(folder, overwrite=overwrite)
        write_report_files(report, folder)
        page = ReportPage(
            title=f"Scores: {dataset.root.name}",
            command=f"limner evaluate {model} {data} --split {name} --out NEW_FOLDER",
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


def _find_model(model: Path) -> tuple[ClassicalSegmenter | None, Bundle | None]:
    """The classical method or the bundle that `model` names; neither for a folder of masks."""
    method = classical_method(model)
    is_bundle = (model / "bundle.json").is_file() or (model / "model" / "bundle.json").is_file()
    if not is_bundle and method is None and not model.is_dir():
        raise BundleError(
            f"no model at {model}",
            expected="a run folder, a bundle, the name of a classical method or a folder of predicted masks",
            where=str(model),
            fix="check the path",
        )
    return method, read_bundle(model) if is_bundle else None


def _open(
    model: Path,
    method: ClassicalSegmenter | None,
    bundle: Bundle | None,
    dataset: Dataset,
    items: tuple[Item, ...],
    metrics: str,
    listener: Listener,
) -> tuple[Segmenter, str, float | None]:
    """What segments, what it is called in the report, and its threshold: a network, a classical method or a folder of masks."""
    if method is not None:
        _two_classes(method, dataset)
        return method, method.name, None
    if bundle is None:
        return Predicted(model, dataset, items, listener=listener), "predicted masks", None
    # A model may know classes that these data do not have; its scores are then not those of the data's classes.
    has_scores = metrics == "all" and bundle.method is None and len(bundle.label_space) == len(dataset.label_space)
    segmenter, opened = open_segmenter(model, keep_scores=has_scores)
    _same_classes(opened.label_space, dataset)
    return segmenter, str(model), opened.threshold


def _items(seen: Seen, dataset: Dataset, wanted: str | None) -> tuple[str, tuple[Item, ...], Split]:
    """The pictures to score, the name of their split and the whole split: the run's own where the model learnt from these data."""
    whole = seen.split_of(dataset) if seen.is_whole else given_split(dataset)
    name = wanted or ("test" if whole.part("test") else "all")
    items = whole.items if name == "all" else whole.part(name)
    if not items:
        raise DataError(
            f"no pictures in the split '{name}'",
            expected="at least one",
            where=str(dataset.root),
            fix="choose another --split, or --split all",
        )
    return name, items, whole


def _two_classes(method: ClassicalSegmenter, dataset: Dataset) -> None:
    if len(dataset.label_space) > 2:
        raise DataError(
            f"the data show {len(dataset.label_space)} classes, {method.name} tells object from background",
            expected="two classes",
            where=str(dataset.root),
            fix="choose data with one class, or train a model",
        )


def _same_classes(known: LabelSpace, dataset: Dataset) -> None:
    """Refuse data of another number of classes; where the model knows their names, they have become its own."""
    own = dataset.label_space
    if len(known) == len(own):
        return
    strange = [name for name in own.names[1:] if name not in known.names]
    raise DataError(
        f"the data show {len(own)} classes, the model knows {len(known)}"
        + (f", and not {', '.join(strange)}" if strange else ""),
        expected="the classes of the model",
        where=str(dataset.root),
        fix=f"declare them in limner.toml: classes = {list(known.names)}",
    )


def _classes_by_number(bundle: Bundle | None, dataset: Dataset) -> tuple[str, ...]:
    """A sentence where the model does not know the names of the data's classes; those that it knows have its numbers."""
    if bundle is None:
        return ()
    pairs = list(zip(dataset.label_space.names, bundle.label_space.names, strict=False))[1:]
    other = [f"{own} is its {known}" for own, known in pairs if own != known]
    if not other:
        return ()
    return (f"The model does not know all names of the classes, so they are compared by number: {', '.join(other)}.",)


def _never_shown(bundle: Bundle | None, report: Report) -> tuple[str, ...]:
    """A sentence where the model finds classes, of several, that the truth of these pictures does not have."""
    if bundle is None or len(report.classes) <= 2:
        return ()
    true, found = (
        [sum(row) for row in report.confusion],
        [sum(column) for column in zip(*report.confusion, strict=True)],
    )
    names = [name for name, t, p in zip(report.classes, true, found, strict=True) if p and not t]
    if not names:
        return ()
    shown = " and ".join(names)
    return (f"The model finds {shown}, which the scored masks never show: that counts as wrong, labelled or not.",)


def _nothing_to_learn(dataset: Dataset) -> Dataset:
    """The data set with a note in place of the error that all masks are empty: nobody learns from them here."""
    text = "all masks are empty: false alarms can be counted, and nothing can be found"
    findings = (
        finding("EMPTY_MASKS", "note", text, one.files) if (one.code, one.level) == ("EMPTY_MASKS", "error") else one
        for one in dataset.findings
    )
    return dataclasses.replace(dataset, findings=tuple(findings))
