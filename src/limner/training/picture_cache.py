"""Decoded pictures: in memory as far as they fit, the others behind each other in one file.

The file is mapped into memory as a whole: any number of pictures needs one descriptor, of which a process has about a thousand.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.files import disk_errors

FILE = "pictures.bin"
ALIGNMENT = 64  # of an array in the file, in bytes: any kind of number can be read there


@dataclass(frozen=True)
class Cached:
    """One picture at working scale: image ``(h, w, C)``, labels ``(h, w)``, where its classes are, object ids ``(h, w)``."""

    image: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    points_yx: dict[int, npt.NDArray[np.int32]]
    ids: npt.NDArray[np.uint16] | None = None

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What can lie in a file."""
        return {"image": self.image, "labels": self.labels} | ({} if self.ids is None else {"ids": self.ids})

    @property
    def num_bytes(self) -> int:
        """Of all that it holds."""
        return sum(array.nbytes for array in (*self.arrays.values(), *self.points_yx.values()))


@dataclass(frozen=True)
class _Stored:
    """Where an array lies in the file, and what it is."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, whole: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        end = self.start + int(np.prod(self.shape)) * self.dtype.itemsize
        return whole[self.start : end].view(self.dtype).reshape(self.shape)


class PictureCache:
    """Takes pictures one after the other, and gives them all.

    Parameters
    ----------
    folder : where the file is written, if one is needed; what an earlier run left there is overwritten.
    most_bytes : that pictures may fill in memory.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._file, self._most = folder / FILE, most_bytes
        self._used = self._written = 0
        self._pictures: list[Cached] = []
        self._outside: dict[int, dict[str, _Stored]] = {}

    def add(self, picture: Cached) -> None:
        """Keep a picture.

        Raises
        ------
        MachineError : the disk is full.
        """
        self._used += picture.num_bytes
        if self._used > self._most:
            self._outside[len(self._pictures)] = self._write(picture.arrays)
            nothing: dict[str, Any] = {kind: np.empty(0, array.dtype) for kind, array in picture.arrays.items()}
            picture = dataclasses.replace(picture, **nothing)
        self._pictures.append(picture)

    def pictures(self) -> list[Cached]:
        """All pictures in the order in which they came; arrays in the file can be read only."""
        found = list(self._pictures)
        if self._outside:
            whole = np.asarray(np.memmap(self._file, np.uint8, mode="r"))
            for number, stored in self._outside.items():
                arrays: dict[str, Any] = {kind: place.read(whole) for kind, place in stored.items()}
                found[number] = dataclasses.replace(found[number], **arrays)
        return found

    def _write(self, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, _Stored]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        places: dict[str, _Stored] = {}
        with disk_errors(self._file), self._file.open("ab" if self._written else "wb") as file:
            for kind, array in arrays.items():
                places[kind] = _Stored(self._written, array.shape, array.dtype)
                self._written += file.write(np.ascontiguousarray(array).data)
                self._written += file.write(bytes(-self._written % ALIGNMENT))
        return places
