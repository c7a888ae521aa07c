"""Objects of a picture that comes in rows: bands are decoded with what lies around them, each object becomes final once.

A decoder is local when an object depends on no pixel farther than `reach` rows from it. An object found in a band is therefore
right as soon as the band shows `reach` rows above and below it. What is not yet right waits: the next band begins `reach` rows
above the first object that waits, and finds it again, whole::

    handed out already  ..................................   top of the band: `reach` rows above the first new one
                            #              (handed out before, its lower part was kept)
    -----------------------###----------------------------   first row that is not handed out
                            #      ####         ##
                                  ######       ####          final: more than `reach` rows above the lower edge
                                   ####         ##
    - - - - - - - - - - - - - - - - - - - - -###- - - - - -  rows up to here are handed out now
                                           ######            waits: the lower edge is too near
    ________________________________________######________   lower edge of the band

Rows are handed out when all objects in them are final. So ids can be given in the order of the first pixels, row by row, and
neither bands nor parts are seen in the result. Only an object that keeps the band from moving on, because it is longer than what
may be held, is handed out in part; its pieces are joined by overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError, ShapeError
from limner.core.labels import Labels
from limner.core.objects import Objects
from limner.inference.object_runs import RECORD, Found, Ids, Runs, added, measure, pair_counts, renumbered, runs_of

Maps = npt.NDArray[np.float32]
Decode = Callable[[Maps], tuple[Labels, Objects]]
Joined = npt.NDArray[np.int32]
MOST_OBJECTS = 2**31 - 1  # ids are int32
BAND_BYTES = 256 * 2**20  # of maps that are held at once, where `reach` allows
BAND_ROWS = 1024


@dataclass(frozen=True)
class BandState:
    """All that is needed to go on behind some rows; the maps are needed again from `first_row` on.

    Parameters
    ----------
    start : the first row that is not handed out.
    bottom : the row below the last decoded band.
    next_id : of the next object.
    ids, labels : ``(t, W)`` of the rows from `start` on, where objects lie that were handed out in part; elsewhere ids are 0.
    open_ids : ids of objects too long to be held, whose lower end is not known.
    found : records of the objects in `ids`, as far as they are handed out.
    """

    start: int
    bottom: int
    next_id: int
    ids: Ids
    labels: Labels
    open_ids: Ids
    found: Found

    @classmethod
    def begin(cls, width: int) -> BandState:
        """Before the first row."""
        nothing = np.zeros((0, width), np.int32)
        return cls(0, 0, 1, nothing, nothing.astype(np.uint8), np.zeros(0, np.int32), np.zeros(0, RECORD))

    def first_row(self, reach: int) -> int:
        """The first row of the maps that the next band needs."""
        return max(0, self.start - reach)


@dataclass(frozen=True)
class ObjectRows:
    """Finished rows.

    Parameters
    ----------
    start : the first.
    labels : ``(n, W)`` class ids; n may be 0.
    ids : ``(n, W)`` int32 object ids, 0 = none.
    finished : records of the objects that lie in no later row, by rising id (see `RECORD`).
    joined : ``(J, 2)`` int32: an id that stays, and a larger one, handed out before, that is the same object (see `final_ids`).
    state : where a later call goes on.
    """

    start: int
    labels: Labels
    ids: Ids
    finished: Found
    joined: Joined
    state: BandState


def band_rows_of(width: int, *, maps: int, reach: int) -> int:
    """Rows of a band so that the maps that are held take `BAND_BYTES`: at most `BAND_ROWS`, and at least twice `reach`.

    At most ``reach + 2 * band_rows`` rows are held. Below twice the reach most of a band would be decoded more than twice.
    """
    rows = BAND_BYTES // (4 * maps * width)
    return max(2 * reach, min(BAND_ROWS, (rows - reach) // 2))


def object_rows(
    parts: Iterator[tuple[int, Maps]],
    decode: Decode,
    *,
    size_hw: tuple[int, int],
    reach: int,
    band_rows: int,
    join_share: float = 0.5,
    state: BandState | None = None,
) -> Iterator[ObjectRows]:
    """Labels and object ids of a picture of any height, in order and as they are finished.

    Parameters
    ----------
    parts : first row and maps ``(K, n, W)`` of parts of any height that follow one another, from row
        ``state.first_row(reach)`` on to the end.
    decode : maps ``(K, h, W)`` to labels and objects. It must not depend on where in the picture the rows lie, and be local.
    size_hw : of the picture.
    reach : rows around an object that it depends on, at least 1. An object that is longer is still found whole up to
        ``max(2 * reach, band_rows) - reach`` rows; beyond, it may be joined from pieces.
    band_rows : by how many rows a band reaches farther than the one before.
    join_share : a piece continues an object that was handed out in part where they share more than this part of the pixels that
        the smaller one has in the rows that both bands show. 0 joins whatever shares a pixel, which for connected components
        is exact at any length.
    state : where to go on; None = at the first row.

    Yields
    ------
    `ObjectRows` that together have each row once. Without objects longer than what is held they equal ``decode`` of the whole
    picture, and ids are 1 to M in the order of the first pixels, row by row: independent of `band_rows` and of the parts. What
    is held are the maps of ``reach + 2 * max(2 * reach, band_rows)`` rows at most, whole rows of the picture.

    Raises
    ------
    ShapeError : parts that do not follow one another, or end too early.
    DataError : more than 2,147,483,647 objects.
    """
    height, width = size_hw
    reach = max(1, reach)
    hold = max(2 * reach, band_rows)
    state = state or BandState.begin(width)
    held = _Held(parts, width, min(height, reach + hold + band_rows))
    while state.start < height:
        bottom = min(state.bottom + band_rows, height)
        labels, objects = decode(held.rows(state.first_row(reach), bottom))
        band = _Band(state, labels, objects, reach=reach, bottom=bottom, is_last=bottom == height)
        rows = band.handed_out(hold, join_share)
        state = rows.state
        yield rows


class _Held:
    """The maps of the rows that may still be needed, moved to the top of one array."""

    def __init__(self, parts: Iterator[tuple[int, Maps]], width: int, most: int) -> None:
        self._parts, self._width, self._most = parts, width, most
        self._maps: Maps | None = None
        self._first = self._have = -1
        self._rest: tuple[int, Maps] | None = None

    def rows(self, top: int, bottom: int) -> Maps:
        """Rows ``top`` to ``bottom - 1``; those above are forgotten."""
        if self._maps is not None and top > self._first:
            kept = self._have - top
            for plane in self._maps:  # one after the other: a copy of all would double what is held
                plane[:kept] = plane[top - self._first : self._have - self._first].copy()
            self._first = top
        while self._have < bottom:
            self._take(top, bottom)
        assert self._maps is not None
        return self._maps[:, : bottom - self._first]

    def _take(self, top: int, bottom: int) -> None:
        first, maps = self._rest or next(self._parts, (-1, np.zeros((0, 0, 0), np.float32)))
        if self._maps is None and first >= 0:
            self._maps = np.empty((len(maps), self._most, self._width), np.float32)
            self._first = self._have = top
        if first != self._have or self._maps is None or maps.shape[2] != self._width:
            raise ShapeError(
                f"maps of shape {maps.shape} from row {first}" if first >= 0 else f"maps that end above row {bottom}",
                expected=f"maps of width {self._width} from row {max(top, self._have)}",
            )
        count = min(first + maps.shape[1], bottom) - first
        self._maps[:, first - self._first : first - self._first + count] = maps[:, :count]
        self._have += count
        self._rest = (first + count, maps[:, count:]) if count < maps.shape[1] else None


class _Band:
    """One decoded band and what is known from those above it.

    Objects of the band are numbered as the decoder did; rows count from the first one that is not handed out.
    """

    def __init__(
        self, state: BandState, labels: Labels, objects: Objects, *, reach: int, bottom: int, is_last: bool
    ) -> None:
        self.state, self.objects = state, objects
        self.reach, self.height, self.is_last = reach, bottom - state.start, is_last
        above = len(labels) - self.height
        self.labels, self.ids = labels[above:].copy(), objects.ids[above:]
        kept = slice(0, len(state.ids))
        self.is_kept = (state.ids > 0) & ~np.isin(state.ids, state.open_ids)
        self.labels[kept][self.is_kept] = state.labels[self.is_kept]
        self.new_ids = self.ids.copy()  # pixels that objects already final do not have
        self.new_ids[kept][self.is_kept] = 0
        self.runs = runs_of(self.new_ids)
        self._measure_objects()

    def _measure_objects(self) -> None:
        """Pixels, first pixel and first and last row of each object in `new_ids`, by number."""
        size = len(self.objects) + 1
        runs = self.runs
        self.pixels = np.bincount(runs.ids, weights=runs.lengths, minlength=size).astype(np.int64)
        self.first = np.full(size, self.height * runs.width, np.int64)
        self.first[runs.ids[::-1]] = runs.starts[::-1]  # of several values for one place NumPy keeps the last
        self.last_row = np.full(size, -1, np.int64)
        self.last_row[runs.ids] = runs.starts // runs.width
        self.is_final = self.is_last | (self.last_row < self.height - self.reach)
        areas = np.concatenate([[0], self.objects.areas()])
        self.is_new = (self.pixels > 0) & (2 * self.pixels > areas)  # else most of it is known already

    def handed_out(self, hold: int, join_share: float) -> ObjectRows:
        """The rows that are finished, and the state behind them."""
        state = self.state
        table = np.zeros(len(self.objects) + 1, np.int32)
        joined = self._continue(table, join_share)
        is_open = (table > 0) & ~self.is_final  # longer than what may be held
        self.is_new &= table == 0
        rows = self._finished_rows(hold)
        chosen = np.flatnonzero(self.is_new & (self.first < rows * self.runs.width))
        chosen = chosen[np.argsort(self.first[chosen], kind="stable")]
        next_id = state.next_id + len(chosen)
        if next_id - 1 > MOST_OBJECTS:
            raise DataError(
                "too many objects in one picture",
                expected=f"at most {MOST_OBJECTS:,}",
                fix="cut the picture into parts",
            )
        table[chosen] = np.arange(state.next_id, next_id, dtype=np.int64).astype(np.int32)
        is_open[chosen] = ~self.is_final[chosen]
        self._give_rest(table)

        ids = table[self.new_ids]
        kept = slice(0, len(state.ids))
        ids[kept][self.is_kept] = state.ids[self.is_kept]
        before = renumbered(state.found, _names(joined, state.next_id)) if len(joined) else state.found
        found = added(before, self._records(table, rows))
        tail = ids[rows:]
        tail = tail[: int(np.flatnonzero(tail.any(axis=1)).max(initial=-1)) + 1].copy()
        is_finished = ~np.isin(found["id"], runs_of(tail).ids)
        tail_labels = self.labels[rows : rows + len(tail)].copy()
        tail_labels[tail == 0] = 0
        after = replace(
            state, start=state.start + rows, bottom=state.start + self.height, next_id=next_id, ids=tail,
            labels=tail_labels,
            open_ids=np.unique(table[is_open]), found=found[~is_finished],
        )  # fmt: skip
        return ObjectRows(state.start, self.labels[:rows], ids[:rows], found[is_finished], joined, after)

    def _finished_rows(self, hold: int) -> int:
        """How many rows can be handed out: down to the first object that waits, unless more than `hold` rows would be held."""
        if self.is_last:
            return self.height
        waiting = self.first[self.is_new & ~self.is_final].min(initial=self.height * self.runs.width)
        rows = min(self.height - self.reach, int(waiting) // self.runs.width)
        return max(rows, self.height - hold, 0)

    def _continue(self, table: Ids, join_share: float) -> Joined:
        """Enter the ids of objects that continue one that is open; which of these turn out to be one."""
        state = self.state
        if not len(state.open_ids):
            return np.zeros((0, 2), np.int32)
        is_open = ~self.is_kept & (state.ids > 0)
        earlier = np.where(is_open, state.ids, 0)
        later = self.new_ids[: len(earlier)]
        numbers, ids, pixels = pair_counts(later, earlier)
        size_of = np.bincount(later.ravel(), minlength=len(table))[numbers]
        places, counts = np.unique(earlier, return_counts=True)
        smaller = np.minimum(size_of, counts[np.searchsorted(places, ids)])
        linked = pixels > join_share * smaller
        parent = {int(one): int(one) for one in state.open_ids}

        def root(one: int) -> int:
            while parent[one] != one:
                one = parent[one]
            return one

        first_of: dict[int, int] = {}
        pairs = list(zip(numbers[linked].tolist(), ids[linked].tolist(), strict=True))
        for number, one in pairs:
            low, high = sorted((root(one), root(first_of.setdefault(number, one))))
            parent[high] = low
        for number, one in pairs:
            table[number] = root(one)
        gone = [(root(one), one) for one in parent if root(one) != one]
        return np.array(gone, np.int32).reshape(-1, 2)

    def _give_rest(self, table: Ids) -> None:
        """What an object that is known for the most part has beyond it joins the one that it covers most."""
        rest = np.flatnonzero((self.pixels > 0) & (table == 0) & ~self.is_new)
        if not len(rest) or not self.is_kept.any():
            return
        kept = np.where(self.is_kept, self.state.ids, 0)
        numbers, ids, pixels = pair_counts(self.ids[: len(kept)], kept)
        order = np.argsort(pixels, kind="stable")
        host = np.zeros_like(table)
        host[numbers[order]] = ids[
            order
        ]  # of several values for one place NumPy keeps the last, the one with most pixels
        table[rest] = host[rest]

    def _records(self, table: Ids, rows: int) -> Found:
        """What the finished rows add to each object."""
        state, objects = self.state, self.objects
        fresh = measure(self.runs.above(rows), top=state.start)
        numbers = fresh["id"]
        fresh["class_id"] = objects.classes[numbers - 1]
        fresh["score"] = np.nan if objects.scores is None else objects.scores[numbers - 1]
        fresh["id"] = table[numbers]
        fresh = fresh[fresh["id"] > 0]
        old = measure(_kept_runs(state.ids, self.is_kept, rows), top=state.start)
        place = np.searchsorted(state.found["id"], old["id"])
        old["class_id"], old["score"] = state.found["class_id"][place], state.found["score"][place]
        return added(old, fresh)


def _kept_runs(ids: Ids, is_kept: npt.NDArray[np.bool_], rows: int) -> Runs:
    return runs_of(np.where(is_kept, ids, 0)[:rows])


def _names(joined: Joined, next_id: int) -> Ids:
    """The id that each id stands for after some were joined."""
    table = np.arange(next_id, dtype=np.int32)
    table[joined[:, 1]] = joined[:, 0]
    return table
