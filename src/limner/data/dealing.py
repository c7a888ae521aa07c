"""Deal whole units (groups, sets of copies, or single pictures) to folds: no class missing, even sizes, even classes.

The three are compared in this order, with n pictures in K folds, and t pictures of which c are in a fold for each class:

    missing   sum over classes of max(0, min(K, units that show it) - folds that show it)
    sizes     sum over folds of (size - n / K)^2
    shares    sum over classes and folds of (c - t / K)^2 / (t / K), the pictures without any class being one more class

Units are first dealt one by one, those of the rarest class and the largest before others, each to the fold that lacks its
classes and is smallest, which is the idea of iterative stratification (Sechidis et al. 2011, doi:10.1007/978-3-642-23808-6_10).
Then seeded moves and exchanges are kept where they make the three smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

STARTS = 4
TRIES = 1500  # moves and exchanges of each start
Numbers = npt.NDArray[np.int64]
Cost = tuple[int, float, float]


def deal(table: Numbers, sizes: Numbers, *, folds: int, rng: np.random.Generator) -> list[int]:
    """The fold of each unit, from 0.

    Parameters
    ----------
    table : ``(units, K)`` pictures that show each class, and last those that show none; see `presence`.
    sizes : ``(units,)`` pictures in each unit.
    folds : how many, at most as many as there are units; each gets at least one.
    rng : seeded.
    """
    best: tuple[Cost, list[int]] | None = None
    for _ in range(STARTS):
        hands = _Hands(table, sizes, folds)
        _deal_out(hands, rng)
        found = _improve(hands, rng)
        if best is None or found < best[0]:
            best = found, [int(fold) for fold in hands.fold_of]
    assert best is not None
    return best[1]


@dataclass
class _Hands:
    """Which unit lies where, and what each fold holds; `totals` and `shows` have a row for each fold."""

    table: Numbers
    sizes: Numbers
    folds: int

    def __post_init__(self) -> None:
        self.fold_of = np.full(len(self.sizes), -1, np.int64)
        self.units = np.zeros(self.folds, np.int64)
        self.filled = np.zeros(self.folds, np.int64)
        self.totals = np.zeros((self.folds, self.table.shape[1]), np.int64)
        self.shown = (self.table[:, :-1] > 0).astype(np.int64)
        self.shows = np.zeros((self.folds, self.shown.shape[1]), np.int64)
        self.holders = self.shown.sum(0)
        self.wanted = np.minimum(self.folds, self.holders)
        self.share = self.table.sum(0) / self.folds

    def put(self, unit: int, fold: int) -> None:
        """Lay a unit into a fold, out of the one it is in."""
        before = int(self.fold_of[unit])
        for place, sign in ((before, -1), (fold, 1)):
            if place >= 0:
                self.units[place] += sign
                self.filled[place] += sign * self.sizes[unit]
                self.totals[place] += sign * self.table[unit]
                self.shows[place] += sign * self.shown[unit]
        self.fold_of[unit] = fold

    def cost(self) -> Cost:
        """Missing, sizes, shares."""
        missing = int(np.maximum(0, self.wanted - (self.shows > 0).sum(0)).sum())
        sizes = float(((self.filled - self.filled.sum() / self.folds) ** 2).sum())
        shares = float((((self.totals - self.share) ** 2).sum(0) / np.maximum(self.share, 1e-9)).sum())
        return missing, round(sizes, 6), round(shares, 6)


def _deal_out(hands: _Hands, rng: np.random.Generator) -> None:
    rarest = np.where(hands.shown > 0, hands.holders, len(hands.sizes) + 1).min(1, initial=len(hands.sizes) + 1)
    order = np.lexsort((rng.random(len(hands.sizes)), -hands.sizes, rarest))
    for number, unit in enumerate(order):
        empty = np.flatnonzero(hands.units == 0)  # they come first when as few units are left
        allowed = empty if len(empty) >= len(order) - number else np.arange(hands.folds)
        lacking = ((hands.shows[allowed] == 0) & (hands.shown[unit] > 0)).sum(1)
        hands.put(int(unit), int(allowed[np.lexsort((rng.random(len(allowed)), hands.filled[allowed], -lacking))[0]]))


def _improve(hands: _Hands, rng: np.random.Generator) -> Cost:
    """Move one unit, or exchange two, wherever that is better."""
    now = hands.cost()
    for attempt in range(TRIES if len(hands.sizes) > hands.folds else 0):
        one, other = (int(unit) for unit in rng.integers(len(hands.sizes), size=2))
        here, there = int(hands.fold_of[one]), int(hands.fold_of[other])
        if here == there:
            continue
        exchange = attempt % 2 == 0
        if not exchange and hands.units[here] < 2:
            continue
        hands.put(one, there)
        if exchange:
            hands.put(other, here)
        found = hands.cost()
        if found < now:
            now = found
            continue
        hands.put(one, here)
        if exchange:
            hands.put(other, there)
    return now
