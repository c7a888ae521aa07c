"""XML elements as plain values that can be kept, compared and written again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def plain_element(element: Element) -> dict[str, Any]:
    """Tag, attributes, text and children of an element; white space between elements is nobody's word.

    Examples
    --------
    >>> plain_element(ElementTree.fromstring("<a b='1'> <c>x</c> </a>"))
    {'tag': 'a', 'attrib': {'b': '1'}, 'text': '', 'children': [{'tag': 'c', 'attrib': {}, 'text': 'x', 'children': []}]}
    """
    text = element.text or ""
    return {
        "tag": element.tag,
        "attrib": dict(element.attrib),
        "text": "" if len(element) and not text.strip() else text,
        "children": [plain_element(child) for child in element],  # at most 100 levels, see `parse_xml`
    }


def element_of(record: Mapping[str, Any]) -> Element:
    """The element that `plain_element` was made of; signs that XML cannot hold are replaced by U+FFFD."""
    element = Element(record["tag"], {name: clean(value) for name, value in record["attrib"].items()})
    element.text = clean(record["text"]) or None
    for child in record["children"]:
        element.append(element_of(child))
    return element


def leaf(tag: str, text: str = "", **attributes: str) -> dict[str, Any]:
    """A plain element without children."""
    return {"tag": tag, "attrib": attributes, "text": text, "children": []}


def clean(text: str) -> str:
    """`text` without the signs that XML cannot hold, such as most control characters."""
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)


def xml_text(record: Mapping[str, Any]) -> str:
    """The document with `record` as its root, indented."""
    root = element_of(record)
    ElementTree.indent(root)
    body: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'
