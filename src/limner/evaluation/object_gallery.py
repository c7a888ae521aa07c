"""Pictures of objects: what was found, missed, invented, merged and split, each outlined in the colour of its kind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.objects import Instances, Objects
from limner.core.report import ObjectRow, Report
from limner.evaluation.gallery import DARK, TINY, Window, densest, framed, shown_size
from limner.evaluation.inspection import LARGEST
from limner.evaluation.pictures import Picture, to_display

MOST_CASES = 6
DIMMED = 0.75  # of the gray picture below the outlines
SMALL = 330  # pixels: what is shown smaller is enlarged twice as much, so that two outlines find room side by side
THICK = 200  # an outline is about the longer side over this wide, as shown: panels stand three in a row


@dataclass(frozen=True)
class OutlineKind:
    """What an outline says; colours differ for any colour vision, those of Okabe and Ito made brighter."""

    key: str
    title: str
    color: tuple[int, int, int]


OUTLINES: tuple[OutlineKind, ...] = (
    OutlineKind("matched", "found: IoU 0.5 or more", (86, 180, 233)),
    OutlineKind("missed", "missed (in the truth)", (255, 150, 0)),
    OutlineKind("spurious", "spurious (in the prediction)", (255, 90, 200)),
    OutlineKind("merged", "merged: one predicted object holds most of several true ones", (250, 240, 70)),
    OutlineKind("split", "split: one true object holds most of several predicted ones", (20, 220, 130)),
    OutlineKind("not counted", "not counted: a crowd, or mostly on pixels that are not known", (170, 170, 170)),
)
_CODE = {kind.key: place for place, kind in enumerate(OUTLINES, 1)}


@dataclass(frozen=True)
class DrawnObjects:
    """One picture with outlined objects; holds small pictures only.

    Parameters
    ----------
    name : of the picture.
    f1 : of its objects at IoU 0.5, mean over classes; NaN when undefined.
    size : of the picture, in words.
    words : what there is of each kind, in words.
    panels : ``(what, picture)``: picture, true objects, predicted objects.
    close_up : the same for the part with most wrong objects; empty where the panels show enough.
    """

    name: str
    f1: float
    size: str
    words: str
    panels: tuple[tuple[str, Picture], ...]
    close_up: tuple[tuple[str, Picture], ...] = ()


def choose_object_cases(report: Report, *, most: int = MOST_CASES) -> list[tuple[str, float]]:
    """The pictures with wrong objects and their F1 at IoU 0.5, the lowest first; of equal ones that with more wrong objects.

    The F1 of a picture is the mean over the classes that are defined in it. None where the truth tells no objects apart.
    """
    wrong = Counter(row.image for row in report.object_rows if row.kind not in ("matched", "not counted"))
    values: dict[str, list[float]] = {}
    for row in report.rows:
        value = row.metrics.get("f1_at_iou", math.nan)
        if not math.isnan(value):
            values.setdefault(row.image, []).append(value)
    means = {image: math.fsum(found) / len(found) for image, found in values.items() if wrong[image]}
    return [(image, means[image]) for image in sorted(means, key=lambda name: (means[name], -wrong[name], name))[:most]]


def draw_objects(
    name: str, image: npt.NDArray[Any], pred: Objects, target: Objects, rows: Iterable[ObjectRow], *, f1: float = math.nan
) -> DrawnObjects:  # fmt: skip
    """True and predicted objects of one picture, outlined by what became of them.

    Parameters
    ----------
    name : of the picture.
    image : ``(H, W, C)`` of any depth.
    pred, target : its objects.
    rows : of the report; predicted objects without a row are ``matched``.
    f1 : see `choose_object_cases`.
    """
    height, width = target.ids.shape
    size = f"{width} x {height} pixels"
    kinds: dict[str, dict[int, str]] = {"true": {}, "predicted": {}}
    for row in rows:
        if row.image == name:
            kinds[row.side][row.number] = row.kind
    words = _words(kinds)
    codes = [_codes(kinds["true"], len(target), "not counted"), _codes(kinds["predicted"], len(pred), "matched")]
    step = max(1, math.ceil(math.sqrt(target.ids.size / LARGEST)))
    if step > 1:
        image, size = image[::step, ::step], f"{size}, looked at in 1 : {step}"
    ids = [objects.ids[::step, ::step] for objects in (target, pred)]
    shown = to_display(image)
    if shown.size and float(np.percentile(shown, 99)) < DARK:
        shown, size = to_display(shown, stretch=True), f"{size}, brightened here"
    window = _close_up(ids, codes)
    close_up = () if window is None else _panels(shown[window], [one[window] for one in ids], codes)
    return DrawnObjects(name, f1, size, words, _panels(shown, ids, codes, window), close_up)


def _words(kinds: Mapping[str, Mapping[int, str]]) -> str:
    true, pred = Counter(kinds["true"].values()), Counter(kinds["predicted"].values())
    parts = [f"{true[kind]} {word}" for kind, word in (
        ("matched", "found"), ("missed", "missed"), ("merged", "merged"), ("split", "split")) if true[kind]]  # fmt: skip
    parts += [f"{pred['spurious']} spurious"] if pred["spurious"] else []
    number = sum(true.values()) - true["not counted"]
    return f"{number} true object{'s' * (number != 1)}: {', '.join(parts) or 'none'}"


def _codes(kinds: Mapping[int, str], number: int, default: str) -> npt.NDArray[np.uint8]:
    """By id, the place of its kind in `OUTLINES`, from 1; 0 for no object."""
    table = np.full(number + 1, _CODE[default], np.uint8)
    table[0] = 0
    for place, kind in kinds.items():
        table[place] = _CODE[kind]
    return table


def _close_up(ids: Sequence[Instances], codes: Sequence[npt.NDArray[np.uint8]]) -> Window | None:
    """The part with most pixels of wrong objects, where the middle true object is below `TINY` pixels as shown."""
    height, width = ids[0].shape
    scale = shown_size((height, width))[1] / max(1, width)
    areas = np.bincount(ids[0].ravel())[1:]
    areas = areas[areas > 0]
    if scale >= 1 or not areas.size or float(np.median(2 * np.sqrt(areas / np.pi))) * scale >= TINY:
        return None
    good = (0, _CODE["matched"], _CODE["not counted"])
    wrong = [~np.isin(table, good)[one] for one, table in zip(ids, codes, strict=True)]
    return densest(wrong[0] | wrong[1])


def _panels(
    image: Picture, ids: Sequence[Instances], codes: Sequence[npt.NDArray[np.uint8]], window: Window | None = None
) -> tuple[tuple[str, Picture], ...]:
    native = image.shape[0], image.shape[1]
    size = shown_size(native)
    if max(size) < SMALL:
        size = 2 * size[0], 2 * size[1]
    shrinks = size[0] < native[0] or size[1] < native[1]
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
    picture = np.asarray(resized, np.uint8).reshape(*size, 3)
    drawn = [_outlined(picture, one, table) for one, table in zip(ids, codes, strict=True)]
    return (
        ("picture", framed(picture, window, native)), ("true objects", drawn[0]), ("predicted objects", drawn[1]),
    )  # fmt: skip


def _outlined(picture: Picture, ids: Instances, codes: npt.NDArray[np.uint8]) -> Picture:
    """Outlines of the objects on a gray picture; an object too small to be met when the picture is thinned becomes a dot."""
    size = picture.shape[0], picture.shape[1]
    rows, columns = (np.arange(wanted) * now // wanted for wanted, now in zip(size, ids.shape, strict=True))
    shown = ids[np.ix_(rows, columns)]
    lines = _border(shown, max(1, round(max(size) / THICK)))
    layer = np.where(lines, codes[shown], 0)
    lost = np.setdiff1d(np.unique(ids), shown)
    if lost.size:
        is_lost = np.zeros(len(codes), np.bool_)
        is_lost[lost] = True
        y, x = np.nonzero(is_lost[ids])
        layer[y * size[0] // ids.shape[0], x * size[1] // ids.shape[1]] = codes[ids[y, x]]
    colors = np.array([(0, 0, 0), *(kind.color for kind in OUTLINES)], np.uint8)
    ground = (picture.mean(axis=2, keepdims=True) * DIMMED).astype(np.uint8)
    drawn: Picture = np.where(layer[..., None] > 0, colors[layer], ground)
    return drawn


def _border(ids: Instances, width: int) -> npt.NDArray[np.bool_]:
    """Pixels of an object near one of another id, or of none; the edge of the picture is no border."""
    border = np.zeros(ids.shape, np.bool_)
    for first, second in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        change = ids[first] != ids[second]
        border[first] |= change
        border[second] |= change
    if width > 1:
        cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        border = cv2.dilate(border.astype(np.uint8), cross, iterations=width - 1) > 0
    return np.asarray(border & (ids > 0), np.bool_)
