"""The verb ``convert``: annotation files and masks, from any layout that is read to any that is written."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

from limner.core.annotation import AnnotationSet, Points, Problem
from limner.core.choices import nearest
from limner.core.errors import DataError, OutputError, UsageError
from limner.core.files import check_output, prepare_output
from limner.core.protocols import Listener, Silent
from limner.data.annotated import given_splits, layout_of
from limner.data.annotated_set import Annotated, Entry
from limner.data.annotated_things import things_of
from limner.data.annotation_folder import write_annotation_folder
from limner.data.dataset import Dataset, open_dataset
from limner.data.declared import Declared
from limner.data.drawing import Drawing
from limner.data.formats import FORMATS
from limner.data.formats.coco_categories import stating
from limner.data.instance_folder import write_instance_folder
from limner.data.items import Item
from limner.data.mask_folder import write_mask_folder
from limner.data.masks import MaskReading
from limner.data.open_layout import declared_for, find_annotated
from limner.data.outline import annotations_of

MASKS = "masks"
WITHOUT_CLASSES = frozenset({"via1", "via2", "via-csv"})  # these keep attributes, whichever names the class
_QUIET = Silent()


def writable() -> tuple[str, ...]:
    """The formats that can be written; what a person drew is never written as predictions."""
    truth = (entry for entry in FORMATS.values() if not entry.name.endswith(("-results", "-predictions")))
    return (MASKS, *sorted(entry.name for entry in truth if entry.write is not None))


# long because of its arguments and their docstring: the body is 32 lines
def convert(
    src: Path | str,
    dst: Path | str,
    *,
    to: str = MASKS,
    images: Path | str | None = None,
    class_attribute: str | None = None,
    default_class: str | None = None,
    dry_run: bool = False,
    overwrite: bool = False,
    listener: Listener = _QUIET,
) -> dict[str, Any]:
    """Read `src` and write it to `dst` in another format; the originals stay as they are.

    Parameters
    ----------
    src : a data folder or an annotation file.
    dst : a new folder.
    to : the format to write, one of `writable`.
    images : where the pictures of annotation files are; None = beside or above them.
    class_attribute : which attribute of VIA files names the class.
    default_class : class of regions that have none.
    dry_run : count what would be written, and write nothing.
    overwrite : replace `dst` when an earlier call made it.
    listener : hears of progress.

    Returns
    -------
    The JSON document: ``format`` read, ``images``, ``images_without_objects``, ``objects`` (None for masks that do not tell
    objects apart), ``classes`` (objects of each class; where they are not told apart pictures that show it), ``shapes``,
    ``missing_images``, ``warnings``, ``refused``, and ``out`` when something was written. Pictures that are missing and
    objects that are refused are left out, and the good rest is written.

    Raises
    ------
    UsageError : `to` is not a format that can be written.
    DataError : nothing to read, classes that a person must decide, predictions, or findings that block.
    OutputError : `dst` exists, lies inside `src`, or may not be written.
    """
    if to not in writable():
        expected = f"one of {', '.join(writable())}"
        raise UsageError(f"format '{to}'", expected=expected, where="--to", fix=nearest(to, writable()))
    src, dst = Path(src), Path(dst)
    if not dry_run:
        _check_apart(src, dst)
        check_output(dst, overwrite=overwrite)
    found = find_annotated(
        src, images=Path(images) if images else None, class_attribute=class_attribute, default_class=default_class
    )
    if isinstance(found, Annotated):
        result = _annotation_summary(found)
        if not dry_run:
            _check_decided(found, to)
            prepare_output(dst, overwrite=overwrite)
            problems = _write_annotated(found, src, dst, to, listener)
            result["warnings"] += [problem.as_dict() for problem in problems]
            result["out"] = str(dst)
        return result
    # leaks between given splits are carried over as they are; training will name them again
    dataset = open_dataset(src, allow=("SPLIT_LEAK", "FEW_SAMPLES", "EMPTY_MASKS"), listener=listener)
    result = _mask_summary(dataset)
    if not dry_run:
        prepare_output(dst, overwrite=overwrite)
        if to == MASKS:
            _write_masks(dst, dataset, listener)
        else:
            regions = annotations_of(dataset, listener=listener)
            problems = write_annotation_folder(dst, regions, dataset.items, FORMATS[to], listener=listener)
            result["warnings"] += [problem.as_dict() for problem in problems]
        result["out"] = str(dst)
    return result


def _check_apart(src: Path, dst: Path) -> None:
    source, target = src.resolve(), dst.resolve()
    folder = source if source.is_dir() else source.parent
    inside = source.is_dir() and folder in target.parents
    if target == source or inside or target in source.parents:
        raise OutputError(
            f"{dst} overlaps with {src}",
            expected="a folder beside the data",
            where=str(dst),
            fix="choose another folder",
        )


def _check_decided(found: Annotated, to: str) -> None:
    """Refuse predictions, undecided classes, and files of which no picture is there when pixels are wanted."""
    where = ", ".join(str(path) for path in found.files[:3])
    if found.sets[0].is_prediction:
        raise DataError(
            f"{found.files[0].name} holds predictions with scores, not truth", expected="annotations that a person made",
            where=where, fix="give it to `limner evaluate` as the model",
        )  # fmt: skip
    if found.undecided and to not in WITHOUT_CLASSES:
        raise DataError(
            found.undecided[0].message, expected="one class for every region", where=where,
            fix="say which with --class-attribute NAME, or give those without one a class with --default-class NAME",
            details={"undecided": [problem.as_dict() for problem in found.undecided]},
        )  # fmt: skip
    if found.doubts:
        raise DataError(
            found.doubts[0].message, expected="regions drawn on the picture as it is now", where=where,
            fix="give the pictures that were annotated, or export the annotations again",
            details={"doubts": [problem.as_dict() for problem in found.doubts]},
        )  # fmt: skip
    if to == MASKS and found.entries and len(found.missing) == len(found.entries):
        raise DataError(
            f"none of the {len(found.entries)} pictures was found below {found.root}", expected="the annotated pictures",
            where=where, fix="say where they are with --images FOLDER",
        )  # fmt: skip


def _write_annotated(found: Annotated, src: Path, dst: Path, to: str, listener: Listener) -> tuple[Problem, ...]:
    if to == MASKS:
        layout = layout_of(found, declared_for(src))
        if layout.label_space is None:
            raise DataError(
                "no region has an area", expected="polygons, boxes, ellipses or masks",
                where=str(found.files[0]), fix="outline the objects",
            )  # fmt: skip
        reading = MaskReading(layout.label_space, None, layout.words)
        dataset = Dataset(
            found.root, layout.items, layout.label_space, reading, layout.split_rule, found.format,
            spacing=layout.declared.spacing,
        )  # fmt: skip
        _write_masks(dst, dataset, listener)
        return ()
    parts = given_splits(found)
    same = len(found.sets) == 1 and found.sets[0].format == to
    merged = AnnotationSet(
        found.format,
        tuple(
            dataclasses.replace(entry.annotation, subset=entry.annotation.subset or parts.get(id(entry), ""))
            for entry in found.entries
        ),
        tuple(dict.fromkeys(name for one in found.sets for name in one.classes)) or found.classes(),
        record=found.sets[0].record if same else _stated(found, declared_for(src)),
    )
    pictures = [_picture(found, entry) for entry in found.entries]
    return write_annotation_folder(dst, merged, pictures, FORMATS[to], listener=listener)


def _stated(found: Annotated, declared: Declared) -> dict[str, Any] | None:
    """Which classes are things and which stuff, where some are, for the formats that say so."""
    things = things_of(found, found.classes(), declared)
    stuff = [name for name in found.classes() if name not in things]
    return stating(stuff, things) or None if things else None


def _write_masks(dst: Path, dataset: Dataset, listener: Listener) -> None:
    write_mask_folder(dst, dataset, listener=listener)
    if dataset.label_space.things:
        write_instance_folder(dst, dataset, listener=listener)


def _picture(found: Annotated, entry: Entry) -> Item | None:
    if not entry.match.picture and entry.annotation.pixels is None:
        return None
    name = entry.match.picture or entry.annotation.image
    return Item(name, found.root / name, None, drawing=Drawing(entry.annotation, {}))


def _annotation_summary(found: Annotated) -> dict[str, Any]:
    images = [image for one in found.sets for image in one.images]
    regions = [region for entry in found.entries for region in entry.annotation.regions]
    return {
        "format": found.format,
        "images": len(images),
        "images_without_objects": sum(not image.regions for image in images),
        "objects": len(regions),
        "classes": dict(Counter(region.label for region in regions)),
        "shapes": dict(Counter(region.kind for region in regions)),
        "points_without_area": sum(isinstance(region.shape, Points) for region in regions),
        "missing_images": [entry.annotation.image for entry in found.missing],
        "warnings": [problem.as_dict() for problem in (*found.undecided, *found.doubts, *found.all_warnings)],
        "refused": [problem.as_dict() for problem in found.all_refused],
    }


def _mask_summary(dataset: Dataset) -> dict[str, Any]:
    space = dataset.label_space
    shown = dict.fromkeys(space.foreground_names, 0)
    empty = 0
    for item in dataset.items:
        fact = dataset.facts[item.name]
        present = [index for index, number in fact.pixels.items() if index > 0 and number]
        empty += not present
        for index in present:
            is_counted = index in space.thing_ids and fact.things is not None
            shown[space.names[index]] += fact.objects[index].count if is_counted and index in fact.objects else 1
    num_objects = sum(shown[name] for name in space.things) if space.things else None
    warnings = [
        {"code": finding.code, "message": finding.message, "file": next(iter(finding.files), ""), "where": ""}
        for finding in dataset.findings
        if finding.level in ("warning", "fixed")
    ]
    return {
        "format": dataset.format,
        "images": len(dataset.items),
        "images_without_objects": empty,
        "objects": num_objects,
        "classes": shown,
        "shapes": {"mask": len(dataset.items) if num_objects is None else num_objects},
        "missing_images": [],
        "warnings": warnings,
        "refused": [],
    }
