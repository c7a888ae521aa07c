"""Write annotations in any format, with the pictures beside them, and read them back before saying that they are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from limner.core.annotation import Annotation, AnnotationSet, Problem
from limner.core.protocols import Listener
from limner.data.findings import counted
from limner.data.formats.format import ORDERLESS, Format
from limner.data.items import Item
from limner.data.mask_folder import write_picture
from limner.data.matching import plain_name
from limner.data.picture_names import BY_STEM, FOLDER, annotated_names
from limner.data.reading_back import read_back
from limner.data.stacking import smaller_on_top

BESIDE_PICTURES = frozenset({"labelme"})  # whose tool looks for the picture beside the file
MOST_SHOWN = 3


def write_annotation_folder(
    folder: Path, found: AnnotationSet, pictures: Sequence[Item | None], entry: Format, *, listener: Listener
) -> tuple[Problem, ...]:
    """Write `found` in the format `entry` below `folder`, which exists, and copy the pictures to ``images/``.

    Parameters
    ----------
    folder : where to.
    found : annotations in pixels.
    pictures : for each image of `found` the item whose picture it is, or None where it was not found.
    entry : the format; it can be written.
    listener : hears of progress.

    Returns
    -------
    What the format could not hold, and which pictures have another name now.

    Raises
    ------
    DataError : pictures whose names cannot be told apart, or what was written cannot be read back, or says less than it should.
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    assert entry.write is not None
    there = [(image, item) for image, item in zip(found.images, pictures, strict=True) if item is not None]
    names = annotated_names([image for image, _ in there], [item for _, item in there], entry.name)
    images, problems = _named(found, pictures, names, entry)
    if found.format in ORDERLESS and entry.name not in ORDERLESS:
        images = tuple(smaller_on_top(image) for image in images)
    named = dataclasses.replace(found, images=images)
    for done, (name, (_, item)) in enumerate(zip(names, there, strict=True), start=1):
        write_picture(folder / FOLDER / name, item)
        listener.progress("convert", done, len(names), name)
    beside = folder / FOLDER if entry.name in BESIDE_PICTURES else folder
    beside.mkdir(exist_ok=True)
    problems += entry.write(named, beside)
    read_back(folder, named, frozenset(names), problems, entry)
    return problems


def _named(
    found: AnnotationSet, pictures: Sequence[Item | None], names: Sequence[str], entry: Format
) -> tuple[tuple[Annotation, ...], tuple[Problem, ...]]:
    """The annotations with the names of their pictures; without those of missing pictures that would be taken for others."""
    taken = {_base(name, entry.name) for name in names}
    images, changed, left_out = [], [], []
    rest = iter(names)
    for image, item in zip(found.images, pictures, strict=True):
        old = plain_name(image.image) or "picture"
        if item is not None:
            name = next(rest)
            images.append(dataclasses.replace(image, image=name, pixels=None))
            if name != old and PurePosixPath(name).with_suffix("") != PurePosixPath(old):
                changed.append(f"{old} as {name}")
        elif _base(old, entry.name) in taken:
            left_out.append(old)
        else:
            images.append(dataclasses.replace(image, image=old))
    problems = []
    if changed:
        text = "written under another name, which is its own, is found again and suits every file system"
        problems.append(Problem("name-changed", f"{counted(len(changed), 'picture')} {text}: {_shown(changed)}"))
    if left_out:
        text = "missing, while another one has the name; the regions are left out"
        problems.append(Problem("missing-picture", f"{counted(len(left_out), 'picture')} {text}: {_shown(left_out)}"))
    return tuple(images), tuple(problems)


def _base(name: str, to: str) -> str:
    path = PurePosixPath(name)
    return (path.stem if to in BY_STEM else path.name).casefold()


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_SHOWN]) + (", ..." if len(names) > MOST_SHOWN else "")
