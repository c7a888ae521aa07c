"""Which file is an image and which mask belongs to it: ``limner.toml``, then ``splits.csv``, then folder names.

images/a.png        masks/a.png            also labels/, annotations/, gt/ and a_mask.png
a.png               a_mask.png             side by side
train/images/a.png  train/masks/a.png      the first folder names the split

Files that tell objects apart join them: `instance_layout`, `one_file_each`.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limner.core.errors import DataError
from limner.data.declared import Declared, read_declared
from limner.data.images import SUFFIXES
from limner.data.instance_layout import InstanceFiles, bare, is_in_instances, without_beside, without_ending
from limner.data.items import Item, Layout
from limner.data.matching import walk_pictures
from limner.data.nnunet import is_nnunet, nnunet_layout
from limner.data.nnunet_list import as_listed
from limner.data.one_file_each import find_one_file_each
from limner.data.split_rows import SPLITS, numbered_rows, read_rows, split_name, unset_splits
from limner.data.stack_layout import npy_roles

__all__ = [
    "IMAGE_FOLDERS",
    "MASK_FOLDERS",
    "SPLITS",
    "Item",
    "Layout",
    "find_layout",
    "inside",
    "read_rows",
    "split_name",
]

IMAGE_FOLDERS = ("images", "image", "imgs", "img")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations", "annotation", "gt")
MASK_ENDINGS = (
    "_mask",
    "-mask",
    "_masks",
    "-masks",
    "_label",
    "-label",
    "_labels",
    "-labels",
    "_seg",
    "-seg",
    "_gt",
    "-gt",
)


@dataclass
class _Pairing:
    """Image and mask paths by key, before they are matched."""

    images: dict[str, list[str]]
    masks: dict[str, list[str]]


def find_layout(root: Path) -> Layout:
    """Pair the images and masks below `root`; no pixel is read.

    Raises
    ------
    DataError : no folder, no pictures in it, or a ``limner.toml`` or ``splits.csv`` that cannot be obeyed.
    """
    if not root.is_dir():
        raise DataError(
            f"{root} {'is a file' if root.exists() else 'does not exist'}", expected="a folder with images/ and masks/",
            where=str(root), fix="check the spelling and give the folder that holds the pictures",
        )  # fmt: skip
    declared = read_declared(root)
    if is_nnunet(root) and not declared.pairs:
        layout = nnunet_layout(root, declared)
        return as_listed(layout, root) if (root / "splits.csv").is_file() else layout
    if declared.instances and not (root / declared.instances).is_dir():
        raise DataError(
            f"no folder {declared.instances}", expected="the folder of object numbers", where=declared.where,
            fix="correct instances",
        )  # fmt: skip
    files, beside = without_beside(sorted(walk_pictures(root)))
    if not files:
        raise DataError(
            f"no pictures in {root}", expected=f"files with suffix {', '.join(sorted(SUFFIXES))} in images/ and masks/",
            where=str(root), fix="put the pictures into images/ and their masks, with the same names, into masks/",
        )  # fmt: skip
    instances = InstanceFiles(root, files, beside, declared, (*IMAGE_FOLDERS, *MASK_FOLDERS))
    if declared.pairs:
        layout = _from_pairs(root, declared)
    elif (root / "splits.csv").is_file():
        layout = _from_csv(root, declared, files, instances)
    else:
        layout = _from_folders(root, declared, files, instances)
    layout = dataclasses.replace(layout, items=instances.beside(layout.items, MASK_ENDINGS))
    if not layout.items and not layout.lonely_images and not layout.ambiguous:
        raise DataError(
            f"no images in {root}, only {len(layout.lonely_masks)} masks", expected="images/ beside masks/",
            where=str(root),
            fix='put the pictures into images/, or name the folders in limner.toml: images = "..." and masks = "..."',
        )  # fmt: skip
    return layout


def _from_pairs(root: Path, declared: Declared) -> Layout:
    items, lonely_images, lonely_masks = [], [], []
    for image, mask in sorted(declared.pairs.items()):
        image_path, mask_path = inside(root, image, declared.where), inside(root, mask, declared.where)
        if not image_path.is_file():
            lonely_masks.append(mask)
        elif not mask_path.exists():
            lonely_images.append(image)
        else:
            parts = _files_in(mask_path)
            items.append(Item(image, image_path, mask_path, group=declared.group_of(image), instances=parts))
    return Layout(tuple(items), tuple(lonely_images), tuple(lonely_masks), (), (), "", declared)


def inside(root: Path, name: str, where: str) -> Path:
    """The path of `name` below `root`.

    Raises
    ------
    DataError : the name leads out of the folder.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or parts.is_absolute() or ".." in parts.parts:
        raise DataError(
            f"the path '{name}'", expected="a path inside the data folder", where=where,
            fix="write it relative to the data folder",
        )  # fmt: skip
    return root / parts


