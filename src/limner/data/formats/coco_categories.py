"""Categories of COCO files: ids with gaps, from 0 or as strings, names that are missing or double, Roboflow's phantom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from limner.data.formats.fields import identifier, name_of, whole
from limner.data.formats.ledger import Ledger


@dataclass(frozen=True)
class Categories:
    """What the ids of a file mean.

    Parameters
    ----------
    names : id as text to name.
    classes : names in the order of the file, without a phantom.
    """

    names: Mapping[str, str]
    classes: tuple[str, ...] = ()

    def label(self, value: Any) -> str | None:
        """The name for a ``category_id``: its digits when the file declares no categories; None when it is not declared."""
        key = identifier(value)
        if key is None:
            return None
        return self.names.get(key) if self.names else key


def read_categories(value: Any, used: Iterable[str], ledger: Ledger) -> Categories:
    """The categories of a file.

    Parameters
    ----------
    value : what stands under ``categories``.
    used : ids that objects have.
    ledger : hears of what was put right.
    """
    records = value if isinstance(value, list) else []
    if not records:
        ledger.warn("no-categories", "the file declares no categories; the ids are taken as names", "categories")
        return Categories({})
    names: dict[str, str] = {}
    for index, record in enumerate(records):
        where = f"categories/{index}"
        key = identifier(record.get("id")) if isinstance(record, dict) else None
        if key is None:
            ledger.warn("bad-category", "a category without an id is passed over", where)
        elif key in names:
            ledger.warn("duplicate-category", f"the category id {key[:40]} occurs twice; the first one counts", where)
        else:
            name = name_of(record.get("name"))
            if not name:
                ledger.warn("bad-category", f"the category {key[:40]} has no name; its id is taken", where)
            elif name in names.values():
                ledger.warn("duplicate-category", f"the name {name[:80]!r} has two ids, which become one class", where)
            names[key] = name or key
    phantom = _phantom(records, names, set(used), ledger)
    return Categories(names, tuple(dict.fromkeys(name for key, name in names.items() if key != phantom)))


def things_and_stuff(record: Any) -> dict[str, bool]:
    """What the categories say of their names: True for things (``isthing`` 1), False for stuff; else nothing.

    Parameters
    ----------
    record : of an `AnnotationSet`; anything but a document with ``categories`` says nothing.
    """
    categories = record.get("categories") if isinstance(record, dict) else None
    found: dict[str, bool] = {}
    for category in categories if isinstance(categories, list) else []:
        key = identifier(category.get("id")) if isinstance(category, dict) else None
        mark = whole(category.get("isthing")) if key is not None else None
        if key is not None and mark is not None:
            found.setdefault(name_of(category.get("name")) or key, mark != 0)
    return found


def stating(stuff: Iterable[str], things: Iterable[str]) -> dict[str, Any]:
    """A record that says of classes what `things_and_stuff` reads, for sets of any format; empty when there is no stuff."""
    stuff = list(stuff)
    names = [*((name, 1) for name in things), *((name, 0) for name in stuff)]
    return {"categories": [{"id": name, "name": name, "isthing": mark} for name, mark in names]} if stuff else {}


def _phantom(records: list[Any], names: Mapping[str, str], used: set[str], ledger: Ledger) -> str | None:
    """The id 0 when it is no class but the name of the others' family, as Roboflow writes it, and no object has it."""
    name = names.get("0")
    if name is None or "0" in used or len(names) == 1:
        return None
    families = [record.get("supercategory") for record in records if isinstance(record, dict) and record.get("id") != 0]
    if name not in families:
        return None
    text = (
        f"the category 0, {name[:80]!r}, is the family of the others and no object has it; it is not taken as a class"
    )
    ledger.warn("phantom-category", text, "categories")
    return "0"


def written_categories(
    own: Any, classes: Iterable[str], labels: Iterable[str], *, stated: Mapping[str, bool] | None = None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Categories to write, and the id of each name.

    Parameters
    ----------
    own : the categories of the file that was read in the same format, kept with their ids; else None.
    classes, labels : names that must be there, declared ones first; new ones get ids above all others, from 1 on.
    stated : of new ones which are things, see `things_and_stuff`; None = nothing is said.
    """
    records = [dict(record) for record in own if isinstance(record, dict)] if isinstance(own, list) else []
    ids: dict[str, Any] = {}
    for record in records:
        key = identifier(record.get("id"))
        if key is not None:
            ids.setdefault(name_of(record.get("name")) or key, record["id"])
    numbers = [int(key) for key in (identifier(value) for value in ids.values()) if key and key.lstrip("-").isdigit()]
    following = max(numbers, default=0) + 1
    for name in dict.fromkeys((*classes, *sorted(set(labels)))):
        if name and name not in ids:
            ids[name] = following
            marks = {"isthing": int(stated[name])} if stated and name in stated else {}
            records.append({"id": following, "name": name, "supercategory": "", **marks})
            following += 1
    return records, ids
