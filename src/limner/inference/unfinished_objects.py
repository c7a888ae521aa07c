"""Objects of a huge picture while they are found: ids, records and joined ids in files that only grow, and the state behind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from limner.core.files import disk_errors, write_atomic
from limner.inference.object_bands import BandState, ObjectRows
from limner.inference.object_runs import RECORD, Found, Ids, final_ids, renumbered

IDS, FOUND, JOINED = "ids", "found", "joined"


@dataclass
class UnfinishedObjects:
    """What is known of the objects in the rows that are finished.

    Parameters
    ----------
    folder : holds ``ids``, ``found``, ``joined`` and ``state-*.npz``.
    width : of the picture.
    state : behind the last row.
    """

    folder: Path
    width: int
    state: BandState = field(init=False)

    def __post_init__(self) -> None:
        self.state = BandState.begin(self.width)

    def begin(self) -> None:
        """Forget what lies there."""
        self.remove()
        self.state = BandState.begin(self.width)
        for name in (IDS, FOUND, JOINED):
            (self.folder / name).write_bytes(b"")

    def go_on(self, told: Mapping[str, Any]) -> None:
        """Take up what `note` told; what was written later is cut off.

        Raises
        ------
        OSError, ValueError, KeyError, TypeError : a file is missing, damaged, too short, or of another picture.
        """
        try:
            path = self.folder / str(told["state"])
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                arrays = {name: held[name] for name in held.files}
        except (BadZipFile, EOFError) as error:
            raise ValueError("a damaged state") from error
        start, bottom, next_id = [int(arrays.pop(name)) for name in ("start", "bottom", "next_id")]
        state = BandState(start, bottom, next_id, **arrays)
        sizes = {IDS: 4 * state.start * self.width, FOUND: RECORD.itemsize * told[FOUND], JOINED: 8 * told[JOINED]}
        if state.ids.shape[1] != self.width or state.found.dtype != RECORD:
            raise ValueError("the state of another picture")
        for name, size in sizes.items():
            if (self.folder / name).stat().st_size < size:
                raise ValueError(f"{name} is too short")
        for name, size in sizes.items():
            os.truncate(self.folder / name, size)
        self.state = state

    def append(self, rows: ObjectRows) -> None:
        """Add what follows; it counts when `note` was called and what it told is on the disk."""
        for name, values in ((IDS, rows.ids), (FOUND, rows.finished), (JOINED, rows.joined)):
            path = self.folder / name
            with disk_errors(path), path.open("ab") as file:
                file.write(np.ascontiguousarray(values).tobytes())
        self.state = rows.state

    def note(self) -> dict[str, Any]:
        """Bring everything to the disk; what `go_on` needs to find it."""
        for name in (IDS, FOUND, JOINED):
            path = self.folder / name
            with disk_errors(path), path.open("r+b") as file:
                os.fsync(file.fileno())
        state = self.state
        arrays: dict[str, Any] = {name: getattr(state, name) for name in ("ids", "labels", "open_ids", "found")}
        arrays |= {name: np.int64(getattr(state, name)) for name in ("start", "bottom", "next_id")}

        def save(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)

        write_atomic(self.folder / self._state_name, save)
        sizes = {name: (self.folder / name).stat().st_size for name in (FOUND, JOINED)}
        return {"state": self._state_name, FOUND: sizes[FOUND] // RECORD.itemsize, JOINED: sizes[JOINED] // 8}

    @property
    def _state_name(self) -> str:
        return f"state-{self.state.bottom}.npz"

    def forget(self) -> None:
        """Delete the states before the one that was noted last."""
        for path in self.folder.glob("state-*.npz"):
            if path.name != self._state_name:
                path.unlink()

    def _records(self) -> Found:
        found: Found = np.fromfile(self.folder / FOUND, RECORD)
        return found

    def _joined(self) -> npt.NDArray[np.int32]:
        return np.fromfile(self.folder / JOINED, np.int32).reshape(-1, 2)

    def numbers(self) -> Ids:
        """The last number of each id that was handed out, see `final_ids`."""
        return final_ids(self.state.next_id - 1, self._joined())

    def found(self) -> Found:
        """``(M,)`` records of all objects, by their last number."""
        return renumbered(self._records(), self.numbers())

    def read(self, start: int, stop: int, numbers: Ids) -> Ids:
        """Last numbers of rows ``start`` to ``stop - 1``: ``(stop - start, W)``.

        Parameters
        ----------
        numbers : from `numbers`, which are the same for all rows.
        """
        ids = np.fromfile(self.folder / IDS, np.int32, (stop - start) * self.width, offset=4 * start * self.width)
        return numbers.take(ids.reshape(stop - start, self.width))

    def remove(self) -> None:
        """Delete it all."""
        for path in (*self.folder.glob("state-*.npz"), *(self.folder / name for name in (IDS, FOUND, JOINED))):
            path.unlink(missing_ok=True)
