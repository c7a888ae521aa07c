"""XML that nobody vouches for: no document types, no entities, nothing loaded, bounded depth and size.

Document types are what entity bombs and loads from elsewhere are made of (CWE-776, CWE-611); no format of annotations needs one.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from limner.core.errors import DataError

DEEPEST = 100
MOST_ELEMENTS = 1_000_000
LONGEST_PIECE = 16 * 2**20  # a tag, comment or text; older expats take quadratic time for longer ones (CVE-2023-52425)


def parse_xml(text: str, path: Path) -> Element:
    """The root element of an XML document.

    Parameters
    ----------
    text : the document; an encoding that it declares is not looked at, text has none.
    path : the file; only for messages.

    Raises
    ------
    DataError : not well-formed, a document type or entity, deeper than 100 elements, more than a million elements, a
        tag, comment or text of more than 16 MiB.
    """
    text = text.lstrip()
    _check_pieces(text, path)
    builder, parser = TreeBuilder(), expat.ParserCreate()
    limits = _Limits(parser, path)

    def start(name: str, attributes: dict[str, str]) -> None:
        limits.enter()
        builder.start(name, attributes)

    def end(name: str) -> None:
        limits.depth -= 1
        builder.end(name)

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = limits.refuse_doctype
    parser.EntityDeclHandler = limits.refuse_doctype
    parser.ExternalEntityRefHandler = limits.refuse_doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        found = f"not well-formed XML ({expat.ErrorString(error.code)})"
        raise _error(found, path, error.lineno, error.offset, text) from error
    root: Element = builder.close()
    return root


class _Limits:
    """Counts elements while they are met."""

    def __init__(self, parser: expat.XMLParserType, path: Path) -> None:
        self.parser, self.path = parser, path
        self.depth = self.count = 0

    def enter(self) -> None:
        self.depth += 1
        self.count += 1
        if self.depth > DEEPEST:
            raise self.error(f"elements are nested more than {DEEPEST} deep")
        if self.count > MOST_ELEMENTS:
            raise self.error(f"there are more than {MOST_ELEMENTS:,} elements")

    def refuse_doctype(self, *_: object) -> int:
        raise self.error("the file declares a document type (DOCTYPE) or entities, which are never read")

    def error(self, found: str) -> DataError:
        return _error(found, self.path, self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber)


def _check_pieces(text: str, path: Path) -> None:
    """Refuse what is longer than `LONGEST_PIECE` between two ``<``, which no tag can hold; and comments and the like, which can."""
    start = 0
    while len(text) - start > LONGEST_PIECE:
        last = text.rfind("<", start, start + LONGEST_PIECE + 1)
        if last < 0:
            raise _too_long(text, start, path)
        start = last + 1
    for opening, closing in (("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>")):
        start = text.find(opening)
        while start >= 0:
            end = text.find(closing, start)
            if (end if end >= 0 else len(text)) - start > LONGEST_PIECE:
                raise _too_long(text, start, path)
            start = text.find(opening, end) if end >= 0 else -1


def _too_long(text: str, start: int, path: Path) -> DataError:
    line = text.count("\n", 0, start) + 1
    found = f"a tag, comment or text is longer than {LONGEST_PIECE // 2**20} MiB"
    return _error(found, path, line, start - text.rfind("\n", 0, start) - 1)


def _error(found: str, path: Path, line: int, column: int, text: str = "") -> DataError:
    excerpt = ""
    if text and len(text) <= LONGEST_PIECE:
        lines = text.split("\n", line)
        shown = lines[line - 1][max(0, column - 20) : column + 20] if line <= len(lines) else ""
        excerpt = f", near {shown!r}" if shown else ""
    return DataError(
        found, expected="plain XML", where=f"{path}, line {line}, column {column + 1}{excerpt}",
        fix="export the file again, or correct it in an editor",
    )  # fmt: skip
