"""Rules for masks whose values are numbers of objects, not classes. Each returns None where it does not fit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from limner.core.labels import LabelSpace
from limner.data.declared import Declared
from limner.data.findings import Finding
from limner.data.id_facts import IdFacts
from limner.data.instance_maps import LOSSY_SUFFIXES, MARKS
from limner.data.mask_census import DECLARE, Census, Decision, about, class_space, object_space
from limner.data.mask_rules import MOST_LEVELS
from limner.data.masks import MaskReading, MaskStats

LEAST_SOLID = 0.8  # share of the numbers in a file that are one connected area
MANY = 20  # numbers in a file from which on an unbroken count is one of objects
LEAST_IN_ORDER = 6  # numbers in the fullest file, where they also rise from the first row, or column, to the last
MOST_FILES = 1.5  # in so many files is a number that starts nowhere anew, on average
CHANCE = 1e-6  # that class ids come in that order
OTHERWISE = 'if they are class ids, declare masks_are = "classes" or the classes in limner.toml'


def declared_numbers(surveys: Sequence[MaskStats], declared: Declared) -> Decision | None:
    """``masks_are = "instances"``: whatever the files hold, colours too."""
    if declared.masks_are != "instances" or declared.values:
        return None
    space = object_space(declared)
    words = f"object numbers, as limner.toml declares: every number above 0 is {space.names[1]}"
    reading = MaskReading(space, declared.ignore, words, rule="nonzero", is_numbered=True)
    lossy = [s for s in surveys if s.path.suffix.lower() in LOSSY_SUFFIXES]
    message = f"{len(lossy)} masks of object numbers are JPEG, which changes numbers along every edge"
    fix = "export them again as 16-bit PNG; what JPEG lost cannot be restored"
    findings = [about("MASK_VALUES", "error", message, lossy, fix)] if lossy else []
    return reading, findings + _without_class(space, surveys)


def _without_class(space: LabelSpace, surveys: Sequence[MaskStats]) -> list[Finding]:
    """Several classes are declared, and the files say of no object which it is."""
    if len(space) == 2:
        return []
    message = f"the files do not say the class of an object; of the {len(space)} classes declared, all are read as {space.names[1]}"
    return [about("MASK_VALUES", "warning", message, surveys, "add masks of classes, with the same names, in masks/")]


def objects_alone(surveys: Sequence[MaskStats], declared: Declared) -> Decision | None:
    """Files of objects without masks of classes beside them: where there is an object is the one class."""
    if declared.values or not surveys or not all(s.kind == "1-bit" and isinstance(s.objects, IdFacts) for s in surveys):
        return None
    if not all(s.path.is_dir() or _are_one_file(s) for s in surveys):
        return None
    space = object_space(declared)
    words = f"no masks of classes: every object is {space.names[1]}"
    return MaskReading(space, declared.ignore, words, rule="nonzero"), _without_class(space, surveys)


def _are_one_file(stats: MaskStats) -> bool:
    """Mask and objects come from one file: no pixel of an object is background, and none of the class is without object."""
    assert isinstance(stats.objects, IdFacts)
    return all((number > 0) == (value > 0) for number, value, _ in stats.objects.votes.tolist())


def _may_be_numbers(census: Census) -> bool:
    """Not declared to be classes, and of files that keep numbers."""
    lossy = any(s.path.suffix.lower() in LOSSY_SUFFIXES for s in census.stats)
    return not lossy and census.declared.masks_are != "classes"


def numbers_in_order(census: Census) -> Decision | None:
    """Every file counts 1, 2, ... without a gap to another number.

    More than `MANY` in some; or at least `LEAST_IN_ORDER`, each number one area, rising from the first row (column) to the last
    in every file, and no count in more than half of the files. Class ids come so less often than once in a million.
    """
    if (
        len(census.stats) < 2
        or any(s.kind in ("palette", "colour") for s in census.stats)
        or not _may_be_numbers(census)
    ):
        return None
    found = [_numbers_in(s) for s in census.stats]
    tops = [max(values, default=0) for values in found]
    if any(len(values) != top for values, top in zip(found, tops, strict=True)):  # rising and different: 1, 2, ..., top
        return None
    if max(tops) > MANY and len(set(tops)) > 1:
        return _numbered(census)
    told = [(s, top) for s, top in zip(census.stats, tops, strict=True) if top > 1]
    chance = math.exp(-sum(math.lgamma(top + 1) for _, top in told))
    usual = max(Counter(top for _, top in told).values(), default=0) * 2 <= len(told)
    clear = all(s.is_in_order and s.solid >= LEAST_SOLID for s, _ in told)
    return _numbered(census) if clear and usual and max(tops) >= LEAST_IN_ORDER and chance < CHANCE else None


def clear_numbers(census: Census) -> Decision | None:
    """Numbers of objects where two classes are declared: all are of the one that is not the background."""
    if len(census.declared.classes) != 2 or census.declared.colors or not census.stats:
        return None
    decision = numbers_in_order(census) or (numbers(census) if len(census.union) > MANY else None)
    return decision if decision and decision[0].is_numbered else None


def numbers(census: Census) -> Decision | None:
    """Many numbers, each filling a patch: one per object; all objects are one class."""
    if len(census.union) <= MOST_LEVELS or 0 not in census.union:
        return None
    return _numbered(census)


def _numbers_in(stats: MaskStats) -> list[int]:
    """The values above 0, rising, without one that may mark boundaries: the largest of so many bits, after a gap."""
    values = [value for value in stats.values if value > 0]
    if len(values) > 1 and values[-1] in MARKS and values[-2] < values[-1] - 1:
        values.pop()
    return values


def _numbered(census: Census) -> Decision | None:
    """The numbers are of objects if they fill patches; told apart if most are one area and do not come back as classes do."""
    if not _may_be_numbers(census) or census.flat_share(census.above_zero) < 0.25:
        return None
    files = [s for s in census.stats if sum(v > 0 for v in s.values) > 1]
    solid = sum(s.solid >= LEAST_SOLID for s in files) * 2 > len(files)
    apart = solid and _differ(files)
    space = object_space(census.declared) if apart else class_space(census.declared, 2)
    top = max(max(_numbers_in(stats), default=0) for stats in census.stats)
    words = f"object numbers up to {top}: every number above 0 is {space.names[1]}"
    message = f"masks number their objects (up to {top}); all objects are read as one class"
    fix = OTHERWISE
    if not apart:
        why = (
            "the same numbers come back in many masks, as those of classes do" if solid else "most lie in several areas"
        )
        message += f", and not told apart, since {why}"
        fix += '; if they are objects, masks_are = "instances"'
    finding = about("MASK_VALUES", "warning", message, census.stats, fix)
    return MaskReading(space, census.declared.ignore, words, rule="nonzero", is_numbered=apart), [finding]


def _differ(files: Sequence[MaskStats]) -> bool:
    """Numbers start anew in each file, or are seldom in two: those of classes come back, and leave gaps where one is absent."""
    above = [_numbers_in(stats) for stats in files]
    dense = sum(len(values) * 2 >= max(values) for values in above) * 2 > len(above)
    return dense or sum(map(len, above)) <= MOST_FILES * len({value for values in above for value in values})


def number_colors(surveys: Sequence[MaskStats], declared: Declared) -> Decision | None:
    """Colours that number objects, black where there is none: a colour of its own for each, or ``R + 256 G + 65536 B``."""
    colored = [s for s in surveys if s.kind == "colour"]
    if (
        len(surveys) < 2
        or not colored
        or declared.colors
        or len(declared.classes) > 2
        or declared.masks_are == "classes"
    ):
        return None
    plain = all(s.kind == "colour" or sum(v > 0 for v in s.values) <= 1 for s in surveys)
    if not plain or any(s.path.suffix.lower() in LOSSY_SUFFIXES or s.num_values > len(s.values) for s in surveys):
        return None
    files = Counter(value for s in surveys for value in s.values if value > 0)
    single = sum(count == 1 for count in files.values())
    counts = [sorted(v >> 16 | v & 0xFF00 | (v & 0xFF) << 16 for v in s.values if v > 0) for s in colored]
    in_order = all(one == list(range(1, len(one) + 1)) for one in counts) and len({len(one) for one in counts}) > 1
    random = single >= 0.9 * len(files)
    solid = sum(s.solid >= LEAST_SOLID for s in colored) * 2 > len(colored)
    with_black = all(0 in s.values for s in surveys)
    if not (random or in_order) or not (solid and with_black) or max(len(one) for one in counts) <= LEAST_IN_ORDER:
        return None
    if len(files) <= MANY:
        return None
    space: LabelSpace = object_space(declared)
    words = f"colours that number objects: every colour but black is {space.names[1]}"
    message = f"masks give a colour of its own to each object ({len(files)} colours); all objects are read as one class"
    finding = about("MASK_COLOURS", "warning", message, surveys, f"if the colours are classes, {DECLARE}, and colors")
    return MaskReading(space, declared.ignore, words, rule="nonzero", is_numbered=True), [finding]
