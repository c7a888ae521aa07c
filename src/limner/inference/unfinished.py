"""Answers for a huge picture while they are made: rows in files beside a journal, so that an interruption costs one band of tiles.

The journal is written after the rows that it tells of are on the disk, and renamed into place: what it says is always true.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limner.core.files import disk_errors, write_json
from limner.core.labels import Labels
from limner.inference.capacity import Pieces
from limner.inference.object_bands import ObjectRows
from limner.inference.unfinished_objects import UnfinishedObjects


@dataclass
class Unfinished:
    """The rows that are finished.

    Parameters
    ----------
    folder : holds ``rows`` and ``journal.json``.
    size_hw, dtype : of the label map.
    key : what decides the labels; a journal of another key is not continued.
    objects : what is kept of the objects; None where they are not told apart.
    """

    folder: Path
    size_hw: tuple[int, int]
    dtype: np.dtype[Any]
    key: Mapping[str, Any]
    rows: int = 0
    counts: tuple[int, ...] = ()
    pieces: Pieces | None = None
    objects: UnfinishedObjects | None = None

    @property
    def _file(self) -> Path:
        return self.folder / "rows"

    @property
    def _journal(self) -> Path:
        return self.folder / "journal.json"

    def open(self, *, resume: bool, classes: int) -> int:
        """Begin, or go on where the journal ends; the next row.

        Parameters
        ----------
        resume : a journal of the same key is continued; otherwise what lies there is overwritten.
        classes : how many pixels of each class are counted.
        """
        self.counts = (0,) * classes
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (resume and self._continue()):
                self._journal.unlink(missing_ok=True)
                self._file.write_bytes(b"")
                if self.objects is not None:
                    self.objects.begin()
            with self._file.open("r+b") as file:  # rows behind the journal's last word may be half there
                file.truncate(self.rows * self.size_hw[1] * self.dtype.itemsize)
        return self.rows

    def _continue(self) -> bool:
        try:
            told = json.loads(self._journal.read_text(encoding="utf-8"))
            long_enough = self._file.stat().st_size >= told["rows"] * self.size_hw[1] * self.dtype.itemsize
            if told["key"] != json.loads(json.dumps(dict(self.key))) or not long_enough:
                return False
            if self.objects is not None:
                self.objects.go_on(told["objects"])
                if self.objects.state.start != told["rows"]:
                    return False
            self.rows, self.counts = int(told["rows"]), tuple(int(count) for count in told["counts"])
            pieces = told["pieces"]
            self.pieces = Pieces(int(pieces["tile"]), int(pieces["batch"]), tuple(pieces["notes"]))
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def append_objects(self, rows: ObjectRows, pieces: Pieces) -> None:
        """Add rows of labels and of objects, which follow those that are there; `note` makes them count."""
        assert self.objects is not None
        self.objects.append(rows)
        self.append(rows.labels, pieces)

    def append(self, labels: Labels, pieces: Pieces) -> None:
        """Add rows ``(n, W)``, which follow those that are there; `note` makes them count."""
        with disk_errors(self._file), self._file.open("ab") as file:
            file.write(np.ascontiguousarray(labels, self.dtype).data)
        found = np.bincount(labels.ravel(), minlength=len(self.counts))
        self.counts = tuple(old + int(new) for old, new in zip(self.counts, found, strict=False))
        self.rows += len(labels)
        self.pieces = pieces

    def note(self) -> None:
        """Bring the rows to the disk and say so in the journal."""
        assert self.pieces is not None
        with disk_errors(self._file), self._file.open("r+b") as file:
            os.fsync(file.fileno())
        told = {
            "rows": self.rows,
            "counts": list(self.counts),
            "pieces": dataclasses.asdict(self.pieces),
            "key": dict(self.key),
        }
        if self.objects is not None:
            told["objects"] = self.objects.note()
        write_json(self._journal, told)
        if self.objects is not None:
            self.objects.forget()

    def read(self, start: int, stop: int) -> Labels:
        """Rows ``start`` to ``stop - 1``: ``(stop - start, W)``."""
        width = self.size_hw[1]
        offset = start * width * self.dtype.itemsize
        values = np.fromfile(self._file, self.dtype, (stop - start) * width, offset=offset)
        rows: Labels = values.reshape(stop - start, width)
        return rows

    def remove(self) -> None:
        """Delete it all: the label map is written."""
        if self.objects is not None:
            self.objects.remove()
        for path in (self._journal, self._file):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()
