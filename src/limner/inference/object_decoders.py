"""Maps of a network to object ids: one function for each decoder, NumPy and OpenCV alone.

All of them are local: which object a pixel belongs to does not depend on anything farther away than the object reaches. They are
written for whole pictures at once; nothing loops over objects.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from limner.data.object_fields import flow_of

Ids = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

LARGEST_REMAP = 32_767  # pixels of a side from which OpenCV looks nothing up
STEPS = 12  # pixels that areas grow one by one
SMOOTH_STEPS = (
    3  # times that a flow is put into itself between pixels; then a way is long enough to go from pixel to pixel
)
CHECK_SMOOTHING = 2
SINK_VOTES = 3  # pixels that end within 3 x 3 pixels, where a flow comes together
FARTHEST_VOTE = 0.75  # of a diameter: pixels that point farther away from all centres belong to none of them


def components(inside: Mask) -> Ids:
    """Connected areas (8 neighbours) of ``(H, W)``, numbered from 1 in the order of their first pixels, row by row.

    OpenCV numbers them by blocks of pixels, so that the order would depend on where a band of a picture begins.
    """
    count, found = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    places = np.flatnonzero(inside)
    own = found.ravel()[places]
    first = np.zeros(count, np.int64)
    first[own[::-1]] = places[::-1]
    table = np.zeros(count, np.int32)
    table[np.argsort(first[1:], kind="stable") + 1] = np.arange(1, count, dtype=np.int32)
    return np.asarray(table[found], np.int32)


def from_distance(inside: Mask, distance: Float32, *, seed: float) -> Ids:
    """Seeded watershed: areas of a high distance to the outline are seeds, which grow down the distance inside of `inside`.

    Parameters
    ----------
    inside : ``(H, W)`` pixels of things.
    distance : ``(H, W)`` in [0, 1], 1 at the innermost pixel of an object.
    seed : pixels above it are seeds.

    Returns
    -------
    Ids of all pixels of `inside`; an area without any seed is an object of its own.

    References
    ----------
    Meyer 1992 (watershed by flooding), as OpenCV has it.
    """
    seeds = components(inside & (distance > seed))
    return _grown(inside, seeds, distance)


def from_centres(
    inside: Mask, centre: Float32, offset_y: Float32, offset_x: Float32, *, seed: float, diameter: float
) -> Ids:
    """Peaks of the centre map; each pixel goes to the peak nearest to where its offset points.

    Parameters
    ----------
    inside : ``(H, W)`` pixels of things.
    centre : ``(H, W)`` in [0, 1].
    offset_y, offset_x : ``(H, W)`` to the centre of the pixel's object, in diameters.
    seed : peaks below are none. diameter : in pixels of these maps.

    Returns
    -------
    Ids of all pixels of `inside`; an area that no peak gets any pixel of is an object of its own.

    References
    ----------
    Cheng et al. 2020, arXiv:1911.10194, section 3.2.
    """
    width = 2 * max(1, round(0.15 * diameter)) + 1
    highest = cv2.dilate(centre, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    peaks = components((centre >= highest) & (centre > seed) & inside)
    if not peaks.any():
        return components(inside)
    distance, nearest = cv2.distanceTransformWithLabels(
        (peaks == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owner = np.zeros(int(nearest.max()) + 1, np.int32)  # the labels number the pixels of peaks
    owner[nearest[peaks > 0]] = peaks[peaks > 0]
    rows, columns = np.nonzero(inside)
    to_y = np.clip(np.rint(rows + offset_y[rows, columns] * diameter), 0, inside.shape[0] - 1).astype(np.intp)
    to_x = np.clip(np.rint(columns + offset_x[rows, columns] * diameter), 0, inside.shape[1] - 1).astype(np.intp)
    ids = np.zeros(inside.shape, np.int32)
    near = distance[to_y, to_x] <= FARTHEST_VOTE * diameter
    ids[rows, columns] = np.where(near, owner[nearest[to_y, to_x]], 0)
    return _grown(inside, ids, None)


def from_flow(
    inside: Mask, flow_y: Float32, flow_x: Float32, *, reach: int, flow_error: float, merge: float = 0.0,
    beside: int = 2,
) -> Ids:  # fmt: skip
    """Pixels that flow together are an object.

    Where a pixel is after 2^n steps is found by putting the map of 2^(n-1) steps into itself, so that the way of any length takes
    a few lookups. Objects whose flow is not the one that their outline asks for are given up.

    Parameters
    ----------
    inside : ``(H, W)`` pixels of things.
    flow_y, flow_x : ``(H, W)`` steps towards the inside of the pixel's object, about 1 long.
    reach : no pixel flows farther, in pixels.
    flow_error : largest mean squared difference between the directions of both flows; 4 and more: none is given up.
    merge : areas side by side are one object where their flows part by less than this, see `_joined`.
    beside : so many pixels away from the line between them flows are looked at: a network turns them within a few.

    Returns
    -------
    Ids; pixels that flow together with too few others have none.

    References
    ----------
    Stringer et al. 2021, doi:10.1038/s41592-020-01018-x (flows, their check); Cutler et al. 2022,
    doi:10.1038/s41592-022-01639-4 (ends along a line are one object).
    """
    height, width = inside.shape
    length = np.maximum(np.sqrt(flow_y**2 + flow_x**2), 1.0)
    grid_x, grid_y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    to_x: Float32 = np.clip(grid_x + np.where(inside, flow_x / length, 0), 0, width - 1).astype(np.float32)
    to_y: Float32 = np.clip(grid_y + np.where(inside, flow_y / length, 0), 0, height - 1).astype(np.float32)
    for _ in range(SMOOTH_STEPS):
        both = _looked_up(np.dstack([to_x, to_y]), to_x, to_y)
        to_x, to_y = np.ascontiguousarray(both[..., 0]), np.ascontiguousarray(both[..., 1])
    ends = np.arange(height * width, dtype=np.int32)
    own = np.flatnonzero(inside)
    end = np.rint(to_y[inside]).astype(np.int32) * np.int32(width) + np.rint(to_x[inside]).astype(np.int32)
    for _ in range(max(0, math.ceil(math.log2(max(2, reach))) - SMOOTH_STEPS)):
        ends[own] = end
        end = ends[end]
    end_y, end_x = np.divmod(end, width)
    votes = np.bincount(end, minlength=height * width).reshape(height, width).astype(np.float32)
    sinks = components(cv2.boxFilter(votes, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT) >= SINK_VOTES)
    ids = np.zeros(inside.shape, np.int32)
    ids[inside] = sinks[end_y, end_x]
    ids = _joined(_without_lines(inside, ids), flow_y, flow_x, merge, beside)
    return _consistent(ids, flow_y, flow_x, flow_error) if flow_error < 4 else ids


def _joined(ids: Ids, flow_y: Float32, flow_x: Float32, merge: float, beside: int) -> Ids:
    """The ids, those of areas side by side made one where flows part little between them.

    Between two objects the flow turns round: across the line between them its component across the line grows, by 2 where a network
    is sure. Within a long object, which flows together in several places along its middle, it grows by little.

    Parameters
    ----------
    merge : areas are one where the mean growth over the pairs of pixels between them is less; 0 = none are.
    """
    if merge <= 0:
        return ids
    first, second, growth = [], [], []
    for axis, flow in ((1, flow_x), (0, flow_y)):
        one, other, change = _across(ids, flow, axis, beside)
        first.append(np.minimum(one, other))
        second.append(np.maximum(one, other))
        growth.append(change)
    highest = int(ids.max(initial=0)) + 1
    pairs, place = np.unique(
        np.concatenate(first).astype(np.int64) * highest + np.concatenate(second), return_inverse=True
    )
    mean = np.bincount(place, weights=np.concatenate(growth), minlength=len(pairs)) / np.maximum(
        np.bincount(place, minlength=len(pairs)), 1
    )
    parent = np.arange(highest, dtype=np.int32)
    for pair in pairs[mean < merge].tolist():  # rising, so that the least id of what is joined stays
        low, high = (_root(parent, number) for number in divmod(pair, highest))
        parent[max(low, high)] = min(low, high)
    roots = np.array([_root(parent, number) for number in range(highest)], np.int32)
    return roots[ids]


def _across(ids: Ids, flow: Float32, axis: int, beside: int) -> tuple[Ids, Ids, Float32]:
    """Ids on both sides of the lines between areas along an axis, and how much the flow along it grows across them.

    Networks turn a flow within a few pixels, not within one: it is looked at `beside` pixels away from the line, where the areas
    are that wide.
    """
    along = ids if axis == 1 else ids.T
    values = flow if axis == 1 else flow.T
    rows, columns = np.nonzero((along[:, :-1] != along[:, 1:]) & (along[:, :-1] > 0) & (along[:, 1:] > 0))
    one, other = along[rows, columns], along[rows, columns + 1]
    left, right = columns, columns + 1
    for _ in range(beside - 1):
        further = np.maximum(left - 1, 0)
        left = np.where(along[rows, further] == one, further, left)
        further = np.minimum(right + 1, along.shape[1] - 1)
        right = np.where(along[rows, further] == other, further, right)
    return one, other, values[rows, right] - values[rows, left]


def _root(parent: npt.NDArray[np.int32], number: int) -> int:
    while parent[number] != number:
        number = int(parent[number])
    return number


def _looked_up(field: Float32, x: Float32, y: Float32) -> Float32:
    """``(H, W, 2)`` values of `field` at positions, bilinearly; positions lie inside of it."""
    height, width = x.shape
    if max(height, width) < LARGEST_REMAP:
        return np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR), np.float32)
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (x - left)[..., None], (y - top)[..., None]
    above = field[top, left] * (1 - across) + field[top, right] * across
    below = field[bottom, left] * (1 - across) + field[bottom, right] * across
    return np.asarray(above * (1 - down) + below * down, np.float32)


def _consistent(ids: Ids, flow_y: Float32, flow_x: Float32, flow_error: float) -> Ids:
    """The ids without those whose outline asks for a flow of another direction; how strong a flow is says how sure it is."""
    wanted_y, wanted_x = flow_of(ids, smoothing=CHECK_SMOOTHING)
    length = np.maximum(np.sqrt(flow_y**2 + flow_x**2), 1e-6)
    error = ((wanted_y - flow_y / length) ** 2 + (wanted_x - flow_x / length) ** 2).ravel()
    number = np.maximum(np.bincount(ids.ravel()), 1)
    kept = np.bincount(ids.ravel(), weights=error) / number <= flow_error
    kept[0] = False
    return np.where(kept[ids], ids, 0).astype(np.int32)


def _grown(inside: Mask, seeds: Ids, height: Float32 | None) -> Ids:
    """Seeds grown over all pixels of `inside` that they reach in it, from high to low; what none reaches is numbered on its own.

    Parameters
    ----------
    height : ``(H, W)`` in [0, 1]; None = flat, so that all seeds grow alike.
    """
    outside = int(seeds.max(initial=0)) + 1
    markers = np.where(inside, seeds, outside).astype(np.int32)
    # watershed leaves a line of -1 between areas, and its own frame of one pixel: a border takes the frame
    markers = np.pad(markers, 1, constant_values=outside)
    surface = np.zeros(markers.shape, np.uint8)
    if height is not None:
        surface[1:-1, 1:-1] = np.clip(255 * (1 - height), 0, 255)
    cv2.watershed(cv2.cvtColor(surface, cv2.COLOR_GRAY2BGR), markers)
    ids = np.where(inside, markers[1:-1, 1:-1], 0).astype(np.int32)
    ids[ids == outside] = 0
    ids = _without_lines(inside, ids)
    rest = components(inside & (ids == 0))
    return np.where(rest > 0, rest + outside, ids).astype(np.int32)


def _without_lines(inside: Mask, ids: Ids) -> Ids:
    """Lines between areas, and other pixels of `inside` that areas reach in it, get the greatest id beside them.

    Step by step for `STEPS` pixels; what lies farther is given to a neighbour at once, area by area.
    """
    ids = np.maximum(ids, 0)
    for _ in range(STEPS):
        open_ = inside & (ids == 0)
        if not open_.any():
            return ids
        beside = _greatest_beside(ids)
        if not beside[open_].any():
            return ids
        ids = np.where(open_, beside, ids).astype(np.int32)
    rest = components(inside & (ids == 0))
    owner = np.zeros(int(rest.max(initial=0)) + 1, np.int32)
    left = rest > 0
    np.maximum.at(owner, rest[left], _greatest_beside(ids)[left])
    return np.where(left, owner[rest], ids).astype(np.int32)


def _greatest_beside(ids: Ids) -> Ids:
    """The greatest id in the 3 x 3 pixels around each; exact up to 2^24 ids."""
    return np.asarray(cv2.dilate(ids.astype(np.float32), np.ones((3, 3), np.uint8)), np.int32)
