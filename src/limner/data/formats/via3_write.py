"""Regions of any format as a project of VIA 3; what was read from VIA 3 stays to the letter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Problem, Region
from limner.core.files import write_text
from limner.data.formats.foreign import IGNORED, as_dict, json_text, plain
from limner.data.formats.geometry import Refusal
from limner.data.formats.ledger import Ledger
from limner.data.formats.simplify import Abilities, simple_shapes
from limner.data.formats.via3_records import Via3File, read_xy, xy_of
from limner.data.formats.via_regions import CHOICES, GROUP
from limner.data.formats.via_write import class_attribute, say_losses

FILE_NAME = "via_project.json"
ABLE = Abilities("VIA 3", ellipses="upright", group=f"the attribute {GROUP}")
TEXT, SELECT = 1, 4
_PREFIXES = {"1": "", "2": "", "3": "", "4": ""}


class _Attributes:
    """The attributes of a project while regions are written: their ids, their options, and those that are new."""

    def __init__(self, own: Via3File | None) -> None:
        self.definitions = dict(as_dict(own.document.get("attribute"))) if own else {}
        self.ids = {name: key for key, name in own.names.items()} if own else {}
        self.kinds = {name: question.kind for name, question in own.questions.items()} if own else {}
        self.options = {name: question.ids() for name, question in own.questions.items()} if own else {}
        self.extended: dict[str, tuple[dict[str, str], Iterator[int]]] = {}

    def id_of(self, name: str, kind: int = TEXT) -> str:
        """The id of an attribute; it is made when there is none."""
        if name not in self.ids:
            self.ids[name] = _free(self.definitions, first=1)
            definition = {"aname": name, "anchor_id": "FILE1_Z0_XY1", "type": kind, "desc": "", "options": {}}
            self.definitions[self.ids[name]] = {**definition, "default_option_id": ""}
            self.kinds[name], self.options[name] = "dropdown" if kind == SELECT else "text", {}
        return self.ids[name]

    def option_of(self, name: str, label: str) -> str:
        """The id of an option; it is made when there is none. For text the text itself."""
        key = self.id_of(name, SELECT)
        if self.kinds[name] not in CHOICES or not label:
            return label
        if label not in self.options[name]:
            if name not in self.extended:  # what was read is not changed
                options = dict(as_dict(as_dict(self.definitions[key]).get("options")))
                self.definitions[key] = {**as_dict(self.definitions[key]), "options": options}
                self.extended[name] = options, count(int(_free(options, first=0)))
            options, numbers = self.extended[name]
            option = self.options[name][label] = str(next(numbers))
            options[option] = label
        return self.options[name][label]

    def answer_of(self, name: str, value: Any) -> str:
        """An answer as ``av`` holds it."""
        self.id_of(name)
        if isinstance(value, list | tuple):
            return ",".join(self.option_of(name, plain(option)) for option in value)
        return self.option_of(name, plain(value))


def _free(taken: Iterable[str], *, first: int) -> str:
    """The number after the largest one that is taken; VIA 3 counts attributes from 1 and options from 0."""
    numbers = [int(key) for key in taken if key.isdecimal() and len(key) < 10]
    return str(max(numbers, default=first - 1) + 1)


def write(found: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``via_project.json``."""
    path = folder / FILE_NAME
    ledger = Ledger(str(path))
    own = found.record if found.format == "via3" and isinstance(found.record, Via3File) else None
    attributes, label_name = _Attributes(own), class_attribute(found.images)
    if own is None:
        for name in dict.fromkeys(region.label for image in found.images for region in image.regions if region.label):
            attributes.option_of(label_name, name)
    files: dict[str, Any] = {}
    views: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for number, image in enumerate(found.images, start=1):
        record = as_dict(image.record) if own else {}
        fid, vid = plain(record.get("fid")) or str(number), plain(record.get("vid")) or str(number)
        if image.pixels is not None and not record:
            ledger.warn(
                "pixels-lost", "VIA 3 is written without pictures inside; they are needed as files", image.image
            )
        if image.subset:
            ledger.warn("subset-lost", "VIA 3 cannot say to which split a picture belongs", image.image)
        files[fid] = _file(fid, image, as_dict(record.get("file")))
        if not record or record["vid"]:
            views[vid] = record.get("view") or {"fid_list": [fid]}
        metadata |= as_dict(record.get("metadata"))
        ordered = sorted(image.regions, key=lambda region: region.order)
        for index, region in enumerate(ordered):
            where = region.where or f"{image.image}, region {index}"
            for key, entry in _entries(region, vid, index, own, attributes, label_name, ledger, where):
                metadata[key if key not in metadata else f"{vid}_{len(metadata)}"] = entry
    document = _document(own, attributes, views)
    write_text(path, json_text({**document, "file": files, "metadata": metadata, "view": views}))
    return ledger.warnings


