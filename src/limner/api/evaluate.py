"""Score a model, or masks that any other tool predicted, against the truth at native size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from limner.api.open import classical_method, open_segmenter
from limner.api.plan import split_dataset
from limner.api.run_report import data_facts, make_cases, score_items, versions
from limner.classical.segmenter import ClassicalSegmenter
from limner.core.bundle import Bundle, read_bundle
from limner.core.choices import nearest
from limner.core.errors import BundleError, DataError, UsageError
from limner.core.files import prepare_output, write_text
from limner.core.labels import Labels, LabelSpace
from limner.core.prediction import Prediction
from limner.core.protocols import Listener, Segmenter, Silent
from limner.core.report import Report
from limner.core.sample import Sample
from limner.data.dataset import Dataset, Item, open_dataset
from limner.data.images import SUFFIXES
from limner.data.masks import read_raw_mask
from limner.data.splits import Split, read_split, split_checksum
from limner.evaluation.evaluate import Scorer, write_report_files
from limner.evaluation.html import ReportPage, render_report

SPLITS = ("train", "val", "test", "all")


def evaluate(
    model: Path | str,
    data: Path | str,
    *,
    split: str | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> Report:
    """Score `model` on one split of the data set in folder `data`.

    Parameters
    ----------
    model : run folder, bundle folder, the name of a classical method, or a folder of predicted masks paired by stem (a missing
        one counts as empty and is named).
    data : folder in any layout that ``check`` reads.
    split : ``train``, ``val``, ``test`` or ``all``; None = test, or all where the data bring no split. A run folder's own split is
        used when it was trained on these data.
    out : where to write ``summary.json``, ``per_image.csv`` and ``report.html``; None = nowhere.

    Raises
    ------
    DataError, BundleError, OutputError, UsageError : see `limner.core.errors`.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"--split {split}", expected=f"one of {', '.join(SPLITS)}", fix=nearest(split, SPLITS))
    listener, model = listener or Silent(), Path(model)
    method = classical_method(model)
    is_model = (model / "bundle.json").is_file() or (model / "model" / "bundle.json").is_file()
    if not is_model and method is None and not model.is_dir():
        raise BundleError(
            f"no model at {model}",
            expected="a run folder, a bundle, the name of a classical method or a folder of predicted masks",
            where=str(model),
            fix="check the path",
        )
    bundle = read_bundle(model) if is_model else None
    space = bundle.label_space if bundle is not None else None
    dataset = open_dataset(Path(data), label_space=space, allow=("SPLIT_LEAK",), listener=listener)
    folder = prepare_output(Path(out), overwrite=overwrite) if out is not None else None
    name, items, whole = _items(model, bundle, dataset, split)
    segmenter, report = _score(model, method, bundle, dataset, items, split=name, listener=listener)
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
            versions=versions(),
        )
        write_text(folder / "report.html", render_report(page))
    return report


def _score(
    model: Path,
    method: ClassicalSegmenter | None,
    bundle: Bundle | None,
    dataset: Dataset,
    items: tuple[Item, ...],
    *,
    split: str,
    listener: Listener,
) -> tuple[Segmenter, Report]:
    """What segments, and its scores: a network, a classical method or a folder of predicted masks."""
    checksum = split_checksum(items)
    if method is None and bundle is None:
        predicted = Predicted(model, dataset)
        return predicted, _score_masks(predicted, dataset, items, split=split, checksum=checksum, listener=listener)
    segmenter: Segmenter
    threshold, name = None, str(model)
    if method is not None:
        _two_classes(method, dataset)
        segmenter, name = method, method.name
    else:
        segmenter, opened = open_segmenter(model)
        _same_classes(opened.label_space, dataset)
        threshold = opened.contract.threshold if len(opened.label_space) == 2 else None
    report = score_items(
        segmenter, dataset, items, model=name, split=split, threshold=threshold, checksum=checksum, listener=listener
    )
    return segmenter, report


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
    elif dataset.split_rule:
        whole = split_dataset(dataset, {})
    else:
        whole = Split(dataset.items, "none", split_checksum(dataset.items))
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


class Predicted:
    """A folder of masks as a `Segmenter`: looks the prediction up instead of making it."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self.dataset = dataset
        self.files: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES and not {"overlays", "scores"} & set(
                path.relative_to(folder).parts[:-1]
            ):
                self.files.setdefault(path.stem, []).append(path)
                self.files.setdefault(path.relative_to(folder).with_suffix("").as_posix(), []).append(path)
        if not self.files:
            raise DataError(
                f"no predicted masks in {folder}",
                expected="a PNG or TIFF per picture, of the same stem",
                where=str(folder),
                fix="give the folder that limner predict wrote",
            )

    def find(self, name: str) -> Path | None:
        """The file that belongs to the picture `name`: its relative stem, then its stem, with or without suffix."""
        path = Path(name)
        for key in (path.with_suffix("").as_posix(), name, path.stem, path.name, f"{path.stem}_mask"):
            if key in self.files:
                return self.files[key][0]
        return None

    def segment(self, sample: Sample) -> Prediction:
        """The mask found for `sample`; empty where there is none."""
        file = self.find(sample.name)
        labels = np.zeros(sample.size_hw, np.uint8) if file is None else self._read(file)
        return Prediction(sample.name, labels, self.dataset.label_space)

    def _read(self, file: Path) -> Labels:
        values = read_raw_mask(file).values
        if values.ndim == 3:
            values = values[..., 0]
        classes = len(self.dataset.label_space)
        if classes == 2 and len(np.unique(values)) <= 2:
            return (values > 0).astype(np.uint8)
        if values.max(initial=0) >= classes:
            raise DataError(
                f"{file.name} holds the value {values.max()}",
                expected=f"class ids 0 to {classes - 1}",
                where=str(file),
                fix="save class ids, or declare the classes in limner.toml",
            )
        return values.astype(np.uint8) if classes <= 256 else values.astype(np.uint16)


def _score_masks(
    segmenter: Predicted, dataset: Dataset, items: tuple[Item, ...], *, split: str, checksum: str, listener: Listener
) -> Report:
    start, scorer, missing = time.perf_counter(), Scorer(dataset.label_space), []
    for sample in _samples(dataset, items, listener):
        if segmenter.find(sample.name) is None:
            missing.append(sample.name)
        assert sample.labels is not None
        scorer.add(sample.name, segmenter.segment(sample).labels, sample.labels, sample.valid)
    if len(missing) == len(items):
        raise DataError(
            "no predicted mask belongs to any picture",
            expected="masks named like the pictures",
            where=str(dataset.root),
            fix="rename them to <picture stem>.png",
        )
    return scorer.report(
        model="predicted masks",
        data=str(dataset.root),
        split=split,
        threshold=None,
        split_checksum=checksum,
        seconds=time.perf_counter() - start,
        missing=tuple(missing),
    )


def _samples(dataset: Dataset, items: tuple[Item, ...], listener: Listener) -> Iterator[Sample]:
    for done, item in enumerate(items, 1):
        yield dataset.load(item)
        listener.progress("evaluate", done, len(items))
