"""Which attribute names the class, for formats that have no field for it: proposed by stated rules, asked where they fail.

The rules, in this order: an attribute that was asked for; the labels that the file has; a radio button or dropdown that at least
half of the regions answer; an attribute with few different answers that all regions answer; the only one that some answer. Of
several that answer alike for every region either serves. Where two disagree or none is left, a person decides.

Answers that VIA's example attributes give by themselves (``unknown``, ``not_defined``) are none. A region without a class is never
taken for background.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from limner.core.annotation import AnnotationSet, Problem, Region
from limner.core.choices import nearest
from limner.core.errors import UsageError
from limner.data.formats.foreign import IGNORED, plain, short
from limner.data.formats.spelling import spelling_groups
from limner.data.formats.via_regions import DEMO_DEFAULTS, Question

__all__ = ["IGNORED", "ChosenClasses", "choose_classes", "spelling_groups"]

FEW = 12  # different answers that an attribute may always have
MOST_SHOWN = 6
_MOST_COMPARED = 100  # names, when one is not known and the nearest is looked for
REMEDY = "name one with --class-attribute NAME, or give all regions without a class one with --default-class NAME"
_CHOSEN_FROM = ("radio", "dropdown")


@dataclass(frozen=True)
class ChosenClasses:
    """A set whose regions have labels, and how they got them.

    Parameters
    ----------
    annotations : the set; a label is empty only where `problems` says so.
    words : how the class was found, as a sentence.
    problems : what a person must decide.
    classes : the names, in the order of the file's options, else of their first region.
    attributes : the attributes that were taken, the first that answers counts; empty for labels of the file itself.
    """

    annotations: AnnotationSet
    words: str
    problems: tuple[Problem, ...]
    classes: tuple[str, ...]
    attributes: tuple[str, ...] = ()


@dataclass
class _Candidate:
    """What the regions answer to one attribute."""

    name: str
    question: Question | None
    answers: Counter[str] = field(default_factory=Counter)
    several_ticks: int = 0

    @property
    def covered(self) -> int:
        """Regions with an answer that may be a class."""
        return self.answers.total()

    @property
    def is_chosen_from(self) -> bool:
        """A person chose one of several given answers."""
        return self.question is not None and self.question.kind in _CHOSEN_FROM

    @property
    def has_few(self) -> bool:
        """Few different answers: so many that they name kinds, not single objects."""
        return len(self.answers) <= max(FEW, self.covered // 2)

    def words(self) -> str:
        """The attribute with its answers and how often each occurs."""
        shown = ", ".join(f"{short(answer)} {count}" for answer, count in self.answers.most_common(MOST_SHOWN))
        more = ", ..." if len(self.answers) > MOST_SHOWN else ""
        kind = f"{self.question.kind}, " if self.question else ""
        return f"'{short(self.name)}' ({kind}{self.covered} regions: {shown}{more})"


@dataclass(frozen=True)
class _Choice:
    """Attributes in order of preference, or none; the sentence about them; why it is not possible."""

    names: tuple[str, ...] = ()
    words: str = ""
    problem: str = ""
    code: str = ""


def choose_classes(
    found: AnnotationSet, *, class_attribute: str | None = None, default_class: str | None = None
) -> ChosenClasses:
    """Give every region a label.

    Parameters
    ----------
    found : regions as read.
    class_attribute : the attribute that names the class; several, separated by commas, where each region answers one of them.
    default_class : for regions that have no class.

    Returns
    -------
    The set with labels. Where no attribute can be taken and `default_class` is not given, labels stay empty and `problems` names
    the attributes with their answers, and the remedy.

    Raises
    ------
    UsageError : `default_class` is empty.
    """
    if default_class is not None and not default_class.strip():
        raise UsageError("an empty class name", expected="a name", where="--default-class")
    regions = [region for image in found.images for region in image.regions if not region.is_ignored]
    candidates = _candidates(regions, _questions(found.record))
    if not regions:
        choice = _Choice(words="there are no regions")
    elif class_attribute is not None:
        choice = _asked_for(class_attribute, candidates)
    elif any(region.label for region in regions):
        choice = _Choice(words="the file names the class of each region")
    else:
        choice = _proposed(candidates, regions)
    if choice.problem and (default_class is None or class_attribute is not None):
        file = next((problem.file for problem in (*found.warnings, *found.refused)), "")
        return ChosenClasses(found, "", (Problem(choice.code, choice.problem, file),), ())
    return _apply(found, choice, default_class, candidates)


def _questions(record: Any) -> Mapping[str, Question]:
    """The questions that a project asks; nothing for records of other formats."""
    questions = getattr(record, "questions", None)
    return questions if isinstance(questions, Mapping) else {}


def _candidates(regions: Sequence[Region], questions: Mapping[str, Question]) -> dict[str, _Candidate]:
    candidates: dict[str, _Candidate] = {}
    for region in regions:
        for name, value in region.attributes.items():
            candidate = candidates.setdefault(name, _Candidate(name, questions.get(name)))
            if isinstance(value, list) and len(value) > 1:
                candidate.several_ticks += 1
            elif answer := _answer(value):
                candidate.answers[answer] += 1
    return candidates


def _answer(value: Any) -> str:
    """An answer that may be a class; empty when it says nothing."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else ""
    text = plain(value)
    return "" if text.strip().casefold() in ("", *DEMO_DEFAULTS) else text


