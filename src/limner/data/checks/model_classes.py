"""The classes of the data as a model knows them: by name, never by a number that means something else to it.

model  background, cat, dog      data  background, dog, cat     -> the data's 1 is dog, so class 2
model  background, cat, dog      data  background, dog          -> the data's 1 is dog, so class 2; there is no cat
model  background, class_1       data  background, nucleus      -> no name is known: by number, which is said
model  background, cat, dog      data  background, dog, horse   -> refused: by number a dog would be a cat
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.data.declared import Declared
from limner.data.findings import Finding, finding
from limner.data.layouts import Layout
from limner.data.masks import MaskReading, MaskStats, as_colors, scale_of


def with_classes(layout: Layout, model: LabelSpace) -> tuple[Layout, list[Finding]]:
    """The layout with the classes of a model, by name where regions are drawn; labels that the model lacks are an error.

    Raises
    ------
    DataError : declared classes of which some are the model's under other numbers, and others are none of its.
    """
    if layout.declared.classes and not fits(layout.declared.classes, model, layout.declared.where):
        return layout, []
    if layout.label_space is None:  # masks; declared classes get the numbers of the model when they are read
        named = layout.declared.classes or model.names
        return dataclasses.replace(layout, declared=dataclasses.replace(layout.declared, classes=named)), []
    declared = dataclasses.replace(layout.declared, classes=model.names)
    strange = sorted(set(layout.label_space.names[1:]) - set(model.names))
    things = _common_things(layout.label_space, model, layout.declared)
    ids = {name: index for index, name in enumerate(model.names) if index > 0}
    items = tuple(
        dataclasses.replace(item, drawing=dataclasses.replace(item.drawing, ids=ids, things=frozenset(things)))
        if item.drawing else item
        for item in layout.items
    )  # fmt: skip
    space = dataclasses.replace(model, things=things)
    layout = dataclasses.replace(layout, items=items, declared=declared, label_space=space)
    if not strange:
        return layout, []
    text = f"labels that the model does not know: {', '.join(repr(name) for name in strange[:8])}"
    return layout, [finding("UNKNOWN_VALUE", "error", text, [], "correct the labels", count=len(strange))]


def _common_things(own: LabelSpace, model: LabelSpace, declared: Declared) -> tuple[str, ...]:
    """The things of a model, which drawn regions tell apart however few there are; those of the data where the model has none."""
    seen = model.things or tuple(name for name in own.things if name in model.names)
    return declared.things_among(model.names, seen)


def fits(names: Sequence[str], model: LabelSpace, where: str) -> bool:
    """Whether the model knows all these classes by name; False where they have to be compared by number.

    Parameters
    ----------
    names : the classes of the data in the order of their ids, the background first, whatever its name.
    where : what declares them, for the message.

    Raises
    ------
    DataError : it knows some of them under other numbers.
    """
    if set(names) <= set(model.names) or (set(names[1:]) <= set(model.names[1:]) and names[0] not in model.names):
        return True
    moved = [name for index, name in enumerate(names) if name in model.names and model.names.index(name) != index]
    if moved:
        strange = [name for name in names if name not in model.names]
        raise DataError(
            f"the classes of the data are {', '.join(names)}; the model does not know {', '.join(strange)} and has {moved[0]} "
            f"as number {model.names.index(moved[0])} in place of {names.index(moved[0])}",
            expected=f"classes of the model: {', '.join(model.names)}", where=where,
            fix="give the same names to the same classes in limner.toml, or take a model of these classes",
        )  # fmt: skip
    return False


def in_model_order(reading: MaskReading, stats: Sequence[MaskStats], model: LabelSpace) -> MaskReading:
    """The reading with the classes and numbers of a model that knows all its classes; itself where they are the same.

    Raises
    ------
    DataError : masks of two classes in different depths whose edges are soft, which have no table of values.
    """
    own = reading.label_space
    if own.names == model.names or not fits(own.names, model, ""):
        return reading
    by_name = {name: index for index, name in enumerate(model.names)}
    target = {index: by_name.get(name, 0) for index, name in enumerate(own.names)}
    things = tuple(name for name in model.names if name in own.things)
    space = dataclasses.replace(model, things=things)
    if all(index == place for index, place in target.items()):
        return dataclasses.replace(reading, label_space=space)
    shown = ", ".join(f"{index} {name}" for index, name in enumerate(model.names))
    words = f"{reading.words}; then numbered as the model does: {shown}"
    table = tuple(sorted((value, target.get(index, index)) for value, index in _table(reading, stats).items()))
    return dataclasses.replace(reading, label_space=space, words=words, rule="table", table=table)


def _table(reading: MaskReading, stats: Sequence[MaskStats]) -> dict[int, int]:
    """Each value that occurs with its id, whatever the rule."""
    if reading.rule == "table":
        return dict(reading.table)
    table = {0: int(reading.ids(np.array([0]), 1)[0])}
    for one in stats:
        values = np.array(one.values)
        if reading.source == "colour":
            values = as_colors(values, one.kind, one.palette)
        if not values.any():
            continue  # it does not tell the depth
        top = scale_of(int(max(one.values)))
        if reading.rule == "half":
            values = np.arange(top + 1)
        for value, index in zip(values.tolist(), reading.ids(values, top).tolist(), strict=True):
            if table.setdefault(value, index) != index:
                raise DataError(
                    f"masks of different depths, in which {value} means two things", expected="masks of one depth",
                    where=str(one.path), fix="save them with class ids 0 and 1",
                )  # fmt: skip
    return table
