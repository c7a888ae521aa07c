"""What VIA 1, 2 and their CSV share: shapes, answers and the questions of a project.

A region is ``{"shape_attributes": {"name": "rect", "x": ...}, "region_attributes": {"class": "cat"}}``. Answers to radio
buttons and dropdowns are ids of options, whose readable names a project file holds; answers to checkboxes are ``{id: true}``.

Source: the exports of VIA 1.0.6 and 2.0.12, https://www.robots.ox.ac.uk/~vgg/software/via/
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from limner.core.annotation import Annotation, Box, Ellipse, Points, Polygon, Polyline, Region, Shape
from limner.data.formats.fields import is_true, whole
from limner.data.formats.foreign import as_dict, entries, plain, shown
from limner.data.formats.geometry import Notes, Refusal, box, ellipse, number, points, polygon, polyline
from limner.data.formats.simplify import rounded, rounded_size
from limner.data.formats.single_points import single_points

DEMO_DEFAULTS = frozenset({"not_defined", "unknown"})  # answers that VIA's example attributes give by themselves
GROUP = "limner_group"  # our attribute: regions of one picture that share it are parts of one object
CHOICES = frozenset({"radio", "dropdown", "checkbox", "image"})
VIA_FORMATS = ("via1", "via2", "via-csv")


@dataclass(frozen=True)
class Question:
    """An attribute as a project defines it.

    Parameters
    ----------
    kind : ``text``, ``radio``, ``dropdown``, ``checkbox`` or ``image``.
    options : readable name by id; the name is the id itself where it is empty.
    """

    kind: str
    options: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, option: str) -> str:
        """The readable name of an option; ids that say nothing (`DEMO_DEFAULTS`) stay as they are."""
        if self.kind not in CHOICES or option.strip().casefold() in DEMO_DEFAULTS:
            return option
        return self.options.get(option) or option

    def ids(self) -> dict[str, str]:
        """The id of each option by its readable name; the first of several with one name."""
        return {self.name_of(option): option for option in reversed(list(self.options))}


@dataclass(frozen=True)
class ViaFile:
    """The rest of a VIA file, as `AnnotationSet.record`.

    Parameters
    ----------
    document : what stands beside pictures and regions; empty for a plain export.
    questions : by attribute name; empty when the file does not define them.
    is_project : a project, not an export.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)
    is_project: bool = False


def questions_of(attributes: Any) -> dict[str, Question]:
    """The questions about regions in ``_via_attributes``; nothing for anything else."""
    found = {}
    for name, definition in entries(as_dict(attributes).get("region")):
        options = {option: plain(text) for option, text in entries(as_dict(definition).get("options"))}
        found[name] = Question(plain(as_dict(definition).get("type")), options)
    return found


# -- reading


def read_region(raw: Any, questions: Mapping[str, Question], where: str, notes: Notes) -> Region:
    """One region of a VIA file.

    Parameters
    ----------
    raw : the record.
    questions : of the project.
    where : its place in the file.
    notes : says what was put right.

    Raises
    ------
    Refusal : not an object, or its shape cannot be used.
    """
    if not isinstance(raw, dict):
        raise Refusal("not-a-region", f"the region is {shown(raw)}; an object with shape_attributes is expected")
    shape = read_shape(raw.get("shape_attributes"), notes)
    answers = read_answers(raw.get("region_attributes"), questions)
    group = answers.pop(GROUP, "")
    return Region("", shape, group=plain(group), attributes=answers, record=raw, where=where)


def read_answers(raw: Any, questions: Mapping[str, Question]) -> dict[str, Any]:
    """Answers by attribute, readable: text, or for checkboxes the list of what is ticked; anything else is no answer."""
    nothing = Question("text")
    return {name: _answer(value, questions.get(name, nothing)) for name, value in as_dict(raw).items()}


def _answer(value: Any, question: Question) -> str | list[str]:
    if isinstance(value, dict):
        return [question.name_of(option) for option, tick in value.items() if is_true(tick)]
    if isinstance(value, list):
        return [question.name_of(plain(option)) for option in value]
    return question.name_of(plain(value))


