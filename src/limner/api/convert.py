"""The verb ``convert``: annotation files and masks, from any layout that is read to any that is written."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limner.api.convert_summary import annotation_summary, mask_summary
from limner.core.annotation import AnnotationSet, Problem
from limner.core.choices import nearest
from limner.core.errors import DataError, OutputError, UsageError
from limner.core.files import MARKER, check_output, prepare_output
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
from limner.data.items import Item, Layout
from limner.data.mask_folder import write_mask_folder
from limner.data.masks import MaskReading
from limner.data.open_layout import declared_for, find_annotated
from limner.data.outline import annotations_of
from limner.data.picture_names import entry_names

MASKS = "masks"
WITHOUT_CLASSES = frozenset({"via1", "via2", "via-csv"})  # these keep attributes, whichever names the class
_QUIET = Silent()


def writable() -> tuple[str, ...]:
    """The formats that can be written; what a person drew is never written as predictions."""
    truth = (entry for entry in FORMATS.values() if not entry.name.endswith(("-results", "-predictions")))
    return (MASKS, *sorted(entry.name for entry in truth if entry.write is not None))


# long because of its arguments and their docstring: the body is 37 lines
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
    DataError : nothing to read, classes that a person must decide, labels that are not declared, predictions, findings that block,
        pictures whose names cannot be told apart, or what was written cannot be read back; what was written is removed.
    OutputError : `dst` exists, lies inside `src`, or may not be written.
    """
    if to not in writable():
        expected = f"one of {', '.join(writable())}"
        raise UsageError(f"format '{to}'", expected=expected, where="--to", fix=nearest(to, writable()))
    src, dst = Path(src), Path(dst)
    if not dry_run:
        _check_apart(src, dst)
        check_output(dst, overwrite=overwrite, inputs=[src, *([Path(images)] if images else [])])
    found = find_annotated(
        src, images=Path(images) if images else None, class_attribute=class_attribute, default_class=default_class
    )
    if isinstance(found, Annotated):
        result = annotation_summary(found)
        if not dry_run:
            _check_decided(found, to)
            layout = _drawable(found, declared_for(src)) if to == MASKS else None
            with _whole_output(dst, overwrite=overwrite):
                if layout is not None:
                    _write_masks(dst, _dataset(found, layout), listener)
                else:
                    problems = _write_annotated(found, src, dst, to, listener)
                    result["warnings"] += [problem.as_dict() for problem in problems]
            result["out"] = str(dst)
        return result
    # leaks between given splits are carried over as they are; training will name them again
    dataset = open_dataset(src, allow=("SPLIT_LEAK", "FEW_SAMPLES", "EMPTY_MASKS"), listener=listener)
    result = mask_summary(dataset)
    if not dry_run:
        with _whole_output(dst, overwrite=overwrite):
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
            where=where, fix="export the annotations; or save the predictions as masks, and give their folder to `limner evaluate`",
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


@contextmanager
def _whole_output(dst: Path, *, overwrite: bool) -> Iterator[None]:
    """The output folder, empty; what was written to it is gone again when the data turn out to be at fault."""
    is_new = not dst.is_dir()
    prepare_output(dst, overwrite=overwrite)
    try:
        yield
    except DataError:
        for path in dst.iterdir():  # all of it is from this call
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MARKER or is_new:
                path.unlink()
        if is_new:
            dst.rmdir()
        raise


def _drawable(found: Annotated, declared: Declared) -> Layout:
    """The pictures with their regions as drawings; each region has an area or a class that is known, or it is an error."""
    layout = layout_of(found, declared, with_unlisted=True)  # nothing is left out on the way
    unknown = [one for one in layout.findings if one.code == "UNKNOWN_VALUE" and one.level == "error"]
    if unknown:
        raise DataError(
            unknown[0].message, expected="classes that limner.toml declares", where=declared.where or str(found.files[0]),
            fix=unknown[0].fix, details={"findings": [one.as_dict() for one in unknown]},
        )  # fmt: skip
    if layout.label_space is None:
        raise DataError(
            "no region has an area", expected="polygons, boxes, ellipses or masks",
            where=str(found.files[0]), fix="outline the objects",
        )  # fmt: skip
    if not layout.items:
        raise DataError(
            "no annotated picture was found", expected="at least one", where=str(found.files[0]),
            fix="say where the pictures are with --images FOLDER",
        )  # fmt: skip
    return layout


def _dataset(found: Annotated, layout: Layout) -> Dataset:
    """The data set of a layout of `_drawable`."""
    assert layout.label_space is not None
    names = {id(entry.annotation): name for entry, name in zip(found.entries, entry_names(found), strict=True)}
    items = [dataclasses.replace(item, name=names.get(id(_annotation(item)), item.name)) for item in layout.items]
    reading = MaskReading(layout.label_space, None, layout.words)
    return Dataset(
        found.root, tuple(sorted(items, key=lambda item: item.name)), layout.label_space, reading, layout.split_rule,
        found.format, spacing=layout.declared.spacing,
    )  # fmt: skip


def _annotation(item: Item) -> object:
    return item.drawing.annotation if item.drawing is not None else None


def _write_annotated(found: Annotated, src: Path, dst: Path, to: str, listener: Listener) -> tuple[Problem, ...]:
    parts = given_splits(found)
    same = len(found.sets) == 1 and found.sets[0].format == to
    kept = [  # no other format can say that nobody has looked at a picture
        (entry, name)
        for entry, name in zip(found.entries, entry_names(found), strict=True)
        if entry.annotation.is_annotated or found.format == to
    ]
    merged = AnnotationSet(
        found.format,
        tuple(
            dataclasses.replace(entry.annotation, subset=entry.annotation.subset or parts.get(id(entry), ""))
            for entry, _ in kept
        ),
        tuple(dict.fromkeys(name for one in found.sets for name in one.classes)) or found.classes(),
        record=found.sets[0].record if same else _stated(found, declared_for(src)),
    )
    pictures = [_picture(found, entry, name) for entry, name in kept]
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


def _picture(found: Annotated, entry: Entry, name: str) -> Item | None:
    if not entry.match.picture and entry.annotation.pixels is None:
        return None
    return Item(name, found.root / name, None, drawing=Drawing(entry.annotation, {}))
