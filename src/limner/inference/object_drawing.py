"""Outlines of objects on a picture, each in a colour that its neighbours do not have."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.labels import LabelSpace
from limner.core.objects import Instances, Objects

Picture = npt.NDArray[np.uint8]
# Distinct on dark and bright pictures; after the colours of Okabe and Ito without black, and two more
PALETTE: tuple[tuple[int, int, int], ...] = (
    (255, 200, 0), (64, 196, 255), (255, 96, 48), (0, 220, 130), (240, 110, 220), (240, 240, 60), (110, 130, 255), (255, 255, 255),
)  # fmt: skip
SHADES = (0.0, 0.5, 0.25, 0.65)  # of a class colour towards white; darker ones are not seen on dark pictures
NEAR = 3  # pixels, times the width of a line; objects that close are neighbours


def line_width(size_hw: tuple[int, int]) -> int:
    """Pixels: about 1 / 700 of the longer side, at least 1."""
    return max(1, round(max(size_hw) / 700))


def draw_objects(shown: Picture, objects: Objects, space: LabelSpace, *, opacity: float = 0.2) -> Picture:
    """A copy of a picture with the inner border of each object in full colour, and a breath of it inside.

    Parameters
    ----------
    shown : ``(H, W, 3)`` uint8.
    objects : of the picture.
    space : where several of its classes are things, objects have shades of their class's colour; else those of `PALETTE`.
    opacity : of the colour inside, 0 to 1.

    Returns
    -------
    ``(H, W, 3)`` uint8.
    """
    drawn = shown.copy()
    if not len(objects):
        return drawn
    width = line_width((shown.shape[0], shown.shape[1]))
    several = len(space.thing_ids) > 1
    colors = len(SHADES) if several else len(PALETTE)
    numbers = different_numbers(objects.ids, len(objects), NEAR * width, colors, step=width, spread=not several)
    table = np.zeros((len(objects) + 1, 3), np.float32)
    table[1:] = _shaded(objects.classes, numbers, space) if several else np.array(PALETTE, np.float32)[numbers]
    inside = objects.ids > 0
    ids = objects.ids[inside]
    strength = np.where(_borders(objects.ids, width)[inside], np.float32(1), np.float32(opacity))[:, None]
    pixels = drawn[inside].astype(np.float32)
    drawn[inside] = np.rint(pixels + (table[ids] - pixels) * strength).astype(np.uint8)
    return drawn


def different_numbers(
    ids: Instances, number: int, reach: int, colors: int, *, step: int = 1, spread: bool = True
) -> npt.NDArray[np.int64]:
    """``(M,)`` a number below `colors` for each object, other than those of objects at most `reach` pixels away.

    Greedy, by id: the first number that no neighbour has yet, counted from 0 or, with `spread`, on from one object to the next;
    the one that fewest of them have where all are taken. Distances are looked at every `step` pixels from 1 on.
    """
    pairs = _neighbours(ids, number, reach, step)
    found = np.zeros(number, np.int64)
    ends = np.searchsorted(pairs[:, 0], np.arange(1, number + 2))
    for index in range(number):
        before = pairs[ends[index] : ends[index + 1], 1] - 1  # of smaller ids, which have their numbers
        first = index % colors if spread else 0
        taken = np.roll(np.bincount(found[before], minlength=colors), -first)
        found[index] = (int(taken.argmin()) + first) % colors
    return found


def _neighbours(ids: Instances, number: int, reach: int, step: int) -> npt.NDArray[np.int64]:
    """``(P, 2)`` pairs of ids, the larger first, sorted, each once; found along rows, columns and diagonals, at every `step`."""
    height, width = ids.shape
    keys = []
    for distance in range(1, reach + 1, step):
        for down, right in ((0, distance), (distance, 0), (distance, distance), (distance, -distance)):
            if down >= height or abs(right) >= width:
                continue
            one = ids[: height - down, max(0, -right) : width - max(0, right)]
            other = ids[down:, max(0, right) : width - max(0, -right)]
            where = np.flatnonzero((one != other) & (one > 0) & (other > 0))
            a, b = one.reshape(-1)[where].astype(np.int64), other.reshape(-1)[where].astype(np.int64)
            keys.append(np.unique(np.maximum(a, b) * (number + 1) + np.minimum(a, b)))
    both = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.int64)
    return np.stack(np.divmod(both, number + 1), axis=1)


def _borders(ids: Instances, width: int) -> npt.NDArray[np.bool_]:
    """Pixels of objects at most `width` from a pixel that is not of the same object; the edge of the picture is none."""
    different = np.zeros(ids.shape, np.uint8)
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        differs = ids[one] != ids[other]
        different[one] |= differs
        different[other] |= differs
    if width > 1:
        cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        different = cv2.dilate(different, cross, iterations=width - 1).astype(np.uint8)
    return np.asarray((different > 0) & (ids > 0), np.bool_)


def _shaded(
    classes: npt.NDArray[np.int32], numbers: npt.NDArray[np.int64], space: LabelSpace
) -> npt.NDArray[np.float32]:
    colors = np.array(space.colors, np.float32)[classes]
    shade = np.array(SHADES, np.float32)[numbers][:, None]
    shaded: npt.NDArray[np.float32] = colors + (255 - colors) * shade
    return shaded
