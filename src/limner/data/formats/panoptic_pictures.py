"""Where the PNGs of a panoptic COCO file lie: never outside the folder of the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from limner.data.formats.foreign import shown
from limner.data.formats.geometry import Refusal

DEEPEST = 3
MOST_FOLDERS = 1000


class PanopticPictures:
    """The folder of the PNGs.

    Parameters
    ----------
    file : the JSON. Its PNGs lie in the folder beside it that is called like it, or beside it under the path that they have in the
        file, or in the only folder (up to three levels below) that has them.
    names : of the PNGs.
    """

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self._root = file.parent
        self._places = [self._root / file.stem, self._root]
        if names and all(_inside(self._root, place, names[0]) is None for place in self._places):
            self._places += _folders_with(self._root, names[0])
        self._beside = file.stem

    def find(self, name: str) -> Path:
        """The PNG called `name`.

        Raises
        ------
        Refusal : it is not there, or its name leads elsewhere.
        """
        if not name:
            raise Refusal("missing-file", "the annotation does not name its PNG (file_name)")
        for place in self._places:
            path = _inside(self._root, place, name)
            if path is not None:
                return path
        raise Refusal(
            "missing-file", f"the PNG {shown(name)} with the segments was not found; it belongs into {self._beside}/"
        )


def _inside(root: Path, folder: Path, name: str) -> Path | None:
    """The file, when it is one and lies below `root`, links resolved."""
    parts = name.replace("\\", "/").split("/")
    if "\x00" in name or ".." in parts or ":" in parts[0] or len(name) > 1000:
        return None
    path = folder.joinpath(*[part for part in parts if part not in ("", ".")])
    try:
        is_inside = path.is_file() and path.resolve().is_relative_to(root.resolve())
    except OSError:  # a name that the file system does not take
        return None
    return path if is_inside else None


def _folders_with(root: Path, name: str) -> list[Path]:
    """The folder below `root` that has a file `name`; none when it is not clear which is meant."""
    found = []
    for number, (folder, folders, _) in enumerate(os.walk(root)):
        place = Path(folder)
        if number > MOST_FOLDERS:
            break
        if len(place.relative_to(root).parts) >= DEEPEST:
            folders.clear()
        folders[:] = sorted(entry for entry in folders if not entry.startswith("."))
        if place != root and _inside(root, place, name) is not None:
            found.append(place)
    named = [place for place in found if "panoptic" in place.name.lower()]
    if len(found) == 1:
        return found
    return named if len(named) == 1 else []
