"""VIA 1 exports, VIA 2 exports and VIA 2 projects (VGG Image Annotator).

An export is an object of pictures, by a key that nobody should read: ``{"a.jpg123": {"filename", "size", "regions",
"file_attributes"}}``. In VIA 1 `regions` is an object, in VIA 2 a list. A project has the export under
``_via_img_metadata``, beside settings, the questions, and (from 2.0.10) the order of the pictures. makesense writes VIA 1 keyed
by the bare name.

Source: the exports of VIA 1.0.6 and 2.0.12, https://www.robots.ox.ac.uk/~vgg/software/via/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Problem
from limner.core.files import write_text
from limner.data.formats import embedded
from limner.data.formats.foreign import IGNORED, as_dict, entries, json_text, plain, short, shown, warn_of_copies
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.geometry import Refusal
from limner.data.formats.ledger import Ledger
from limner.data.formats.via_regions import (
    Question,
    ViaFile,
    byte_count,
    count_answers,
    questions_of,
    read_region,
)
from limner.data.formats.via_write import Writer, image_record

PICTURES = "_via_img_metadata"
QUESTIONS = "_via_attributes"
ORDER = "_via_image_id_list"
EXPORT_NAME, PROJECT_NAME = "via_region_data.json", "via_project.json"
_LOOKED_AT = 1000  # entries of a list, when it is asked what it may be


def _version(document: Any) -> int:
    """1 or 2; 0 when it is no file of VIA 1 or 2."""
    if isinstance(document, dict) and isinstance(document.get(PICTURES), (dict, list)):
        return 2
    if isinstance(document, dict) and "view" in document and "file" in document:
        return 0  # VIA 3
    found = 0
    values: Iterable[Any] = document.values() if isinstance(document, dict) else ()
    if isinstance(document, list):
        values = islice(document, _LOOKED_AT)
    for value in values:
        if not _is_picture(value):
            continue
        if "fileref" in value or "base64_img_data" in value or isinstance(value.get("regions"), dict):
            return 1
        found = 2
    return found


def _is_picture(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    has_regions = isinstance(value.get("regions"), (dict, list))
    if isinstance(value.get("filename"), str):
        return has_regions or ("size" in value and "file_attributes" in value)
    return has_regions and any(
        "shape_attributes" in as_dict(region) for _, region in islice(entries(value["regions"]), _LOOKED_AT)
    )


def _sniff_1(content: Content) -> bool:
    return _version(content.json) == 1


def _sniff_2(content: Content) -> bool:
    return _version(content.json) == 2


def read(content: Content) -> AnnotationSet:
    """The regions of a VIA 1 or 2 file; labels are empty until a class is chosen (`limner.data.formats.classes`)."""
    version, document = _version(content.json), content.json
    if not version:
        raise wrong(content, "no pictures of VIA", f"an export of VIA 1 or 2, or a project with {PICTURES}")
    is_project = isinstance(document, dict) and PICTURES in document
    rest = {key: value for key, value in as_dict(document).items() if key != PICTURES} if is_project else {}
    pictures = document[PICTURES] if is_project else document
    questions = questions_of(rest.get(QUESTIONS))
    ledger = Ledger.of(content)
    prefix = f"{PICTURES}/" if is_project else ""
    images: dict[str, Annotation] = {}
    for key, entry in entries(pictures):
        where = prefix + short(key)
        if isinstance(entry, dict):
            images[key] = _picture(key, entry, questions, where, ledger)
        elif is_project or not key.startswith("_via_"):
            ledger.warn("not-a-picture", f"the picture is {shown(entry)}; an object is expected; left out", where)
    ordered = _in_order(images, rest.get(ORDER), ledger)
    _warn_of_same_names(ordered, ledger)
    return AnnotationSet(
        f"via{version}", ordered, attributes=count_answers(ordered), warnings=ledger.warnings, refused=ledger.refused,
        record=ViaFile(rest, questions, is_project),
    )  # fmt: skip


def _picture(
    key: str, entry: dict[str, Any], questions: Mapping[str, Question], where: str, ledger: Ledger
) -> Annotation:
    regions = []
    raw = entry.get("regions", [])
    if not isinstance(raw, (dict, list)):
        ledger.warn("not-a-list", f"regions is {shown(raw)}; a list is expected; the picture has none", where)
    for index, record in entries(raw):
        place = f"{where}/regions/{short(index)}"
        with ledger.record(place) as notes:
            regions.append(read_region(record, questions, place, notes))
    name = entry.get("filename")
    size = entry.get("size")
    if not isinstance(name, str) or not name:
        name = key.removesuffix(plain(size)) or key
        ledger.warn("no-file-name", f"the picture has no file name; it is taken from its key: {shown(name)}", where)
    warn_of_copies(ledger, ((_content_of(region.record), region.where) for region in regions), name)
    rest = {field: value for field, value in entry.items() if field != "regions"}
    return Annotation(
        name, tuple(regions), num_bytes=byte_count(size), pixels=_pixels(entry, where, ledger),
        attributes=dict(as_dict(entry.get("file_attributes"))), record={"key": key, "entry": rest}, where=where,
    )  # fmt: skip


def _content_of(record: Mapping[str, Any]) -> list[Any]:
    return [record.get("shape_attributes"), record.get("region_attributes")]


def _pixels(entry: Mapping[str, Any], where: str, ledger: Ledger) -> bytes | None:
    text = entry.get("base64_img_data")
    if not isinstance(text, str) or not text:
        return None
    try:
        return embedded.picture(text)
    except Refusal as refusal:
        ledger.warn(refusal.code, f"{refusal.message}; the picture is looked for as a file", where)
        return None


def _in_order(images: Mapping[str, Annotation], order: Any, ledger: Ledger) -> tuple[Annotation, ...]:
    """The pictures as the project lists them, then those that it does not list."""
    if not isinstance(order, list):
        return tuple(images.values())
    listed = list(dict.fromkeys(key for key in order if isinstance(key, str)))
    strange = [key for key in listed if key not in images]
    if strange:
        text = f"{len(strange)} entries are no pictures of this project, such as {shown(strange[0])}; passed over"
        ledger.warn("unknown-picture", text, ORDER)
    known = [key for key in listed if key in images]
    seen = set(known)
    return tuple(images[key] for key in (*known, *(key for key in images if key not in seen)))


def _warn_of_same_names(images: tuple[Annotation, ...], ledger: Ledger) -> None:
    first: dict[str, str] = {}
    for image in images:
        if image.image in first:
            earlier = first[image.image]
            text = f"the file name {shown(image.image)} occurs before, at {earlier}; both entries are kept"
            ledger.warn("same-file-name", text, image.where)
        first.setdefault(image.image, image.where)


# -- writing


def _write_1(found: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``via_region_data.json`` of VIA 1."""
    path = folder / EXPORT_NAME
    ledger = Ledger(str(path))
    pictures = {}
    for key, entry, image in _entries(found, Writer.of(found, "via1", ledger)):
        regions = {str(index): region for index, region in enumerate(entry.pop("regions"))}
        own = as_dict(as_dict(image.record).get("entry")) if found.format == "via1" else {}
        data = embedded.encoded(image.pixels) if image.pixels is not None else ""
        if isinstance(own.get("base64_img_data"), str) and _pixels(own, "", Ledger("")) == image.pixels:
            data = own["base64_img_data"]
        start = {"fileref": own.get("fileref", ""), "size": entry.pop("size"), "filename": entry.pop("filename")}
        pictures[key] = {**start, "base64_img_data": data, **entry, "regions": regions}
    write_text(path, json_text(pictures))
    return ledger.warnings


