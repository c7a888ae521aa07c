"""Which classes of annotation files are countable things: as declared, as the file says, else by what was drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from limner.data.annotated_set import BOXES_LOCATE, Annotated
from limner.data.declared import Declared
from limner.data.drawing import Drawing
from limner.data.formats.coco_categories import things_and_stuff


def things_of(annotated: Annotated, names: Sequence[str], declared: Declared) -> tuple[str, ...]:
    """The classes whose objects are told apart, in the order of `names`.

    ``limner.toml`` goes before all. Then what the file says (``isthing`` of COCO). Else every class is one when some picture shows
    two objects of one class: where a class occurs once a picture at most, nothing is gained by telling objects apart.

    Parameters
    ----------
    annotated : the regions.
    names : the classes, without background.
    declared : what ``limner.toml`` says.

    Raises
    ------
    DataError : a class is declared a thing or stuff that is not among `names`.
    """
    stated = {name: thing for found in annotated.sets for name, thing in things_and_stuff(found.record).items()}
    things = tuple(name for name in names if stated.get(name, True) and name not in declared.stuff)
    is_told = bool(declared.task) or any(name in stated for name in names) or _are_counted(annotated, things)
    return declared.things_among(("background", *names), things if is_told else ())


def _are_counted(annotated: Annotated, things: Sequence[str]) -> bool:
    """Some picture shows two objects of one class."""
    ids = {name: index for index, name in enumerate(things, start=1)}
    for entry in annotated.entries:
        drawing = Drawing(entry.annotation, ids, annotated.format not in BOXES_LOCATE)
        objects = {
            (region.label, region.group or f"\0{index}")
            for index, region in enumerate(entry.annotation.regions)
            if drawing.is_object(region)
        }
        if any(count > 1 for count in Counter(label for label, _ in objects).values()):
            return True
    return False