def read_shape(raw: Any, notes: Notes) -> Shape:
    """The shape in ``shape_attributes``.

    Raises
    ------
    Refusal : not an object, a shape that is not known, or numbers that cannot be used.
    """
    if not isinstance(raw, dict) or not raw:
        raise Refusal("no-shape", f"shape_attributes is {shown(raw)}; an object with name and coordinates is expected")

    def value(key: str) -> float:
        return number(raw.get(key), key, notes)

    match raw.get("name", _guessed_name(raw)):
        case "rect" | "rectangle":
            return box(value("x"), value("y"), value("width"), value("height"), notes)
        case "circle":
            return ellipse(value("cx"), value("cy"), value("r"), value("r"), notes)
        case "ellipse":
            angle = math.degrees(value("theta")) if raw.get("theta") is not None else 0.0
            return ellipse(value("cx"), value("cy"), value("rx"), value("ry"), notes, angle)
        case "polygon":
            return polygon([points(raw.get("all_points_x"), raw.get("all_points_y"), notes)], notes)
        case "polyline":
            return polyline(points(raw.get("all_points_x"), raw.get("all_points_y"), notes), notes)
        case "point":
            return single_points(np.array([[value("cx"), value("cy")]]))
        case name:
            known = "rect, circle, ellipse, polygon, polyline or point"
            raise Refusal("unknown-shape", f"the shape is {shown(name)}; {known} is expected")


def _guessed_name(raw: Mapping[str, Any]) -> str | None:
    """What a shape without a name is by its keys."""
    keys = {
        "polygon": "all_points_x", "rect": "width", "circle": "r", "ellipse": "rx", "point": "cx",
    }  # fmt: skip
    return next((name for name, key in keys.items() if key in raw), None)


def byte_count(size: Any) -> int | None:
    """The size of a picture's file: a number or a text; None for -1 (a URL) and for what is no number."""
    count = whole(size)
    return count if count is not None and count >= 0 else None


def count_answers(images: Iterable[Annotation]) -> dict[str, dict[str, int]]:
    """How many regions give each answer, by attribute; several ticks are one answer, joined by commas."""
    counts: dict[str, dict[str, int]] = {}
    for image in images:
        for region in image.regions:
            for name, answer in region.attributes.items():
                text = ", ".join(map(plain, answer)) if isinstance(answer, list) else plain(answer)
                if text:
                    of_name = counts.setdefault(name, {})
                    of_name[text] = of_name.get(text, 0) + 1
    return counts


# -- writing


def is_via_record(record: Any) -> bool:
    """The record of a region was read from VIA 1, VIA 2 or their CSV."""
    return isinstance(record, dict) and isinstance(record.get("shape_attributes"), dict)


def is_untouched(region: Region) -> bool:
    """The shape is still the one that the VIA record of the region says."""
    try:
        return read_shape(region.record["shape_attributes"], []) == region.shape
    except Refusal:
        return False


def shape_attributes(shape: Shape, *, closed: bool = False) -> dict[str, Any]:
    """A simple shape as VIA writes it; `closed`: polygons repeat their first point, as in VIA 1.

    Coordinates have at most three decimals, angles are radians with six.

    Examples
    --------
    >>> shape_attributes(Ellipse(5, 6, 2, 2))
    {'name': 'circle', 'cx': 5, 'cy': 6, 'r': 2}
    """
    match shape:
        case Box(x, y, width, height):
            corner = {"name": "rect", "x": rounded(x), "y": rounded(y)}
            return {**corner, "width": rounded_size(width), "height": rounded_size(height)}
        case Ellipse(cx, cy, rx, ry, angle):
            center = {"cx": rounded(cx), "cy": rounded(cy)}
            if rx == ry:
                return {"name": "circle", **center, "r": rounded_size(rx)}
            axes = {"name": "ellipse", **center, "rx": rounded_size(rx), "ry": rounded_size(ry)}
            return {**axes, "theta": round(math.radians(angle), 6)} if angle else axes
        case Points(points_xy):
            return {"name": "point", "cx": rounded(points_xy[0, 0]), "cy": rounded(points_xy[0, 1])}
        case Polyline(points_xy):
            return {"name": "polyline", **_lists(points_xy.tolist())}
        case Polygon(rings):
            corners = rings[0].tolist()
            return {"name": "polygon", **_lists(corners + corners[:1] if closed else corners)}
    raise AssertionError(f"{type(shape).__name__} is no shape of VIA")


def _lists(corners: list[list[float]]) -> dict[str, Any]:
    return {"all_points_x": [rounded(x) for x, _ in corners], "all_points_y": [rounded(y) for _, y in corners]}


def plain_answers(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Answers of any format as VIA holds them: text, and ticks for lists."""
    return {
        name: {plain(option): True for option in value} if isinstance(value, list | tuple) else plain(value)
        for name, value in attributes.items()
    }
