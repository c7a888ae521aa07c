"""Find the layout, read all files, decide how masks are read, and run every check."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from limner.core.labels import LabelSpace
from limner.core.protocols import Listener, Silent
from limner.data.checks import classes, copies, extents, listing, objects, pairing, pictures, sizes
from limner.data.checks.evidence import SPLIT_ORDER, Evidence
from limner.data.checks.file_names import without_strange_names
from limner.data.checks.group_rule import pictures_without_group
from limner.data.checks.model_classes import in_model_order, with_classes
from limner.data.checks.report import CheckReport
from limner.data.findings import Finding, Level
from limner.data.layouts import Layout
from limner.data.mask_survey import objects_by_class, survey_mask
from limner.data.mask_values import decide_reading
from limner.data.masks import MaskReading
from limner.data.object_facts import ObjectFacts
from limner.data.object_survey import survey_objects
from limner.data.open_layout import open_layout
from limner.data.survey import Facts, Survey, survey

_QUIET = Silent()
_ORDER: dict[Level, int] = {"error": 0, "warning": 1, "fixed": 2, "note": 3}

CHECKS: tuple[Callable[[Evidence], list[Finding]], ...] = (
    pairing.lonely_images, pairing.lonely_masks, pairing.ambiguous_pairs, pairing.unlisted_images, pairing.unreadable_files,
    sizes.size_mismatches, sizes.masks_of_stored_pictures, sizes.upright_pictures,
    extents.empty_masks, extents.full_masks, extents.tiny_objects, extents.inverted_masks,
    listing.leaking_rows, copies.leaking_copies, copies.exact_copies, copies.changed_copies, copies.broken_groups,
    classes.classes_missing_in_splits, classes.few_samples, classes.class_spelling,
    objects.overlapping_objects, objects.fragmented_objects, objects.touching_objects, objects.border_objects,
    objects.object_sizes,
    pictures.mixed_channels, pictures.mixed_depths, pictures.constant_images,
)  # fmt: skip


@dataclass(frozen=True)
class Examination:
    """A layout with all that reading it showed.

    Parameters
    ----------
    root : the folder of the pictures.
    layout : which files belong together.
    facts : of each picture that could be read, with pixels and objects of each class.
    reading : how masks become class ids.
    channels : channels that the pictures have, or are given.
    findings : errors first.
    alike : sets of names of pictures that are copies or changed copies of each other.
    objects : what the objects of each class are like; empty where they are not told apart.
    """

    root: Path
    layout: Layout
    facts: Mapping[str, Facts]
    reading: MaskReading
    channels: int
    findings: tuple[Finding, ...]
    alike: tuple[tuple[str, ...], ...] = ()
    objects: tuple[ObjectFacts, ...] = ()

    def report(self) -> CheckReport:
        """What a person or a script is told."""
        names = self.reading.label_space.names
        splits = Counter(item.split for item in self.layout.items if item.split)
        return CheckReport(
            format=self.layout.format,
            samples=len(self.layout.items),
            channels=self.channels,
            classes=tuple(enumerate(names)),
            mask_reading=self.reading.words,
            splits={split: splits[split] for split in SPLIT_ORDER if splits[split]},
            findings=self.findings,
            blocking=any(finding.level == "error" for finding in self.findings),
            objects=self.objects,
        )


def check_dataset(root: Path, *, listener: Listener = _QUIET) -> CheckReport:
    """Read every image and mask of a data set and report.

    Raises
    ------
    DataError : nothing to read, or ``limner.toml`` or ``splits.csv`` cannot be obeyed; bad pictures are findings.
    """
    return examine(root, listener=listener).report()


def examine(root: Path, *, label_space: LabelSpace | None = None, listener: Listener = _QUIET) -> Examination:
    """Find the layout, read all files, decide how masks are read, and run the checks.

    Parameters
    ----------
    root : the data folder, or an annotation file.
    label_space : classes that a model knows; taken as declared unless ``limner.toml`` declares its own, which are given the
        model's numbers where it knows their names.
    listener : hears of progress.

    Raises
    ------
    DataError : see `check_dataset`.
    """
    root, layout = open_layout(root)
    layout, found = without_strange_names(layout, root)
    found += pictures_without_group(layout)
    if label_space is not None:
        layout, strange = with_classes(layout, label_space)
        found += strange
    read = survey(root, layout.items, listener=listener)
    reading, decided = _reading(layout, read, root, label_space)
    facts: Mapping[str, Facts] = {name: _counted(fact, read, name, reading) for name, fact in read.facts.items()}
    facts = _told_apart(layout, facts, reading)
    exact, alike = copies.find_copies(layout.items, facts)
    evidence = Evidence(root, layout, read, facts, reading, exact, alike)
    findings = [*layout.findings, *found, *decided, *(one for check in CHECKS for one in check(evidence))]
    findings.sort(key=lambda one: (_ORDER[one.level], one.code))
    found_objects = objects.facts_of(evidence)
    return Examination(root, layout, facts, reading, _channels(facts), tuple(findings), alike, found_objects)


def _reading(layout: Layout, read: Survey, root: Path, model: LabelSpace | None) -> tuple[MaskReading, list[Finding]]:
    """How masks are read; where regions are drawn, the classes are known already."""
    if any(item.drawing is not None for item in layout.items):
        space = layout.label_space or LabelSpace(("background", "foreground"))
        return MaskReading(space, None, layout.words, rule="table", table=tuple((i, i) for i in range(len(space)))), []
    stats = [read.masks[item.name].stats for item in layout.items if item.name in read.masks]
    reading, decided = decide_reading([one.path for one in stats], layout.declared, stats=stats, root=root)
    return reading if model is None else in_model_order(reading, stats, model), decided


def _counted(fact: Facts, read: Survey, name: str, reading: MaskReading) -> Facts:
    """The facts with pixels and objects of each class, where there is a mask file."""
    mask = read.masks.get(name)
    if mask is None:
        return fact
    stats = mask.stats
    if reading.source == "alpha" and stats.has_alpha and stats.kind != "alpha":
        stats = survey_mask(stats.path, alpha=True)  # a file without holes, whose colours were counted
    return dataclasses.replace(
        fact,
        pixels=reading.count(stats),
        mask_size_hw=stats.size_hw,
        objects=objects_by_class(reading, stats, mask.objects),
    )


def _told_apart(layout: Layout, facts: Mapping[str, Facts], reading: MaskReading) -> Mapping[str, Facts]:
    """The facts with the objects of things as the files of ids tell them apart, in place of connected areas."""
    items = [item for item in layout.items if item.name in facts and item.drawing is None]
    if not reading.label_space.things or not items:
        return facts
    found = survey_objects(items, reading)
    return {
        name: dataclasses.replace(fact, objects=found[name].counts(), things=found[name]) if name in found else fact
        for name, fact in facts.items()
    }


def _channels(facts: Mapping[str, Facts]) -> int:
    """Channels of loaded pictures: three where gray and colour are mixed."""
    counts = Counter(fact.header.channels for fact in facts.values())
    return 3 if set(counts) == {1, 3} else counts.most_common(1)[0][0] if counts else 0