def _write_2(found: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``via_region_data.json`` of VIA 2, or ``via_project.json`` when a project was read."""
    record = found.record if found.format == "via2" and isinstance(found.record, ViaFile) else ViaFile()
    rest = record.document
    path = folder / (PROJECT_NAME if record.is_project else EXPORT_NAME)
    ledger = Ledger(str(path))
    writer = Writer.of(found, "via2", ledger)
    pictures = {key: entry for key, entry, _ in _entries(found, writer)}
    document: dict[str, Any] = pictures
    if record.is_project:
        document = {PICTURES: pictures, **rest}
        if QUESTIONS in rest:
            document[QUESTIONS] = _with_labels(rest[QUESTIONS], writer)
        if ORDER in rest:
            document[ORDER] = list(pictures)
    write_text(path, json_text(document))
    return ledger.warnings


def _entries(found: AnnotationSet, writer: Writer) -> list[tuple[str, dict[str, Any], Annotation]]:
    """Key, record and picture; pictures of the same key are joined."""
    joined: dict[str, tuple[dict[str, Any], Annotation]] = {}
    for image in found.images:
        key, entry = image_record(image, found.format, writer.target)
        entry["regions"] = writer.regions(image)
        writer.losses_of_image(image)
        if key in joined:
            writer.ledger.warn("same-picture", "the picture occurs twice; its regions were joined", image.image)
            joined[key][0]["regions"] += entry["regions"]
        else:
            joined[key] = entry, image
    return [(key, entry, image) for key, (entry, image) in joined.items()]


def _with_labels(attributes: Any, writer: Writer) -> Any:
    """The questions of a project, with options for labels that were not among them."""
    name = writer.class_attribute
    question = writer.questions.get(name)
    definition = as_dict(as_dict(as_dict(attributes).get("region")).get(name))
    if question is None or not isinstance(definition.get("options"), dict):
        return attributes
    used = {label: option for label, option in writer.options.items() if label not in ("", IGNORED)}
    new = {option: label for label, option in used.items() if option not in question.options}
    options = {**definition["options"], **new}
    regions = {**attributes["region"], name: {**definition, "options": options}}
    return {**attributes, "region": regions} if new else attributes


VIA1 = Format("via1", "VIA 1 (VGG Image Annotator, JSON)", _sniff_1, read, _write_1)
VIA2 = Format("via2", "VIA 2 (VGG Image Annotator, JSON export or project)", _sniff_2, read, _write_2)
