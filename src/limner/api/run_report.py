"""The end of a run: judge the written bundle on the test split, write the report, the figures and the model card."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import platform
import time
from typing import TYPE_CHECKING, Any

from limner.api.baselines import baseline_seconds, baselines
from limner.api.choose_answers import fit_answers
from limner.api.judged_confidence import JudgedConfidence
from limner.api.model_card import find_licence, write_model_card
from limner.api.open import open_segmenter
from limner.api.run_folder import RunFolder
from limner.core.bundle import Bundle, read_bundle
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.core.report import Report
from limner.data.dataset import Dataset, Item
from limner.data.splits import Split
from limner.evaluation.answers_text import rules_sentences
from limner.evaluation.evaluate import Scorer, write_report_files
from limner.evaluation.figures import write_figures
from limner.evaluation.gallery import Case, DrawnCase, draw_case
from limner.evaluation.html import write_report
from limner.evaluation.inspection import Inspector
from limner.evaluation.object_gallery import DrawnObjects, choose_object_cases, draw_objects
from limner.evaluation.object_scorer import measured_objects
from limner.evaluation.page import ReportPage
from limner.evaluation.ranking import choose_cases

if TYPE_CHECKING:
    from limner.core.prediction import Prediction
    from limner.core.protocols import Segmenter
    from limner.core.sample import Sample
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
    scorer: Scorer | None = None,
    inspector: Inspector | None = None,
) -> Report:
    """Segment and score `items` one by one; nothing but counts is kept.

    Parameters
    ----------
    model, split, threshold : as in `Report`.
    checksum : of the split.
    scorer : what measures; None = the overlap metrics. It is given scores where the segmenter returns them.
    inspector : sees every picture, too; its time is not part of ``Report.seconds``.
    """
    start, looked = time.perf_counter(), 0.0
    scorer = scorer or Scorer(dataset.label_space)
    for done, item in enumerate(items, 1):
        sample = dataset.load(item)
        assert sample.labels is not None
        found = segmenter.segment(sample)
        scorer.add(
            item.name, found.labels, sample.labels, sample.valid, scores=found.scores, group=item.group,
            pred_objects=found.objects, target_objects=sample.objects,
            told_apart=found.label_space.thing_ids or None,
        )  # fmt: skip
        if inspector is not None:
            before = time.perf_counter()
            inspector.add(item.name, found.labels, sample.labels, sample.valid)
            looked += time.perf_counter() - before
        listener.progress("evaluate", done, len(items))
    return scorer.report(
        model=model,
        data=str(dataset.root),
        split=split,
        threshold=threshold,
        split_checksum=checksum,
        data_checksum=dataset.checksum,
        seconds=time.perf_counter() - start - looked,
    )


class Timed:
    """A `Segmenter` that passes on what another one answers, and adds up the time of the first answer for each picture."""

    def __init__(self, inner: Segmenter) -> None:
        self.inner = inner
        self.seconds: dict[str, float] = {}

    def segment(self, sample: Sample) -> Prediction:
        """The answer of `inner`."""
        found = self.inner.segment(sample)
        self.seconds.setdefault(sample.name, found.seconds)
        return found

    @property
    def per_picture(self) -> float | None:
        """Mean over the pictures; None before the first."""
        return sum(self.seconds.values()) / len(self.seconds) if self.seconds else None


def make_cases(segmenter: Segmenter, dataset: Dataset, items: tuple[Item, ...], report: Report) -> list[DrawnCase]:
    """Worst, median and best pictures, segmented again and drawn one by one."""
    by_name = {item.name: item for item in items}
    cases = []
    for kind, name, dice in choose_cases(report):
        sample = dataset.load(by_name[name])
        assert sample.labels is not None
        labels = segmenter.segment(sample).labels
        case = Case(name, sample.image, sample.labels, labels, dice, kind, sample.valid)
        cases.append(draw_case(case, dataset.label_space))
    return cases


def make_object_cases(
    segmenter: Segmenter, dataset: Dataset, items: tuple[Item, ...], report: Report
) -> list[DrawnObjects]:
    """The pictures with the lowest F1 of objects, segmented again and outlined; none where the truth tells no objects apart."""
    by_name, drawn = {item.name: item for item in items}, []
    for name, f1 in choose_object_cases(report):
        sample = dataset.load(by_name[name])
        found = segmenter.segment(sample)
        if sample.objects is not None:
            things = dataset.label_space.thing_ids or range(1, len(dataset.label_space))
            apart = found.label_space.thing_ids or None
            pred = measured_objects(found.objects, found.labels, things, told_apart=apart)  # rows name these numbers
            drawn.append(draw_objects(name, sample.image, pred, sample.objects, report.object_rows, f1=f1))
    return drawn


def data_facts(dataset: Dataset, split: Split) -> dict[str, str]:
    """What the data are, in words."""
    facts = list(dataset.facts.values())
    sizes = sorted({fact.header.size_hw for fact in facts}, key=lambda hw: hw[0] * hw[1])
    words = {"pictures": str(len(dataset.items)), "channels": str(dataset.num_channels)}
    if sizes:
        (h0, w0), (h1, w1) = sizes[0], sizes[-1]
        words["sizes"] = f"{w0} x {h0}" if len(sizes) == 1 else f"{w0} x {h0} to {w1} x {h1} ({len(sizes)} different)"
    finite = [fact for fact in facts if math.isfinite(fact.lowest) and math.isfinite(fact.highest)]
    if finite:
        low, high = min(fact.lowest for fact in finite), max(fact.highest for fact in finite)
        depths = " and ".join(sorted({fact.header.dtype for fact in finite}))
        words["values"] = f"{low:g} to {high:g} ({depths})"
    words["classes"] = ", ".join(f"{i} {name}" for i, name in enumerate(dataset.label_space.names))
    words["masks"] = dataset.reading.words
    counts = split.counts()
    words["split"] = f"{counts['train']} train, {counts['val']} validation, {counts['test']} test: {split.rule}"
    words["groups"] = _group_words(split)
    words["licence"] = str(find_licence(dataset.root))
    return words


def _group_words(split: Split) -> str:
    groups = {part: {item.group for item in split.part(part) if item.group} for part in ("train", "val", "test")}
    known = set().union(*groups.values())
    if not known:
        return "none known: every picture counts as one of its own"
    return f"{len(known)}: {len(groups['train'])} in training, {len(groups['val'])} in validation, {len(groups['test'])} in test"


# long because the report is put together from all that the run left, in one order
def judge_and_report(
    folder: RunFolder,
    dataset: Dataset,
    split: Split,
    progress: Progress,
    *,
    command: str,
    listener: Listener,
) -> dict[str, Any]:
    """Evaluate the bundle as it lies on disk, write scores, figures, ``report.html`` and the model card; returns the summary.

    Parameters
    ----------
    command : what to type to repeat the run.
    """
    bundle, recipe = read_bundle(folder.model), Recipe.read(folder.recipe)
    bundle = fit_answers(bundle, dataset, split, recipe, listener)
    timed = Timed(open_segmenter(folder.model, keep_scores=bundle.method is None)[0])
    segmenter = JudgedConfidence(timed, bundle)
    write_model_card(bundle)  # a kill while scoring leaves one that says that there are no scores
    judged = "test" if split.part("test") else "val"
    items = split.part(judged)
    told = _not_tested(bundle) if judged == "val" else ()
    scorer = Scorer(dataset.label_space, metrics="all", spacing=dataset.spacing)
    inspector = Inspector(dataset.label_space)
    report = score_items(
        segmenter,
        dataset,
        items,
        model=str(folder.path),
        split=judged,
        threshold=bundle.calibrated_threshold,
        checksum=split.checksum,
        listener=listener,
        scorer=scorer,
        inspector=inspector,
    )
    report = dataclasses.replace(report, notes=(*told, *report.notes))  # whoever reads the scores alone must know, too
    notes = [*split.notes, *told, *rules_sentences(bundle), *segmenter.sentences(report)]
    page = ReportPage(
        title=f"Report: {dataset.root.name}",
        command=command,
        report=report,
        label_space=bundle.label_space,
        recipe=recipe,
        num_train=len(split.part("train")),
        facts=data_facts(dataset, split),
        findings=[f.as_dict() for f in dataset.findings],
        history=progress.history,
        kept_step=progress.best.get("step") if progress.history else None,
        seconds_per_picture=timed.per_picture,
        cases=make_cases(segmenter, dataset, items, report),
        object_cases=make_object_cases(segmenter, dataset, items, report),
        notes=notes,
        versions=versions(),
        inspection=inspector.result(),
        train_groups=frozenset(item.group for item in split.part("train") if item.group),
        baselines=_baselines(dataset, split, bundle, recipe, progress, listener),
        licences=bundle.licences,
    )
    write_run_report(folder, bundle, page)
    return report.summary()


def _not_tested(bundle: Bundle) -> tuple[str, ...]:
    """What has to be said where pictures that validate are scored, as there are no others."""
    chose = "also chose the best epoch, and are too good" if bundle.method is None else "chose nothing here"
    return (f"There are no test pictures: the scores are those of the validation pictures, which {chose}.",)


def _baselines(
    dataset: Dataset, split: Split, bundle: Bundle, recipe: Recipe, progress: Progress, listener: Listener
) -> list[dict[str, Any]]:
    """Methods without a network beside a network; the folds of a cross-validation go without."""
    if bundle.method is not None or recipe.split.fold:
        return []
    seconds = baseline_seconds(progress.seconds)
    return [found.as_row() for found in baselines(dataset, split, budget_seconds=seconds, listener=listener)]


def write_run_report(folder: RunFolder, bundle: Bundle, page: ReportPage) -> None:
    """Scores, figures, ``report.html`` and the model card of a run; the scores also go into the bundle.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    report = page.report
    write_report_files(report, folder.evaluation)
    write_figures(
        folder.path / "figures",
        report=report,
        history=page.history,
        kept_step=page.kept_step,
        inspection=page.inspection,
        cases=page.cases,
    )
    write_report(page, folder.path / "report.html", evaluation=folder.evaluation)
    scores = {
        metric: {name: score.mean for name, score in by_class.items() if score.n}
        for metric, by_class in report.scores.items()
    }
    dataclasses.replace(bundle, training={**bundle.training, "scores": {"split": report.split, **scores}}).save()
    write_model_card(bundle, page)
