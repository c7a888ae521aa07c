"""Which file of predicted masks belongs to which picture, whatever program wrote them.

picture                 file
images/a.jpg            a.png  a_mask.png  a-pred.png  a.jpg.png  a.npy  masks/a.png
images/left/a.jpg       left/a.png, or a.png where no other picture is called a
volume.npy/0003         volume/0003.png, or volume.npy: all masks in one file
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limner.core.errors import DataError
from limner.data.dataset import Item
from limner.data.layouts import IMAGE_FOLDERS, MASK_FOLDERS
from limner.data.matching import walk_pictures
from limner.data.stacks import num_frames, stack_suffix

PRODUCED = ("overlays", "scores", "uncertainty")  # what limner predict writes beside its masks
INSTANCES, PANOPTIC = "instances", "panoptic"  # ids of objects and of segments, which are no class maps
PREDICTION_FOLDERS = ("pred", "preds", "prediction", "predictions", "predicted", "output", "outputs", "results")
PASSED_OVER = frozenset((*IMAGE_FOLDERS, *MASK_FOLDERS, *PREDICTION_FOLDERS))
ENDINGS = tuple(
    f"{mark}{word}"
    for word in (
        "mask", "masks", "pred", "preds", "prediction", "predicted", "seg", "segmentation", "label", "labels", "output", "out",
    )
    for mark in "_-."
)  # fmt: skip


@dataclass(frozen=True)
class PredictedFile:
    """A predicted mask: a file, and which mask of it where it holds several."""

    path: Path
    frame: int | None = None


@dataclass(frozen=True)
class _Picture:
    name: str
    folders: tuple[str, ...]


def pair_predictions(folder: Path, items: Sequence[Item]) -> tuple[dict[str, PredictedFile], tuple[str, ...]]:
    """The file of each picture, by the picture's name; and files that belong to none, relative to `folder`.

    Parameters
    ----------
    folder : searched at any depth; what ``limner predict`` puts into ``overlays`` and ``scores`` is passed over, and so are
        ``instances`` and ``panoptic``, unless there is nothing else.
    items : all pictures of the data, scored or not, so that a file of another picture is not taken for a stray one.

    Raises
    ------
    DataError : no masks at all, two files for one picture, or a file that fits several pictures; all are named.
    """
    files = class_maps(folder) or [name for name in _walk(folder) if PurePosixPath(name).parts[0] not in PRODUCED]
    if not files:
        raise DataError(
            f"no predicted masks in {folder}", expected="a PNG, TIFF or NPY file per picture, of the same stem",
            where=str(folder), fix="give the folder that limner predict wrote",
        )  # fmt: skip
    singles, stacks = _index(items)
    found: dict[str, list[str]] = defaultdict(list)
    frames: dict[str, int] = {}
    extra = []
    for file in files:
        names = _owners(file, singles, folder)
        if not names and stack_suffix(file):
            names = _frame_owners(file, stacks, folder)
            frames |= {name: place for place, name in enumerate(names)}
        if not names:
            extra.append(file)
        for name in names:
            found[name].append(file)
    for name, several in found.items():
        if len(several) > 1:
            raise DataError(
                f"{len(several)} files for the picture {name}: {', '.join(several[:4])}", expected="one prediction for each",
                where=str(folder), fix="keep one of them, or give a folder that holds nothing but the masks",
            )  # fmt: skip
    return {name: PredictedFile(folder / several[0], frames.get(name)) for name, several in found.items()}, tuple(extra)


def class_maps(folder: Path) -> list[str]:
    """The files of `folder` that may be masks, relative to it: all but what `limner predict` writes beside them."""
    beside = (*PRODUCED, INSTANCES, PANOPTIC)
    return [name for name in _walk(folder) if PurePosixPath(name).parts[0] not in beside]


def _walk(folder: Path) -> list[str]:
    return sorted(walk_pictures(folder))


def _index(items: Iterable[Item]) -> tuple[dict[str, list[_Picture]], dict[str, list[tuple[int, _Picture]]]]:
    """Pictures by file name and by stem; and the frames of stacks by the stem of their file."""
    singles: dict[str, list[_Picture]] = defaultdict(list)
    stacks: dict[str, list[tuple[int, _Picture]]] = defaultdict(list)
    for item in items:
        path = PurePosixPath(item.name)
        picture = _Picture(item.name, _folders(path))
        for key in dict.fromkeys((path.name, _stem(path.name))):
            singles[key].append(picture)
        if item.frame is not None:
            stacks[_stem(path.parent.name)].append((item.frame, _Picture(item.name, picture.folders[:-1])))
    return singles, stacks


def _owners(file: str, index: dict[str, list[_Picture]], folder: Path) -> list[str]:
    """The picture of a file, as a list of one or none."""
    path = PurePosixPath(file)
    stem, folders = _stem(path.name), _folders(path)
    bare = next((stem[: -len(ending)] for ending in ENDINGS if stem.lower().endswith(ending)), "")
    for key in (stem, bare):
        fitting = [picture for picture in index.get(key, ()) if key and _agree(picture.folders, folders)]
        exact = [picture for picture in fitting if picture.folders == folders]
        names = sorted({picture.name for picture in exact or fitting})
        if len(names) > 1:
            raise DataError(
                f"{file} fits {len(names)} pictures: {', '.join(names[:4])}", expected="one picture for each file",
                where=str(folder), fix="put the masks into the folders of their pictures, or add the picture's suffix: a.jpg.png",
            )  # fmt: skip
        if names:
            return names
    return []


def _frame_owners(file: str, stacks: dict[str, list[tuple[int, _Picture]]], folder: Path) -> list[str]:
    """The pictures of a stack, in the order of their frames, for a stack of masks of its name."""
    path = PurePosixPath(file)
    frames = sorted((n, p.name) for n, p in stacks.get(_stem(path.name), ()) if _agree(p.folders, _folders(path)))
    if not frames:
        return []
    count = num_frames(folder / file)
    if count != len(frames) or [number for number, _ in frames] != list(range(count)):
        raise DataError(
            f"{file} holds {count} masks, its stack of pictures {len(frames)}", expected="as many", where=str(folder / file),
            fix="save one mask for each picture of the stack",
        )  # fmt: skip
    return [name for _, name in frames]


def _stem(name: str) -> str:
    suffix = stack_suffix(name)
    return name[: -len(suffix)] if suffix else PurePosixPath(name).stem


def _folders(path: PurePosixPath) -> tuple[str, ...]:
    """The folders above a file that tell pictures apart."""
    folders = (_stem(part) if stack_suffix(part) else part for part in path.parts[:-1])
    return tuple(part for part in folders if part.lower() not in PASSED_OVER)


def _agree(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether the shorter path is the end of the longer."""
    shared = min(len(one), len(other))
    return one[len(one) - shared :] == other[len(other) - shared :]
