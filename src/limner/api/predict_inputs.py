"""The pictures that `limner predict` is asked for: files, folders and patterns, without what earlier calls predicted."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from limner.api.predict_kept import FOLDER, MANIFEST
from limner.core.errors import DataError
from limner.core.files import MARKER
from limner.data.images import SUFFIXES
from limner.data.windows_zarr import is_zarr


@dataclass(frozen=True)
class Found:
    """What the inputs of a call lead to.

    Parameters
    ----------
    pictures : each once, in order, with the folder that the name of its output is relative to.
    read : what was named, and pictures that are links: an output folder must not hold any of it.
    skipped : folders of predictions that were met on the way and not searched.
    """

    pictures: tuple[tuple[Path, Path], ...]
    read: tuple[Path, ...]
    skipped: tuple[Path, ...]


def find_inputs(inputs: Path | str | Iterable[Path | str], *, out: Path) -> Found:
    """Pictures with the folder that their output names are relative to.

    Label maps are pictures, too. So folders below an input are not searched when they are `out` or hold what an earlier
    call predicted; such a folder can be named as an input itself, unless it is `out`.

    Parameters
    ----------
    inputs : one or several files, folders (searched at any depth), glob patterns or OME-Zarr folders.
    out : the output folder; need not exist.

    Raises
    ------
    DataError : an input does not exist or holds no picture.
    """
    found: dict[Path, Path] = {}
    read: list[Path] = []
    skipped: dict[Path, None] = {}
    for entry in [inputs] if isinstance(inputs, str | Path) else inputs:
        path = Path(entry)
        matches = [path] if path.exists() else list(_matches(str(entry), out, skipped))
        if not matches:
            raise DataError(
                f"nothing found at {entry}",
                expected="a picture, a folder of pictures or a glob pattern",
                where=str(entry),
                fix="check the path; quote patterns as in 'slides/*.png'",
            )
        for match in matches:
            read.append(match)
            if match.is_dir() and not is_zarr(match):
                for picture in sorted(_below(match, out, skipped)):
                    found.setdefault(picture, match)
            else:
                found.setdefault(match, match.parent)
    if not found:
        raise DataError(
            "no pictures in the inputs",
            expected=f"files ending in {', '.join(sorted(SUFFIXES))}",
            fix="check the folder"
            + (f"; predictions of earlier calls were left out: {', '.join(map(str, skipped))}" if skipped else ""),
        )
    links = [picture for picture in found if picture.is_symlink()]
    return Found(tuple(found.items()), (*read, *links), tuple(skipped))


def _matches(pattern: str, out: Path, skipped: dict[Path, None]) -> Iterator[Path]:
    """What a pattern finds, but for predictions below the part of it that is without wildcards."""
    named, outputs = Path(*_until_magic(Path(pattern).parts)), dict[Path, bool]()
    for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - an absolute pattern
        path = Path(match)
        way = [folder for folder in (*reversed(path.parents), path) if named in folder.parents]
        for folder in way:
            if folder not in outputs:
                outputs[folder] = folder.is_dir() and _is_output(folder, out)
        earlier = next((folder for folder in way if outputs[folder]), None)
        if earlier is None:
            yield path
        else:
            skipped[earlier] = None


def _until_magic(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        if glob.has_magic(part):
            return
        yield part


def _below(base: Path, out: Path, skipped: dict[Path, None]) -> Iterator[Path]:
    """Pictures below a folder, in any order; what lies inside an OME-Zarr folder belongs to it."""
    for name, folders, files in os.walk(base):
        folder, deeper = Path(name), []
        for inner in folders:
            path = folder / inner
            if is_zarr(path):
                files.append(inner)
            elif not path.is_symlink() and _is_output(path, out):
                skipped[path] = None
            else:
                deeper.append(inner)
        folders[:] = deeper  # os.walk goes on with these
        yield from (path for path in map(folder.joinpath, files) if _is_picture(path))


def _is_picture(path: Path) -> bool:
    known = path.suffix.lower() in SUFFIXES and path.is_file()
    return (known or is_zarr(path)) and not path.name.startswith(".")


def _is_output(folder: Path, out: Path) -> bool:
    """Whether a folder is the one to write to, or holds predictions, finished or not."""
    if (folder / MARKER).is_file() and ((folder / MANIFEST).is_file() or (folder / FOLDER).is_dir()):
        return True
    return out.exists() and folder.samefile(out)
