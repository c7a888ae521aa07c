"""Which picture an annotation means: by relative path, then by name and size in bytes, then by a name that occurs once.

A path that is there is found before any name is: a picture that one annotation names by its path is never guessed for another, and
two names that differ never mean one picture. What is left over is missing, and drawn nowhere.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from limner.core.annotation import Annotation
from limner.data.images import SUFFIXES
from limner.data.stacks import stack_suffix
from limner.data.written_paths import is_bare, places


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
        self._by_bare: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            path = PurePosixPath(name)
            self._by_base[path.name.casefold()].append(name)
            self._by_stem[path.stem.casefold()].append(name)
            self._by_bare[str(path.with_suffix(""))].append(name)

    def find(self, annotation: Annotation, folder: str = "") -> Match:
        """The picture of one annotation; see `find_all`."""
        return self.find_all([(annotation, folder)])[0]

    def find_all(self, asked: Sequence[tuple[Annotation, str]], files: Sequence[object] | None = None) -> list[Match]:
        """The pictures of annotations that belong together.

        Parameters
        ----------
        asked : each annotation with the folder of its file, relative to the pictures. The image of an annotation may be a path, a
            URL, an absolute path of another computer, or (without suffix) a stem. The folder is tried first for relative paths, and
            taken when several pictures share a name.
        files : what tells the files of the annotations apart; None = all are of one. Absolute paths of two files, of which each
            calls a picture one way, may come from two computers and mean the same picture (`may_be_same`).

        Returns
        -------
        One match each, in order. A picture that one annotation names by its path is no match for the mere name of another.
        """
        exact = [self._exact(annotation, folder) for annotation, folder in asked]
        claimed = set(exact) - {""}
        matches = [
            Match(path) if path else self._guess(annotation, folder)
            for path, (annotation, folder) in zip(exact, asked, strict=True)
        ]
        claims: dict[str, list[int]] = defaultdict(list)
        guesses: dict[str, list[int]] = defaultdict(list)
        for index, match in enumerate(matches):
            if match.picture:
                (claims if exact[index] or match.picture not in claimed else guesses)[match.picture].append(index)
        numbers: dict[object, int] = {}
        origin = [numbers.setdefault(file, len(numbers)) for file in (files or [None] * len(asked))]
        owners = {
            index
            for picture, several in claims.items()
            for index in self._owners(picture, several, asked, origin, is_exact=picture in claimed)
        }
        for picture, several in guesses.items():  # of a picture that others name by its path
            for index in several:
                known = [asked[other][0].image for other in claims[picture] if origin[other] != origin[index]]
                others = [asked[other][0].image for other in several if origin[other] == origin[index]]
                same = all(may_be_same(asked[index][0].image, name) for name in known)
                if len(known) == len(claims[picture]) and same and len(set(others)) == 1:
                    owners.add(index)
        return [
            match if index in owners or not match.picture else Match("")  # the picture of another annotation
            for index, match in enumerate(matches)
        ]

    def _owners(
        self,
        picture: str,
        claims: list[int],
        asked: Sequence[tuple[Annotation, str]],
        origin: Sequence[int],
        *,
        is_exact: bool,
    ) -> list[int]:
        """Which of the annotations that claim a picture may have it: those of one name, and of its size where sizes differ."""
        stated = {index: asked[index][0].num_bytes or 0 for index in claims}
        if len({number for number in stated.values() if number > 0}) > 1:
            real = (self.root / picture).stat().st_size
            if real in stated.values():
                claims = [index for index in claims if stated[index] <= 0 or stated[index] == real]
                fits = [index for index in claims if stated[index] == real]
                claims = claims if is_exact else fits
        if is_exact:
            return claims
        names = {(asked[index][0].image, origin[index]) for index in claims}
        if len({file for _, file in names}) < len(names):
            return []  # one file has two names for it
        first = asked[claims[0]][0].image
        if not all(may_be_same(first, name) for name, _ in names):
            return []
        folders = {asked[index][1] for index in claims}
        return [index for index in claims if not _is_elsewhere(picture, asked[index][1], folders)]

    def _exact(self, annotation: Annotation, folder: str) -> str:
        """The picture at the path that is written; empty when there is none."""
        for place in places(annotation.image, folder):
            if place in self._known:
                return place
            if is_bare(place) and len(self._by_bare.get(place, ())) == 1:
                return self._by_bare[place][0]
        return ""

    def _guess(self, annotation: Annotation, folder: str) -> Match:
        """The picture that bears the name, wherever it lies."""
        name = plain_name(annotation.image)
        if not name:
            return Match("")
        for place in (PurePosixPath(folder) / name, PurePosixPath(name)):
            if str(place) in self._known:
                return Match(str(place))
        base = PurePosixPath(name).name
        found = self._by_base.get(base.casefold(), [])
        if not found and is_bare(base):
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


def _is_elsewhere(picture: str, folder: str, folders: Collection[str]) -> bool:
    """The file lies in ``b/json`` and another one, with the same name in it, in ``a/json``, while the picture lies in ``a``."""
    own, place = set(folder.split("/")), set(picture.split("/")[:-1])
    return any((other - own) & place and own - other - {"", "."} for other in ({*one.split("/")} for one in folders))


def may_be_same(one: str, other: str) -> bool:
    """Whether names of two files may mean one picture: equal ones, or an absolute path or URL of another computer.

    Folders beside one another on one computer hold different pictures: ``/x/a/0.png`` is not ``/x/b/0.png``.

    Examples
    --------
    >>> may_be_same("C:/pics/0.png", "/home/bob/0.png"), may_be_same("0.png", "/home/bob/0.png")
    (True, True)
    >>> may_be_same("/x/a/0.png", "/x/b/0.png"), may_be_same("a/0.png", "/x/b/0.png"), may_be_same("a/0.png", "b/0.png")
    (False, False, False)
    """
    if one == other:
        return True
    paths = [PurePosixPath(name.replace("\\", "/").strip()) for name in (one, other)]
    if plain_name(paths[0].name) != plain_name(paths[1].name) or not any(_is_foreign(name) for name in (one, other)):
        return False
    folders = [path.parent for path in paths]
    if all(_is_foreign(name) for name in (one, other)):
        return folders[0].name == folders[1].name or folders[0].parent != folders[1].parent
    stated = next(folder for folder, name in zip(folders, (one, other), strict=True) if not _is_foreign(name))
    foreign = next(folder for folder, name in zip(folders, (one, other), strict=True) if _is_foreign(name))
    return stated.name in ("", foreign.name)


def _is_foreign(image: str) -> bool:
    """An absolute path or a URL, of which only the last part says something about this folder."""
    text = image.replace("\\", "/").strip()
    return "://" in text[:12] or text.startswith("/") or text[1:3] == ":/"


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
