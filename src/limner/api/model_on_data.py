"""A model beside the data it is scored on: open both, decide which pictures, score them, and say what has to be said about it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from limner.api.model_files import model_folders
from limner.api.open import classical_method, open_segmenter
from limner.api.predicted import Predicted
from limner.api.run_report import score_items
from limner.api.seen_before import Seen, given_split, what_was_seen
from limner.classical.segmenter import ClassicalSegmenter
from limner.core.bundle import Bundle, read_bundle
from limner.core.choices import nearest
from limner.core.errors import BundleError, DataError, UsageError
from limner.core.files import check_apart, check_output
from limner.core.labels import LabelSpace
from limner.core.protocols import Listener, Segmenter, Silent
from limner.core.report import Report
from limner.data.dataset import Dataset, Item, open_dataset
from limner.data.findings import finding
from limner.data.splits import Split, split_checksum
from limner.evaluation.evaluate import Scorer
from limner.evaluation.inspection import Inspector

SPLITS = ("train", "val", "test", "all")


@dataclass(frozen=True)
class Opened:
    """A model and the data that it is to be scored on.

    Parameters
    ----------
    model : as it was named.
    method, bundle : what it is; neither for a folder of masks.
    dataset : with the classes of the model.
    seen : what the model has seen of the data.
    """

    model: Path
    method: ClassicalSegmenter | None
    bundle: Bundle | None
    dataset: Dataset
    seen: Seen


def check_split(split: str | None) -> None:
    """Refuse the name of a part that there is not.

    Raises
    ------
    UsageError : none of `SPLITS`.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"--split {split}", expected=f"one of {', '.join(SPLITS)}", fix=nearest(split, SPLITS))


def open_both(
    model: Path, data: Path, *, folder: Path | None = None, overwrite: bool = False, listener: Listener | None = None
) -> Opened:
    """The model and the data; `folder`, where scores are to go, is refused when it may not be written or holds what is read.

    Raises
    ------
    DataError, BundleError, OutputError : see `limner.core.errors`.
    """
    method, bundle = _find_model(model)
    if folder is not None:
        check_output(folder, overwrite=overwrite, inputs=[*model_folders(model), data])
    space = bundle.label_space if bundle is not None else None
    allowed = ["SPLIT_LEAK", "FEW_SAMPLES"]  # one picture can be scored
    if bundle is not None or method is not None:
        allowed.append("EMPTY_MASKS")  # the classes are known, and false alarms can be counted
    dataset = _nothing_to_learn(open_dataset(data, label_space=space, allow=allowed, listener=listener or Silent()))
    if folder is not None:
        check_apart(folder, (file for item in dataset.items for file in (item.image, item.mask) if file is not None))
    return Opened(model, method, bundle, dataset, what_was_seen(model, bundle, dataset))


def score(
    opened: Opened,
    name: str,
    items: tuple[Item, ...],
    *,
    scorer: Scorer,
    inspector: Inspector | None = None,
    listener: Listener | None = None,
) -> tuple[Report, Segmenter]:
    """The scores of some pictures, with all that has to be said about them, and what segmented.

    Parameters
    ----------
    name, items : of `pictures_to_score`.
    scorer : what measures; it is given scores where it measures more than overlap.
    inspector : sees every picture, too.
    """
    dataset, bundle, hears = opened.dataset, opened.bundle, listener or Silent()
    segmenter, label, threshold = _open(opened, items, scorer.plan.extent, hears)
    report = score_items(
        segmenter, dataset, items, model=label, split=name, threshold=threshold, checksum=split_checksum(items),
        listener=hears, scorer=scorer, inspector=inspector,
    )  # fmt: skip
    notes = (
        *opened.seen.notes(items),
        *_classes_by_number(bundle, dataset),
        *_never_shown(bundle, report),
        *report.notes,
    )
    if isinstance(segmenter, Predicted):
        return dataclasses.replace(report, missing=segmenter.missing, notes=(*segmenter.notes, *notes)), segmenter
    return dataclasses.replace(report, notes=notes), segmenter


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
    opened: Opened, items: tuple[Item, ...], metrics: str, listener: Listener
) -> tuple[Segmenter, str, float | None]:
    """What segments, what it is called in the report, and its threshold: a network, a classical method or a folder of masks."""
    model, bundle, dataset = opened.model, opened.bundle, opened.dataset
    if opened.method is not None:
        _two_classes(opened.method, dataset)
        return opened.method, opened.method.name, None
    if bundle is None:
        return Predicted(model, dataset, items, listener=listener), "predicted masks", None
    # A model may know classes that these data do not have; its scores are then not those of the data's classes.
    has_scores = metrics == "all" and bundle.method is None and len(bundle.label_space) == len(dataset.label_space)
    segmenter, used = open_segmenter(model, keep_scores=has_scores)
    _same_classes(used.label_space, dataset)
    return segmenter, str(model), used.calibrated_threshold


def pictures_to_score(dataset: Dataset, seen: Seen, wanted: str | None) -> tuple[str, tuple[Item, ...], Split]:
    """The name of the part to score, its pictures, and the whole split.

    Parameters
    ----------
    seen : what a model has seen of these data: its own split goes before the one that the data bring.
    wanted : name of a part; None = test, or all where there is none.

    Raises
    ------
    DataError : the part has no pictures.
    """
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
