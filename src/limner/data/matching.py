"""Which picture an annotation means: by relative path, then by name and size in bytes, then by a name that occurs once."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from limner.core.annotation import Annotation
from limner.data.images import SUFFIXES
from limner.data.stacks import stack_suffix


def walk_pictures(root: Path) -> Iterator[str]:
    """Relative paths of all picture files below `root`; hidden ones are passed over, links to folders are followed once."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and (PurePosixPath(name).suffix.lower() in SUFFIXES or stack_suffix(name)):
                yield (Path(folder) / name).relative_to(root).as_posix()


@dataclass(frozen=True)
class Match:
    """The picture that an annotation means.

    Parameters
    ----------
    picture : path relative to the folder of pictures; empty when none was found or several would do.
    candidates : pictures of that name, when it is not clear which is meant.
    """

    picture: str
    candidates: tuple[str, ...] = ()


class Pictures:
    """All picture files below a folder, to be found by what annotation files call them.

    Parameters
    ----------
    root : the folder; its files are listed once, none is opened.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = tuple(sorted(walk_pictures(root)))
        self._known = set(self.names)
        self._by_base: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            path = PurePosixPath(name)
            self._by_base[path.name.casefold()].append(name)
            self._by_stem[path.stem.casefold()].append(name)

    def find(self, annotation: Annotation, folder: str = "") -> Match:
        """The picture of `annotation`.

        Parameters
        ----------
        annotation : its image may be a path, a URL, an absolute path of another computer, or (without suffix) a stem.
        folder : where the annotation file lies, relative to the pictures; tried first for relative paths, and taken when several
            pictures share a name.
        """
        name = plain_name(annotation.image)
        if not name:
            return Match("")
        for place in (PurePosixPath(folder) / name, PurePosixPath(name)):
            if str(place) in self._known:
                return Match(str(place))
        base = PurePosixPath(name).name
        found = self._by_base.get(base.casefold(), [])
        if not found and PurePosixPath(base).suffix.lower() not in SUFFIXES:
            found = self._by_stem.get(base.casefold(), [])
        exact = [path for path in found if PurePosixPath(path).name == base]
        return self._one(exact or found, annotation, name, folder)

    def _one(self, found: list[str], annotation: Annotation, name: str, folder: str) -> Match:
        """Of several pictures of a name the one whose size in bytes, end of path or folder fits alone."""
        if len(found) > 1 and annotation.num_bytes and annotation.num_bytes > 0:
            fits = [path for path in found if (self.root / path).stat().st_size == annotation.num_bytes]
            found = fits if len(fits) == 1 else found
        if len(found) > 1:
            fits = [path for path in found if _ends_with(path, name)]
            found = fits if len(fits) == 1 else found
        if len(found) > 1 and folder not in ("", "."):
            fits = [path for path in found if path.startswith(folder + "/")]
            found = fits if len(fits) == 1 else found
        return Match(found[0]) if len(found) == 1 else Match("", tuple(found))


def _ends_with(path: str, name: str) -> bool:
    """The picture's path ends with `name`, which may lack the suffix (YOLO)."""
    return any(f"/{whole}".endswith(f"/{name}") for whole in (path, str(PurePosixPath(path).with_suffix(""))))


def plain_name(image: str) -> str:
    """A relative path with forward slashes; URLs and absolute paths are reduced to their last part, and never followed.

    Examples
    --------
    >>> plain_name("https://example.org/a%20b.jpg?x=1"), plain_name("C:\\\\data\\\\x.png"), plain_name("a\\\\b.png")
    ('a b.jpg', 'x.png', 'a/b.png')
    """
    text = image.replace("\\", "/").strip()
    if "://" in text[:12] or text.startswith("data:"):
        text = unquote(urlsplit(text).path).rpartition("/")[2]
    elif text.startswith("/") or text[1:3] == ":/":
        text = text.rpartition("/")[2]
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        parts = parts[-1:] if parts[-1] != ".." else []
    return "/".join(parts).replace("\x00", "")
