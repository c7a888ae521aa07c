"""Regions of any format as LabelMe XML, one file per picture and masks in ``Masks/`` beside it; what was read stays."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement, fromstring, indent, tostring

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Box, Polygon, Problem, Region, Shape
from limner.core.files import write_bytes, write_text
from limner.data.extents import corners
from limner.data.formats import embedded
from limner.data.formats.file_names import annotation_paths, slashes
from limner.data.formats.foreign import IGNORED
from limner.data.formats.geometry import Refusal
from limner.data.formats.labelme_xml_records import (
    MASKS,
    attributes_text,
    read_outline,
    text_of,
)
from limner.data.formats.ledger import Ledger
from limner.data.formats.simplify import MOST_PIXELS, Abilities, polygon_of, rounded, simple_shapes
from limner.data.formats.xml_records import clean

ABLE = Abilities("LabelMe XML", masks=True, lines=False, points=False, group="<parts>")


def write(found: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write ``<stem>.xml`` for each picture, in the sub-folder that the name of the picture says, and its masks."""
    ledger = Ledger(str(folder))
    is_own = found.format == "labelme-xml"
    for image, path in zip(
        found.images, annotation_paths([image.image for image in found.images], ".xml"), strict=True
    ):
        _Page(image, folder / path, is_own, ledger).write()
    return ledger.warnings


