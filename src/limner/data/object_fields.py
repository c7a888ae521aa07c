"""Fields inside objects, from their ids: distance to the outline, centres, flow. Vectorised over all objects of a picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

SMOOTHING = 12  # steps towards the solution of Poisson's equation

Ids = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]
_SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def edges(ids: Ids) -> npt.NDArray[np.bool_]:
    """``(H, W)`` True at pixels of objects that have another object or the background beside, above or below them.

    The picture's border, and pixels of negative ids, whose object is not known, are no edge.
    """
    found = np.zeros(ids.shape, bool)
    differs = (ids[:, 1:] != ids[:, :-1]) & (ids[:, 1:] >= 0) & (ids[:, :-1] >= 0)
    found[:, 1:] |= differs
    found[:, :-1] |= differs
    differs = (ids[1:] != ids[:-1]) & (ids[1:] >= 0) & (ids[:-1] >= 0)
    found[1:] |= differs
    found[:-1] |= differs
    return found & (ids > 0)


def inner_distance(ids: Ids) -> tuple[Float32, Float32]:
    """Distance to the outline, and the largest of each object.

    Parameters
    ----------
    ids : ``(H, W)`` object ids; 0 = none, below 0 = not known.

    Returns
    -------
    distance : ``(H, W)`` float32, in pixels: 1 at the outermost pixels of an object, growing inwards; 0 outside.
    deepest : ``(max id + 1,)`` float32, the largest distance of each object; 0 for ids without pixels.
    """
    inside = ids > 0
    free = (inside | (ids < 0)) & ~edges(ids)
    if free.all():  # one object, or nothing known, from border to border: there is no outline
        distance = np.where(inside, np.float32(max(ids.shape)), np.float32(0)).astype(np.float32)
    else:
        distance = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) + np.float32(1)
        distance = np.where(inside, distance, np.float32(0)).astype(np.float32)
    deepest = np.zeros(int(ids.max(initial=0)) + 1, np.float32)
    np.maximum.at(deepest, ids[inside], distance[inside])
    return distance, deepest


def centres_of(ids: Ids) -> tuple[Float32, Float32, Float32]:
    """Offsets from each pixel to the centre of mass of its object, along y and along x, and the object's equivalent diameter.

    Returns
    -------
    Three ``(H, W)`` float32 in pixels; 0 outside of objects.
    """
    rows, columns = np.nonzero(ids > 0)
    own = ids[rows, columns]
    count = np.maximum(np.bincount(own), 1)
    middle_y, middle_x = np.bincount(own, weights=rows) / count, np.bincount(own, weights=columns) / count
    fields: list[Any] = []
    for values in (middle_y[own] - rows, middle_x[own] - columns, np.sqrt(4 / np.pi * count)[own]):
        field = np.zeros(ids.shape, np.float32)
        field[rows, columns] = values
        fields.append(field)
    return fields[0], fields[1], fields[2]


def flow_of(ids: Ids, *, smoothing: int = SMOOTHING) -> tuple[Float32, Float32]:
    """Unit vectors towards the inside of each object: the direction in which a potential rises.

    The potential solves Poisson's equation (constant source inside, zero at the outline): it has one top in a convex object. It
    is begun with the exact solution for a disc, d (2 R - d) / 4 for the distance d to the outline and the largest one R, and
    improved by a few steps that look at neighbours of the same object alone, so that objects that touch do not see each other.

    Parameters
    ----------
    ids : ``(H, W)`` object ids; 0 = none, below 0 = not known.
    smoothing : such steps; a few are enough to tell whether a flow fits.

    Returns
    -------
    Two ``(H, W)`` float32, along y and along x; 0 outside of objects and at the top.
    """
    distance, deepest = inner_distance(ids)
    own = np.maximum(ids, 0)
    potential = np.asarray(distance * (2 * deepest[own] - distance) / 4, np.float32)
    padded_ids = np.pad(ids, 1, mode="edge")
    inside = ids > 0
    same = [inside & (_shifted(padded_ids, dy, dx) == ids) for dy, dx in _SHIFTS]
    unknown = [inside & (_shifted(padded_ids, dy, dx) < 0) for dy, dx in _SHIFTS]
    for _ in range(smoothing):
        potential = np.asarray(
            (sum(_beside(potential, same, unknown)) + np.float32(1)) * np.float32(0.25) * inside, np.float32
        )
    right, left, below, above = _beside(potential, same, unknown)
    down, across = below - above, right - left
    length = np.sqrt(down**2 + across**2)
    length[length < 1e-6] = np.inf
    return np.asarray(down / length * inside, np.float32), np.asarray(across / length * inside, np.float32)


def _beside(potential: Float32, same: list[Any], unknown: list[Any]) -> list[Float32]:
    """The potential of the neighbours of each pixel: zero beyond the outline, the pixel's own beyond what is known."""
    padded = np.pad(potential, 1, mode="edge")
    found = []
    for (dy, dx), inner, beyond in zip(_SHIFTS, same, unknown, strict=True):
        values = _shifted(padded, dy, dx) * inner
        if beyond.any():
            values = np.where(beyond, potential, values)
        found.append(values)
    return found


def _shifted(padded: npt.NDArray[Any], dy: int, dx: int) -> npt.NDArray[Any]:
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    return padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
