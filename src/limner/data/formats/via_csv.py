"""VIA CSV: one row per region, or one for a picture without regions.

``filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes``; VIA 1.0 begins with
``#filename``. Three cells hold JSON in quotes. VIA never quotes the file name, so that a comma in it breaks the row; such rows are
put together again. Line breaks end a row even inside quotes: the JSON of VIA has none, and a quote that is missing costs one row.

Source: the exports of VIA 1.0.6 and 2.0.12, https://www.robots.ox.ac.uk/~vgg/software/via/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Problem, Region
from limner.core.errors import DataError
from limner.core.files import write_text
from limner.data.formats.fields import whole
from limner.data.formats.foreign import as_dict, json_text, shown, warn_of_copies
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.geometry import Refusal
from limner.data.formats.ledger import Ledger
from limner.data.formats.safe_json import parse_json
from limner.data.formats.via_regions import ViaFile, byte_count, count_answers, read_region
from limner.data.formats.via_write import Writer, image_record

COLUMNS = (
    "filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes", "region_attributes",
)  # fmt: skip
FILE_NAME = "via_region_data.csv"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs what begins like that
_NEEDED = ("filename", "region_shape_attributes", "region_attributes")
_LONGEST_HEADER = 4000
_LINE = re.compile(r"\r\n|\n|\r")
_UNDEFINED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|\bundefined\b')
_LOOK_CLOSELY = re.compile(r"\\u|[0-9]{16}|[eE][+-]?[0-9]{3}|NaN|Infinity")
_SHORT, _FLAT = 10_000, 90  # cells of so few signs and brackets need no look at depth and size before they are parsed


def _header(text: str) -> tuple[list[str], str] | None:
    """Names of the columns and the sign between them; None when the first line is no header of VIA."""
    first = _LINE.split(text[:_LONGEST_HEADER], maxsplit=1)[0]
    for separator in (",", ";", "\t"):
        names = [name.strip() for name in split_row(first, separator)]
        names[0] = names[0].lstrip("#").strip()
        if all(needed in names for needed in _NEEDED):
            return names, separator
    return None


def _sniff(content: Content) -> bool:
    return content.json is None and content.xml is None and _header(content.text) is not None


def split_row(line: str, separator: str) -> list[str]:
    """The cells of one line; quotes around a cell are taken away and doubled ones inside halved.

    Examples
    --------
    >>> split_row('a,"{""b"": 1, ""c"": 2}",', ",")
    ['a', '{"b": 1, "c": 2}', '']
    """
    cells, start = [], 0
    while True:
        stop = start
        if line.startswith('"', start):
            end = _closing_quote(line, start + 1)
            stop = line.find(separator, end + 1)
            cell = line[start + 1 : end].replace('""', '"') + line[end + 1 : stop if stop >= 0 else len(line)]
        else:
            stop = line.find(separator, start)
            cell = line[start : stop if stop >= 0 else len(line)]
        cells.append(cell)
        if stop < 0:
            return cells
        start = stop + len(separator)


def _closing_quote(line: str, start: int) -> int:
    while True:
        found = line.find('"', start)
        if found < 0:
            return len(line)
        if line[found + 1 : found + 2] != '"':
            return found
        start = found + 2


@dataclass
class _Picture:
    """What the rows of one picture say so far."""

    name: str
    size: str
    where: str
    file_attributes: dict[str, Any] = field(default_factory=dict)
    stated: int | None = None
    rows: int = 0
    regions: list[Region] = field(default_factory=list)


def read(content: Content) -> AnnotationSet:
    """The regions of a VIA CSV; labels are empty until a class is chosen (`limner.data.formats.classes`)."""
    header = _header(content.text)
    if header is None:
        raise wrong(content, "no header of VIA", ",".join(COLUMNS))
    names, separator = header
    ledger = Ledger.of(content)
    pictures: dict[tuple[str, str], _Picture] = {}
    for number, cells in _rows(content.text, names, separator, ledger):
        row = dict(zip(names, cells, strict=True))
        where = f"line {number}"
        name, size = _unguarded(row["filename"]), row.get("file_size", "")
        found = pictures.setdefault((name, size), _Picture(name, size, where))
        _read_row(found, row, where, content.path, ledger)
    images = tuple(_annotation(found, ledger) for found in pictures.values())
    return AnnotationSet(
        "via-csv", images, attributes=count_answers(images), warnings=ledger.warnings, refused=ledger.refused,
        record=ViaFile({"columns": tuple(names)}),
    )  # fmt: skip


def _rows(text: str, names: Sequence[str], separator: str, ledger: Ledger) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row, as many as the header has."""
    for number, line in enumerate(_LINE.split(text), start=1):
        if number == 1 or not line.strip():
            continue
        cells = split_row(line, separator)
        surplus = len(cells) - len(names)
        if surplus > 0 and names[0] == "filename":
            cells = [separator.join(cells[: surplus + 1]), *cells[surplus + 1 :]]
            text_ = f"{surplus} cells too many; they are taken as part of the file name {shown(cells[0])}"
            ledger.warn("separator-in-name", text_, f"line {number}")
        if len(cells) != len(names):
            ledger.refuse("bad-row", f"{len(cells)} cells; {len(names)} are expected", f"line {number}")
            continue
        yield number, cells


