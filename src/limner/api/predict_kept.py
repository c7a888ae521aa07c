"""What `limner predict` keeps beside its outputs while it runs, so that an interrupted call can be continued.

    OUT/.unfinished/call.json       what was asked, of which model
                    rows/*.json     a row of the manifest for each picture that is done
                    work/*/         the finished rows of a huge picture
                    objects/*/      what the tables of objects will hold of a finished picture

All of it is deleted when the manifest is written; a finished call is continued from the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.core.errors import OutputError
from limner.core.files import MARKER, disk_errors, prepare_output, write_json

MANIFEST = "predictions.json"
FOLDER = ".unfinished"


@dataclass(frozen=True)
class Kept:
    """The rows and unfinished pictures of a call.

    Parameters
    ----------
    out : output folder.
    """

    out: Path

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return self.out / FOLDER

    def work(self, target: str) -> Path:
        """Folder for an unfinished picture."""
        return self.folder / "work" / _short(target)

    def objects(self, target: str) -> Path:
        """Folder for what the tables of objects will hold of a picture."""
        return self.folder / "objects" / _short(target)

    def keep(self, target: str, row: dict[str, Any]) -> None:
        """Remember the row of a picture, whole or not at all."""
        write_json(self.folder / "rows" / f"{_short(target)}.json", {"target": target, "row": row})

    def prepare(self, call: dict[str, Any], *, resume: bool, overwrite: bool) -> dict[str, dict[str, Any]]:
        """Make the output folder ready.

        Parameters
        ----------
        call : what was asked, of which model; JSON.
        resume : keep what an earlier call of the same kind made.
        overwrite : replace a folder that Limner made.

        Returns
        -------
        The rows that are there already, by output; empty without `resume`.

        Raises
        ------
        OutputError : the folder is not new, or, with `resume`, of another call or another command.
        """
        rows: dict[str, dict[str, Any]] = {}
        if resume and (self.out / MARKER).is_file() and any(path.name != MARKER for path in self.out.iterdir()):
            rows = self._earlier(call)
        else:
            prepare_output(self.out, overwrite=overwrite and not resume)
        with disk_errors(self.folder):
            self.folder.mkdir(exist_ok=True)
        write_json(self.folder / "call.json", call)
        return rows

    def _earlier(self, call: dict[str, Any]) -> dict[str, dict[str, Any]]:
        begun, manifest = _read(self.folder / "call.json"), _read(self.out / MANIFEST)
        if begun is None and manifest is None:
            others = sorted(path.name for path in self.out.iterdir() if path.name not in (MARKER, FOLDER))
            if others:
                raise OutputError(
                    f"{self.out} was made by another command, or its {MANIFEST} cannot be read (it holds {others[0]})",
                    expected="the folder of an interrupted limner predict, or a new one",
                    where=str(self.out),
                    fix="choose another --out",
                )
            return {}  # it ended before it began
        before = begun if begun is not None else (manifest or {}).get("call")
        if before != json.loads(json.dumps(call)):
            differing = sorted(name for name in call if (before or {}).get(name) != call[name])
            raise OutputError(
                f"{self.out} was made by another call ({', '.join(differing) or 'unknown'} differ)",
                expected="the same model and options",
                where=str(self.out),
                fix="repeat the options of that call, choose another --out, or pass --overwrite instead of --resume",
            )
        rows = {_target(row): row for row in (manifest or {}).get("images", []) if "output" in row}
        for path in sorted((self.folder / "rows").glob("*.json")):
            told = _read(path) or {}
            row = told.get("row", {})
            if "output" in row or "target" in told:
                rows[str(told.get("target") or _target(row))] = row
        return {row["output"]: row for row in rows.values() if "output" in row and self._is_current(row)}

    def _is_current(self, row: dict[str, Any]) -> bool:
        """Whether the answer is there and its picture is the one that was read."""
        if not self._is_whole(row):
            return False
        if "source" in row:
            return bool(row["source"] == source_of(Path(row["source"]["path"])))
        return not _newer(Path(row["input"]), self.out / row["output"])  # a row of an earlier version

    def _is_whole(self, row: dict[str, Any]) -> bool:
        """Whether the files of a picture are there."""
        files = [row[name] for name in ("output", "instances") if name in row]
        return all((self.out / file).is_file() for file in files)

    def finish(self) -> None:
        """Delete what was kept: the manifest says it all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _short(target: str) -> str:
    return hashlib.sha256(os.fsencode(target)).hexdigest()[:24]


def _target(row: dict[str, Any]) -> str:
    return str(row["output"])[: -len(".png")]  # as long as .tif


def source_of(path: Path) -> dict[str, Any]:
    """What tells the file of a picture from another one, and from a later or earlier one of its name.

    Returns
    -------
    ``{"path", "bytes", "mtime_ns"}``; the path alone where the file is not there.
    """
    try:
        stat = path.stat()
    except OSError:
        return {"path": str(path)}
    return {"path": str(path), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _newer(source: Path, output: Path) -> bool:
    """Whether a picture was written after its label map; not where it is missing."""
    return source.exists() and source.stat().st_mtime_ns > output.stat().st_mtime_ns


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