def _files_in(mask: Path) -> tuple[Path, ...] | None:
    """The files of a folder that stands in the place of a mask, one for each object; None where it is a file."""
    return tuple(mask / name for name in sorted(walk_pictures(mask))) if mask.is_dir() else None


def _from_csv(root: Path, declared: Declared, files: list[str], instances: InstanceFiles) -> Layout:
    where = str(root / "splits.csv")
    items, lonely_images, lonely_masks = [], [], []
    rows_of: dict[str, list[int]] = defaultdict(list)
    for number, row in numbered_rows(root / "splits.csv"):
        name, mask_name = row["image"].replace("\\", "/"), row["mask"].replace("\\", "/")
        rows_of[name].append(number)
        image = inside(root, name, f"{where}, line {number}")
        mask = inside(root, mask_name, f"{where}, line {number}") if mask_name else instances.of(name)
        split = split_name(row["split"], f"{where}, line {number}")
        if not image.is_file():
            lonely_masks.append(f"{mask_name or name} (splits.csv line {number}: no file {name})")
        elif mask is None or not mask.exists():
            lonely_images.append(name)
        elif len(rows_of[name]) == 1:
            group, parts = declared.group_of(name) or row["group"], _files_in(mask) if mask_name else mask
            items.append(Item(name, image, mask, split, group, instances=parts))
    ambiguous = tuple(
        (name, f"splits.csv lines {', '.join(map(str, numbers))}")
        for name, numbers in rows_of.items()
        if len(numbers) > 1
    )
    unset_splits([(item.name, item.split) for item in items], where)
    given = {item.split for item in items}
    folders = {PurePosixPath(item.name).parent for item in items}
    listed = set(rows_of) | {item.mask.relative_to(root).as_posix() for item in items if item.mask}
    unlisted = tuple(file for file in files if file not in listed and PurePosixPath(file).parent in folders)
    rule = "given by splits.csv" if given != {""} and items else ""
    return Layout(
        tuple(sorted(items, key=lambda item: item.name)),
        tuple(lonely_images),
        tuple(lonely_masks),
        ambiguous,
        unlisted,
        rule,
        declared,
    )


def _from_folders(root: Path, declared: Declared, files: list[str], instances: InstanceFiles) -> Layout:
    pairing = _by_folder_names(declared, files)
    if not pairing.images or not pairing.masks:
        beside = _Pairing(*npy_roles(files))
        if not beside.masks:
            outside = [file for file in files if not is_in_instances(file)]
            beside = _side_by_side(outside)
            beside = beside if beside.masks else _side_by_side(files)
        if beside.masks or not (pairing.images or pairing.masks):
            pairing = beside
    pairs, lonely_images, lonely_masks, ambiguous = _match(pairing)
    parts_of: dict[str, Path | tuple[Path, ...]] = {}
    if not pairs and not ambiguous:
        pairs, parts_of = _objects_only(root, declared, files, instances)
        known = {image for _, image, _ in pairs}
        inner = {
            path.relative_to(root).as_posix()
            for parts in parts_of.values()
            if isinstance(parts, tuple)
            for path in parts
        }
        lonely_images = [image for image in lonely_images if image not in known]
        lonely_masks = [mask for mask in lonely_masks if mask not in inner]
    heads = {_split_of(key) for key, _, _ in pairs}
    given = bool(pairs) and "" not in heads and heads & {"train"} != set()
    items = [
        Item(
            image,
            root / image,
            root / mask,
            _split_of(key) if given else "",
            declared.group_of(image),
            instances=parts_of.get(image),
        )
        for key, image, mask in pairs
    ]
    rule = "given by the folders " + ", ".join(sorted(heads)) if given else ""
    return Layout(
        tuple(sorted(items, key=lambda item: item.name)),
        tuple(lonely_images),
        tuple(lonely_masks),
        tuple(ambiguous),
        (),
        rule,
        declared,
    )


