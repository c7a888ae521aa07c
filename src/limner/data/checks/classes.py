"""Which classes there are: missing from a split, shown by too few pictures, spelled in several ways."""

from __future__ import annotations

from collections import defaultdict

from limner.data.checks.evidence import SPLIT_ORDER, Evidence
from limner.data.findings import Finding, Level, counted, finding, shortened
from limner.data.formats.classes import spelling_groups

FEW_IMAGES = 10  # below, scores depend on which pictures happen to be in the test
FEW_TESTS = 5
FEW_OF_CLASS = 3  # below, training, validation and test cannot all show it


def few_samples(evidence: Evidence) -> list[Finding]:
    """Too few pictures, test pictures, or pictures of a class."""
    count = len(evidence.layout.items)
    found = []
    if count < FEW_IMAGES:
        level: Level = "error" if count < 2 else "warning"
        fix = (
            "add pictures; two are the least that can be trained and chosen on" if count < 2
            else "label more pictures before trusting a score"
        )  # fmt: skip
        found.append(finding("FEW_SAMPLES", level, f"{counted(count, 'picture')} with a mask", [], fix, count=count))
        return found
    test = [item.name for item in evidence.layout.items if item.split == "test"]
    if 0 < len(test) < FEW_TESTS:
        text = f"the given test has {counted(len(test), 'picture')}; a score on so few says little"
        found.append(finding("FEW_SAMPLES", "warning", text, test, "move pictures to test, or use folds"))
    return [*found, *_rare_classes(evidence)]


def _rare_classes(evidence: Evidence) -> list[Finding]:
    showing = _pictures_by_class(evidence)
    names = evidence.reading.label_space.names
    rare = {index: files for index, files in sorted(showing.items()) if len(files) < FEW_OF_CLASS}
    if not rare:
        return []
    shown = ", ".join(f"{names[index]} by {len(files)}" for index, files in rare.items())
    text = f"classes shown by fewer than {FEW_OF_CLASS} pictures: {shown}; they cannot be trained, chosen and tested on"
    files = list(dict.fromkeys(name for names_of_class in rare.values() for name in names_of_class))
    return [finding("FEW_SAMPLES", "warning", text, files, "label more pictures that show them", count=len(rare))]


def classes_missing_in_splits(evidence: Evidence) -> list[Finding]:
    """Classes that a given split does not show although another does."""
    split_of, names = evidence.split_of(), evidence.reading.label_space.names
    present = [split for split in SPLIT_ORDER if split in {split_of[item.name] for item, _ in evidence.labelled()}]
    if len(present) < 2:
        return []
    sentences, files = [], []
    for index, pictures in sorted(_pictures_by_class(evidence).items()):
        for split in present:
            if split not in {split_of[name] for name in pictures}:
                where = ", ".join(f"{sum(split_of[n] == s for n in pictures)} in {s}" for s in present if s != split)
                sentences.append(f"class {names[index]} does not occur in {split} ({where})")
                files += pictures
    if not sentences:
        return []
    fix = "move pictures with these classes to that split"
    text = shortened(sentences, most=8)
    files = list(dict.fromkeys(files))
    return [finding("CLASS_MISSING_IN_SPLIT", "warning", text, files, fix, count=len(sentences))]


def _pictures_by_class(evidence: Evidence) -> dict[int, list[str]]:
    """The pictures that show each class above the background."""
    showing: dict[int, list[str]] = defaultdict(list)
    for item, fact in evidence.labelled():
        for index, number in fact.pixels.items():
            if index > 0 and number:
                showing[index].append(item.name)
    return showing


def class_spelling(evidence: Evidence) -> list[Finding]:
    """Names that may be one class in several spellings; offered, not applied."""
    groups = spelling_groups(evidence.reading.label_space.names)
    if not groups:
        return []
    shown = shortened([f"{' and '.join(repr(name) for name in group)}: {reason}" for group, reason in groups], most=8)
    text = f"class names that may mean one class: {shown}"
    fix = "give them one name in the annotations if they are one class; nothing was joined"
    return [finding("CLASS_SPELLING", "warning", text, [], fix, count=len(groups))]