def _read_row(found: _Picture, row: Mapping[str, str], where: str, path: Path, ledger: Ledger) -> None:
    if not found.rows:
        found.file_attributes = _answers(row.get("file_attributes", ""), "file_attributes", where, path, ledger)
        found.stated = whole(row.get("region_count", ""))
    found.rows += 1
    with ledger.record(where) as notes:
        shape = _cell(row["region_shape_attributes"], "region_shape_attributes", path, where, ledger)
        answers = _answers(row["region_attributes"], "region_attributes", where, path, ledger)
        if not shape and not answers:  # how VIA writes a picture without regions
            found.rows -= 1
            return
        record: dict[str, Any] = {"shape_attributes": shape, "region_attributes": answers}
        more = {name: text for name, text in row.items() if name not in COLUMNS}
        if more:
            record["more_columns"] = more
        found.regions.append(read_region(record, {}, where, notes))


def _answers(text: str, what: str, where: str, path: Path, ledger: Ledger) -> dict[str, Any]:
    try:
        return as_dict(_cell(text, what, path, where, ledger))
    except Refusal as refusal:
        ledger.warn(refusal.code, f"{refusal.message}; there are no answers", where)
        return {}


def _cell(text: str, what: str, path: Path, where: str, ledger: Ledger) -> Any:
    """The JSON of a cell; the word undefined, which VIA writes for an answer that was never given, is null."""
    if not text.strip():
        return {}
    if "undefined" in text:
        text = _UNDEFINED.sub(lambda match: "null" if match[0] == "undefined" else match[0], text)
    if len(text) <= _SHORT and text.count("[") + text.count("{") <= _FLAT and not _LOOK_CLOSELY.search(text):
        with suppress(ValueError):  # what is wrong is told below
            return json.loads(text, object_pairs_hook=_once)
    try:
        value, duplicates = parse_json(text, path)
    except DataError as error:
        raise Refusal("bad-cell", f"{what} cannot be read: {error.found}; JSON is expected") from None
    for place in duplicates:
        ledger.warn("duplicate-key", "the key occurs twice; the last one counts", f"{where}, {what}/{place}")
    return value


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(members)
    if len(built) != len(members):
        raise ValueError("a key occurs twice")
    return built


def _annotation(found: _Picture, ledger: Ledger) -> Annotation:
    if found.stated is not None and found.stated != found.rows:
        text = f"{shown(found.name)} should have {found.stated} regions; {found.rows} rows are there"
        ledger.warn("region-count", text, found.where)
    warn_of_copies(ledger, ((_content_of(region.record), region.where) for region in found.regions), found.name)
    entry = {"filename": found.name, "size": found.size, "file_attributes": found.file_attributes}
    return Annotation(
        found.name, tuple(found.regions), num_bytes=byte_count(found.size), attributes=dict(found.file_attributes),
        record={"key": "", "entry": entry}, where=found.where,
    )  # fmt: skip


def _content_of(record: Mapping[str, Any]) -> list[Any]:
    return [record["shape_attributes"], record["region_attributes"]]


# -- writing


def write(found: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``via_region_data.csv``."""
    path = folder / FILE_NAME
    ledger = Ledger(str(path))
    writer = Writer.of(found, "via-csv", ledger)
    columns = COLUMNS
    if found.format == "via-csv" and isinstance(found.record, ViaFile):
        columns = (*COLUMNS, *(name for name in found.record.document.get("columns", ()) if name not in COLUMNS))
    lines = [",".join(_quoted(name) if name not in COLUMNS else name for name in columns)]
    for image in found.images:
        _, entry = image_record(image, found.format, "via-csv")
        regions = writer.regions(image)
        writer.losses_of_image(image)
        start = [_name_cell(image.image, ledger), str(entry["size"]), _json_cell(entry["file_attributes"])]
        for index, region in enumerate(regions):
            cells = [*start, str(len(regions)), str(index), _json_cell(region["shape_attributes"])]
            more = as_dict(region.get("more_columns"))
            cells += [_json_cell(region["region_attributes"])]
            cells += [_quoted(_guarded(str(more.get(name, "")))) for name in columns[len(COLUMNS) :]]
            lines.append(",".join(cells))
        if not regions:
            lines.append(",".join([*start, "0", "0", '"{}"', '"{}"', *([""] * (len(columns) - len(COLUMNS)))]))
    write_text(path, ("\n".join(lines) + "\n").encode("utf-8", "replace").decode("utf-8"))
    return ledger.warnings


def _json_cell(value: Any) -> str:
    """JSON in quotes; it begins with a brace, so that no spreadsheet takes it for a formula."""
    return _quoted(json_text(value))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _name_cell(name: str, ledger: Ledger) -> str:
    """A file name as VIA writes it, bare, unless that would break the row or run a formula."""
    safe = _LINE.sub(" ", name)
    if safe != name:
        ledger.warn("name-changed", "a line break in a file name was written as a space", shown(name))
    guarded = _guarded(safe)
    if guarded != safe:
        text = "a spreadsheet would take the file name for a formula; written with an apostrophe before it"
        ledger.warn("name-guarded", text, shown(name))
    if any(sign in guarded for sign in ',;\t"'):
        ledger.warn("name-quoted", "the file name is written in quotes, which VIA itself does not read", shown(name))
        return _quoted(guarded)
    return guarded


def _guarded(text: str) -> str:
    return "'" + text if text.startswith(FORMULA) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


FORMAT = Format("via-csv", "VIA CSV (VGG Image Annotator)", _sniff, read, write)
