"""Find the files of object numbers that belong to the pictures of a layout, beside their masks or in their place.

instances/a.png   with images/a.png and masks/a.png; also instance/, ids/, inst_maps/ and train/instances/a.png
a_instances.png   beside a.png or its mask
"""

from __future__ import annotations

import bisect
import dataclasses
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from limner.data.declared import Declared
from limner.data.items import Item
from limner.data.stack_layout import without_stack_suffix
from limner.data.stacks import stack_suffix

INSTANCE_FOLDERS = (
    "instances", "instance", "ids", "inst_maps", "inst_map", "instance_maps", "instance_masks", "instance_labels",
)  # fmt: skip
INSTANCE_ENDINGS = ("_instances", "-instances", "_instance", "-instance", "_inst_map", "_ids", "-ids")


def bare(path: str) -> str:
    """A path without its last suffix only: ``a.b.png`` is ``a.b``; ``.nii.gz`` is one suffix."""
    if stack_suffix(path):
        return without_stack_suffix(path)
    return path[: -len(PurePosixPath(path).suffix)]


def without_ending(key: str, endings: Collection[str]) -> str:
    """A key without the longest of the endings that it has."""
    for ending in sorted(endings, key=len, reverse=True):
        if key.lower().endswith(ending):
            return key[: -len(ending)]
    return key


def is_in_instances(file: str) -> bool:
    """The path leads through a folder of `INSTANCE_FOLDERS`."""
    return any(part.lower() in INSTANCE_FOLDERS for part in file.split("/")[:-1])


def without_beside(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Files without those such as ``a_instances.png`` that lie beside a file ``a``, and these.

    Where another file, such as a mask, bears the same name or a longer one, it is a picture of its own.
    """
    keys = {bare(file) for file in files}
    stems = sorted(PurePosixPath(key).name for key in keys)
    beside = []
    for file in files:
        key = bare(file)
        if (plain := without_ending(key, INSTANCE_ENDINGS)) != key and plain in keys:
            stem = PurePosixPath(key).name
            place = bisect.bisect_left(stems, stem)
            if not any(other.startswith(stem) for other in stems[place + 1 : place + 2]):
                beside.append(file)
    left_out = set(beside)
    return [file for file in files if file not in left_out], beside


class InstanceFiles:
    """The files of object numbers below a folder, by the path that they share with their picture.

    Parameters
    ----------
    root : the data folder.
    files : relative paths of all pictures.
    beside : those found by `without_beside`.
    declared : ``limner.toml``; its folder ``instances`` goes before the usual names.
    role_folders : names of the folders of pictures and masks, in small letters.
    """

    def __init__(
        self, root: Path, files: Sequence[str], beside: Sequence[str], declared: Declared, role_folders: Collection[str]
    ) -> None:
        self._root, self._declared, self._roles = root, declared, role_folders
        self._by_key: dict[str, list[str]] = defaultdict(list)
        for file in files:
            key = self._key_in_folder(file)
            if key:
                self._by_key[key].append(file)
                if (plain := without_ending(key, INSTANCE_ENDINGS)) != key:
                    self._by_key[plain].append(file)
        for file in beside:
            self._by_key[without_ending(self.key(file), INSTANCE_ENDINGS)].append(file)

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def of(self, image: str, mask: str = "", endings: Collection[str] = ()) -> Path | None:
        """The file for a picture and its mask; None where there is none, or where several would do.

        Parameters
        ----------
        image, mask : relative paths; `mask` empty where there is none.
        endings : what names of masks may end in.
        """
        keys = [self.key(image)]
        if mask:
            keys += [self.key(mask), without_ending(self.key(mask), endings)]
        for key in (*keys, keys[0] + PurePosixPath(image).suffix):  # a.jpg.png belongs to a.jpg
            found = [file for file in dict.fromkeys(self._by_key.get(key, ())) if file not in (image, mask)]
            if found:
                return self._root / found[0] if len(found) == 1 else None
        return None

    def beside(self, items: Sequence[Item], endings: Collection[str]) -> tuple[Item, ...]:
        """The items, each with its file of object numbers where there is one."""
        return tuple(self._with(item, endings) for item in items)

    def _with(self, item: Item, endings: Collection[str]) -> Item:
        if item.instances is not None or item.mask is None or item.channels:
            return item
        mask = item.mask.relative_to(self._root).as_posix()
        return dataclasses.replace(item, instances=self.of(item.name, mask, endings))

    def _key_in_folder(self, file: str) -> str:
        """The path without the folder that says instances, and without the suffix; empty for files elsewhere."""
        if self._declared.instances:
            folder = self._declared.instances + "/"
            return bare(file[len(folder) :]) if file.startswith(folder) else ""
        parts = file.split("/")
        place = next((i for i, part in enumerate(parts[:-1]) if part.lower() in INSTANCE_FOLDERS), None)
        return "" if place is None else bare("/".join(parts[:place] + parts[place + 1 :]))

    def key(self, file: str) -> str:
        """The path of a picture or mask without the first folder that says so, and without the suffix."""
        for folder in (self._declared.masks, self._declared.images):
            if folder and file.startswith(folder + "/"):
                return bare(file[len(folder) + 1 :])
        parts = file.split("/")
        place = next((i for i, part in enumerate(parts[:-1]) if part.lower() in self._roles), None)
        return bare(file if place is None else "/".join(parts[:place] + parts[place + 1 :]))
