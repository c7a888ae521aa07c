"""What `limner predict` keeps beside its outputs while it runs, so that an interrupted call can be continued.

    OUT/.unfinished/call.json       what was asked, of which model
                    rows/*.json     a row of the manifest for each finished picture, with a stamp of its file
                    work/*/         the finished rows of a huge picture
                    objects/*/      what the tables of objects will hold of a finished picture

All of it is deleted when the manifest is written; a finished call is continued from the manifest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.core.errors import OutputError
from limner.core.files import MARKER, check_output, disk_errors, prepare_output, write_json

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

    def keep(self, target: str, source: Path, row: dict[str, Any]) -> None:
        """Remember the row of a finished picture, whole or not at all."""
        write_json(
            self.folder / "rows" / f"{_short(target)}.json", {"path": str(source), "stamp": _stamp(source), "row": row}
        )

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
        OutputError : the folder is not new, or, with `resume`, of another call.
        """
        rows: dict[str, dict[str, Any]] = {}
        if resume and (self.out / MARKER).is_file() and any(path.name != MARKER for path in self.out.iterdir()):
            rows = self._earlier(call)
        elif resume:
            check_output(self.out, overwrite=False)
            prepare_output(self.out, overwrite=False)
        else:
            prepare_output(self.out, overwrite=overwrite)
        with disk_errors(self.folder):
            self.folder.mkdir(exist_ok=True)
        write_json(self.folder / "call.json", call)
        return rows

    def _earlier(self, call: dict[str, Any]) -> dict[str, dict[str, Any]]:
        begun, manifest = _read(self.folder / "call.json"), _read(self.out / MANIFEST)
        if begun is None and manifest is None:
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
        listed = [row for row in (manifest or {}).get("images", []) if "output" in row]
        rows = {row["output"]: row for row in listed if not _newer(Path(row["input"]), self.out / row["output"])}
        for path in sorted((self.folder / "rows").glob("*.json")):
            told = _read(path) or {}
            row = told.get("row", {})
            if "output" in row and told.get("stamp") == _stamp(Path(str(told.get("path")))):
                rows[row["output"]] = row
        return {output: row for output, row in rows.items() if self._is_whole(row)}

    def _is_whole(self, row: dict[str, Any]) -> bool:
        """Whether the files of a picture are there."""
        files = [row[name] for name in ("output", "instances") if name in row]
        return all((self.out / file).is_file() for file in files)

    def finish(self) -> None:
        """Delete what was kept: the manifest says it all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _short(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()[:24]


def _stamp(path: Path) -> list[int]:
    """Changes with the file; empty where it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime_ns]


def _newer(source: Path, output: Path) -> bool:
    """Whether a picture was written after its label map; not where one of them is missing."""
    source_stamp, output_stamp = _stamp(source), _stamp(output)
    return bool(source_stamp and output_stamp) and source_stamp[1] > output_stamp[1]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