# -- choosing


def _asked_for(wanted: str, candidates: Mapping[str, _Candidate]) -> _Choice:
    parts = [wanted] if wanted in candidates else [part.strip() for part in wanted.split(",")]
    names = tuple(part for part in parts if part in candidates)
    if not names:
        known = [short(name) for name in islice(candidates, _MOST_COMPARED)]
        hint = nearest(short(parts[0]), known) or "there are no attributes"
        text = f"no region has the attribute '{short(wanted)}'; {hint}"
        return _Choice(problem=text, code="unknown-attribute")
    for name in names:
        if count := candidates[name].several_ticks:
            reason = f"{count} regions have several ticks, and a region has one class"
            text = f"the attribute '{short(name)}' cannot name the class: {reason}; {_listed(candidates)}"
            return _Choice(problem=text, code="several-ticks")
    shown = ", ".join(candidates[name].words() for name in names)
    return _Choice(names, f"the class is the attribute {shown}, as asked for")


def _proposed(candidates: Mapping[str, _Candidate], regions: Sequence[Region]) -> _Choice:
    usable = [candidate for candidate in candidates.values() if candidate.covered and not candidate.several_ticks]
    if not usable:
        named = f": {_listed(candidates)}; {REMEDY}" if candidates else "; give them one with --default-class NAME"
        text = f"no attribute names the class of the {len(regions)} regions{named}"
        return _Choice(problem=text, code="no-class")
    total = len(regions)
    tiers = (
        [one for one in usable if one.is_chosen_from and 2 * one.covered >= total],
        [one for one in usable if one.has_few and one.covered == total],
    )
    for tier in tiers:
        full = [one for one in tier if one.covered == total] or tier
        if full:
            return _of_several(full, regions, candidates)
    few = [one for one in usable if one.has_few]
    if len(few) == 1:
        return _Choice((few[0].name,), f"the class is the attribute {few[0].words()}")
    if few and _complement(few, regions):
        shown = " and ".join(one.words() for one in few)
        words = f"the class is the attribute {shown}: no region answers two of them differently, and they share answers"
        return _Choice(tuple(one.name for one in few), words)
    text = f"no attribute names the class for certain: {_listed(candidates)}; {REMEDY}"
    return _Choice(problem=text, code="class-attribute")


def _of_several(tier: list[_Candidate], regions: Sequence[Region], candidates: Mapping[str, _Candidate]) -> _Choice:
    """One of those that answer alike for every region; a question when they do not."""
    first, *others = tier
    if all(_agree(first.name, other.name, regions) for other in others):
        same = f"; {', '.join(repr(short(other.name)) for other in others)} says the same" if others else ""
        return _Choice((first.name,), f"the class is the attribute {first.words()}{same}")
    text = f"several attributes may name the class, and they disagree: {_listed(candidates)}; {REMEDY}"
    return _Choice(problem=text, code="class-attribute")


