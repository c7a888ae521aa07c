"""Annotation files of one format together with the pictures that they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from limner.core.annotation import Annotation, AnnotationSet, Points, Problem, Region
from limner.data.drawing import BACKGROUNDS
from limner.data.matching import Match

BOXES_LOCATE = frozenset({"coco", "coco-panoptic", "yolo-seg"})  # formats whose boxes are no outlines


@dataclass(frozen=True)
class Entry:
    """One picture's regions with the picture they were found to mean.

    Parameters
    ----------
    annotation : the regions, each with its label.
    match : the picture, relative to the folder of pictures.
    file : the annotation file.
    """

    annotation: Annotation
    match: Match
    file: Path


@dataclass(frozen=True)
class Annotated:
    """Annotation files of one format with the pictures below one folder.

    Parameters
    ----------
    root : the folder of the pictures.
    files : the annotation files.
    sets : what each says, with labels chosen.
    entries : all pictures of all files, in file order; one entry a picture.
    words : how classes were chosen, as a sentence; empty when the format has them.
    undecided : what a person must decide about classes.
    warnings, refused, doubts : what fitting the regions to their pictures showed, see `Fitted`.
    unused : pictures below the folder that no file names.
    """

    root: Path
    files: tuple[Path, ...]
    sets: tuple[AnnotationSet, ...]
    entries: tuple[Entry, ...]
    words: str = ""
    undecided: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def format(self) -> str:
        """The name of the format."""
        return self.sets[0].format if self.sets else ""

    @property
    def all_warnings(self) -> tuple[Problem, ...]:
        """What was put right, by the readers and while fitting."""
        return (*(p for s in self.sets for p in s.warnings), *self.warnings)

    @property
    def all_refused(self) -> tuple[Problem, ...]:
        """What was left out, by the readers and while fitting."""
        return (*(p for s in self.sets for p in s.refused), *self.refused)

    @property
    def missing(self) -> tuple[Entry, ...]:
        """Entries whose picture was not found and is not in the file itself."""
        return tuple(e for e in self.entries if not e.match.picture and e.annotation.pixels is None)

    def classes(self) -> tuple[str, ...]:
        """Labels that at least one region bears, in the order in which the files declare them, then by name."""
        used = {region.label for entry in self.entries for region in entry.annotation.regions if _counts(region)}
        declared = dict.fromkeys(name for found in self.sets for name in found.classes)
        names = [name for name in declared if name in used] + sorted(used - set(declared))
        return tuple(name for name in names if name.strip().casefold() not in BACKGROUNDS)


def _counts(region: Region) -> bool:
    return bool(region.label) and not region.is_ignored and not isinstance(region.shape, Points)
