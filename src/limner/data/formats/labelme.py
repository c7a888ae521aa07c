"""LabelMe JSON (labelme, AnyLabeling): one file per picture, with a list of shapes.

``{"shapes": [{"label", "points": [[x, y], ...], "shape_type", "group_id", "flags", "mask"}], "imagePath", "imageData",
"imageHeight", "imageWidth", "flags"}``. A rectangle is two opposite corners, a circle its centre and a point on the rim, a mask
a PNG cropped to its box, of which the first point is the upper left pixel. Shapes of one label with the same `group_id` are one
object, ``__ignore__`` marks pixels that are not known, and a file with flags alone tags its picture.

Source: labelme 5.7 and 7.0, https://github.com/wkentaro/labelme, read as documentation.
"""

from __future__ import annotations

from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Region
from limner.data.formats import embedded
from limner.data.formats.fields import identifier, size_of
from limner.data.formats.file_names import slashes
from limner.data.formats.foreign import IGNORED, as_dict, entries, plain, shown, warn_of_copies
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.geometry import Notes, Refusal
from limner.data.formats.labelme_shapes import read_shape
from limner.data.formats.labelme_write import read_answers, write
from limner.data.formats.ledger import Ledger

_OF_FILE = ("imagePath", "imageData", "imageHeight", "imageWidth")


def _sniff(content: Content) -> bool:
    document = content.json
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), (list, dict)):
        return False
    return any(key in document for key in _OF_FILE)


def read(content: Content) -> AnnotationSet:
    """The shapes of a LabelMe file, with their labels."""
    document = content.json
    if not isinstance(document, dict) or not _sniff(content):
        raise wrong(content, "no shapes of LabelMe", "an object with shapes and imagePath")
    ledger = Ledger.of(content)
    raw_shapes = document["shapes"]
    if isinstance(raw_shapes, dict) and "points" in raw_shapes:
        raw_shapes = [raw_shapes]  # one shape that was not put into a list
    regions = []
    for index, raw in entries(raw_shapes):
        where = f"shapes/{index}"
        with ledger.record(where) as notes:
            regions.append(_region(raw, ledger, where, notes))
    name = document.get("imagePath")
    if not isinstance(name, str) or not name.strip():
        name = content.path.stem
        ledger.warn("no-file-name", f"imagePath is missing; the name of this file is taken: {shown(name)}")
    warn_of_copies(ledger, ((region.record, region.where) for region in regions), name)
    size_hw = size_of(document.get("imageHeight"), document.get("imageWidth"))
    if size_hw is None and (document.get("imageHeight") is not None or document.get("imageWidth") is not None):
        found = f"{shown(document.get('imageHeight'))} x {shown(document.get('imageWidth'))}"
        ledger.warn("bad-size", f"imageHeight x imageWidth is {found}; the size of the picture itself counts")
    pixels = _pixels(document.get("imageData"), ledger)
    left_out = ("shapes",) if pixels is None else ("shapes", "imageData")
    record = {key: value for key, value in document.items() if key not in left_out}
    image = Annotation(
        slashes(name), tuple(regions), size_hw=size_hw, pixels=pixels, attributes=dict(as_dict(document.get("flags"))),
        record=record,
    )  # fmt: skip
    return AnnotationSet("labelme", (image,), warnings=ledger.warnings, refused=ledger.refused)


def _pixels(data: Any, ledger: Ledger) -> bytes | None:
    if not isinstance(data, str) or not data:
        return None
    try:
        return embedded.picture(data)
    except Refusal as refusal:
        ledger.warn(refusal.code, f"{refusal.message}; the picture is looked for as a file", "imageData")
        return None


def _region(raw: Any, ledger: Ledger, where: str, notes: Notes) -> Region:
    if not isinstance(raw, dict):
        raise Refusal("not-a-shape", f"the shape is {shown(raw)}; an object with label and points is expected")
    label = plain(raw.get("label"))
    group = identifier(raw.get("group_id"))
    return Region(
        label, read_shape(raw, ledger, notes), group=f"{label}:{group}" if group else "", is_ignored=label == IGNORED,
        score=_score(raw.get("score")), attributes=read_answers(raw), record=raw, where=where,
    )  # fmt: skip


def _score(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None


FORMAT = Format("labelme", "LabelMe JSON (labelme, AnyLabeling)", _sniff, read, write)
