"""Write annotations in any format, with the pictures beside them, and read them back before saying that they are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from limner.core.annotation import AnnotationSet, Problem
from limner.core.errors import DataError
from limner.core.protocols import Listener
from limner.data.annotated import annotation_files, read_annotated
from limner.data.annotated_set import Annotated
from limner.data.formats.coco_categories import things_and_stuff
from limner.data.formats.format import Format
from limner.data.images import SUFFIXES
from limner.data.items import Item
from limner.data.mask_folder import COMPOSED_SUFFIX, is_composed, write_picture
from limner.data.matching import plain_name
from limner.data.pixels import embedded_suffix, is_embedded

IMAGES = "images"
BESIDE_PICTURES = frozenset({"labelme"})  # whose tool looks for the picture beside the file


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
    What the format could not hold.

    Raises
    ------
    DataError : what was written cannot be read back, or says less than it should.
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    assert entry.write is not None
    named = dataclasses.replace(
        found,
        images=tuple(
            dataclasses.replace(image, image=_own_name(image.image, picture), pixels=None if picture else image.pixels)
            for image, picture in zip(found.images, pictures, strict=True)
        ),
    )
    for done, (image, picture) in enumerate(zip(named.images, pictures, strict=True), start=1):
        if picture is not None:
            write_picture(folder / IMAGES / image.image, picture)
        listener.progress("convert", done, len(named.images), image.image)
    beside = folder / IMAGES if entry.name in BESIDE_PICTURES else folder
    beside.mkdir(exist_ok=True)
    problems = entry.write(named, beside)
    _read_back(folder, named, problems, entry)
    return problems


def _own_name(image: str, picture: Item | None) -> str:
    """A plain relative path, with the suffix of the picture where it has none."""
    name = plain_name(image) or "picture"
    if picture is None or (PurePosixPath(name).suffix.lower() in SUFFIXES and not is_composed(picture)):
        return name
    if is_composed(picture):
        return name + COMPOSED_SUFFIX
    if is_embedded(picture) and picture.drawing is not None:
        return name + embedded_suffix(picture.drawing.annotation.pixels or b"")
    return name + picture.image.suffix


def _read_back(folder: Path, written: AnnotationSet, problems: Sequence[Problem], entry: Format) -> None:
    """Fewer regions than were given, without a word about it, is a fault that must not look like success."""
    files = annotation_files(folder)
    again: Annotated | None = read_annotated(files, images=folder) if files else None
    count = sum(found.num_regions for found in again.sets) if again else 0
    expected = _num_wholes(written, one_segment=entry.name == "coco-panoptic")
    if count < expected and not problems:
        raise DataError(
            f"{expected} regions were written and {count} can be read back", expected="all of them",
            where=str(folder), fix="choose another format, and please report this",
        )  # fmt: skip


def _num_wholes(written: AnnotationSet, *, one_segment: bool) -> int:
    """Regions; those of one group and class count as one, and with `one_segment` those of a class of stuff in one picture."""
    stated = things_and_stuff(written.record) if one_segment else {}
    return sum(
        len({
            (region.label, region.group or ("" if not stated.get(region.label, True) else f"\0{index}"))
            for index, region in enumerate(image.regions)
        })
        for image in written.images
    )  # fmt: skip
