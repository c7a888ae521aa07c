"""Score a model, or masks that any other tool predicted, against the truth at native size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from limner.api.open import classical_method, open_segmenter
from limner.api.plan import split_dataset
from limner.api.predicted import Predicted
from limner.api.run_report import data_facts, make_cases, make_object_cases, score_items, versions
from limner.classical.segmenter import ClassicalSegmenter
from limner.core.bundle import Bundle, read_bundle
from limner.core.choices import nearest
from limner.core.errors import BundleError, DataError, UsageError
from limner.core.files import prepare_output
from limner.core.labels import LabelSpace
from limner.core.protocols import Listener, Segmenter, Silent
from limner.core.report import Report
from limner.data.dataset import Dataset, Item, open_dataset
from limner.data.splits import Split, read_split, split_checksum
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
    split : ``train``, ``val``, ``test`` or ``all``; None = test, or all where the data bring no split. A run folder's own split is
        used when it was trained on these data.
    metrics : ``all``, or ``overlap`` for those that follow from counts of pixels, which is faster; the report then does not look at
        kinds of mistakes and sizes of objects either.
    tolerance : distance that surface Dice accepts, in pixels, or in mm where the data declare a spacing; None = 2 pixels.
    compat : also say what other tools would have printed for the same predictions.
    out : where to write ``summary.json``, ``per_image.csv``, ``report.html`` and, where the data tell objects apart,
        ``per_object.csv``; None = nowhere.

    Raises
    ------
    DataError, BundleError, OutputError, UsageError : see `limner.core.errors`.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"--split {split}", expected=f"one of {', '.join(SPLITS)}", fix=nearest(split, SPLITS))
    Plan(metrics, tolerance=tolerance)  # refuses what it cannot obey before anything is read
    listener, model = listener or Silent(), Path(model)
    method, bundle = _find_model(model)
    space = bundle.label_space if bundle is not None else None
    allowed = ("SPLIT_LEAK", "FEW_SAMPLES")  # one picture can be scored
    dataset = open_dataset(Path(data), label_space=space, allow=allowed, listener=listener)
    folder = prepare_output(Path(out), overwrite=overwrite) if out is not None else None
    name, items, whole = _items(model, bundle, dataset, split)
    segmenter, label, threshold = _open(model, method, bundle, dataset, items, metrics, listener)
    scorer = Scorer(
        dataset.label_space, metrics=metrics, spacing=dataset.spacing, tolerance=tolerance, compat=compat
    )  # fmt: skip
    inspector = Inspector(dataset.label_space) if folder is not None and metrics == "all" else None
    report = score_items(
        segmenter, dataset, items, model=label, split=name, threshold=threshold, checksum=split_checksum(items),
        listener=listener, scorer=scorer, inspector=inspector,
    )  # fmt: skip
    if isinstance(segmenter, Predicted):
        notes = (*segmenter.notes, *report.notes)
        report = dataclasses.replace(report, missing=segmenter.missing, notes=notes)
    if folder is not None:
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
            train_groups=_train_groups(bundle, dataset, whole),
        )
        write_report(page, folder / "report.html", evaluation=folder)
        write_figures(folder / "figures", report=report, inspection=page.inspection, cases=page.cases)
    return report


def _train_groups(bundle: Bundle | None, dataset: Dataset, whole: Split) -> frozenset[str]:
    """Groups that the model has seen; known only where it was trained on these data."""
    if bundle is None or bundle.training.get("data_checksum") != dataset.checksum:
        return frozenset()
    return frozenset(item.group for item in whole.part("train") if item.group)


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


def _items(
    model: Path, bundle: Bundle | None, dataset: Dataset, wanted: str | None
) -> tuple[str, tuple[Item, ...], Split]:
    """The pictures to score, the name of their split and the whole split.

    A run's own split counts when its model was trained on exactly these pictures.
    """
    own = next((folder / "split.csv" for folder in (model, model.parent) if (folder / "split.csv").is_file()), None)
    trained_here = bundle is not None and bundle.training.get("data_checksum") == dataset.checksum
    if own is not None and trained_here:
        whole = read_split(own, dataset)
    elif any(item.split == "train" for item in dataset.items):
        whole = split_dataset(dataset, {})  # as training would: validation may have to be taken from train
    else:
        whole = Split(dataset.items, dataset.split_rule or "none", split_checksum(dataset.items))
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
    if len(known) < len(dataset.label_space):
        raise DataError(
            f"the data show {len(dataset.label_space)} classes, the model knows {len(known)}",
            expected="the classes of the model",
            where=str(dataset.root),
            fix=f"declare them in limner.toml: classes = {list(known.names)}",
        )
