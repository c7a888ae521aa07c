"""CVAT XML of pictures: polygons, lines, boxes, ellipses, masks and points; tracks of videos are refused one by one.

The format: docs.cvat.ai/docs/dataset_management/formats/format-cvat. A picture is known by its subset and name; ids repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from limner.core.annotation import Annotation, AnnotationSet, Region
from limner.data.formats.cvat_shapes import shape_of
from limner.data.formats.cvat_write import write
from limner.data.formats.fields import is_true, size_of, whole
from limner.data.formats.foreign import shown
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.ledger import Ledger
from limner.data.formats.xml_records import plain_element


def sniff(content: Content) -> bool:
    """A root ``annotations`` with pictures, tracks or a description of the task."""
    root = content.xml
    return root is not None and root.tag == "annotations" and any(c.tag in ("image", "track", "meta") for c in root)


def read(content: Content) -> AnnotationSet:
    """All regions of all pictures."""
    root = content.xml
    if root is None or not sniff(content):
        raise wrong(content, "no CVAT XML", "a root element annotations with images")
    ledger = Ledger.of(content)
    subset = (root.findtext("meta/task/subset") or "").strip()
    images = []
    seen: set[tuple[str, str]] = set()
    for index, element in enumerate(root.iterfind("image")):
        image = _image(element, index, subset, ledger)
        if (image.subset, image.image) in seen:
            text = f"the picture {shown(image.image)} occurs twice in the subset {shown(image.subset)}; both are kept"
            ledger.warn("duplicate-image", text, image.where)
        seen.add((image.subset, image.image))
        images.append(image)
    for index, track in enumerate(root.iterfind("track")):
        _refuse_track(track, f"track/{index}", ledger)
    others = [plain_element(child) for child in root if child.tag != "image"]
    return AnnotationSet(
        "cvat", tuple(images), tuple(dict.fromkeys(_classes(root))), warnings=ledger.warnings, refused=ledger.refused,
        record={"attrib": dict(root.attrib), "children": others},
    )  # fmt: skip


def _classes(root: Element) -> Iterator[str]:
    """Declared labels that areas may have; not those of tags, skeletons and their points."""
    meta = root.find("meta")
    for labels in meta.iter("labels") if meta is not None else ():
        for label in labels.iterfind("label"):
            name, kind = label.findtext("name") or "", (label.findtext("type") or "").strip()
            if name and label.find("parent") is None and kind not in ("tag", "skeleton"):
                yield name


def _image(element: Element, index: int, subset: str, ledger: Ledger) -> Annotation:
    """One picture; what is no region stays in its record."""
    where = f"image/{index}"
    regions: list[Region] = []
    rest: list[dict[str, Any]] = []
    tags: list[str] = []
    for place, child in enumerate(element):
        before = len(regions)
        with ledger.record(f"{where}/{child.tag}/{place}") as notes:
            shape = shape_of(child.tag, child.attrib, notes, take=ledger.take_pixels)
            attributes = answers_of(child)
            regions.append(
                Region(
                    child.get("label", ""), shape, group=_group(child), order=whole(child.get("z_order")) or 0,
                    attributes=attributes, record={"index": place, "element": plain_element(child)},
                    where=f"{where}/{child.tag}/{place}",
                )
            )  # fmt: skip
        if len(regions) == before:
            rest.append({"index": place, "element": plain_element(child)})
            tags += [child.get("label", "")] if child.tag == "tag" else []
    size_hw = size_of(element.get("height"), element.get("width"))
    return Annotation(
        element.get("name", ""), tuple(regions), size_hw, subset=element.get("subset", subset),
        attributes={"tags": tags} if tags else {}, record={"attrib": dict(element.attrib), "rest": rest}, where=where,
    )  # fmt: skip


def answers_of(element: Element) -> dict[str, Any]:
    """The attributes that a person set, and ``occluded`` where it is."""
    answers: dict[str, Any] = {"occluded": True} if is_true(element.get("occluded")) else {}
    for attribute in element.iterfind("attribute"):
        answers[attribute.get("name", "")] = attribute.text or ""
    return answers


def _group(element: Element) -> str:
    group = (element.get("group_id") or "").strip()
    return "" if group == "0" else group


def _refuse_track(track: Element, where: str, ledger: Ledger) -> None:
    """One refusal for each shape of a track, and for each track within it (the points of a skeleton)."""
    name = f"the video track {shown(track.get('label', ''))}"
    for place, child in enumerate(track):
        frame = f" on frame {shown(child.get('frame'))}" if child.get("frame") else ""
        text = f"{name}: a {child.tag[:20]}{frame}; export the frames as pictures (CVAT for images)"
        ledger.refuse("video", text, f"{where}/{child.tag[:20]}/{place}")
    if not len(track):
        ledger.refuse("video", f"{name} is empty", where)


FORMAT = Format("cvat", "CVAT XML", sniff, read, write)
