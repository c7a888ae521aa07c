"""YOLO segmentation labels: one text file a picture, one object a line, coordinates from 0 to 1.

A line is a class index and either x, y, x, y, ... of a polygon or the centre, width and height of a box. An empty file says that
there is nothing in the picture. The format: docs.ultralytics.com/datasets/segment.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

from limner.core.annotation import Annotation, AnnotationSet, Region
from limner.data.formats.fields import whole
from limner.data.formats.foreign import short
from limner.data.formats.format import Content, Format
from limner.data.formats.geometry import Note, Notes, Refusal
from limner.data.formats.ledger import Ledger
from limner.data.formats.relative import NORMALIZED
from limner.data.formats.yolo_lines import LONGEST_LINE, shape_of
from limner.data.formats.yolo_names import Names, find_names
from limner.data.formats.yolo_write import write

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
NO_LABELS = frozenset({"classes", "readme", "license", "requirements"})
LOOKED_AT = 20  # lines that tell what a file is


def sniff(content: Content) -> bool:
    """Most of the first lines are a whole number and at least four numbers; or an empty text file that may be a label."""
    lines = [line.split(maxsplit=6) for line in content.text[:LONGEST_LINE].splitlines() if line.strip()][:LOOKED_AT]
    if not lines:
        return content.path.suffix.lower() == ".txt" and content.path.stem.lower() not in NO_LABELS
    good = sum(len(words) >= 5 and whole(words[0]) is not None and _are_numbers(words[1:5]) for words in lines)
    return 2 * good > len(lines)


def _are_numbers(words: list[str]) -> bool:
    try:
        return all(math.isfinite(float(word)) for word in words)
    except ValueError:
        return False


def read(content: Content) -> AnnotationSet:
    """The objects of one picture, in shares of its sides; see `limner.data.formats.relative`."""
    ledger = Ledger.of(content)
    names = find_names(content.path)
    if names.file is None:
        text = "no data.yaml or classes.txt was found in the folder of the labels or above; indices are taken as names"
        ledger.warn("no-names", text)
    elif names.problem:
        ledger.warn("no-names", f"{names.problem}; indices are taken as names")
    regions = []
    kinds = {"polygon": 0, "box": 0}
    for number, line in enumerate(content.text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"line {number}"
        with ledger.record(where) as notes:
            region = _region(line, names, notes, where)
            kinds[region.kind] += 1
            regions.append(region)
    if kinds["box"]:
        mixed = f"{kinds['box']} lines are boxes (five numbers) and {kinds['polygon']} are polygons"
        ledger.warn("box", f"{mixed}; a box says where an object is, not what belongs to it")
    image, subset = _picture(content.path)
    return AnnotationSet(
        "yolo-seg", (Annotation(image, tuple(regions), subset=subset, attributes={NORMALIZED: True}),), names.classes,
        warnings=ledger.warnings, refused=ledger.refused, record={"names": {str(k): v for k, v in names.names.items()}},
    )  # fmt: skip


def _region(line: str, names: Names, notes: Notes, where: str) -> Region:
    """The object of one line."""
    if len(line) > LONGEST_LINE:
        raise Refusal("too-large", f"the line has {len(line)} signs; at most {LONGEST_LINE} are read")
    words = line.split()
    index = whole(words[0])
    if index is None or index < 0:
        raise Refusal("bad-class", f"the line begins with {short(words[0])!r}; a class index from 0 on is expected")
    shape = shape_of(words[1:], notes)
    if names.names and index not in names.names:
        notes.append(Note("unknown-class", f"the class index {index} is not among the {len(names.names)} names"))
    return Region(names.names.get(index) or str(index), shape, record=line.strip(), where=where)


def _picture(path: Path) -> tuple[str, str]:
    """The picture of a label file, as the path below ``labels/`` without suffix, and its subset, by the folders."""
    parts = path.absolute().with_suffix("").parts
    places = [index for index, part in enumerate(parts[:-1]) if part.lower() == "labels"]
    if not places:
        folder = parts[-2] if len(parts) > 1 else ""
        return parts[-1], folder if folder.lower() in SPLITS else ""
    below = parts[places[-1] + 1 :]
    above = parts[places[-1] - 1] if places[-1] > 0 else ""
    subset = next((part for part in (*below[:-1], above) if part.lower() in SPLITS), "")
    return str(PurePosixPath(*below)), subset


FORMAT = Format("yolo-seg", "YOLO segmentation", sniff, read, write)
