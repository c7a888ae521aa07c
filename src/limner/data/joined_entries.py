"""One entry a picture: what several files or records say about one picture is put together, and each region is drawn once."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from limner.core.annotation import Bitmap, Points, Polygon, Polyline, Problem, Region
from limner.data.annotated_set import Entry
from limner.data.findings import Finding, counted, finding, shortened
from limner.data.layouts import SPLITS


@dataclass(frozen=True)
class Joined:
    """Entries, one a picture.

    Parameters
    ----------
    entries : in file order; each has the part of the first of its records that has one.
    repeated : one warning for each picture of which regions were given several times.
    leaks : pictures that are in different parts; empty when all is well.
    """

    entries: tuple[Entry, ...]
    repeated: tuple[Problem, ...] = ()
    leaks: tuple[Finding, ...] = ()


def join(entries: Sequence[Entry]) -> Joined:
    """Put together what is said about each picture, in file order; exact repetitions of a region are dropped."""
    several: dict[str, list[Entry]] = defaultdict(list)
    for number, entry in enumerate(entries):
        several[entry.match.picture or f"\0{number}"].append(entry)
    joined, repeated, leaks = [], [], {}
    for picture, records in several.items():
        entry, num_repeated = _joined(records)
        joined.append(entry)
        if num_repeated:
            files = ", ".join(dict.fromkeys(record.file.name for record in records))
            text = f"{picture}: {counted(num_repeated, 'region')} given several times ({files}), drawn once"
            repeated.append(Problem("repeated-region", text, str(records[-1].file), records[-1].annotation.where))
        parts = {part: record.file.name for record in reversed(records) if (part := part_of(record))}
        if len(parts) > 1:
            leaks[picture] = ", ".join(f"{part} in {file}" for part, file in sorted(parts.items()))
    return Joined(tuple(joined), tuple(repeated), _leak(leaks))


def part_of(entry: Entry) -> str:
    """``train``, ``val`` or ``test`` as the file, the folders or the name of the file say; empty when none does."""
    folders = [*PurePosixPath(entry.match.picture).parts[:-1], entry.file.parent.name]
    words = [entry.annotation.subset, *folders, *re.split(r"[^A-Za-z]+", entry.file.stem)]
    return next((SPLITS[word.lower()] for word in words if word.lower() in SPLITS), "")


def _joined(records: Sequence[Entry]) -> tuple[Entry, int]:
    """The entry of one picture, and how many regions were dropped; regions that one record repeats are drawn as they are."""
    first = records[0]
    if len(records) == 1:
        return first, 0
    regions = list(first.annotation.regions)
    seen = {_content(region) for region in regions}
    num_repeated = 0
    for record in records[1:]:
        fresh = [region for region in record.annotation.regions if _content(region) not in seen]
        num_repeated += len(record.annotation.regions) - len(fresh)
        seen.update(_content(region) for region in fresh)
        regions += fresh
    subset = first.annotation.subset
    if not part_of(first):
        subset = next((part for record in records if (part := part_of(record))), subset)
    return dataclasses.replace(
        first,
        annotation=dataclasses.replace(
            first.annotation,
            regions=tuple(regions),
            subset=subset,
            is_annotated=any(record.annotation.is_annotated for record in records),
        ),
    ), num_repeated


def _content(region: Region) -> Hashable:
    """What is drawn and what it is called, whatever file says it."""
    shape = region.shape
    drawn: Hashable
    if isinstance(shape, Polygon):
        drawn = (tuple(ring.tobytes() for ring in shape.rings), tuple(hole.tobytes() for hole in shape.holes))
    elif isinstance(shape, Polyline | Points):
        drawn = shape.points_xy.tobytes()
    elif isinstance(shape, Bitmap):
        drawn = (shape.x, shape.y, shape.mask.shape, shape.mask.tobytes())
    else:
        drawn = shape
    return region.kind, region.label, region.is_crowd, region.is_ignored, drawn


def _leak(leaks: dict[str, str]) -> tuple[Finding, ...]:
    if not leaks:
        return ()
    shown = shortened([f"{picture} ({parts})" for picture, parts in leaks.items()])
    text = f"{counted(len(leaks), 'picture')} in several parts of the split, which leaks the answers: {shown}"
    fix = "keep each picture in one part, or write splits.csv; with --allow-leaks the first file counts"
    return (finding("SPLIT_LEAK", "error", text, list(leaks), fix),)
