"""Patches from more than one picture: a mosaic of four, or a rectangle from another (cutmix).

A patch is a list of pieces that are laid down one after the other; an ordinary patch is a list of one. Image and labels of a
piece are laid down together, so no label is ever mixed.

References: Bochkovskiy et al. 2020, arXiv:2004.10934 (mosaic); Yun et al. 2019, arXiv:1905.04899 (CutMix); French et al. 2020,
arXiv:1906.01916 (CutMix for masks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.recipe_parts import AugmentationPart
from limner.training.augment import Variation, warp, warp_ids

Array = npt.NDArray[Any]

BEYOND = 65535  # in ids: a pixel outside of the picture, or one whose object is not known
MOST_IDS = BEYOND - 1  # of one patch
CROSSING = (0.3, 0.7)  # where the four pictures of a mosaic meet, in units of the patch's sides
RECTANGLE = (0.25, 0.7)  # sides of the rectangle from another picture, in units of the patch's: 6 to 49 % of its area


@dataclass(frozen=True)
class Window:
    """A rectangle of a patch, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns of the patch."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True)
class Piece:
    """One picture's share of a patch.

    Parameters
    ----------
    image : the whole picture ``(H, W, C)``.
    labels : ``(H, W)``.
    variation : drawn for a patch of the window's size.
    window : where the piece goes.
    ids : object ids ``(H, W)`` uint16, `BEYOND` where they are not known; None where objects are not told apart.
    """

    image: Array
    labels: Array
    variation: Variation
    window: Window
    ids: Array | None = None


def draw_windows(rng: np.random.Generator, part: AugmentationPart, patch_hw: tuple[int, int]) -> tuple[Window, ...]:
    """The windows of a patch in the order in which they are laid down; the first belongs to the patch's own picture.

    Returns
    -------
    One (the whole patch), four that tile it (mosaic), or the whole patch and a rectangle (cutmix).
    """
    height, width = patch_hw
    whole = Window(0, 0, height, width)
    kind = rng.random()
    if min(patch_hw) < 2 or kind >= part.mosaic + part.cutmix:
        return (whole,)
    if kind < part.mosaic:
        y, x = (min(max(1, round(rng.uniform(*CROSSING) * side)), side - 1) for side in patch_hw)
        return (
            Window(0, 0, y, x),
            Window(0, x, y, width - x),
            Window(y, 0, height - y, x),
            Window(y, x, height - y, width - x),
        )
    tall, wide = (max(1, round(rng.uniform(*RECTANGLE) * side)) for side in patch_hw)
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return whole, Window(top, left, tall, wide)


def lay_down(pieces: Sequence[Piece], patch_hw: tuple[int, int]) -> tuple[Array, Array]:
    """Image ``(h, w, C)`` and labels ``(h, w)`` of the patch that `pieces` make, before its intensities change."""
    if len(pieces) == 1:
        return warp(pieces[0].variation, pieces[0].image, pieces[0].labels, patch_hw)
    kind = np.result_type(*(piece.image.dtype for piece in pieces))
    image = np.empty((*patch_hw, pieces[0].image.shape[2]), kind)
    labels = np.empty(patch_hw, pieces[0].labels.dtype)
    for piece in pieces:
        image[piece.window.slices], labels[piece.window.slices] = warp(
            piece.variation, piece.image, piece.labels, piece.window.size_hw
        )
    return image, labels


def lay_down_ids(pieces: Sequence[Piece], patch_hw: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Object ids ``(h, w)`` int32 of the patch that `pieces` make, -1 where not known; those of two pieces are never the same."""
    ids = np.zeros(patch_hw, np.int32)
    used = 0
    for piece in pieces:
        assert piece.ids is not None
        part = warp_ids(piece.variation, piece.ids, piece.window.size_hw, beyond=BEYOND).astype(np.int32)
        unknown = part == BEYOND
        part[unknown] = 0
        if part.any():
            highest = int(part.max())
            part[part > 0] += used
            used += highest
        part[unknown] = -1
        ids[piece.window.slices] = part
    return ids
