"""Regions of any format as LabelMe JSON, one file per picture; what was read from there stays to the letter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Problem, Region
from limner.core.files import write_text
from limner.data.formats import embedded
from limner.data.formats.fields import identifier, size_of, whole
from limner.data.formats.file_names import annotation_paths, base_name, slashes
from limner.data.formats.foreign import IGNORED, as_dict, json_text, plain
from limner.data.formats.geometry import Refusal
from limner.data.formats.labelme_shapes import read_shape, shape_record
from limner.data.formats.ledger import Ledger
from limner.data.formats.simplify import Abilities, simple_shapes

DESCRIPTION = "description"
VERSION = "5.5.0"  # from then on shapes may be masks
ABLE = Abilities("LabelMe", masks=True, ellipses="circles", many_points=True, group="a group_id")


def read_answers(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Flags, AnyLabeling's attributes, and the description when there is one."""
    answers = {**as_dict(raw.get("flags")), **as_dict(raw.get("attributes"))}
    if isinstance(raw.get(DESCRIPTION), str) and raw[DESCRIPTION]:
        answers.setdefault(DESCRIPTION, raw[DESCRIPTION])
    return answers


def write(found: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``<stem>.json`` for each picture, in the sub-folder that the name of the picture says."""
    ledger = Ledger(str(folder))
    paths = annotation_paths([image.image for image in found.images], ".json")
    for image, path in zip(found.images, paths, strict=True):
        own = as_dict(image.record) if found.format == "labelme" else {}
        document = _document(image, own, found.format == "labelme", ledger)
        write_text(folder / path, json_text(document, indent=2) + "\n")
        if image.subset:
            ledger.warn("subset-lost", "LabelMe cannot say to which split a picture belongs", image.image)
        if path.with_suffix("").name != PurePosixPath(slashes(image.image)).stem:
            ledger.warn("name-changed", "the file has another name than the picture", str(path))
    return ledger.warnings


def _document(image: Annotation, own: Mapping[str, Any], is_labelme: bool, ledger: Ledger) -> dict[str, Any]:
    groups = _Groups(image if is_labelme else None)
    shapes: list[dict[str, Any]] = []
    ordered = sorted(image.regions, key=lambda region: region.order)
    for number, region in enumerate(ordered):
        where = region.where or f"{image.image}, region {number}"
        shapes += _shapes(region, as_dict(region.record) if is_labelme else {}, groups, number, ledger, where)
    name = own.get("imagePath")
    height, width = image.size_hw or (None, None)
    data = own.get("imageData")
    if image.pixels is not None:
        data = embedded.encoded(image.pixels)
    document = {
        "version": VERSION, "flags": dict(image.attributes), **own, "shapes": shapes,
        "imagePath": name if isinstance(name, str) and slashes(name) == image.image else base_name(image.image),
        "imageData": data,
    }  # fmt: skip
    if not own or image.size_hw != size_of(own.get("imageHeight"), own.get("imageWidth")):
        document |= {"imageHeight": height, "imageWidth": width}
    return document


class _Groups:
    """Numbers for `Region.group` within one picture; those that were read stay."""

    def __init__(self, image: Annotation | None) -> None:
        records = [as_dict(region.record) for region in image.regions] if image is not None else []
        taken = [whole(record.get("group_id")) for record in records]
        self.next = max([number for number in taken if number is not None], default=-1) + 1
        self.numbers: dict[str, int] = {}

    def number_of(self, group: str) -> int:
        """The number of a group."""
        if group not in self.numbers:
            self.numbers[group] = self.next
            self.next += 1
        return self.numbers[group]


def _shapes(
    region: Region, own: dict[str, Any], groups: _Groups, number: int, ledger: Ledger, where: str
) -> list[dict[str, Any]]:
    _say_losses(region, ledger, where)
    label = IGNORED if region.is_ignored else region.label
    same_group = region.group == _group_of(own)
    if own and _is_untouched(region, own) and same_group:
        return [own if plain(own.get("label")) == label else {**own, "label": label}]
    parts = simple_shapes(region, ABLE, ledger, where)
    group = own.get("group_id") if own and same_group else None
    if region.group and not same_group:
        group = groups.number_of(region.group)
    if len(parts) > 1 and group is None:
        group = groups.number_of(f"\0{number}")
    start = own or _answers(region)
    result = []
    for shape in parts:
        record = {**start, "label": label, "group_id": group, **shape_record(shape)}
        if region.score is not None:
            record["score"] = region.score
        result.append(record)
    return result


def _group_of(own: Mapping[str, Any]) -> str:
    group = identifier(own.get("group_id")) if own else None
    return f"{plain(own.get('label'))}:{group}" if group else ""


def _is_untouched(region: Region, own: Mapping[str, Any]) -> bool:
    try:
        return read_shape(own, Ledger(""), []) == region.shape
    except Refusal:
        return False


def _answers(region: Region) -> dict[str, Any]:
    """Truth values are flags, as in labelme; all else are attributes, as in AnyLabeling."""
    flags = {name: value for name, value in region.attributes.items() if isinstance(value, bool)}
    others = {name: value for name, value in region.attributes.items() if not isinstance(value, bool)}
    text = others.pop(DESCRIPTION) if isinstance(others.get(DESCRIPTION), str) else ""
    return {"label": "", DESCRIPTION: text, "flags": flags} | ({"attributes": others} if others else {})


def _say_losses(region: Region, ledger: Ledger, where: str) -> None:
    if region.is_crowd:
        ledger.warn("crowd-lost", "LabelMe cannot mark a crowd; written as one object", where)
    if region.is_ignored and region.label not in ("", IGNORED):
        ledger.warn("ignored-as-class", f"what is to be ignored has the label {IGNORED} alone", where)
