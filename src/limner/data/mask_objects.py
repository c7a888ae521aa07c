"""Decide, once for a data set, whether objects are told apart, of which classes, and what to say about their files.

Objects are told apart where the files do so and some picture shows at least two objects of one class; ``task``, ``things`` and
``stuff`` in ``limner.toml`` go before that.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.data.declared import Declared
from limner.data.findings import Finding, shortened
from limner.data.id_facts import IdFacts
from limner.data.instance_maps import MARKS, clean_ids
from limner.data.instances import classes_by_votes
from limner.data.mask_census import Decision, about
from limner.data.mask_survey import read_again
from limner.data.masks import MaskReading, MaskStats, as_colors, scale_of

Numbers = npt.NDArray[np.int64]

LEAST_COVER = 0.5  # share of a class's pixels that belong to objects, from which on its objects are told apart
_UNREADABLE = "their objects are taken to be the connected areas of each class"


def decide_objects(decision: Decision, surveys: Sequence[MaskStats], declared: Declared) -> Decision:
    """The reading with the classes whose objects are told apart, and with findings about the files that do it.

    Parameters
    ----------
    decision : how mask values become class ids.
    surveys : of all mask files.
    declared : ``limner.toml``.

    Raises
    ------
    DataError : ``things`` or ``stuff`` name a class that there is not.
    """
    reading, findings = decision
    has_files = any(stats.objects is not None for stats in surveys)
    if has_files:
        seen, told = _seen_in_files(surveys, reading)
        how = _source(surveys)
    elif reading.is_numbered:
        seen = set(reading.label_space.names[1:]) if any(_num_numbers(stats) > 1 for stats in surveys) else set()
        told, how = _remarks_of_numbers(surveys), "each number is an object"
        marks = [one for one in told if one.code == "INSTANCE_BOUNDARY"]
        if marks and reading.ignore_value is None:
            reading = dataclasses.replace(reading, ignore_value=max(value for s in surveys for value in s.values))
    else:
        seen, told, how = set(), [], "each connected area of a class is an object"
    names = declared.things_among(reading.label_space.names, seen)
    if names:
        words = f"{reading.words}; {how}" + (
            f"; things: {', '.join(names)}" if len(names) < len(reading.label_space) - 1 else ""
        )
        space = dataclasses.replace(reading.label_space, things=names)
        reading = dataclasses.replace(reading, label_space=space, words=words)
    elif has_files and not declared.task:
        told = [one for one in told if one.code != "INSTANCES_MISSING"]
        counted = [stats for stats in surveys if isinstance(stats.objects, IdFacts)]
        message = "no picture shows two objects of one class, so that objects are not told apart"
        fix = 'to tell them apart all the same, declare task = "instance"'
        told += [about("OBJECTS_NOT_APART", "note", message, counted, fix)] if counted else []
    return reading, [*findings, *told]


def _source(surveys: Sequence[MaskStats]) -> str:
    """Where objects come from, as a sentence."""
    if any(stats.path.is_dir() for stats in surveys):
        return "each mask file is an object"
    facts = [stats.objects.remarks for stats in surveys if isinstance(stats.objects, IdFacts)]
    what = "colour" if any(remarks.by_color for remarks in facts) else "number"
    return f"each {what} in the files of object numbers is an object"


def _num_numbers(stats: MaskStats) -> int:
    return sum(value > 0 for value in stats.values)


def _seen_in_files(surveys: Sequence[MaskStats], reading: MaskReading) -> tuple[set[str], list[Finding]]:
    """The classes whose objects the files tell apart, and what is to be said about these files."""
    inside: Counter[int] = Counter()
    total: Counter[int] = Counter()
    several, on_background, uncovered = False, [], []
    for stats in surveys:
        if not isinstance(stats.objects, IdFacts):
            continue
        ids, values, pixels = stats.objects.votes.T
        classes = _class_ids(reading, stats, values)
        known = classes >= 0
        ids, classes, pixels = ids[known], classes[known], pixels[known]
        of_ids = classes_by_votes(ids, classes, pixels, stats.objects.count)
        owned = (ids > 0) & (classes > 0)
        for index in np.unique(classes[classes > 0]).tolist():
            total[index] += int(pixels[classes == index].sum())
            inside[index] += int(pixels[owned & (classes == index)].sum())
        several |= bool((np.bincount(of_ids[1:])[1:] > 1).any())
        lost = int(np.count_nonzero(of_ids[np.unique(ids[ids > 0])] == 0))
        if lost:
            on_background.append((stats, lost))
        bare = int(pixels[(ids == 0) & (classes > 0)].sum())
        if bare:
            uncovered.append((stats, bare))
    told = [*_about_files(surveys), *_on_background(on_background)]
    covered = {index for index, count in total.items() if inside[index] >= LEAST_COVER * count}
    names = {reading.label_space.names[index] for index in covered} if several else set()
    return names, told + (_uncovered(uncovered) if names else [])


def _class_ids(reading: MaskReading, stats: MaskStats, values: Numbers) -> Numbers:
    """The class of each mask value; below 0 where it is unknown or ignored."""
    if reading.source == "alpha" and stats.kind != "alpha":
        return (values > 0).astype(np.int64)
    if reading.source == "colour":
        values = as_colors(values, stats.kind, stats.palette)
    return reading.ids(values, scale_of(int(max(stats.values)))).astype(np.int64)


def _about_files(surveys: Sequence[MaskStats]) -> list[Finding]:
    missing = [stats for stats in surveys if stats.objects is None and _num_numbers(stats)]
    broken = [stats for stats in surveys if isinstance(stats.objects, DataError)]
    told = []
    if missing:
        message = f"{len(missing)} masks have no file that tells objects apart, as the others have; {_UNREADABLE}"
        told.append(
            about("INSTANCES_MISSING", "warning", message, missing, "add the files, with the names of the masks")
        )
    if broken:
        whys = shortened([stats.objects.found for stats in broken if isinstance(stats.objects, DataError)])
        message = f"{len(broken)} files of object numbers cannot be used: {whys}; {_UNREADABLE}"
        first = broken[0].objects
        fix = first.fix if isinstance(first, DataError) and first.fix else "save them again as 16-bit PNG"
        told.append(about("INSTANCES_UNREADABLE", "warning", message, broken, fix))
    remarks = [(stats, stats.objects.remarks) for stats in surveys if isinstance(stats.objects, IdFacts)]
    split = [(stats, one.split) for stats, one in remarks if one.split]
    boundary = [(stats, one.boundary) for stats, one in remarks if one.boundary is not None]
    overlap = [(stats, one.overlap) for stats, one in remarks if one.overlap]
    hidden = [(stats, one.hidden) for stats, one in remarks if one.hidden]
    told += _split(split) if split else []
    told += _boundary(boundary) if boundary else []
    if overlap:
        message = f"objects overlap in {sum(n for _, n in overlap)} pixels of {len(overlap)} pictures; the smaller object is on top"
        told.append(about("OVERLAPPING_OBJECTS", "note", message, [stats for stats, _ in overlap]))
    if hidden:
        message = (
            f"{sum(n for _, n in hidden)} objects have no pixel: their files are empty, or smaller objects cover them"
        )
        told.append(about("HIDDEN_OBJECTS", "note", message, [stats for stats, _ in hidden]))
    return told


def _split(found: Sequence[tuple[MaskStats, int]]) -> list[Finding]:
    names = shortened([f"{stats.path.name}: {count} numbers" for stats, count in found])
    message = (
        f"{len(found)} files number more than 255 objects in 8 bits, so that far-apart objects share a number ({names}); each "
        "connected area of such a number is read as an object, and the 256th, which 8 bits make 0, is lost"
    )
    return [
        about("WRAPPED_IDS", "warning", message, [stats for stats, _ in found], "save object numbers as 16-bit PNG")
    ]


def _boundary(found: Sequence[tuple[MaskStats, int]]) -> list[Finding]:
    numbers = ", ".join(str(number) for number in sorted({number for _, number in found}))
    message = (
        f"the number {numbers} lies around the objects of {len(found)} files: a boundary, whose pixels are not known"
    )
    return [about("INSTANCE_BOUNDARY", "note", message, [stats for stats, _ in found])]


def _on_background(found: Sequence[tuple[MaskStats, int]]) -> list[Finding]:
    if not found:
        return []
    names = shortened([f"{stats.path.name}: {count}" for stats, count in found])
    message = f"{sum(count for _, count in found)} objects lie on background alone and are left out ({names})"
    fix = "correct the masks, or the files of object numbers"
    return [about("INSTANCES_ON_BACKGROUND", "warning", message, [stats for stats, _ in found], fix)]


def _uncovered(found: Sequence[tuple[MaskStats, int]]) -> list[Finding]:
    if not found:
        return []
    pixels = sum(count for _, count in found)
    message = f"{pixels} pixels of classes in {len(found)} masks belong to no object; they keep their class"
    return [about("PIXELS_WITHOUT_OBJECT", "note", message, [stats for stats, _ in found])]


def _remarks_of_numbers(surveys: Sequence[MaskStats]) -> list[Finding]:
    """What is to be said where the masks themselves number objects: numbers that 8 bits made equal, and boundaries."""
    split, boundary = [], []
    for stats in surveys:
        raw = read_again(stats) if max(stats.values) in MARKS else None
        if raw is None:
            continue
        remarks = clean_ids(raw.values, by_color=raw.kind == "colour").remarks
        if remarks.split:
            split.append((stats, remarks.split))
        if remarks.boundary is not None:
            boundary.append((stats, remarks.boundary))
    return (_split(split) if split else []) + (_boundary(boundary) if boundary else [])