def _agree(one: str, other: str, regions: Sequence[Region]) -> bool:
    return all(_answer(region.attributes.get(one)) == _answer(region.attributes.get(other)) for region in regions)


def _complement(few: Sequence[_Candidate], regions: Sequence[Region]) -> bool:
    """Together they answer for every region, never differently, and with answers in common: one question under two names."""
    if len(few) > MOST_SHOWN or not set.intersection(*(set(one.answers) for one in few)):
        return False
    return all(
        len({answer for one in few if (answer := _answer(region.attributes.get(one.name)))}) == 1 for region in regions
    )


def _listed(candidates: Mapping[str, _Candidate]) -> str:
    found = sorted(candidates.values(), key=lambda one: -one.covered)
    parts = []
    for one in found[:MOST_SHOWN]:
        ticks = f", {one.several_ticks} regions with several ticks" if one.several_ticks else ""
        parts.append(one.words() + ticks if one.covered or ticks else f"'{short(one.name)}' (no answers)")
    return ", ".join(parts) + (", ..." if len(found) > MOST_SHOWN else "")


# -- applying


def _apply(
    found: AnnotationSet, choice: _Choice, default_class: str | None, candidates: Mapping[str, _Candidate]
) -> ChosenClasses:
    unlabelled: list[Region] = []
    images = []
    for image in found.images:
        regions = tuple(_labelled(region, choice, default_class) for region in image.regions)
        unlabelled += [region for region in regions if not region.label and not region.is_ignored]
        images.append(replace(image, regions=regions))
    named = replace(found, images=tuple(images))
    classes = tuple(dict.fromkeys(_names(named, choice, candidates)))
    named = replace(named, classes=classes)
    words, problems = _account(found, choice, default_class, len(unlabelled))
    if unlabelled:
        text = (
            f"{len(unlabelled)} of {found.num_regions} regions have no class, such as {unlabelled[0].where or 'one'}; they are "
            "never taken for background; give them one with --default-class NAME"
        )
        problems = (Problem("unlabelled", text, where=unlabelled[0].where),)
    return ChosenClasses(named, words, problems, classes, choice.names)


def _labelled(region: Region, choice: _Choice, default_class: str | None) -> Region:
    if region.is_ignored:
        return region
    label = region.label
    if choice.names:
        answers = (_answer(region.attributes.get(name)) for name in choice.names)
        label = next((answer for answer in answers if answer), "")
    label = label if label.strip() else default_class or ""
    if label == region.label and label != IGNORED:
        return region
    return replace(region, label=label, is_ignored=label == IGNORED)


def _names(named: AnnotationSet, choice: _Choice, candidates: Mapping[str, _Candidate]) -> Iterator[str]:
    """Classes as the file declares them, then as they occur."""
    for name in choice.names:
        question = candidates[name].question
        if question is not None:
            yield from (answer for option in question.options if (answer := _answer(question.name_of(option))))
    if not choice.names:
        yield from named.classes
    for image in named.images:
        yield from (region.label for region in image.regions if region.label and not region.is_ignored)


def _account(
    found: AnnotationSet, choice: _Choice, default_class: str | None, unlabelled: int
) -> tuple[str, tuple[Problem, ...]]:
    """The sentence about how labels were found."""
    if choice.problem:
        return f"no attribute was taken; regions without a class are '{default_class}', as asked for", ()
    without = sum(
        not any(_answer(region.attributes.get(name)) for name in choice.names)
        if choice.names
        else not region.label.strip()
        for image in found.images
        for region in image.regions
        if not region.is_ignored
    )
    if default_class is not None and without and not unlabelled:
        return f"{choice.words}; {without} regions without one are '{default_class}', as asked for", ()
    return choice.words, ()