def _file(fid: str, image: Annotation, own: dict[str, Any]) -> dict[str, Any]:
    """The record of a file; its name is that of the picture now."""
    if own and image.image in (own.get("fname"), own.get("src"), fid):
        return own
    return {"fid": fid, "type": 2, "loc": 1, "src": "", **own, "fname": image.image}


def _document(own: Via3File | None, attributes: _Attributes, views: dict[str, Any]) -> dict[str, Any]:
    project = {
        "pid": "__VIA_PROJECT_ID__", "rev": "__VIA_PROJECT_REV_ID__", "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
        "pname": "Limner", "creator": "Limner", "created": 0, "data_format_version": "3.1.1",
    }  # fmt: skip
    rest = dict(own.document) if own else {}
    rest["project"] = {**(as_dict(rest.get("project")) or project), "vid_list": list(views)}
    rest.setdefault("config", {"file": {"loc_prefix": _PREFIXES}, "ui": {}})
    rest["attribute"] = attributes.definitions
    return rest


def _entries(
    region: Region, vid: str, index: int, own: Via3File | None, attributes: _Attributes, label_name: str,
    ledger: Ledger, where: str,
) -> list[tuple[str, dict[str, Any]]]:  # fmt: skip
    """Id and record of a region; several when its shape has several parts."""
    say_losses(region, ABLE.words, ledger, where)
    record = as_dict(region.record) if own else {}
    raw = as_dict(record.get("metadata"))
    av = _av(region, raw, own, attributes, label_name)
    key = plain(record.get("id")) or f"{vid}_{index}"
    if raw and _is_untouched(region, raw):
        return [(key, {**raw, "av": av})]
    shapes = simple_shapes(region, ABLE, ledger, where)
    if len(shapes) > 1 and not region.group:
        av[attributes.id_of(GROUP)] = f"object {index}"
    start = raw or {"vid": vid, "flg": 0, "z": []}
    return [
        (key if part == 0 else f"{key}_{part}", {**start, "xy": xy_of(shape), "av": dict(av)})
        for part, shape in enumerate(shapes)
    ]


def _is_untouched(region: Region, raw: dict[str, Any]) -> bool:
    try:
        return read_xy(raw.get("xy"), []) == region.shape
    except Refusal:
        return False


def _av(
    region: Region, raw: dict[str, Any], own: Via3File | None, attributes: _Attributes, label_name: str
) -> dict[str, Any]:
    """The answers as read when they still hold, with the label where it is not among them."""
    readable = own.answers(raw.get("av")) if own and raw else {}
    readable.pop(GROUP, None)
    if own and raw and readable == dict(region.attributes):
        av = dict(as_dict(raw.get("av")))
    else:
        av = {attributes.id_of(n): attributes.answer_of(n, value) for n, value in region.attributes.items()}
    label = IGNORED if region.is_ignored else region.label
    if label and region.attributes.get(label_name) not in (label, [label]):
        option = attributes.option_of(label_name, label)
        av[attributes.id_of(label_name)] = option
    if region.group:
        av[attributes.id_of(GROUP)] = region.group
    return av
