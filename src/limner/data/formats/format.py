"""What a format of annotation files can do: be recognised by content, be read, be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from limner.core.annotation import AnnotationSet, Problem
from limner.core.errors import DataError
from limner.data.formats.safe_json import parse_document
from limner.data.formats.safe_text import read_text
from limner.data.formats.safe_xml import parse_xml

ORDERLESS = frozenset({"coco", "coco-panoptic", "yolo-seg"})  # the order of regions does not say what lies on top


@dataclass(frozen=True)
class Content:
    """An annotation file, read and parsed once for all that want to know what it is.

    Parameters
    ----------
    path : the file; only for messages and for files that belong to it (the names of YOLO, the pictures of COCO panoptic).
    text : its text, without a byte-order mark.
    json : the parsed document; None when it is not JSON (or the JSON word null).
    duplicates : places in the JSON where a key occurs twice; the last one counts, as in browsers.
    odd_numbers : places of NaN, infinities and endless numbers, which are handed on as text: they cost one record, not the file.
    xml : the root element; None when it is not XML.
    """

    path: Path
    text: str
    json: Any = None
    duplicates: tuple[str, ...] = ()
    odd_numbers: tuple[str, ...] = ()
    xml: Element | None = None


def read_content(path: Path) -> Content:
    """Read a file and parse it as JSON or XML when it begins like that.

    Raises
    ------
    DataError : not text, or it begins like JSON or XML and is damaged or hostile (too large, too deep, entities).
    """
    text = read_text(path)
    start = text.lstrip()[:1]
    if start in ("{", "["):
        document = parse_document(text, path)
        return Content(path, text, document.value, document.duplicates, document.odd_numbers)
    if start == "<":
        return Content(path, text, xml=parse_xml(text, path))
    return Content(path, text)


@dataclass(frozen=True)
class Format:
    """One format; the entry of a table.

    Parameters
    ----------
    name : as scripts know it, such as ``via2``.
    words : what it is called among people.
    sniff : whether a content is of this format; cheap, never raises.
    read : the regions of a content. One bad record never ends it: records that cannot be read are refused one by one.
    write : writes regions into a folder, which exists, and says what the format could not hold; None when only read.
        Pictures whose size the format needs and that have none (`Annotation.size_hw`) are refused by name.
    """

    name: str
    words: str
    sniff: Callable[[Content], bool]
    read: Callable[[Content], AnnotationSet]
    write: Callable[[AnnotationSet, Path], tuple[Problem, ...]] | None = None


def wrong(content: Content, found: str, expected: str, *, where: str = "", fix: str = "") -> DataError:
    """The error for a file that cannot be read as a whole."""
    place = f"{content.path}, {where}" if where else str(content.path)
    return DataError(
        found, expected=expected, where=place, fix=fix or "export the file again, or correct it in an editor"
    )
