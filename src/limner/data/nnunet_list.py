"""``splits.csv`` in a folder of nnU-Net or the Decathlon: who trains and tests, and in which group, to the letter."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import Path

from limner.data.group_table import names_of
from limner.data.items import Item, Layout
from limner.data.split_rows import numbered_rows, split_name, unset_splits


def as_listed(layout: Layout, root: Path) -> Layout:
    """The cases with the parts and groups of the list; cases that it does not name are not used.

    A row may name the file of any channel or the case, with its folder and suffix or without.

    Parameters
    ----------
    layout : of `limner.data.nnunet.nnunet_layout`.
    root : the folder, with ``splits.csv``.

    Raises
    ------
    DataError : the list cannot be read, or names a split in some rows only.
    """
    path = root / "splits.csv"
    called: dict[str, dict[str, Item]] = defaultdict(dict)
    for item in layout.items:
        for file in (item.image, *item.channels):
            for name in names_of(file.relative_to(root).as_posix()):
                called[name][item.name] = item
    lines_of: dict[str, list[int]] = defaultdict(list)
    items, absent, parts = [], [], dict[str, str]()
    for line, row in numbered_rows(path, masks=False):
        split = split_name(row["split"], f"{path}, line {line}")
        found = next((known for name in names_of(row["image"].replace("\\", "/")) if (known := called.get(name))), {})
        if len(found) != 1:
            why = f"several cases, such as {min(found)}" if found else "no such case"
            absent.append(f"{row['image']} (splits.csv line {line}: {why})")
            continue
        (item,) = found.values()
        lines_of[item.name].append(line)
        if len(lines_of[item.name]) == 1:
            items.append(dataclasses.replace(item, group=item.group or row["group"]))
            parts[item.name] = split
    unset_splits(list(parts.items()), str(path))
    is_given = any(parts.values())
    if not is_given:  # groups alone: imagesTs stays the test
        parts = {item.name: item.split for item in layout.items}
    twice = [
        (name, f"splits.csv lines {', '.join(map(str, lines))}") for name, lines in lines_of.items() if len(lines) > 1
    ]
    return dataclasses.replace(
        layout,
        items=tuple(
            dataclasses.replace(item, split=parts[item.name]) for item in sorted(items, key=lambda item: item.name)
        ),
        lonely_masks=(*layout.lonely_masks, *absent),
        ambiguous=(*layout.ambiguous, *twice),
        unlisted=tuple(item.name for item in layout.items if item.name not in lines_of),
        split_rule="given by splits.csv" if is_given else layout.split_rule,
    )
