"""Files that are whole or not there: written under another name, flushed, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from limner.core.errors import MachineError, OutputError


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a missing right into an error with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise MachineError(
                f"no space left while writing {path.name} ({error.strerror})",
                expected="room on the disk",
                where=str(path),
                fix="free some space; what was finished before is still there, and --resume goes on from it",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(
                f"{path} cannot be written ({error.strerror})",
                expected="a folder with write permission",
                where=str(path),
                fix="choose another folder with --out",
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG):
            raise OutputError(
                f"{path} cannot be written ({error.strerror})",
                expected="a name that is free, in a folder",
                where=str(path),
                fix="choose another name",
            ) from error
        raise


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary name in the folder of `path`, flush it to disk, and rename it to `path`.

    Raises
    ------
    MachineError : the disk is full; nothing half-written is left.
    OutputError : the folder may not be written, or the name is taken by a folder.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(temporary)
            with temporary.open("r+b") as file:  # Windows flushes only what is open for writing
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):  # the reason why it could not be written comes first
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    write_atomic(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, whole or not at all."""
    write_atomic(path, lambda temporary: temporary.write_bytes(content))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


MARKER = ".limner-output"


def check_apart(folder: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output folder that is one of the inputs of a call or holds one; a folder inside an input is no harm.

    Folders are told apart by what they are and not by how they are written: links, ``..`` and capitals hide nothing.

    Parameters
    ----------
    folder : where the call is going to write; it need not exist.
    inputs : files and folders that the call reads; those that do not exist are left out.

    Raises
    ------
    OutputError : it is one of them, or holds one.
    """
    if not folder.exists():  # what is not there holds nothing
        return
    seen: set[Path] = set()
    for path in inputs:
        for place in _places(path):
            for above in (place, *place.parents):
                if above in seen:  # and so is all above it
                    break
                seen.add(above)
                if above.exists() and above.samefile(folder):
                    raise OutputError(
                        f"{folder} is what this call reads"
                        if above == place
                        else f"{folder} holds {path}, which this call reads",
                        expected="an output folder apart from all inputs",
                        where=str(folder),
                        fix="choose another output folder; inputs are never changed",
                    )


def _places(path: Path) -> Iterator[Path]:
    """Where a file or folder lies; for a link also where the link lies."""
    if path.exists():
        yield path.resolve()
    if path.is_symlink():
        yield path.parent.resolve() / path.name


def check_output(folder: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse a folder that may not be written to; changes nothing.

    Parameters
    ----------
    folder : need not exist.
    overwrite : whether an output of an earlier call may be replaced.
    inputs : what the call reads, see `check_apart`.

    Raises
    ------
    OutputError : it is an input or holds one; or it exists, holds more than the mark of a call that failed early, and
        `overwrite` is False or it was not made by Limner.
    """
    check_apart(folder, inputs)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file", expected="a folder name", fix="choose another --out")
    if not folder.is_dir() or all(path.name == MARKER for path in folder.iterdir()):
        return
    if not overwrite:
        raise OutputError(
            f"the output folder {folder} exists already",
            expected="a new folder",
            where=str(folder),
            fix="choose another --out, or pass --overwrite to replace it",
        )
    if not (folder / MARKER).exists():
        raise OutputError(
            f"the folder {folder} was not made by Limner",
            expected="an output folder of an earlier call",
            where=str(folder),
            fix="choose another --out; Limner deletes only what it wrote itself",
        )


def prepare_output(folder: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> Path:
    """An empty folder to write to, marked as made by Limner so that only such a folder is ever replaced.

    Parameters
    ----------
    folder, overwrite, inputs : see `check_output`.

    Raises
    ------
    OutputError : see `check_output`.
    """
    check_output(folder, overwrite=overwrite, inputs=inputs)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():  # the folder itself may be a mount point
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        (folder / MARKER).touch()
    return folder
