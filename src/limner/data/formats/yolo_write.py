"""Write YOLO segmentation: ``labels/`` beside ``images/``, one line a ring, and the class names in ``data.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from limner.core.annotation import Annotation, AnnotationSet, PointsXY, Polygon, Problem, Region
from limner.core.files import write_text
from limner.data.formats import yolo_lines
from limner.data.formats.cover import cover, has_area, outline
from limner.data.formats.file_names import annotation_paths, inner_path
from limner.data.formats.geometry import Refusal
from limner.data.formats.json_text import to_json
from limner.data.formats.ledger import Ledger
from limner.data.formats.relative import is_normalized, scaled, shares
from limner.data.formats.subsets import subset_word
from limner.data.images import SUFFIXES
from limner.data.polygons import polygons_of_mask

MOST_GAPS = 1000


def write(annotations: AnnotationSet, folder: Path) -> tuple[Problem, ...]:
    """Write a label file for each picture, empty where it has no region, ``data.yaml``, and a list of pictures a subset."""
    path = folder / "data.yaml"
    ledger = Ledger(str(path))
    kept = [image for image in annotations.images if _has_size(image, ledger)]
    indices = _indices(annotations)
    is_own = annotations.format == "yolo-seg"
    names = [str(_picture_path(image)) for image in kept]
    for image, path_of_labels in zip(kept, annotation_paths(names, ".txt"), strict=True):
        lines: list[str] = []
        for region in sorted(image.regions, key=lambda region: region.order):  # of several classes the later is on top
            with ledger.record(f"{image.image}, {region.where}" if region.where else image.image):
                lines += _lines(region, image, indices, is_own, ledger)
        write_text(folder / "labels" / path_of_labels, "".join(f"{line}\n" for line in lines))
    subsets: dict[str, list[str]] = {}
    for image, name in zip(kept, names, strict=True):
        subsets.setdefault(_split(image.subset), []).append(f"./images/{name}\n")
    text = ["path: .\n"]
    for subset, listed in subsets.items():
        if subset:
            write_text(folder / f"{subset}.txt", "".join(listed))
            text.append(f"{subset}: {subset}.txt\n")
    if set(subsets) <= {""}:
        text.append("train: images\n")
    text.append("names:\n" if indices else "names: {}\n")
    by_index = {index: name for name, index in indices.items()}
    count = max(by_index, default=-1) + 1
    text += [f"  {index}: {to_json(by_index.get(index, str(index))).strip()}\n" for index in range(count)]
    write_text(path, "".join(text))
    return (*ledger.warnings, *ledger.refused)


def _has_size(image: Annotation, ledger: Ledger) -> bool:
    if image.size_hw is not None or is_normalized(image) or not image.regions:
        return True
    text = f"{image.image}: its size is not known, and shares of it are needed; its {len(image.regions)} regions are left out"
    ledger.refuse("no-size", text, image.where)
    return False


def _picture_path(image: Annotation) -> PurePosixPath:
    """Where the picture lies below ``images/``; with a suffix, also where the name that was read has none."""
    path = inner_path(image.image)
    return path if path.suffix.lower() in SUFFIXES else path.with_name(f"{path.name}.jpg")


def _split(subset: str) -> str:
    """The name of a subset as YOLO has it."""
    word = subset_word(subset)
    known = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
    return known.get(word.lower(), word)


def _indices(annotations: AnnotationSet) -> dict[str, int]:
    """The index of each class: as read, then declared ones, then the others by name; digits that stood for names are indices."""
    record = annotations.record if annotations.format == "yolo-seg" and isinstance(annotations.record, dict) else {}
    own = record.get("names")
    indices: dict[str, int] = {}
    for key, name in (own if isinstance(own, dict) else {}).items():
        indices.setdefault(name, int(key))
    regions = [region for image in annotations.images for region in image.regions if not region.is_ignored]
    labels = sorted({region.label for region in regions if region.label})
    if annotations.format == "yolo-seg" and not indices and not annotations.classes:
        numbers = {label: int(label) for label in labels if label.isdecimal() and len(label) < 5}
        indices = {label: number for label, number in numbers.items() if number < MOST_GAPS}
    for name in dict.fromkeys((*annotations.classes, *labels)):
        if name not in indices:
            indices[name] = max(indices.values(), default=-1) + 1
    return indices


def _lines(region: Region, image: Annotation, indices: dict[str, int], is_own: bool, ledger: Ledger) -> Iterator[str]:
    """The lines of one region."""
    if region.is_ignored:
        raise Refusal("ignored", "pixels that are not known, which YOLO cannot say; they become background")
    if region.label not in indices:
        raise Refusal("no-class", "the region has no class, and YOLO needs one")
    if not has_area(region.shape):
        raise Refusal("no-area", "a line or point, which has no area; YOLO holds areas alone")
    index = indices[region.label]
    if region.group and not is_own:
        ledger.warn("group-lost", "a part of an object, which YOLO cannot say; the parts are separate", region.where)
    if is_own and isinstance(region.record, str):
        words = region.record.split()
        if _is_unchanged(words[1:], region, image):
            yield " ".join([str(index), *words[1:]])
            return
    rings = _rings(region, image, ledger)
    if len(rings) > 1:
        ledger.warn("parts-split", "the region has several parts; YOLO has one line for each, as if they were objects")
    size_hw = (1, 1) if is_normalized(image) or image.size_hw is None else image.size_hw
    for ring in rings:
        yield " ".join([str(index), *(repr(value) for value in shares(ring, size_hw).ravel().tolist())])


def _is_unchanged(words: list[str], region: Region, image: Annotation) -> bool:
    try:
        shape = yolo_lines.shape_of(words, [])
    except Refusal:
        return False
    if not is_normalized(image) and image.size_hw is not None:
        shape = scaled(shape, image.size_hw[1], image.size_hw[0])
    return shape == region.shape


def _rings(region: Region, image: Annotation, ledger: Ledger) -> list[PointsXY]:
    """The outer rings of a region: as drawn where they lie within the picture, else along the borders of its pixels."""
    shape = region.shape
    if isinstance(shape, Polygon) and shape.holes:
        ledger.warn("holes-filled", "the region has holes, which YOLO cannot hold; they are filled", region.where)
        shape = Polygon(shape.rings)
    polygon = outline(shape)
    size_hw = image.size_hw
    if is_normalized(image) or size_hw is None:
        if polygon is None:
            raise Refusal("no-size", "the size of its picture is not known, and a mask or ellipse needs it")
        return list(polygon.rings)
    if polygon is not None and all(_is_within(ring, size_hw) for ring in polygon.rings):
        return list(polygon.rings)
    bitmap = cover(shape, size_hw)
    if bitmap is None:
        raise Refusal("no-area", "the region covers no pixel of the picture")
    if polygon is None:
        ledger.warn(
            "as-polygon", "a mask or ellipse is written as polygons along the borders of its pixels", region.where
        )
    else:
        ledger.warn(
            "out-of-bounds", "what lies outside the picture is cut off along the borders of pixels", region.where
        )
    found = polygons_of_mask(bitmap.mask)
    if found.holes:
        ledger.warn("holes-filled", "the region has holes, which YOLO cannot hold; they are filled", region.where)
    return [ring + np.array([bitmap.x, bitmap.y], np.float64) for ring in found.rings]


def _is_within(ring: PointsXY, size_hw: tuple[int, int]) -> bool:
    return bool((ring >= 0).all() and (ring <= np.array([size_hw[1], size_hw[0]])).all())
