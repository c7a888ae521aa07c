"""Which pictures must stay together, and how to choose whole such units for a part so that it shows every class.

Several hundred seeded draws are scored and the best one is taken:

    score = 10 * (classes missing where they could be) + |size - target| / target
            + mean |share of a class in the draw - its share in all| + 1 / (2 * units drawn)

The last term prefers two small groups to one large one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from limner.data.layouts import Item
from limner.data.survey import Facts

DRAWS = 400
Unit = tuple[Item, ...]


def make_units(
    items: Sequence[Item],
    groups: Mapping[str, str],
    facts: Mapping[str, Facts],
    alike: Iterable[Sequence[str]] = (),
) -> list[Unit]:
    """Sets of pictures that must stay together: of one group, exact or near copies, or connected through both.

    Parameters
    ----------
    items : the pictures.
    groups : group by item name; an empty or missing group ties nothing.
    facts : digests by item name.
    alike : sets of names of pictures that are nearly the same; names that are not in `items` tie the others all the same.

    Returns
    -------
    The connected components, in order of their first names, each in order of names, whatever the order of `items`.
    """
    parent: dict[str, str] = {item.name: item.name for item in items}

    def top(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    def tie(one: str, other: str) -> None:
        low, high = sorted((top(one), top(other)))
        parent[high] = low

    first: dict[tuple[str, str], str] = {}
    for item in items:
        fact = facts.get(item.name)
        digest = fact.digest if fact is not None and fact.lowest < fact.highest else ""
        for key in (("group", groups.get(item.name, "")), ("digest", digest)):
            if key[1]:
                tie(first.setdefault(key, item.name), item.name)
    for names in alike:
        for name in names[1:]:
            tie(names[0], name)
    units: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: item.name):
        units[top(item.name)].append(item)
    return sorted((tuple(unit) for unit in units.values()), key=lambda unit: unit[0].name)


def presence(
    units: Sequence[Unit], facts: Mapping[str, Facts], num_classes: int, strata: Mapping[str, str] | None = None
) -> npt.NDArray[np.int64]:
    """Pictures of each unit that are of each stratum, that show each foreground class, and last those that show none.

    Parameters
    ----------
    units : see `make_units`.
    facts : pixels of each class, by item name.
    num_classes : the background included.
    strata : kind of each picture, by item name; counted like classes that a draw should show.

    Returns
    -------
    ``(units, S + num_classes)`` for S strata.
    """
    kinds = sorted(set((strata or {}).values()))
    table = np.zeros((len(units), len(kinds) + num_classes), dtype=np.int64)
    for row, unit in enumerate(units):
        for item in unit:
            if strata:
                table[row, kinds.index(strata[item.name])] += 1
            pixels = facts[item.name].pixels if item.name in facts else {}
            shown = [len(kinds) + index - 1 for index, number in pixels.items() if index > 0 and number]
            table[row, shown or [-1]] += 1
    return table


def draw(
    table: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], *, target: float, keep: int, rng: np.random.Generator
) -> list[int]:
    """Indices of the units that leave for a split.

    Parameters
    ----------
    table : ``(units, K)`` from `presence`.
    sizes : ``(units,)`` pictures in each unit.
    target : wanted number of pictures.
    keep : units that must stay; a class should stay in as many (fewer when it is rare), too.
    rng : seeded.
    """
    shows = table[:, :-1] > 0
    holders = shows.sum(0)
    classes = [int(c) for c in np.argsort(holders, kind="stable") if holders[c] >= 2]
    best: tuple[float, list[int]] = (np.inf, [])
    for attempt in range(DRAWS):
        order = rng.permutation(len(sizes))
        if attempt % 2:  # begin with one holder of each class that the draw does not show yet, the rarest first
            head: list[int] = []
            for c in classes:
                if not shows[head, c].any():
                    head.append(int(next(u for u in order if shows[u, c])))
            taken = set(head)
            order = np.array(head + [int(u) for u in order if u not in taken], dtype=np.int64)
        chosen = _near(order, sizes, target=target, most=len(sizes) - keep)
        score = _score(table, sizes, chosen, target=target, keep=keep, holders=holders)
        if score < best[0] - 1e-12:
            best = score, sorted(int(u) for u in chosen)
    return best[1]


def _near(
    order: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], *, target: float, most: int
) -> npt.NDArray[np.int64]:
    """The first units of `order` that are not too many, and that one of the others which fits best into what is left."""
    totals = np.cumsum(sizes[order])
    count = min(most, int(np.searchsorted(totals, target, side="right")))
    left = target - (totals[count - 1] if count else 0)
    others = order[count:]
    if count < most and len(others):
        best = int(np.argmin(np.abs(sizes[others] - left)))
        if not count or abs(sizes[others[best]] - left) <= left:  # two groups go before one that is as near
            return np.append(order[:count], others[best])
    return order[:count]


def _score(
    table: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.int64],
    *,
    target: float,
    keep: int,
    holders: npt.NDArray[np.int64],
) -> float:
    inside = (table[chosen, :-1] > 0).sum(0)
    stay = holders - inside
    needed = np.where(holders > keep, keep, np.minimum(holders, 1))
    missing = int((stay < needed).sum()) + int(((inside == 0) & (holders >= 2)).sum())
    share = table[chosen].sum(0) / max(1, sizes[chosen].sum())
    overall = table.sum(0) / sizes.sum()
    off = abs(float(sizes[chosen].sum()) - target) / target
    return 10.0 * missing + off + float(np.abs(share - overall).mean()) + 0.5 / len(chosen)
