"""Under which names pictures and their masks are written: each its own, on every file system, and found again by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from limner.core.annotation import Annotation
from limner.core.errors import DataError
from limner.data.annotated_set import Annotated
from limner.data.formats.file_names import inner_path
from limner.data.images import SUFFIXES
from limner.data.instance_layout import bare
from limner.data.items import Item
from limner.data.layouts import IMAGE_FOLDERS
from limner.data.matching import plain_name
from limner.data.pixels import embedded_suffix, is_embedded
from limner.data.stacks import stack_suffix

COMPOSED_SUFFIX = ".tif"  # of pictures that are no file of their own
# a file for each picture, whose path follows the picture's; or names that may be addresses, as a colon would make them
BY_PATH = frozenset({"labelme", "labelme-xml", "yolo-seg", "label-studio"})
BY_STEM = frozenset({"yolo-seg"})  # the picture is known by its path without suffix
FOLDER = "images"


def entry_names(found: Annotated) -> tuple[str, ...]:
    """A name for each entry: the path of its picture; where that is no file of its own, the last part of what the annotation says.

    Names of the latter kind that would repeat get the folder of their annotation file in front, and its stem where need be.
    """
    names = [
        entry.match.picture or PurePosixPath(entry.annotation.image.replace("\\", "/")).name for entry in found.entries
    ]
    for with_stem in (False, True):
        counts = Counter(name.casefold() for name in names)
        for index, entry in enumerate(found.entries):
            if entry.match.picture or counts[names[index].casefold()] == 1:
                continue
            is_inside = entry.file.parent.is_relative_to(found.root)
            folder = entry.file.parent.relative_to(found.root) if is_inside else entry.file.parent.name
            path = PurePosixPath(folder) / (entry.file.stem if with_stem else "") / PurePosixPath(names[index]).name
            names[index] = path.as_posix()
    return tuple(names)


def plain_names(items: Sequence[Item]) -> Mapping[str, str]:
    """The path that each picture is written to: without the folder that says ``images``, with the suffix of what is written.

    Raises
    ------
    DataError : pictures whose names differ in case alone, or not at all.

    Examples
    --------
    >>> from pathlib import Path
    >>> plain_names((Item("train/images/a.b.jpg", Path("a.b.jpg"), None),))
    {'train/images/a.b.jpg': 'train/a.b.jpg'}
    """
    names = [item.name for item in items]
    plain = [with_suffix(_without_images(item.name), item) for item in items]
    if _repeated(plain):  # two image folders hold the same names: keep whole paths
        plain = [with_suffix(item.name, item) for item in items]
    if len(set(names)) < len(names):
        plain = names
    _check_apart(plain)
    return dict(zip(names, plain, strict=True))


def mask_names(pictures: Iterable[str]) -> Mapping[str, str]:
    """The path of the mask of each written picture: its stem; pictures that differ in their suffix alone keep it.

    Raises
    ------
    DataError : masks of one name remain.

    Examples
    --------
    >>> mask_names(["s/a.jpg", "b.jpg", "b.tif"])
    {'s/a.jpg': 's/a.png', 'b.jpg': 'b.jpg.png', 'b.tif': 'b.tif.png'}
    """
    pictures = tuple(pictures)
    stems = Counter(bare(name).casefold() for name in pictures)
    masks = {name: (name if stems[bare(name).casefold()] > 1 else bare(name)) + ".png" for name in pictures}
    _check_apart(tuple(masks.values()))
    return masks


def annotated_names(images: Sequence[Annotation], pictures: Sequence[Item], to: str) -> list[str]:
    """The name under which each picture is written beside annotations, below ``images/``.

    Names stay as the annotations have them where every picture is found again by its name; else they are the paths of the
    pictures.

    Parameters
    ----------
    images : the annotations.
    pictures : the picture of each.
    to : the format that is written.

    Raises
    ------
    DataError : two pictures would have one name whatever is tried.
    """
    is_apart = len({item.name for item in pictures}) == len(pictures)
    plain = plain_names(pictures) if is_apart else {item.name: item.name for item in pictures}
    ways = (
        [plain_name(image.image) or "picture" for image in images],
        [plain[item.name] for item in pictures],
        [item.name for item in pictures],
        [f"{FOLDER}/{plain[item.name]}" for item in pictures],  # then no name is the end of another
    )
    tried = [[_clean(with_suffix(name, item), to) for name, item in zip(way, pictures, strict=True)] for way in ways]
    apart = [names for names in tried if not _repeated(names)]
    if not apart:
        _check_apart(tried[1])
    return next((names for names in apart if not _is_end_of_another(names, by_stem=to in BY_STEM)), apart[0])


def with_suffix(name: str, item: Item) -> str:
    """A name with the suffix of what is written for `item`.

    Examples
    --------
    >>> from pathlib import Path
    >>> with_suffix("c_0000.png", Item("c_0000.png", Path("c_0000.png"), None, channels=(Path("c_0001.png"),)))
    'c_0000.tif'
    """
    is_known = PurePosixPath(name).suffix.lower() in SUFFIXES or bool(stack_suffix(name))
    if is_composed(item):
        return (bare(name) if is_known else name) + COMPOSED_SUFFIX
    if is_known:
        return name
    if is_embedded(item) and item.drawing is not None:
        return name + embedded_suffix(item.drawing.annotation.pixels or b"")
    return name + (stack_suffix(item.image.name) or item.image.suffix)


def is_composed(item: Item) -> bool:
    """The picture is one of several in a file, or made of several files: it cannot be copied."""
    return item.frame is not None or bool(item.channels)


def _clean(name: str, to: str) -> str:
    """The name, for formats whose files follow its path as every file system takes it, so that both agree."""
    if to not in BY_PATH:
        return name
    path = inner_path(name)
    if to not in BY_STEM:
        return str(path)
    stem = path.stem.rstrip(". ") or "_"
    if PurePosixPath(stem).suffix.lower() in SUFFIXES:  # a.jpg of a.jpg.png would be taken for a picture
        stem = stem.replace(".", "_")
    return str(path.with_name(stem + path.suffix))


def _without_images(name: str) -> str:
    parts = list(PurePosixPath(name).parts)
    place = next((i for i, part in enumerate(parts[:-1]) if part.lower() in IMAGE_FOLDERS), None)
    if place is not None:
        del parts[place]
    return "/".join(parts)


def _repeated(names: Iterable[str]) -> list[str]:
    """Names that are one name on a file system that does not know small letters from large ones."""
    names = tuple(names)
    counts = Counter(name.casefold() for name in names)
    return [name for name in names if counts[name.casefold()] > 1]


def _is_end_of_another(names: Sequence[str], *, by_stem: bool) -> bool:
    """Some name is the end of another one's path (``a.png``, ``b/a.png``): it is not clear which of the two it means."""
    keys = [(bare(name) if by_stem and PurePosixPath(name).suffix else name).casefold() for name in names]
    known = set(keys)
    split = [key.split("/") for key in keys]
    return any("/".join(parts[at:]) in known for parts in split for at in range(1, len(parts)))


def _check_apart(names: Sequence[str]) -> None:
    again = sorted(_repeated(names), key=str.casefold)
    if again:
        raise DataError(
            f"{len(again)} pictures whose names do not differ, or in case alone: {', '.join(again[:4])}",
            expected="a name for each that is its own on every file system", where=again[0],
            fix="rename one of them, and its annotations",
        )  # fmt: skip
