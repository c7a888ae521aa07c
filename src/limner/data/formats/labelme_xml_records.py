"""Elements of LabelMe XML: texts, answers, outlines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from limner.core.annotation import Box, Polygon
from limner.data.formats.foreign import plain
from limner.data.formats.geometry import Notes, Refusal, box, number, points, polygon

MASKS = "Masks"
_LONGEST_ANSWERS = 10_000
_ANSWER = re.compile(r"(?:[^,\\]|\\.)+", re.DOTALL)
_NAME_VALUE = re.compile(r"((?:[^=\\]|\\.)*)=(.*)", re.DOTALL)


def text_of(element: Element, path: str) -> str:
    """The text of a child, empty when there is none; the line breaks and indents that old files put around it are taken away."""
    text = element.findtext(path) or ""
    return text.strip() if "\n" in text else text


def read_outline(element: Element, notes: Notes) -> Polygon | Box:
    """The ``polygon`` of an object; a box when the object says that it is one and its four corners agree.

    Raises
    ------
    Refusal : no polygon, or points that cannot be used.
    """
    outline = element.find("polygon")
    if outline is None:
        raise Refusal("no-shape", "the object has neither polygon nor segm; one of them is expected")
    corners = outline.findall("pt")
    xs, ys = ([number(text_of(point, axis).strip() or None, axis) for point in corners] for axis in ("x", "y"))
    is_box = text_of(element, "type").strip() == "bounding_box"
    if is_box and len(corners) == 4 and len(set(xs)) == 2 and len(set(ys)) == 2:
        return box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys), notes)
    return polygon([points(xs, ys)], notes)


def parse_attributes(text: str) -> dict[str, Any]:
    r"""Answers out of ``name=value, word``; words alone are true. Commas, equal signs and quotes are escaped by a backslash.

    Examples
    --------
    >>> parse_attributes(r"red, size=3, odd=false, note=a\, b")
    {'red': True, 'size': '3', 'odd': False, 'note': 'a, b'}
    """
    if len(text) > _LONGEST_ANSWERS:
        return {"attributes": text}
    answers: dict[str, Any] = {}
    for part in (match[0].strip() for match in _ANSWER.finditer(text)):
        found = _NAME_VALUE.fullmatch(part)
        name, value = (found[1], found[2]) if found else (part, "true")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        truth = {"true": True, "false": False}.get(value.lower())
        if name.strip():
            answers[_unescaped(name).strip()] = _unescaped(value) if truth is None else truth
    return answers


def attributes_text(answers: Mapping[str, Any]) -> str:
    r"""The other way round.

    Examples
    --------
    >>> attributes_text({"red": True, "odd": False, "note": "a, b"})
    'red, odd=false, note=a\\, b'
    """
    parts = [
        _escaped(name) if value is True else f"{_escaped(name)}={_escaped(plain(value))}"
        for name, value in answers.items()
    ]
    return ", ".join(parts)


def _escaped(text: str) -> str:
    return re.sub(r'([\\=,"])', r"\\\1", text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
