"""Write CVAT XML: shapes as they are, masks for areas with holes or several parts.

What was read from CVAT and not changed since is written as it was, with all that stands beside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Polygon, Problem, Region
from limner.core.files import write_text
from limner.data.formats.accounts import without_addresses
from limner.data.formats.cvat_shapes import element_parts, shape_of
from limner.data.formats.fields import whole
from limner.data.formats.foreign import as_dict, plain
from limner.data.formats.geometry import Refusal
from limner.data.formats.ledger import Ledger
from limner.data.formats.xml_records import leaf, xml_text

SHAPES = frozenset(
    {"points", "xtl", "ytl", "xbr", "ybr", "rotation", "cx", "cy", "rx", "ry", "rle", "left", "top", "width", "height"}
)
_NUMBER = re.compile(r"[0-9]{1,9}")


def write(annotations: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``annotations.xml``."""
    path = folder / "annotations.xml"
    ledger = Ledger(str(path))
    is_own = annotations.format == "cvat"
    own = as_dict(annotations.record) if is_own else {}
    groups = _Groups()
    images = [_image(image, index, is_own, groups, ledger) for index, image in enumerate(annotations.images)]
    others = list(own.get("children") or [leaf("version", "1.1"), _new_meta()])
    labels = dict.fromkeys(region.label for image in annotations.images for region in image.regions if region.label)
    others = _with_labels(others, dict.fromkeys((*(() if own else annotations.classes), *labels)))
    before = [child for child in others if child["tag"] != "track"]
    tracks = [child for child in others if child["tag"] == "track"]
    root = {**leaf("annotations"), "attrib": own.get("attrib") or {}, "children": [*before, *images, *tracks]}
    write_text(path, xml_text(root))
    return (*ledger.warnings, *ledger.refused)


def _new_meta() -> dict[str, Any]:
    labels = {**leaf("labels"), "children": []}
    return {**leaf("meta"), "children": [{**leaf("task"), "children": [leaf("mode", "annotation"), labels]}]}


def _with_labels(children: list[dict[str, Any]], names: Mapping[str, None]) -> list[dict[str, Any]]:
    """The children of the root; labels that the first list does not declare are added to it."""
    children = without_addresses(children)
    lists = [element for child in children if child["tag"] == "meta" for element in _all(child, "labels")]
    known = {c["text"] for one in lists for label in one["children"] for c in label["children"] if c["tag"] == "name"}
    missing = [name for name in names if name not in known]
    if missing and not lists:
        meta = _new_meta()
        children.append(meta)
        lists = _all(meta, "labels")
    for name in missing:
        parts = [leaf("name", name), leaf("type", "any"), leaf("attributes")]
        lists[0]["children"].append({**leaf("label"), "children": parts})
    return children


def _all(record: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    """The elements `tag` within `record`, which is at most 100 levels deep."""
    found = [record] if record["tag"] == tag else []
    return found + [element for child in record["children"] for element in _all(child, tag)]


class _Groups:
    """Numbers for groups, which CVAT numbers and others name."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], str] = {}

    def number(self, image: str, group: str) -> str:
        if _NUMBER.fullmatch(group):
            return group
        return self._numbers.setdefault((image, group), str(1_000_000 + len(self._numbers)))


def _image(image: Annotation, index: int, is_own: bool, groups: _Groups, ledger: Ledger) -> dict[str, Any]:
    own = as_dict(image.record) if is_own else {}
    attributes = dict(own.get("attrib") or {})
    attributes.setdefault("id", str(index))
    attributes["name"] = image.image
    if image.size_hw is not None:
        stated = whole(attributes.get("height")), whole(attributes.get("width"))
        if stated != image.size_hw:
            attributes |= {"width": str(image.size_hw[1]), "height": str(image.size_hw[0])}
    elif not own:
        text = (
            f"{image.image}: its size is not known, and CVAT states it; its {len(image.regions)} regions are left out"
        )
        ledger.refuse("no-size", text, image.where)
    if image.subset and (not own or "subset" in attributes):
        attributes["subset"] = image.subset
    placed = [(record["index"], record["element"]) for record in own.get("rest") or []]
    regions = image.regions if own or image.size_hw is not None else ()
    for number, region in enumerate(regions):
        with ledger.record(f"{image.image}, {region.where}" if region.where else image.image):
            record = as_dict(region.record) if is_own else {}
            element = _element(region, image, as_dict(record.get("element")), groups, ledger)
            placed.append((record.get("index", len(placed) + number + 1_000_000), element))
    placed.sort(key=lambda entry: entry[0])
    return {**leaf("image"), "attrib": attributes, "children": [element for _, element in placed]}


def _element(region: Region, image: Annotation, own: dict[str, Any], groups: _Groups, ledger: Ledger) -> dict[str, Any]:
    """The element of one region: as it was read where it was not changed since, else made anew; attributes are kept."""
    attributes: dict[str, str] = dict(own.get("attrib") or {})
    tag = own.get("tag")
    if tag is None or not _is_unchanged(tag, attributes, region):
        tag, parts = element_parts(region.shape, image.size_hw)
        attributes = {name: value for name, value in attributes.items() if name not in SHAPES} | parts
        if tag == "mask" and isinstance(region.shape, Polygon):
            text = "the region has holes or several parts, which a polygon of CVAT cannot hold; it is written as a mask"
            ledger.warn("as-mask", text, region.where)
    if attributes.get("label", "") != region.label or not own:
        attributes["label"] = region.label
    if not own:
        attributes |= {"occluded": "0", "source": "manual"}
    if (whole(attributes.get("z_order")) or 0) != region.order or not own:
        attributes["z_order"] = str(region.order)
    if region.group and not own:
        attributes["group_id"] = groups.number(image.image, region.group)
    if region.is_ignored and not own:
        ledger.warn(
            "ignored-as-class", "pixels that are not known, which CVAT cannot say; the label stays", region.where
        )
    children = own.get("children")
    if children is None:
        children = [leaf("attribute", plain(value), name=name) for name, value in region.attributes.items()]
    return {"tag": tag, "attrib": attributes, "text": own.get("text", ""), "children": children}


def _is_unchanged(tag: str, attributes: Mapping[str, str], region: Region) -> bool:
    try:
        return shape_of(tag, attributes, []) == region.shape
    except Refusal:
        return False
