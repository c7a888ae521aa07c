"""Single objects: how they touch, fall to pieces, cover each other, are cut by the border, and how large they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from limner.data.checks.evidence import Evidence
from limner.data.findings import Finding, Level, counted, finding
from limner.data.object_facts import ObjectFacts, object_facts
from limner.data.object_survey import PictureObjects

MANY_PIECES = 0.05  # share of objects in several pieces from which ids are likely to be shared or wrong


def facts_of(evidence: Evidence) -> tuple[ObjectFacts, ...]:
    """What the objects are like, class by class; empty where none are told apart."""
    space = evidence.reading.label_space
    return object_facts([one.shapes for one in evidence.objects.values()], space) if evidence.objects else ()


def touching_objects(evidence: Evidence) -> list[Finding]:
    """Objects that touch another of their class: connected areas would join them."""
    by_name = _counts(evidence, lambda one: int(one.shapes.touching.sum()))
    if not by_name:
        return []
    total, share = _share(evidence, by_name)
    text = (
        f"{total} of {counted(_total(evidence), 'object')} ({share:.1%}) touch another of their class; a model that does not tell "
        "objects apart joins them"
    )
    return [finding("TOUCHING_OBJECTS", "note", text, _most_first(by_name), count=total)]


def fragmented_objects(evidence: Evidence) -> list[Finding]:
    """Objects in several pieces that do not even share a corner."""
    by_name = _counts(evidence, lambda one: int((one.shapes.pieces > 1).sum()))
    if not by_name:
        return []
    total, share = _share(evidence, by_name)
    text = (
        f"{total} of {counted(_total(evidence), 'object')} ({share:.1%}) are in several pieces; each stays one object"
    )
    fix = (
        "look whether two objects share a number, or crumbs were left over from drawing" if share > MANY_PIECES else ""
    )
    level: Level = "warning" if share > MANY_PIECES and _are_ids(evidence) else "note"
    return [finding("FRAGMENTED_OBJECTS", level, text, _most_first(by_name), fix, count=total)]


def overlapping_objects(evidence: Evidence) -> list[Finding]:
    """Drawn objects that cover each other: a pixel belongs to one alone."""
    by_name = _counts(evidence, lambda one: one.overlaps.shared)
    if not by_name:
        return []
    covered = sum(one.overlaps.mostly_covered for one in evidence.objects.values())
    hidden = sum(one.overlaps.hidden for one in evidence.objects.values())
    total = sum(by_name.values())
    text = f"{counted(total, 'object')} share pixels with others; a pixel belongs to the one on top"
    if covered or hidden:
        text += f"; {covered} can be seen by less than half, {hidden} not at all, and these are left out"
    fix = "look whether some were drawn twice" if hidden else ""
    return [finding("OVERLAPPING_OBJECTS", "note", text, _most_first(by_name), fix, count=total)]


def border_objects(evidence: Evidence) -> list[Finding]:
    """Objects on the border of their picture, which may go on beyond it."""
    by_name = _counts(evidence, lambda one: int(one.shapes.at_border.sum()))
    if not by_name:
        return []
    total, share = _share(evidence, by_name)
    text = (
        f"{total} of {counted(_total(evidence), 'object')} ({share:.1%}) lie on the border of their picture, which may cut them; "
        "they count as objects, and their sizes say little"
    )
    return [finding("BORDER_OBJECTS", "note", text, _most_first(by_name), count=total)]


def object_sizes(evidence: Evidence) -> list[Finding]:
    """How many objects there are of each size, as a sentence."""
    found = []
    for facts in facts_of(evidence):
        if not facts.objects:
            continue
        low, middle, high = facts.diameter
        shown = ", ".join(f"{count} of {size} to {2 * size}" for size, count in facts.sizes if count)
        text = (
            f"{facts.name}: {counted(facts.objects, 'object')} in {counted(facts.images, 'picture')}; diameter of a circle of the "
            f"same area {middle:.1f} pixels (80 % from {low:.1f} to {high:.1f}); by pixels of diameter: {shown}"
        )
        found.append(finding("OBJECT_SIZES", "note", text, count=facts.objects))
    return found


def _are_ids(evidence: Evidence) -> bool:
    """Objects come from files of ids, in which one number may be used twice by mistake."""
    return all(item.drawing is None for item in evidence.layout.items)


def _counts(evidence: Evidence, count: Callable[[PictureObjects], int]) -> dict[str, int]:
    found = {name: count(one) for name, one in evidence.objects.items()}
    return {name: number for name, number in found.items() if number}


def _total(evidence: Evidence) -> int:
    return sum(len(one.shapes) for one in evidence.objects.values())


def _share(evidence: Evidence, by_name: Mapping[str, int]) -> tuple[int, float]:
    total = sum(by_name.values())
    return total, total / max(1, _total(evidence))


def _most_first(by_name: Mapping[str, int]) -> list[str]:
    return sorted(by_name, key=lambda name: -by_name[name])
