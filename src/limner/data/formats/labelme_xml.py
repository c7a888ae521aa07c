"""LabelMe XML: the files of the first LabelMe, a web page of 2005, and of the tools that still write them.

One file per picture: ``<annotation>`` with ``filename``, ``folder``, ``imagesize`` and ``object`` elements, each with ``name`` and
either ``polygon`` (``pt`` with ``x`` and ``y``) or ``segm`` (the name of a PNG below ``Masks/``). Objects with ``<deleted>1`` were
taken away by the person. ``parts`` says which objects belong together.

Source: Russell et al. 2008, doi:10.1007/s11263-007-0090-8, and files of the LabelMe page, CVAT and Datumaro.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import numpy as np

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Region, Shape
from limner.data.formats import embedded
from limner.data.formats.fields import is_true, size_of
from limner.data.formats.file_names import slashes
from limner.data.formats.foreign import IGNORED, shown, warn_of_copies
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.geometry import Notes, Refusal, number
from limner.data.formats.labelme_xml_records import MASKS, parse_attributes, read_outline, text_of
from limner.data.formats.labelme_xml_write import write
from limner.data.formats.ledger import Ledger

LARGEST_MASK_FILE = 64 * 2**20
_PLAIN_PATH = re.compile(r"[^/\\:\x00]+(?:/[^/\\:\x00]+)*")
_IDS = re.compile(r"[,;\s]+")
_LONGEST_IDS = 100_000


def _sniff(content: Content) -> bool:
    root = content.xml
    if root is None or root.tag != "annotation" or root.find("filename") is None:
        return False
    if root.find("object") is not None:  # those of Pascal VOC have a bndbox and nothing else
        return any(item.find(kind) is not None for item in root.findall("object") for kind in ("polygon", "segm"))
    return root.find("imagesize") is not None or root.find("source/sourceAnnotation") is not None


def read(content: Content) -> AnnotationSet:
    """The objects of a LabelMe XML, with their labels; masks only from files below ``Masks/`` beside it."""
    root = content.xml
    if root is None or root.tag != "annotation":
        raise wrong(content, "no annotation of LabelMe", "an XML file whose root is <annotation>")
    ledger = Ledger.of(content)
    folder, filename = slashes(text_of(root, "folder")).strip("/ "), slashes(text_of(root, "filename"))
    if not filename.strip():
        filename = content.path.stem
        ledger.warn("no-file-name", f"filename is missing; the name of this file is taken: {shown(filename)}")
    size_hw = size_of(text_of(root, "imagesize/nrows"), text_of(root, "imagesize/ncols"))
    masks = _Masks(content.path.parent, folder, size_hw)
    objects = root.findall("object")
    groups = _groups(objects)
    regions, fingerprints = [], []
    for index, (element, group) in enumerate(zip(objects, groups, strict=True)):
        where = f"object/{index}"
        if _is_deleted(element):
            text = f"{shown(text_of(element, 'name'))} was deleted by the person who drew it; left out"
            ledger.refuse("deleted", text, where)
            continue
        with ledger.record(where) as notes:
            regions.append(_region(element, masks, group, where, ledger, notes))
            fingerprints.append((_fingerprint(element), where))
    image = f"{folder}/{filename}" if folder else filename
    warn_of_copies(ledger, fingerprints, image)
    rest = Element(root.tag, root.attrib)
    rest.extend(child for child in root if child.tag != "object")
    annotation = Annotation(image, tuple(regions), size_hw=size_hw, record=tostring(rest, encoding="unicode"))
    return AnnotationSet("labelme-xml", (annotation,), warnings=ledger.warnings, refused=ledger.refused)


def _is_deleted(element: Element) -> bool:
    return is_true(text_of(element, "deleted"))


def _region(element: Element, masks: _Masks, group: str, where: str, ledger: Ledger, notes: Notes) -> Region:
    shape: Shape = read_outline(element, notes) if element.find("segm") is None else masks.bitmap(element, ledger)
    label = text_of(element, "name")
    answers = parse_attributes(text_of(element, "attributes"))
    if is_true(text_of(element, "occluded")):
        answers["occluded"] = True
    return Region(
        label, shape, group=group, is_ignored=label == IGNORED, attributes=answers,
        record=tostring(element, encoding="unicode"), where=where,
    )  # fmt: skip


def _fingerprint(element: Element) -> list[str]:
    """What two copies of an object have in common."""
    drawn = [part.text or "" for kind in ("polygon", "segm") for part in element.iterfind(f"{kind}//*")]
    return [text_of(element, "name"), text_of(element, "type"), *(text.strip() for text in drawn)]


def _groups(objects: Sequence[Element]) -> list[str]:
    """For each object the id of the first of those that it is joined with by ``parts``; empty when it stands alone."""
    numbers: dict[str, int] = {}
    for number_, element in enumerate(objects):
        if not _is_deleted(element):
            numbers.setdefault(text_of(element, "id").strip(), number_)
    first = list(range(len(objects)))

    def root_of(number_: int) -> int:
        while first[number_] != number_:
            first[number_] = first[first[number_]]
            number_ = first[number_]
        return number_

    for number_, element in enumerate(objects):
        for path in ("parts/hasparts", "parts/ispartof") if not _is_deleted(element) else ():
            for other in _IDS.split(text_of(element, path)[:_LONGEST_IDS]):
                if other in numbers:
                    low, high = sorted((root_of(number_), root_of(numbers[other])))
                    first[high] = low
    roots = [root_of(number_) for number_ in range(len(objects))]
    several = {root for number_, root in enumerate(roots) if root != number_}
    return [text_of(objects[root], "id").strip() or str(root) if root in several else "" for root in roots]


@dataclass(frozen=True)
class _Masks:
    """Where the masks of one file may lie.

    Parameters
    ----------
    beside : the folder of the XML file; nothing outside is opened.
    folder : what the file calls its folder, below which old layouts keep the masks.
    size_hw : of the picture.
    """

    beside: Path
    folder: str
    size_hw: tuple[int, int] | None

    def bitmap(self, element: Element, ledger: Ledger) -> Bitmap:
        """The pixels of a ``segm``, cropped to what is set.

        Raises
        ------
        Refusal : no such file below ``Masks/``, or it cannot be used.
        """
        name = text_of(element, "segm/mask").strip()
        mask = embedded.mask_of_png(self._bytes_of(name), ledger)
        left, top = 0, 0
        if self.size_hw is not None and mask.shape != self.size_hw:
            left, top = self._corner(element, mask.shape, name)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        crop = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        return Bitmap(left + int(columns[0]), top + int(rows[0]), crop)

    def _bytes_of(self, name: str) -> bytes:
        if not _PLAIN_PATH.fullmatch(name) or {".", ".."} & set(name.split("/")):
            raise Refusal(
                "mask-outside", f"the mask is called {shown(name)}; the name of a file in {MASKS}/ is expected"
            )
        inner = self.folder if _PLAIN_PATH.fullmatch(self.folder) and ".." not in self.folder.split("/") else ""
        try:
            for path in (self.beside / MASKS / name, self.beside / MASKS / inner / name):
                inside = path.resolve().is_relative_to(self.beside.resolve() / MASKS)
                if inside and path.is_file() and path.stat().st_size <= LARGEST_MASK_FILE:
                    return path.read_bytes()
        except OSError:  # too long a name, a loop of links, no right to read
            pass
        raise Refusal(
            "mask-missing", f"the mask {shown(name)} is not there; a file in {MASKS}/ beside the XML is expected"
        )

    def _corner(self, element: Element, shape: tuple[int, ...], name: str) -> tuple[int, int]:
        """Where a mask that is smaller than the picture lies: at its box, when it has the size of the box."""
        low = [round(number(text_of(element, f"segm/box/{key}").strip() or None, key)) for key in ("xmin", "ymin")]
        high = [round(number(text_of(element, f"segm/box/{key}").strip() or None, key)) for key in ("xmax", "ymax")]
        width, height = high[0] - low[0], high[1] - low[1]
        if shape not in ((height, width), (height + 1, width + 1)):
            found = f"the mask {shown(name)} has {shape[1]} x {shape[0]} pixels"
            raise Refusal("mask-size", f"{found}; the size of the picture or of the box of the object is expected")
        return low[0], low[1]


FORMAT = Format("labelme-xml", "LabelMe XML", _sniff, read, write)
