"""Names of files that are written for pictures: they keep the sub-folders and never lead outside the folder."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))}
)  # names of devices on Windows, with any suffix
MAX_BYTES = 120  # of one part; file systems allow 255, and suffixes and temporary names are added
MAX_DEPTH = 12
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DRIVE = re.compile(r"[A-Za-z]:")
_BAD = re.compile(
    r'[\x00-\x1f\x7f<>:"|?*\ud800-\udfff\u202a-\u202e\u2066-\u2069]'
)  # the last turn the reading direction


def slashes(name: str) -> str:
    r"""A name with the separators of Windows turned.

    Examples
    --------
    >>> slashes(r"..\images\a.jpg")
    '../images/a.jpg'
    """
    return name.replace("\\", "/")


def base_name(name: str) -> str:
    """The last part of a path or URL, with either separator."""
    return slashes(name).rstrip("/").rpartition("/")[2]


def inner_path(name: str) -> PurePosixPath:
    """A relative path for the picture `name` that every file system takes and that stays inside its folder.

    Parameters
    ----------
    name : as an annotation file has it: a name, a path with either separator, a URL. Paths that are absolute or lead
        upwards, and URLs, are reduced to their last part.

    Examples
    --------
    >>> [str(inner_path(name)) for name in ("a/b.jpg", "../b.jpg", "C:/x/b.jpg", "http://h/b.jpg?v=1", "CON.png", "")]
    ['a/b.jpg', 'b.jpg', 'b.jpg', 'b.jpg_v=1', '_CON.png', 'picture']
    """
    path = slashes(name)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    leads_out = path.startswith("/") or bool(_URL.match(path) or _DRIVE.match(path)) or ".." in parts
    if leads_out or len(parts) > MAX_DEPTH:
        parts = [part for part in parts if part != ".."][-1:]
        parts = [_DRIVE.sub("", part) for part in parts]
    cleaned = [_clean(part) for part in parts]
    return PurePosixPath(*(cleaned or ["picture"]))


def annotation_paths(names: Sequence[str], suffix: str) -> list[PurePosixPath]:
    """One file per picture: the stem of the picture and `suffix`, all different on every file system.

    Pictures that differ in their suffix alone keep it (``a.jpg.json``, ``a.png.json``).

    Examples
    --------
    >>> [str(path) for path in annotation_paths(["s/a.jpg", "b.jpg", "b.PNG", "b.png"], ".json")]
    ['s/a.json', 'b.jpg.json', 'b.PNG.json', 'b.png (2).json']
    """
    inner = [inner_path(name) for name in names]
    stems = Counter(_key(path.with_suffix("")) for path in inner)
    taken: Counter[str] = Counter()
    result = []
    for path in inner:
        stem = path.name if stems[_key(path.with_suffix(""))] > 1 else path.stem
        candidate = path.with_name(stem + suffix)
        while taken[_key(candidate)]:
            taken[_key(path.with_name(stem + suffix))] += 1
            candidate = path.with_name(f"{stem} ({taken[_key(path.with_name(stem + suffix))]}){suffix}")
        taken[_key(candidate)] += 1
        result.append(candidate)
    return result


def _key(path: PurePosixPath) -> str:
    return str(path).casefold()


def _clean(part: str) -> str:
    part = _BAD.sub("_", part).rstrip(". ").lstrip(" ")
    if part.partition(".")[0].casefold() in RESERVED:
        part = "_" + part
    raw = part.encode("utf-8", "replace")
    if len(raw) > MAX_BYTES:  # the end is kept for the suffix; a hash keeps different names different
        digest = hashlib.sha256(raw).hexdigest()[:8]
        tail = raw[-12:].decode("utf-8", "ignore")
        part = raw[: MAX_BYTES - 24].decode("utf-8", "ignore") + digest + tail
    return part or "_"
