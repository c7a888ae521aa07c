"""The end of a run: judge the written bundle on the test split and write the report."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import time
from typing import TYPE_CHECKING, Any

from limner.api.open import open_segmenter
from limner.api.run_folder import RunFolder
from limner.core.files import write_text
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.core.report import Report
from limner.data.dataset import Dataset, Item
from limner.data.splits import Split
from limner.evaluation.evaluate import Scorer, write_report_files
from limner.evaluation.figures import write_figures
from limner.evaluation.html import Case, ReportPage, choose_cases, render_report

if TYPE_CHECKING:
    from limner.core.protocols import Segmenter
    from limner.training.checkpoint import Progress

PACKAGES = ("limner", "torch", "timm", "lightning-fabric", "numpy", "opencv-python-headless", "pillow")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def score_items(
    segmenter: Segmenter,
    dataset: Dataset,
    items: tuple[Item, ...],
    *,
    model: str,
    split: str,
    threshold: float | None,
    checksum: str,
    listener: Listener,
) -> Report:
    """Segment and score `items` one by one; nothing but counts is kept."""
    start, scorer = time.perf_counter(), Scorer(dataset.label_space)
    for done, item in enumerate(items, 1):
        sample = dataset.load(item)
        assert sample.labels is not None
        scorer.add(item.name, segmenter.segment(sample).labels, sample.labels, sample.valid)
        listener.progress("evaluate", done, len(items))
    return scorer.report(
        model=model,
        data=str(dataset.root),
        split=split,
        threshold=threshold,
        split_checksum=checksum,
        seconds=time.perf_counter() - start,
    )


def make_cases(segmenter: Segmenter, dataset: Dataset, items: tuple[Item, ...], report: Report) -> list[Case]:
    """Best, median and worst pictures, segmented again for showing."""
    by_name = {item.name: item for item in items}
    cases = []
    for kind, name, dice in choose_cases(report):
        sample = dataset.load(by_name[name])
        assert sample.labels is not None
        cases.append(
            Case(name, sample.image, sample.labels, segmenter.segment(sample).labels, dice, kind, sample.valid)
        )
    return cases


def data_facts(dataset: Dataset, split: Split) -> dict[str, str]:
    """What the data are, in words."""
    sizes = sorted({fact.header.size_hw for fact in dataset.facts.values()}, key=lambda hw: hw[0] * hw[1])
    words = {"pictures": str(len(dataset.items)), "channels": str(dataset.num_channels)}
    if sizes:
        (h0, w0), (h1, w1) = sizes[0], sizes[-1]
        words["sizes"] = f"{w0} x {h0}" if len(sizes) == 1 else f"{w0} x {h0} to {w1} x {h1} ({len(sizes)} different)"
    words["classes"] = ", ".join(f"{i} {name}" for i, name in enumerate(dataset.label_space.names))
    words["masks"] = dataset.reading.words
    counts = split.counts()
    words["split"] = f"{counts['train']} train, {counts['val']} validation, {counts['test']} test: {split.rule}"
    return words


def judge_and_report(
    folder: RunFolder, dataset: Dataset, split: Split, progress: Progress, *, command: str, listener: Listener
) -> dict[str, Any]:
    """Evaluate the bundle as it lies on disk, write scores, figures and ``report.html``; returns the summary."""
    segmenter, bundle = open_segmenter(folder.model)
    judged = "test" if split.part("test") else "val"
    items = split.part(judged)
    notes = list(split.notes)
    if judged == "val":
        notes.append(
            "There are no test pictures: the scores are those of the validation pictures, which also chose the best epoch, "
            "and are too good."
        )
    report = score_items(
        segmenter,
        dataset,
        items,
        model=str(folder.path),
        split=judged,
        threshold=bundle.contract.threshold if len(bundle.label_space) == 2 else None,
        checksum=split.checksum,
        listener=listener,
    )
    write_report_files(report, folder.evaluation)
    history = progress.history
    write_figures(folder.path / "figures", report=report, history=history, names=bundle.label_space.foreground_names)
    page = ReportPage(
        title=f"Report: {dataset.root.name}",
        command=command,
        report=report,
        label_space=bundle.label_space,
        recipe=Recipe.read(folder.recipe),
        num_train=len(split.part("train")),
        facts=data_facts(dataset, split),
        findings=[f.as_dict() for f in dataset.findings],
        history=history,
        cases=make_cases(segmenter, dataset, items, report),
        notes=notes,
        versions=versions(),
    )
    write_text(folder.path / "report.html", render_report(page))
    scores = {
        metric: {name: score.mean for name, score in by_class.items() if score.n}
        for metric, by_class in report.scores.items()
    }
    dataclasses.replace(bundle, training={**bundle.training, "scores": {"split": judged, **scores}}).save()
    return report.summary()
