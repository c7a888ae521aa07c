"""Annotation files: recognised by their content, never by their names; read one by one; nothing in them is opened or fetched."""

from __future__ import annotations

from pathlib import Path

from limner.core.annotation import AnnotationSet
from limner.core.errors import DataError
from limner.data.formats import (
    coco,
    coco_panoptic,
    cvat,
    label_studio,
    labelme,
    labelme_xml,
    via,
    via3,
    via_csv,
    yolo_seg,
)
from limner.data.formats.format import Content, Format, read_content

__all__ = ["FORMATS", "read_annotations", "read_content", "recognise"]

# asked in this order: what is particular before what is general
FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        via3.FORMAT, via.VIA2, via.VIA1, labelme.FORMAT, label_studio.PREDICTIONS, label_studio.FORMAT,
        coco_panoptic.FORMAT, coco.RESULTS, coco.FORMAT, cvat.FORMAT, labelme_xml.FORMAT, via_csv.FORMAT, yolo_seg.FORMAT,
    )
}  # fmt: skip


def recognise(content: Content) -> Format | None:
    """The format of a content; None when it is no annotation file that is known."""
    return next((entry for entry in FORMATS.values() if entry.sniff(content)), None)


def read_annotations(path: Path) -> AnnotationSet:
    """All regions of one annotation file.

    Raises
    ------
    DataError : not a file, not text, damaged as a whole, or of no known format. Single bad records are in ``refused``.
    """
    if not path.is_file():
        raise DataError(
            f"{path} {'is a folder' if path.is_dir() else 'does not exist'}", expected="an annotation file",
            where=str(path), fix="check the spelling",
        )  # fmt: skip
    content = read_content(path)
    entry = recognise(content)
    if entry is None:
        raise DataError(
            f"{path.name} is no annotation file that is known",
            expected=f"one of {', '.join(sorted(entry.words for entry in FORMATS.values()))}", where=str(path),
            fix="export the annotations in one of these formats; the name of the file does not matter",
        )  # fmt: skip
    return entry.read(content)
