"""Annotation files with their pictures as a layout: one reading, one set of classes, every doubt a finding."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from limner.core.annotation import AnnotationSet
from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.data.annotated_findings import findings_of
from limner.data.annotated_set import BOXES_LOCATE, Annotated, Entry
from limner.data.annotated_things import things_of
from limner.data.annotation_formats import OneFormat, annotation_files, damage, read_one_format
from limner.data.declared import Declared
from limner.data.drawing import Drawing
from limner.data.findings import Finding
from limner.data.fitting import Fitted, fit_annotation
from limner.data.formats import FORMATS
from limner.data.formats.classes import choose_classes
from limner.data.formats.format import ORDERLESS
from limner.data.gathered import Gathered
from limner.data.items import Item, Layout
from limner.data.joined_entries import join, part_of
from limner.data.layouts import MASK_FOLDERS, SPLITS
from limner.data.matching import Pictures
from limner.data.picture_names import entry_names
from limner.data.pixels import load_header

__all__ = ["annotation_files", "given_splits", "layout_of", "put_together", "read_annotated"]


def read_annotated(
    files: Sequence[Path], *, images: Path | None = None, class_attribute: str | None = None,
    default_class: str | None = None,
) -> Gathered | None:  # fmt: skip
    """Read annotation files and find their pictures.

    Parameters
    ----------
    files : one file, or what `annotation_files` found; files of no known format are passed over when there are several.
    images : where the pictures are; None = below the folder of the files.
    class_attribute, default_class : see `choose_classes`.

    Returns
    -------
    None when none of several files is of a known format.

    Raises
    ------
    DataError : one file and not of a known format, damaged, or files of several formats.
    """
    found = read_one_format(files, is_meant=len(files) == 1)
    if not found.kept:
        return None
    return put_together(found, images=images, class_attribute=class_attribute, default_class=default_class)


def put_together(
    found: OneFormat,
    *,
    images: Path | None = None,
    class_attribute: str | None = None,
    default_class: str | None = None,
) -> Gathered:
    """Find the pictures of annotation files that were read, at least one, and join what several say about one picture.

    Parameters
    ----------
    found : the files.
    images, class_attribute, default_class : see `read_annotated`.
    """
    root = images if images is not None else _pictures_folder([path for path, _ in found.kept])
    pictures = Pictures(root)
    sets, asked, words, undecided = [], [], [], []
    for path, one in found.kept:
        chosen = choose_classes(one, class_attribute=class_attribute, default_class=default_class)
        folder = path.parent.relative_to(root).as_posix() if path.parent.is_relative_to(root) else ""
        sets.append(chosen.annotations)
        words.append(chosen.words)
        undecided += [dataclasses.replace(problem, file=problem.file or str(path)) for problem in chosen.problems]
        asked += [(image, folder, path) for image in chosen.annotations.images]
    matches = pictures.find_all([(image, folder) for image, folder, _ in asked], [path for _, _, path in asked])
    entries = [Entry(image, match, path) for (image, _, path), match in zip(asked, matches, strict=True)]
    fitted = [_fitted(entry, root) for entry in entries]
    joined = join([entry for entry, _ in fitted])
    named = {entry.match.picture for entry in joined.entries}
    unused = tuple(name for name in pictures.names if name not in named and not _is_drawing(name, found.kept))
    fits = [fit for _, fit in fitted if fit]
    gathered = Gathered(
        root, tuple(path for path, _ in found.kept), tuple(sets), joined.entries,
        "; ".join(dict.fromkeys(word for word in words if word)), tuple(undecided),
        (*(p for fit in fits for p in fit.warnings), *joined.repeated), tuple(p for fit in fits for p in fit.refused),
        tuple(p for fit in fits for p in fit.doubts), unused, damage(found, pictures.names),
    )  # fmt: skip
    # a picture in two parts leaks where the parts are a split, and only there
    return dataclasses.replace(gathered, findings=joined.leaks) if given_splits(gathered) else gathered


def _fitted(entry: Entry, root: Path) -> tuple[Entry, Fitted | None]:
    """The entry in pixels of its picture, whose header alone is read; unchanged where there is none."""
    item = Item(entry.match.picture, root / entry.match.picture, None, drawing=Drawing(entry.annotation, {}))
    if not entry.match.picture and entry.annotation.pixels is None:
        return entry, None
    try:
        header = load_header(item)
    except DataError:
        return entry, None  # the survey names it
    fitted = fit_annotation(entry.annotation, header, file=str(entry.file))
    return dataclasses.replace(entry, annotation=fitted.annotation), fitted


def _pictures_folder(files: Sequence[Path]) -> Path:
    """Where the pictures of these files lie: the folder that holds all files, or the one above ``annotations/``."""
    folders = [path.resolve().parent for path in files]
    root = folders[0]
    while not all(folder.is_relative_to(root) for folder in folders):
        root = root.parent
    while root.name.lower() in MASK_FOLDERS or (
        root.name.lower() in SPLITS and root.parent.name.lower() in MASK_FOLDERS
    ):
        root = root.parent
    return root


def _is_drawing(name: str, kept: Sequence[tuple[Path, AnnotationSet]]) -> bool:
    """The file is not a picture but a mask that an annotation file refers to (LabelMe XML, COCO panoptic)."""
    parts = {part.lower() for part in PurePosixPath(name).parts[:-1]}
    return bool(parts & {"masks", "scribbles"}) or any(
        one.format == "coco-panoptic" and path.stem.lower() in parts for path, one in kept
    )


def layout_of(annotated: Annotated, declared: Declared, *, with_unlisted: bool = False) -> Layout:
    """The pictures that were found, with their regions as drawings, and what a person should know about them.

    Parameters
    ----------
    annotated : the files and their pictures.
    declared : what ``limner.toml`` says.
    with_unlisted : also pictures that ``splits.csv`` does not list, without a part.
    """
    names = annotated.classes()
    space, unknown = _label_space(names, declared)
    things = things_of(annotated, space.names[1:], declared) if space else ()
    space = dataclasses.replace(space, things=things) if space else None
    ids = {name: index for index, name in enumerate(space.names) if index > 0} if space else {}
    given = given_splits(annotated)
    gathered = annotated if isinstance(annotated, Gathered) else None
    listed = gathered.listed if gathered else None
    items = []
    for entry, name in zip(annotated.entries, entry_names(annotated), strict=True):
        if (not entry.match.picture and entry.annotation.pixels is None) or not entry.annotation.is_annotated:
            continue
        if listed and name not in listed.parts and not with_unlisted:
            continue
        drawing = Drawing(
            entry.annotation, ids, annotated.format not in BOXES_LOCATE, frozenset(things),
            annotated.format not in ORDERLESS,
        )  # fmt: skip
        group = declared.group_of(name) or (listed.parts.get(name, ("", ""))[1] if listed else "")
        items.append(Item(name, annotated.root / name, None, given.get(id(entry), ""), group, drawing=drawing))
    rule = f"given by the annotation files ({', '.join(sorted(set(given.values())))})" if given else ""
    findings = findings_of(gathered.regions_only() if gathered else annotated)
    about_files = gathered.file_findings() if gathered else ()
    return Layout(
        tuple(sorted(items, key=lambda item: item.name)), (), (), (),
        listed.unlisted if listed and not with_unlisted else (),
        listed.rule if listed else rule, declared,
        format=annotated.format, findings=(*about_files, *findings, *unknown), label_space=space,
        words=_words(annotated, names, things),
    )  # fmt: skip


def _label_space(names: tuple[str, ...], declared: Declared) -> tuple[LabelSpace | None, tuple[Finding, ...]]:
    """The classes: declared ones to the letter, else the labels that occur."""
    if not declared.classes:
        return (LabelSpace(("background", *names)) if names else None), ()
    space = LabelSpace(declared.classes, declared.colors)
    strange = [name for name in names if name not in declared.classes]
    if not strange:
        return space, ()
    text = f"labels that limner.toml does not declare: {', '.join(repr(name) for name in strange[:8])}"
    fix = "declare them in limner.toml, or correct the labels"
    return space, (Finding("UNKNOWN_VALUE", "error", len(strange), text, (), fix),)


def given_splits(annotated: Annotated) -> dict[int, str]:
    """The part of each entry, by identity: to the letter where pictures are listed, else when all have one and there is a train."""
    has_picture = [entry for entry in annotated.entries if entry.match.picture or entry.annotation.pixels is not None]
    if isinstance(annotated, Gathered) and annotated.listed is not None:
        return {id(entry): entry.annotation.subset for entry in has_picture if entry.annotation.subset}
    parts = {id(entry): part_of(entry) for entry in has_picture}
    return parts if all(parts.values()) and "train" in parts.values() and len(set(parts.values())) > 1 else {}


def _words(annotated: Annotated, names: Sequence[str], things: Sequence[str]) -> str:
    words = FORMATS[annotated.format].words
    text = f"regions of {words} are drawn; what comes later lies on top; classes: {', '.join(names) or 'none'}"
    if things:
        which = "all classes" if set(things) >= set(names) else ", ".join(things)
        text += f"; each region of {which} is an object"
        if annotated.format in ORDERLESS and annotated.format != "coco-panoptic":  # of which a pixel has one alone
            text += ", of one class the smaller on top"
    return f"{text}; {annotated.words}" if annotated.words else text
