"""One mask file for each object, as in the Data Science Bowl 2018: which files they are, and the objects that they show.

<id>/images/<id>.png  <id>/masks/*.png      a folder for each picture
images/x.png          masks/x/*.png         a folder of masks with the picture's name
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from limner.core.errors import DataError
from limner.data.masks import read_raw_mask
from limner.data.raw_ids import RawIds, Remarks

Found = list[tuple[str, str, tuple[str, ...]]]


def find_one_file_each(
    root: Path, files: Sequence[str], image_folders: Collection[str], mask_folders: Collection[str]
) -> Found:
    """Pictures with the folder of their objects and the files in it; empty when the files do not lie so.

    Parameters
    ----------
    root : the data folder, looked into for empty folders of pictures without objects.
    files : relative paths of all pictures.
    image_folders, mask_folders : names, in small letters.
    """
    images: dict[str, list[str]] = defaultdict(list)  # by the folder above the one called images
    masks: dict[str, list[str]] = defaultdict(list)  # by the folder that they are in
    for file in files:
        parts = file.split("/")
        roles = [
            i for i, part in enumerate(parts[:-1]) if part.lower() in image_folders or part.lower() in mask_folders
        ]
        if roles and parts[roles[0]].lower() in mask_folders:
            masks["/".join(parts[:-1])].append(file)
        elif roles:
            images["/".join(parts[: roles[0]])].append(file)
    found = _folder_each(root, images, masks, mask_folders) or _named_folders(root, images, masks, mask_folders)
    return found if any(len(objects) > 1 for _, _, objects in found) else []


def _folder_each(
    root: Path, images: dict[str, list[str]], masks: dict[str, list[str]], mask_folders: Collection[str]
) -> Found:
    """``<id>/images/a.png`` with all of ``<id>/masks/``; in every folder one picture, whose name no mask bears, but for a few."""
    found: Found = []
    for above, pictures in images.items():
        if not above:
            return []
        folder = _child(root / above, mask_folders)
        if len(pictures) > 1:
            return []
        if folder:
            found.append((pictures[0], f"{above}/{folder}", tuple(masks.get(f"{above}/{folder}", ()))))
    named = sum(PurePosixPath(image).stem in {PurePosixPath(mask).stem for mask in files} for image, _, files in found)
    return found if 2 * named < len(found) or named == 0 else []


def _named_folders(
    root: Path, images: dict[str, list[str]], masks: dict[str, list[str]], mask_folders: Collection[str]
) -> Found:
    """``images/x.png`` with all of ``masks/x/``."""
    found: Found = []
    for above, pictures in images.items():
        folder = _child(root / above, mask_folders)
        for picture in pictures if folder else ():
            inner = PurePosixPath(picture).relative_to(above) if above else PurePosixPath(picture)
            name = (PurePosixPath(above) / folder / PurePosixPath(*inner.parts[1:]).with_suffix("")).as_posix()
            if name in masks or (root / name).is_dir():
                found.append((picture, name, tuple(masks.get(name, ()))))
    return found


def _child(folder: Path, names: Collection[str]) -> str:
    """The folder in `folder` that bears one of the names; empty when there is none."""
    children = [path.name for path in sorted(folder.iterdir()) if path.is_dir() and path.name.lower() in names]
    return children[0] if children else ""


def read_one_file_each(paths: Sequence[Path], size_hw: tuple[int, int]) -> RawIds:
    """The objects of one picture: in each file what is above 0 (above half of 255 where edges are soft).

    Parameters
    ----------
    paths : one file for each object; none = no objects.
    size_hw : of the picture.

    Returns
    -------
    Numbered by size. Where objects overlap, the smallest has the pixel, so that none is hidden by a larger one.

    Raises
    ------
    DataError : a file cannot be read, or has another size than the picture.
    """
    shapes = []
    for path in paths:
        values = read_raw_mask(path).values
        if values.shape != size_hw:
            sizes = [f"{height} x {width}" for height, width in (values.shape, size_hw)]
            raise DataError(
                f"{path.name} is {sizes[0]}, its picture {sizes[1]}", expected="the same height and width",
                where=str(path), fix="export the masks at the size of their picture",
            )  # fmt: skip
        soft = int(values.max(initial=0)) == 255 and len(np.unique(values)) > 2
        shapes.append(np.flatnonzero(values > (127 if soft else 0)))
    ids, claims = np.zeros(size_hw, np.int32), np.zeros(size_hw[0] * size_hw[1], np.int32)
    line = ids.reshape(-1)
    for number, place in enumerate(sorted(shapes, key=len, reverse=True), start=1):
        claims[place] += 1
        line[place] = number
    left = np.unique(line)
    table = np.zeros(len(shapes) + 1, np.int32)
    table[left] = np.arange(len(left)) + (0 if 0 in left else 1)
    hidden = len(shapes) - np.count_nonzero(left)
    return RawIds(table[ids], None, Remarks(overlap=int((claims > 1).sum()), hidden=int(hidden)))