def _objects_only(
    root: Path, declared: Declared, files: list[str], instances: InstanceFiles
) -> tuple[list[tuple[str, str, str]], dict[str, Path | tuple[Path, ...]]]:
    """Pictures without a mask file of their own, whose objects lie in a file each or in files of object numbers.

    Returns
    -------
    (key, image, mask) as `_match` gives them, and the files of objects by image. An annotation file goes before numbers.
    """
    image_folders = (declared.images.lower(),) if declared.images else IMAGE_FOLDERS
    mask_folders = (declared.masks.lower(),) if declared.masks else MASK_FOLDERS
    found = find_one_file_each(root, files, image_folders, mask_folders)
    if found:
        pairs = [(instances.key(image), image, folder) for image, folder, _ in found]
        return pairs, {image: tuple(root / part for part in parts) for image, _, parts in found}
    if not instances or any(root.glob("*.json")) or any(root.glob("annotations/*.json")):
        return [], {}
    taken = {image: path for image in files if (path := instances.of(image)) is not None}
    pairs = [(instances.key(image), image, path.relative_to(root).as_posix()) for image, path in taken.items()]
    return pairs, dict(taken)


def _split_of(key: str) -> str:
    head, _, rest = key.partition("/")
    return SPLITS.get(head.lower(), "") if rest else ""


def _by_folder_names(declared: Declared, files: list[str]) -> _Pairing:
    """Sort files by the first folder on their path that says image or mask; the key is the path without that folder."""
    pairing = _Pairing(defaultdict(list), defaultdict(list))
    if declared.images or declared.masks:
        for file in files:
            for folder, role in (
                (declared.masks or "masks", pairing.masks),
                (declared.images or "images", pairing.images),
            ):
                if file.startswith(folder + "/"):
                    role[bare(file[len(folder) + 1 :])].append(file)
                    break
        return pairing
    tops = {file.split("/")[0].lower() for file in files if "/" in file}
    on_top = tops & set(IMAGE_FOLDERS) and tops & set(MASK_FOLDERS)
    for file in files:
        parts = file.split("/")
        roles = [i for i, part in enumerate(parts[:-1]) if part.lower() in (*IMAGE_FOLDERS, *MASK_FOLDERS)]
        if not roles or (on_top and roles[0] != 0):
            continue  # a folder such as original/ has its own images/ and masks/; those on top are meant
        key = bare("/".join(parts[: roles[0]] + parts[roles[0] + 1 :]))
        role = pairing.images if parts[roles[0]].lower() in IMAGE_FOLDERS else pairing.masks
        role[key].append(file)
    return pairing


def _side_by_side(files: list[str]) -> _Pairing:
    pairing = _Pairing(defaultdict(list), defaultdict(list))
    for file in files:
        key = bare(file)
        (pairing.masks if key.lower().endswith(MASK_ENDINGS) else pairing.images)[key].append(file)
    return pairing


def _match(pairing: _Pairing) -> tuple[list[tuple[str, str, str]], list[str], list[str], list[tuple[str, ...]]]:
    """Pairs as (key, image, mask), images alone, masks alone, and files that could be paired in several ways."""
    owners: dict[str, list[str]] = defaultdict(list)
    lonely_masks = []
    for key, masks in pairing.masks.items():
        plain = without_ending(key, MASK_ENDINGS)
        # the mask `a.jpg.png` belongs to `a.jpg`; a full stem goes before one without its ending
        owner = next(
            (name for name in (key, plain, bare(key) if PurePosixPath(key).suffix else "") if name in pairing.images),
            None,
        )
        if owner is None:
            lonely_masks += masks
        else:
            owners[owner] += masks
    pairs, lonely_images, ambiguous = [], [], []
    for key, images in pairing.images.items():
        masks = owners.get(key, [])
        exact = [(i, m) for i in images for m in masks if PurePosixPath(bare(m)).name == PurePosixPath(i).name]
        if len(images) > 1 and len(exact) == len(images) == len(masks):
            pairs += [(key, image, mask) for image, mask in exact]
        elif not masks:
            lonely_images += images
        elif len(images) == len(masks) == 1:
            pairs.append((key, images[0], masks[0]))
        else:
            ambiguous.append((*images, *masks))
    return pairs, sorted(lonely_images), sorted(lonely_masks), ambiguous
