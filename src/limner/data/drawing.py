"""Regions to class ids and object ids per pixel: what is drawn later lies on top; what is not known is not background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Annotation, Box, Points, Region
from limner.core.labels import Labels
from limner.core.objects import Instances, Objects
from limner.data.rasterize import pixels_of

BACKGROUNDS = frozenset({"background", "_background_", "__background__"})  # what tools call class 0
KEPT_PIXELS = 2**24  # of the parts of one picture, a byte each
Window = tuple[slice, slice]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Overlaps:
    """How the objects of one picture cover each other.

    Parameters
    ----------
    shared : objects of which at least one pixel was drawn for another object as well.
    mostly_covered : those of them of which less than half, but something, can be seen.
    hidden : those of which nothing can be seen; they are no objects of the picture.
    """

    shared: int = 0
    mostly_covered: int = 0
    hidden: int = 0

    def __add__(self, other: Overlaps) -> Overlaps:
        return Overlaps(
            self.shared + other.shared, self.mostly_covered + other.mostly_covered, self.hidden + other.hidden
        )


@dataclass(frozen=True)
class Drawn:
    """The pixels of a drawing.

    Parameters
    ----------
    labels, valid : see `Drawing.labels`.
    objects : those that can be seen.
    overlaps : how the objects cover each other.
    """

    labels: Labels
    valid: Mask
    objects: Objects
    overlaps: Overlaps


@dataclass(frozen=True)
class Drawing:
    """All that is needed to turn the regions of one picture into labels and objects.

    Parameters
    ----------
    annotation : the regions.
    ids : class id of each label, all above 0; labels of `BACKGROUNDS` are 0.
    boxes_are_areas : False where a box says only where an object is (COCO, YOLO): its pixels are not known.
    things : labels whose objects are told apart; empty where none are.
    is_ordered : True where the order of the regions says what lies on top; False where it says nothing (COCO, YOLO).
    """

    annotation: Annotation
    ids: Mapping[str, int]
    boxes_are_areas: bool = True
    things: frozenset[str] = frozenset()
    is_ordered: bool = True

    def labels(self, size_hw: tuple[int, int]) -> tuple[Labels, Mask]:
        """Class ids ``(H, W)``, uint8 or (from 256 classes on) uint16, and where they are known, ``(H, W)`` bool.

        Ties of `Region.order` go by the order in the file. Points have no area and are passed over. Lines are areas when they end
        where they began, see `pixels_of`. Where objects are told apart, the pixels of a crowd of them are not known: they belong
        to objects, and nobody says to which.
        """
        return self._labels(_Parts(self.annotation.regions, size_hw))

    def objects(self, size_hw: tuple[int, int]) -> tuple[Instances, npt.NDArray[np.int32]]:
        """Object ids ``(H, W)`` int32, 0 = no object, and the class id of each object ``(M,)`` int32; see `draw`."""
        found = self.draw(size_hw).objects
        return found.ids, found.classes

    def draw(self, size_hw: tuple[int, int]) -> Drawn:
        """Labels, and each region of `things` (of any class where there are none) as an object; a group is one object.

        Boxes of unknown outline, points, ignored regions and crowds are no objects. Ids agree with `labels`: a pixel belongs to an
        object of its class there. Where regions of one class overlap, the pixel goes to the one on top, and in formats without
        an order to the one of the fewest pixels, so that none is hidden by a larger one of its class. Objects are numbered 1 to M
        in the order of their first pixel, row by row; those of which nothing can be seen are counted, and left out.

        Returns
        -------
        No objects for a drawing without regions.
        """
        parts = _Parts(self.annotation.regions, size_hw)
        labels, valid = self._labels(parts)
        numbers, classes = self._numbered()
        ids = np.zeros(size_hw, np.int32)
        drawn = np.zeros(len(classes) + 1, np.int64)
        shared = np.zeros(len(classes) + 1, bool)
        for index, _ in self._upwards():
            place, mask = parts.of(index)
            number, window = numbers.get(index, 0), ids[place]
            below = window[mask]
            others = below[(below != 0) & (below != number)]
            shared[others] |= number > 0
            shared[number] |= bool(len(others)) and number > 0
            drawn[number] += len(below) - int((below == number).sum())
            window[mask] = number
        if (
            not self.is_ordered and shared.any()
        ):  # the smaller on top of the larger of its class: labels stay as they are
            ids[:] = 0
            for index in sorted(numbers, key=lambda index: (-int(drawn[numbers[index]]), index)):
                place, mask = parts.of(index)
                number = numbers[index]
                ids[place][mask & valid[place] & (labels[place] == classes[number - 1])] = number
        seen = np.bincount(ids.ravel(), minlength=len(drawn))[1:]
        covered = (seen > 0) & (2 * seen < drawn[1:])
        hidden = (seen == 0) & (
            drawn[1:] > 0
        )  # what lies outside the picture, or holds no pixel's centre, is hidden by nobody
        overlaps = Overlaps(int(shared.sum()), int(covered.sum()), int(hidden.sum()))
        return Drawn(labels, valid, _in_order(ids, classes), overlaps)

    def _labels(self, parts: _Parts) -> tuple[Labels, Mask]:
        labels = np.zeros(parts.size_hw, np.uint8 if max(self.ids.values(), default=0) < 256 else np.uint16)
        valid = np.ones(parts.size_hw, bool)
        for index, region in enumerate(self.annotation.regions):  # below all outlines: an outline inside a box is known
            if self.is_unknown_box(region):
                place, mask = parts.of(index)
                valid[place][mask] = False
        for index, region in self._upwards():
            place, mask = parts.of(index)
            is_known = not region.is_ignored and not self._is_crowd(region)
            valid[place][mask] = is_known
            labels[place][mask] = self.ids.get(region.label, 0) if is_known else 0
        return labels, valid

    def is_unknown_box(self, region: Region) -> bool:
        """The region is a box that stands for an object of unknown outline."""
        return isinstance(region.shape, Box) and not self.boxes_are_areas

    def is_object(self, region: Region) -> bool:
        """The region is an object of its own, or a part of one: an area of a class whose objects are told apart."""
        is_counted = region.label in self.things if self.things else self.ids.get(region.label, 0) > 0
        return (
            is_counted and not region.is_ignored and not region.is_crowd
            and not isinstance(region.shape, Points) and not self.is_unknown_box(region)
        )  # fmt: skip

    def _is_crowd(self, region: Region) -> bool:
        return region.is_crowd and region.label in self.things

    def _upwards(self) -> Iterator[tuple[int, Region]]:
        """Regions that cover pixels, with their index in the file, the lowest first."""
        for index, region in sorted(enumerate(self.annotation.regions), key=lambda entry: entry[1].order):
            if not isinstance(region.shape, Points) and not self.is_unknown_box(region):
                yield index, region

    def _numbered(self) -> tuple[dict[int, int], npt.NDArray[np.int32]]:
        """The object of each region by its index, from 1, and the class of each object."""
        numbers: dict[int, int] = {}
        known: dict[tuple[str, str], int] = {}
        classes: list[int] = []
        for index, region in enumerate(self.annotation.regions):
            if not self.is_object(region):
                continue
            key = (region.group, region.label)
            number = known.get(key, 0) if region.group else 0
            if not number:
                classes.append(self.ids.get(region.label, 0))
                number = known[key] = len(classes)
            numbers[index] = number
        return numbers, np.array(classes, np.int32)


class _Parts:
    """Where each region of a picture lies and its pixels there: the cost goes with the region, not with the picture.

    Small parts are kept for the next time they are asked for.
    """

    def __init__(self, regions: tuple[Region, ...], size_hw: tuple[int, int]) -> None:
        self.size_hw = size_hw
        self._regions = regions
        self._kept: dict[int, tuple[Window, Mask]] = {}
        self._room = KEPT_PIXELS

    def of(self, index: int) -> tuple[Window, Mask]:
        """Of one region, by its index."""
        if index in self._kept:
            return self._kept[index]
        part = pixels_of(self._regions[index].shape, self.size_hw)
        height, width = part.mask.shape
        found = (slice(part.y, part.y + height), slice(part.x, part.x + width)), part.mask
        if part.mask.size <= self._room:
            self._room -= part.mask.size
            self._kept[index] = found
        return found


def _in_order(ids: Instances, classes: npt.NDArray[np.int32]) -> Objects:
    """The objects that can be seen, numbered in the order of their first pixel."""
    flat = ids.ravel()
    places = np.flatnonzero(flat)[::-1]
    first = np.full(len(classes) + 1, -1, np.int64)
    first[flat[places]] = places  # of several places of one id the last assignment stays: its first pixel
    shown = np.flatnonzero(first >= 0)
    order = shown[np.argsort(first[shown])]
    table = np.zeros(len(classes) + 1, np.int32)
    table[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    return Objects(table[ids], classes[order - 1])