class _Page:
    """One file while it is written.

    Parameters
    ----------
    image : the picture and its regions.
    path : the file.
    is_own : the regions were read from LabelMe XML.
    ledger : hears what is lost.
    """

    def __init__(self, image: Annotation, path: Path, is_own: bool, ledger: Ledger) -> None:
        self.image, self.path, self.is_own, self.ledger = image, path, is_own, ledger
        records = [region.record for region in image.regions if is_own and isinstance(region.record, str)]
        self.taken = {text_of(fromstring(record), "id").strip() for record in records}
        self.groups: dict[str, list[Element]] = defaultdict(list)

    def write(self) -> None:
        """The file and its masks."""
        if self.image.pixels is not None:
            self._lost(
                "pixels-lost", "LabelMe XML carries no pictures inside; they are needed as files", self.image.image
            )
        if self.image.subset:
            self._lost("subset-lost", "LabelMe XML cannot say to which split a picture belongs", self.image.image)
        root = self._root()
        ordered = sorted(self.image.regions, key=lambda region: region.order)
        for number, region in enumerate(ordered):
            root.extend(self._objects(region, number, region.where or f"{self.image.image}, region {number}"))
        for members in self.groups.values():
            _join(members)
        indent(root)
        write_text(self.path, tostring(root, encoding="unicode") + "\n")

    def _lost(self, code: str, message: str, where: str) -> None:
        self.ledger.warn(code, message, where)

    def _root(self) -> Element:
        own = self.is_own and isinstance(self.image.record, str)
        root = fromstring(self.image.record) if own else Element("annotation")
        folder, filename = (text_of(root, key).strip("/ ") for key in ("folder", "filename"))
        if not own or slashes(f"{folder}/{filename}" if folder else filename) != self.image.image:
            path = PurePosixPath(self._valid(slashes(self.image.image)) or "picture")
            parent = str(path.parent)
            _set(root, "filename", path.name)
            _set(root, "folder", "" if parent in (".", "/") else parent)
        if not own:
            SubElement(SubElement(root, "source"), "sourceAnnotation").text = "Limner"
        if self.image.size_hw is not None and (not own or root.find("imagesize") is None):
            size = SubElement(root, "imagesize")
            _set(size, "nrows", str(self.image.size_hw[0]))
            _set(size, "ncols", str(self.image.size_hw[1]))
        return root

    def _objects(self, region: Region, number: int, where: str) -> list[Element]:
        self._say_losses(region, where)
        own = fromstring(region.record) if self.is_own and isinstance(region.record, str) else None
        label = self._valid(IGNORED if region.is_ignored else region.label)
        if own is not None:
            if text_of(own, "name") != label:
                _set(own, "name", label)
            if _is_untouched(region, own):
                return [own]
        shapes = simple_shapes(region, ABLE, self.ledger, where)
        result = []
        for part, shape in enumerate(shapes):
            element = _bare(own) if own is not None else self._new(region, label)
            if part or own is None:
                _set(element, "id", self._free_id())
            if self._draw(element, shape, where):
                result.append(element)
        group = f"part of {region.group}" if region.group and own is None else ""
        if len(shapes) > 1:
            group = group or f"region {number}"
        if group:
            self.groups[group] += result
        return result

    def _say_losses(self, region: Region, where: str) -> None:
        if region.is_crowd:
            self._lost("crowd-lost", "LabelMe XML cannot mark a crowd; written as one object", where)
        if region.score is not None:
            self._lost("score-lost", "LabelMe XML has no scores; left out", where)
        if region.is_ignored and region.label not in ("", IGNORED):
            self._lost("ignored-as-class", f"what is to be ignored has the name {IGNORED} alone", where)

    def _new(self, region: Region, label: str) -> Element:
        answers = dict(region.attributes)
        is_occluded = answers.pop("occluded", False) is True
        element = Element("object")
        texts = {"name": label, "deleted": "0", "verified": "0", "occluded": "yes" if is_occluded else "no", "date": ""}
        for key, text in texts.items():
            _set(element, key, text)
        _set(element, "id", "")
        _join([element])
        _set(element, "attributes", self._valid(attributes_text(answers)))
        return element

    def _free_id(self) -> str:
        number = len(self.taken)
        while str(number) in self.taken:
            number += 1
        self.taken.add(str(number))
        return str(number)

    def _valid(self, text: str) -> str:
        valid = clean(text)
        if valid != text:
            self._lost("text-changed", "XML cannot hold control characters; replaced", self.image.image)
        return valid

    def _draw(self, element: Element, shape: Shape, where: str) -> bool:
        """Put the shape into the object; False when nothing of it can be written."""
        if isinstance(shape, Bitmap):
            mask = self._whole_mask(shape)
            if mask is not None and mask.any():
                name = f"{self.path.stem}_mask_{text_of(element, 'id').strip()}.png"
                return self._draw_mask(element, shape, mask, _file_name(name))
            if mask is not None:
                self._lost("outside", "the mask lies outside the picture; left out", where)
                return False
            self._lost("too-large", "the picture is too large for a mask; written as a polygon without holes", where)
            shape = polygon_of(shape)
        if isinstance(shape, Box):
            _set(element, "type", "bounding_box")
            shape = Polygon((corners(shape),))
        assert isinstance(shape, Polygon)
        outline = SubElement(element, "polygon")
        SubElement(outline, "username").text = ""
        for x, y in shape.rings[0].tolist():
            point = SubElement(outline, "pt")
            _set(point, "x", str(rounded(x)))
            _set(point, "y", str(rounded(y)))
        return True

    def _whole_mask(self, bitmap: Bitmap) -> npt.NDArray[np.bool_] | None:
        """The mask in the size of its picture, or as far as it reaches where that is not known; None when that is too large."""
        rows, columns = bitmap.mask.shape
        height, width = self.image.size_hw or (max(1, bitmap.y + rows), max(1, bitmap.x + columns))
        if height * width > MOST_PIXELS:
            return None
        whole = np.zeros((height, width), np.bool_)
        top, left = max(0, bitmap.y), max(0, bitmap.x)
        part = bitmap.mask[top - bitmap.y : max(0, height - bitmap.y), left - bitmap.x : max(0, width - bitmap.x)]
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        return whole

    def _draw_mask(self, element: Element, bitmap: Bitmap, mask: npt.NDArray[np.bool_], name: str) -> bool:
        write_bytes(self.path.parent / MASKS / name, embedded.png_of_mask(mask, one=255))
        segment = SubElement(element, "segm")
        SubElement(segment, "username").text = ""
        limits = SubElement(segment, "box")
        rows, columns = bitmap.mask.shape
        for key, value in {
            "xmin": bitmap.x, "ymin": bitmap.y, "xmax": bitmap.x + columns, "ymax": bitmap.y + rows,
        }.items():  # fmt: skip
            _set(limits, key, str(value))
        _set(segment, "mask", name)
        return True


def _set(element: Element, key: str, text: str) -> None:
    child = element.find(key)
    child = SubElement(element, key) if child is None else child
    child.text = text


def _bare(own: Element) -> Element:
    """The object without its shape."""
    bare = Element(own.tag, own.attrib)
    bare.extend(deepcopy(child) for child in own if child.tag not in ("polygon", "segm", "type"))
    return bare


def _is_untouched(region: Region, own: Element) -> bool:
    """The outline is still the one in the record; masks are written anew, because their files are not here."""
    if own.find("segm") is not None:
        return False
    try:
        return read_outline(own, []) == region.shape
    except Refusal:
        return False


def _join(members: list[Element]) -> None:
    """Say in ``parts`` that objects belong together: the first has the others as parts."""
    ids = [text_of(member, "id").strip() for member in members]
    for number, member in enumerate(members):
        parts = member.find("parts")
        parts = SubElement(member, "parts") if parts is None else parts
        _set(parts, "hasparts", ",".join(ids[1:]) if number == 0 else "")
        _set(parts, "ispartof", ids[0] if number else "")


def _file_name(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "._- ()" else "_" for sign in name)
