"""Regions of any format as records of VIA 1, 2 and their CSV: what was read from there stays to the letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from limner.core.annotation import Annotation, AnnotationSet, Region
from limner.data.formats.foreign import IGNORED, as_dict, plain
from limner.data.formats.ledger import Ledger
from limner.data.formats.simplify import Abilities, simple_shapes
from limner.data.formats.via_regions import (
    CHOICES,
    DEMO_DEFAULTS,
    GROUP,
    VIA_FORMATS,
    Question,
    ViaFile,
    is_untouched,
    is_via_record,
    plain_answers,
    read_answers,
    shape_attributes,
)

ONLY_VIA1 = ("fileref", "base64_img_data")


@dataclass(frozen=True)
class Writer:
    """How regions of one set become records.

    Parameters
    ----------
    target : ``via1``, ``via2`` or ``via-csv``.
    able : its shapes.
    ledger : hears what is lost.
    source : the format that was read.
    class_attribute : where the label goes.
    questions : of the project that is written; empty for an export, which says answers by their readable names.
    options : the answer that stands for each label.
    """

    target: str
    able: Abilities
    ledger: Ledger
    source: str
    class_attribute: str
    questions: Mapping[str, Question]
    options: Mapping[str, str]

    @classmethod
    def of(cls, found: AnnotationSet, target: str, ledger: Ledger) -> Writer:
        """The writer of a set."""
        words = {"via1": "VIA 1", "via2": "VIA 2", "via-csv": "VIA CSV"}[target]
        ellipses: Literal["upright", "all"] = "upright" if target == "via1" else "all"
        able = Abilities(words, ellipses=ellipses, group=f"the attribute {GROUP}")
        is_project = target == found.format == "via2" and isinstance(found.record, ViaFile) and found.record.is_project
        questions = found.record.questions if is_project else {}
        name = class_attribute(found.images)
        labels = dict.fromkeys(region.label for image in found.images for region in image.regions)
        options = _options(questions.get(name), (*labels, IGNORED))
        return cls(target, able, ledger, found.format, name, questions, options)

    def regions(self, image: Annotation) -> list[dict[str, Any]]:
        """The records of the regions of one picture, what lies on top last."""
        records: list[dict[str, Any]] = []
        ordered = sorted(image.regions, key=lambda region: region.order)
        for number, region in enumerate(ordered):
            where = region.where or f"{image.image}, region {number}"
            records += self._records(region, number, where)
        return records

    def _records(self, region: Region, number: int, where: str) -> list[dict[str, Any]]:
        say_losses(region, self.able.words, self.ledger, where)
        own = region.record if self.source in VIA_FORMATS and is_via_record(region.record) else {}
        answers = self._answers(region, own)
        if region.group:
            answers[GROUP] = region.group
        if self.source == self.target and own and is_untouched(region):
            return [{**own, "region_attributes": answers} if answers or "region_attributes" in own else own]
        shapes = simple_shapes(region, self.able, self.ledger, where)
        if len(shapes) > 1:
            answers.setdefault(GROUP, f"object {number}")
        closed = self.target == "via1"
        return [
            {**own, "shape_attributes": shape_attributes(shape, closed=closed), "region_attributes": dict(answers)}
            for shape in shapes
        ]

    def _answers(self, region: Region, own: Mapping[str, Any]) -> dict[str, Any]:
        """The answers as read when they still hold, with the label where it is not among them."""
        raw = as_dict(own.get("region_attributes"))
        readable = read_answers(raw, self.questions)
        readable.pop(GROUP, None)
        answers = dict(raw) if own and readable == dict(region.attributes) else plain_answers(region.attributes)
        label = IGNORED if region.is_ignored else region.label
        if label and region.attributes.get(self.class_attribute) not in (label, [label]):
            is_box = isinstance(answers.get(self.class_attribute), dict)
            answers[self.class_attribute] = {self.options[label]: True} if is_box else self.options[label]
        return answers

    def losses_of_image(self, image: Annotation) -> None:
        """Say what the format cannot hold about a picture."""
        where = image.where or image.image
        if image.subset:
            self.ledger.warn("subset-lost", f"{self.able.words} cannot say to which split a picture belongs", where)
        if image.pixels is not None and self.target != "via1":
            self.ledger.warn(
                "pixels-lost", f"{self.able.words} carries no pictures inside; they are needed as files", where
            )


def _options(question: Question | None, labels: Iterable[str]) -> dict[str, str]:
    """The answer for each label: the id of the option of that name, a new id where there is none, for text the label."""
    if question is None or question.kind not in CHOICES:
        return {label: label for label in labels}
    known, options = question.ids(), {}
    taken = set(question.options)
    for label in labels:
        option = known.get(label, label)
        while label not in known and option in taken:  # the id of an option with another name
            option += "_"
        options[label] = option
        taken.add(option)
    return options


def say_losses(region: Region, words: str, ledger: Ledger, where: str) -> None:
    """Say what VIA cannot hold about a region beside its shape."""
    if region.is_crowd:
        ledger.warn("crowd-lost", f"{words} cannot mark a crowd; written as one object", where)
    if region.score is not None:
        ledger.warn("score-lost", f"{words} has no scores; left out", where)
    if region.is_ignored and region.label not in ("", IGNORED):
        ledger.warn("ignored-as-class", f"what is to be ignored has the class {IGNORED} alone", where)


def class_attribute(images: Iterable[Annotation]) -> str:
    """The attribute that holds the labels: the one whose answers equal them for at least half of those that answer it.

    Returns
    -------
    Its name; a name that is free (``class``, ``label``, ``class_2``, ...) when there is none.
    """
    agree: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for image in images:
        for region in image.regions:
            for name, answer in region.attributes.items() if region.label else ():
                text = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
                if isinstance(text, str) and text.strip() and text.strip().casefold() not in DEMO_DEFAULTS:
                    answered[name] += 1
                    agree[name] += text == region.label
                elif isinstance(text, list) and text:
                    answered[name] += 1
    usable = [name for name in answered if agree[name] and 2 * agree[name] >= answered[name]]
    if usable:
        return max(usable, key=lambda name: agree[name])
    taken = {name for image in images for region in image.regions for name in region.attributes}
    return next(name for name in _names() if name not in taken)


def _names() -> Iterable[str]:
    yield from ("class", "label")
    number = 2
    while True:
        yield f"class_{number}"
        number += 1


def image_record(image: Annotation, source: str, target: str) -> tuple[str, dict[str, Any]]:
    """Key and record of a picture, without its regions, as VIA 1 and 2 write them alike.

    What was read from VIA keeps its key, the way its size is written, and keys unknown to us.
    """
    record = as_dict(image.record) if source in VIA_FORMATS else {}
    entry = as_dict(record.get("entry"))
    size = image.num_bytes if image.num_bytes is not None else -1
    is_same = entry.get("filename") == image.image
    if source == target and is_same and "size" in entry:
        size = entry["size"]
    answers = entry["file_attributes"] if "file_attributes" in entry else plain_answers(image.attributes)
    written: dict[str, Any] = {"filename": image.image, "size": size, "regions": [], "file_attributes": answers}
    unknown = {name: value for name, value in entry.items() if name not in (*written, *ONLY_VIA1)}
    key = record.get("key") if is_same and source == target else None
    return plain(key) or f"{image.image}{plain(size)}", {**written, **unknown}
