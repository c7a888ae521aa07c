"""Annotation files with their pictures as a layout: one reading, one set of classes, every doubt a finding."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from limner.core.annotation import AnnotationSet
from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.data.annotated_findings import findings_of
from limner.data.annotated_set import BOXES_LOCATE, Annotated, Entry
from limner.data.annotated_things import things_of
from limner.data.declared import Declared
from limner.data.drawing import Drawing
from limner.data.findings import Finding
from limner.data.fitting import Fitted, fit_annotation
from limner.data.formats import FORMATS, read_content, recognise
from limner.data.formats.classes import choose_classes
from limner.data.formats.format import ORDERLESS
from limner.data.items import Item, Layout
from limner.data.layouts import MASK_FOLDERS, SPLITS
from limner.data.matching import Pictures
from limner.data.pixels import load_header

SUFFIXES = frozenset({".json", ".xml", ".csv", ".txt"})
NOT_ANNOTATIONS = frozenset({"splits.csv", "classes.txt", "requirements.txt", "readme.txt", "license.txt"})


def annotation_files(folder: Path) -> tuple[Path, ...]:
    """Files below `folder` that may hold annotations, by suffix; none is opened."""
    return tuple(path for path in _candidates(folder) if path.name.lower() not in NOT_ANNOTATIONS)


def _candidates(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in relative.parts):
            yield path


def read_annotated(
    files: Sequence[Path], *, images: Path | None = None, class_attribute: str | None = None,
    default_class: str | None = None,
) -> Annotated | None:  # fmt: skip
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
    kept = _of_one_format(files)
    if not kept:
        return None
    root = images if images is not None else _pictures_folder([path for path, _ in kept])
    pictures = Pictures(root)
    sets, entries, words, undecided = [], [], [], []
    for path, found in kept:
        chosen = choose_classes(found, class_attribute=class_attribute, default_class=default_class)
        folder = path.parent.relative_to(root).as_posix() if path.parent.is_relative_to(root) else ""
        sets.append(chosen.annotations)
        words.append(chosen.words)
        undecided += [dataclasses.replace(problem, file=problem.file or str(path)) for problem in chosen.problems]
        entries += [Entry(image, pictures.find(image, folder), path) for image in chosen.annotations.images]
    fitted = [_fitted(entry, root) for entry in entries]
    entries = _joined([entry for entry, _ in fitted])
    named = {entry.match.picture for entry in entries}
    unused = tuple(name for name in pictures.names if name not in named and not _is_drawing(name, kept))
    return Annotated(
        root, tuple(path for path, _ in kept), tuple(sets), tuple(entries),
        "; ".join(dict.fromkeys(word for word in words if word)), tuple(undecided),
        tuple(p for _, fit in fitted if fit for p in fit.warnings),
        tuple(p for _, fit in fitted if fit for p in fit.refused),
        tuple(p for _, fit in fitted if fit for p in fit.doubts), unused,
    )  # fmt: skip


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


def _of_one_format(files: Sequence[Path]) -> list[tuple[Path, AnnotationSet]]:
    """The files of the one format that they have, read; predictions only when there is no truth."""
    by_format: dict[str, list[tuple[Path, AnnotationSet]]] = defaultdict(list)
    for path in files:
        try:
            content = read_content(path)
        except DataError:
            if len(files) == 1:
                raise
            continue  # one of many that merely looks like annotations
        entry = recognise(content)
        if entry is not None:
            by_format[entry.name].append((path, entry.read(content)))
        elif len(files) == 1:
            raise DataError(
                f"{path.name} is no annotation file that is known",
                expected=f"one of {', '.join(sorted(entry.words for entry in FORMATS.values()))}", where=str(path),
                fix="export the annotations in one of these formats; the name of the file does not matter",
            )  # fmt: skip
    truth = {name: found for name, found in by_format.items() if not found[0][1].is_prediction}
    kinds = {name: found for name, found in truth.items() if any(s.images for _, s in found)} or truth or by_format
    if len(kinds) > 1:
        shown = ", ".join(f"{name} ({found[0][0].name})" for name, found in sorted(kinds.items()))
        raise DataError(
            f"annotation files of several formats: {shown}", expected="files of one format",
            where=str(files[0].parent), fix="give the file that is meant in place of the folder",
        )  # fmt: skip
    return next(iter(kinds.values()), [])


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
    return bool(parts & {"masks", "scribbles"}) or any(path.stem.lower() in parts for path, _ in kept)


def _joined(entries: Sequence[Entry]) -> list[Entry]:
    """One entry a picture: regions of a picture that occurs in several places are put together, in file order."""
    joined: dict[str, Entry] = {}
    for number, entry in enumerate(entries):
        key = entry.match.picture or f"\0{number}"
        if key in joined:
            first = joined[key].annotation
            both = dataclasses.replace(first, regions=first.regions + entry.annotation.regions)
            joined[key] = dataclasses.replace(joined[key], annotation=both)
        else:
            joined[key] = entry
    return list(joined.values())


def layout_of(annotated: Annotated, declared: Declared) -> Layout:
    """The pictures that were found, with their regions as drawings, and what a person should know about them."""
    names = annotated.classes()
    space, unknown = _label_space(names, declared)
    things = things_of(annotated, space.names[1:], declared) if space else ()
    space = dataclasses.replace(space, things=things) if space else None
    ids = {name: index for index, name in enumerate(space.names) if index > 0} if space else {}
    given = given_splits(annotated)
    items = []
    for entry in annotated.entries:
        picture = entry.match.picture
        if not picture and entry.annotation.pixels is None:
            continue
        name = picture or PurePosixPath(entry.annotation.image.replace("\\", "/")).name
        drawing = Drawing(
            entry.annotation, ids, annotated.format not in BOXES_LOCATE, frozenset(things),
            annotated.format not in ORDERLESS,
        )  # fmt: skip
        group = declared.group_of(name)
        items.append(Item(name, annotated.root / name, None, given.get(id(entry), ""), group, drawing=drawing))
    rule = f"given by the annotation files ({', '.join(sorted(set(given.values())))})" if given else ""
    return Layout(
        tuple(sorted(items, key=lambda item: item.name)), (), (), (), (), rule, declared,
        format=annotated.format, findings=(*findings_of(annotated), *unknown), label_space=space,
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
    """The part of each entry, by identity, when every picture has one and there is a train."""
    parts: dict[int, str] = {}
    for entry in annotated.entries:
        if not entry.match.picture and entry.annotation.pixels is None:
            continue
        folders = [*PurePosixPath(entry.match.picture).parts[:-1], entry.file.parent.name]
        words = [entry.annotation.subset, *folders, *re.split(r"[^A-Za-z]+", entry.file.stem)]
        part = next((SPLITS[word.lower()] for word in words if word.lower() in SPLITS), "")
        if not part:
            return {}
        parts[id(entry)] = part
    return parts if "train" in parts.values() and len(set(parts.values())) > 1 else {}


def _words(annotated: Annotated, names: Sequence[str], things: Sequence[str]) -> str:
    words = FORMATS[annotated.format].words
    text = f"regions of {words} are drawn; what comes later lies on top; classes: {', '.join(names) or 'none'}"
    if things:
        which = "all classes" if set(things) >= set(names) else ", ".join(things)
        text += f"; each region of {which} is an object"
        if annotated.format in ORDERLESS and annotated.format != "coco-panoptic":  # of which a pixel has one alone
            text += ", of one class the smaller on top"
    return f"{text}; {annotated.words}" if annotated.words else text
