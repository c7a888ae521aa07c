"""Which files of a folder hold annotations, and which of them cannot be read: of one format, by their content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limner.core.annotation import AnnotationSet, Problem
from limner.core.errors import DataError
from limner.data.formats import FORMATS, read_content, recognise
from limner.data.formats.format import Content
from limner.data.formats.safe_json import parse_document
from limner.data.formats.safe_xml import parse_xml

SUFFIXES = frozenset({".json", ".xml", ".csv", ".txt"})
PARSED = frozenset({".json", ".xml"})  # a file of these that cannot be parsed is damaged, whatever it was meant to hold
NOT_ANNOTATIONS = frozenset({"splits.csv", "classes.txt", "requirements.txt", "readme.txt", "license.txt"})


def annotation_files(folder: Path) -> tuple[Path, ...]:
    """Files below `folder` that may hold annotations, by suffix; none is opened."""
    return tuple(path for path in _candidates(folder) if path.name.lower() not in NOT_ANNOTATIONS)


def _candidates(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in relative.parts):
            yield path


@dataclass(frozen=True)
class OneFormat:
    """The annotation files of one format, and those that cannot be read.

    Parameters
    ----------
    kept : each file with what it says; empty when no file is of a known format.
    damaged : each file that should be read and cannot be, with the reason: they may hold what is missing in the others.
    """

    kept: tuple[tuple[Path, AnnotationSet], ...]
    damaged: tuple[tuple[Path, DataError], ...]


def read_one_format(files: Sequence[Path], *, is_meant: bool) -> OneFormat:
    """Read the files of the one format that they have; predictions only when there is no truth.

    Parameters
    ----------
    files : may hold annotations, or something else.
    is_meant : the files were named as annotations, not found by looking around: each has to be one.

    Raises
    ------
    DataError : files of several formats; a recognised file that cannot be read as a whole; with `is_meant` a file that is damaged
        or of no known format.
    """
    by_format: dict[str, list[tuple[Path, AnnotationSet]]] = defaultdict(list)
    damaged: list[tuple[Path, DataError]] = []
    for path in files:
        try:
            content = read_content(path)
            entry = recognise(content)
            if entry is None and not is_meant:
                _parse(content)
        except DataError as error:
            if is_meant:
                raise
            damaged.append((path, error))
            continue
        if entry is not None:
            by_format[entry.name].append((path, entry.read(content)))
        elif is_meant:
            raise DataError(
                f"{path.name} is no annotation file that is known",
                expected=f"one of {', '.join(sorted(entry.words for entry in FORMATS.values()))}", where=str(path),
                fix="export the annotations in one of these formats; the name of the file does not matter",
            )  # fmt: skip
    kept = _of_one(by_format)
    wanted = PARSED | {path.suffix.lower() for path, _ in kept}
    return OneFormat(kept, tuple((path, error) for path, error in damaged if path.suffix.lower() in wanted))


def damage(found: OneFormat, pictures: Collection[str] = ()) -> tuple[Problem, ...]:
    """Each damaged file with what is wrong with it, and where in it.

    Parameters
    ----------
    found : the files.
    pictures : paths of the pictures. Texts and tables may be anything, such as notes and a table of cases: they count where they
        lie below ``labels`` or have the name of a picture. JSON and XML always do.
    """
    stems = {PurePosixPath(name).stem.casefold() for name in pictures}
    problems = []
    for path, error in found.damaged:
        is_label = "labels" in {part.lower() for part in path.parts[:-1]} or path.stem.casefold() in stems
        if path.suffix.lower() not in PARSED and not is_label:
            continue
        place = error.where.removeprefix(str(path)).lstrip(", ")
        text = f"{path.name}: {error.found}" + (f" ({place})" if place else "")
        problems.append(Problem("unreadable-file", text, str(path), place))
    return tuple(problems)


def _parse(content: Content) -> None:
    """Raise when the suffix promises JSON or XML and there is none, as in an empty file; other contents may be anything."""
    suffix = content.path.suffix.lower()
    if suffix == ".json" and content.json is None:
        parse_document(content.text, content.path)
    elif suffix == ".xml" and content.xml is None:
        parse_xml(content.text, content.path)


def _of_one(by_format: dict[str, list[tuple[Path, AnnotationSet]]]) -> tuple[tuple[Path, AnnotationSet], ...]:
    truth = {name: found for name, found in by_format.items() if not found[0][1].is_prediction}
    kinds = {name: found for name, found in truth.items() if any(s.images for _, s in found)} or truth or by_format
    if len(kinds) > 1:
        shown = ", ".join(f"{name} ({found[0][0].name})" for name, found in sorted(kinds.items()))
        raise DataError(
            f"annotation files of several formats: {shown}", expected="files of one format",
            where=str(next(iter(kinds.values()))[0][0].parent), fix="give the file that is meant in place of the folder",
        )  # fmt: skip
    return tuple(next(iter(kinds.values()), []))
