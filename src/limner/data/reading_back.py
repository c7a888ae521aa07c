"""Read what was written before saying so: every picture is found again, and each has its own regions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from limner.core.annotation import Annotation, AnnotationSet, Problem
from limner.core.errors import DataError
from limner.data.annotated import annotation_files, read_annotated
from limner.data.findings import counted
from limner.data.formats.coco_categories import things_and_stuff
from limner.data.formats.format import Format
from limner.data.picture_names import FOLDER

CANNOT_IGNORE = frozenset({"coco-panoptic", "yolo-seg"})  # formats that cannot say that pixels are not known
REFUSED = frozenset(
    {"no-size", "too-many-pixels"}
)  # problems that leave out a whole picture, whose name they begin with
ONE_SEGMENT = frozenset({"coco-panoptic"})  # a picture has one segment of each class of stuff
KEEPS_ALL = frozenset(
    {
        "name-changed",
        "ignored",
        "ignored-as-class",
        "subset-lost",
        "pixels-lost",
        "score-lost",
        "as-mask",
        "missing-picture",
    }
)  # problems after which every region is there still


def read_back(
    folder: Path, written: AnnotationSet, pictures: Collection[str], problems: Sequence[Problem], entry: Format
) -> None:
    """Less than was given, without a word about it, is a fault that must not look like success.

    Parameters
    ----------
    folder : where it was written.
    written : what it should hold.
    pictures : names of the pictures that were written, below ``images/``.
    problems : what was said about it already.
    entry : the format.

    Raises
    ------
    DataError : a picture is not found by its name, or has fewer regions than it should.
    """
    files = annotation_files(folder)
    again = read_annotated(files, images=folder) if files else None
    found = {one.match.picture: one.annotation for one in again.entries if one.match.picture} if again else {}
    refused = [problem.message for problem in problems if problem.code in REFUSED]
    lost = [name for name in pictures if f"{FOLDER}/{name}" not in found]
    lost = [name for name in lost if not any(message.startswith(f"{name}: ") for message in refused)]
    lost += [name for name in found if name.removeprefix(f"{FOLDER}/") not in pictures]
    if lost:
        raise _wrong(
            folder, f"{counted(len(lost), 'picture')} without its own annotations when read back, such as {min(lost)}"
        )
    if any(problem.code not in KEEPS_ALL for problem in problems):
        return
    count = sum(one.num_regions for one in again.sets) if again else 0
    wholes = {image.image: _num_wholes(image, written, entry) for image in written.images}
    expected = sum(_num_wholes(image, written, entry) for image in written.images)
    if count < expected:
        raise _wrong(folder, f"{expected} regions were written and {count} can be read back")
    short = [name for name in pictures if len(found[f"{FOLDER}/{name}"].regions) < wholes[name]]
    if short:
        name = min(short)
        counts = f"{wholes[name]} were written and {len(found[f'{FOLDER}/{name}'].regions)} can be read back"
        raise _wrong(folder, f"{counted(len(short), 'picture')} without all regions, such as {name}: {counts}")


def _num_wholes(image: Annotation, written: AnnotationSet, entry: Format) -> int:
    """Regions that the format can hold; those of one group and class count as one, and so may those of a class of stuff."""
    stated = things_and_stuff(written.record) if entry.name in ONE_SEGMENT else {}
    kept = (region for region in image.regions if not (region.is_ignored and entry.name in CANNOT_IGNORE))
    wholes = Counter(
        (region.label, region.group or ("" if not stated.get(region.label, True) else f"\0{index}"))
        for index, region in enumerate(kept)
    )
    return len(wholes)


def _wrong(folder: Path, found: str) -> DataError:
    return DataError(
        found, expected="all pictures, each with all its regions", where=str(folder),
        fix="choose another format, and please report this",
    )  # fmt: skip
