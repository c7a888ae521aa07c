"""Masks back to regions: one polygon with its holes for each object, and for each connected patch of a class without objects."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.annotation import Annotation, AnnotationSet, Polygon, Region
from limner.core.labels import Labels
from limner.core.objects import Objects
from limner.core.protocols import Listener
from limner.data.dataset import Dataset
from limner.data.formats.coco_categories import stating
from limner.data.mask_folder import plain_names
from limner.data.object_shapes import shapes_of
from limner.data.polygons import polygons_of_mask

IGNORED = "__ignore__"


def annotations_of(dataset: Dataset, *, listener: Listener) -> AnnotationSet:
    """The masks of a data set as annotations.

    Each object is one region where objects are told apart. Of all else, patches that touch at a side or a corner are one region;
    pixels whose class is not known become regions that are ignored. The record says which classes are stuff where some are.

    Raises
    ------
    DataError : a picture or mask cannot be read.
    """
    images = []
    names, plain = dataset.label_space.names, plain_names(dataset.items)
    for done, item in enumerate(dataset.items, start=1):
        sample = dataset.load(item)
        regions = [] if sample.labels is None else _regions(sample.labels, sample.objects, names)
        if sample.valid is not None:
            regions += [Region(IGNORED, shape, is_ignored=True) for shape in _patches(~sample.valid)]
        images.append(Annotation(plain[item.name], tuple(regions), size_hw=sample.size_hw, subset=item.split))
        listener.progress("convert", done, len(dataset.items), item.name)
    space = dataset.label_space
    stuff = [name for name in space.foreground_names if space.things and name not in space.things]
    return AnnotationSet(
        "folders", tuple(images), classes=space.foreground_names, record=stating(stuff, space.things) or None
    )


def regions_of(labels: Labels, names: tuple[str, ...]) -> list[Region]:
    """One region for each connected patch of each class of ``(H, W)`` class ids; none for the background."""
    return [
        Region(names[index], shape)
        for index in np.unique(labels).tolist()
        if index > 0
        for shape in _patches(labels == index)
    ]


def _regions(labels: Labels, objects: Objects | None, names: tuple[str, ...]) -> list[Region]:
    """One region for each object, and for each patch of what is no object."""
    if objects is None:
        return regions_of(labels, names)
    rest = np.where(objects.ids > 0, 0, labels)
    shapes = shapes_of(objects)
    things = [
        Region(names[index], _shape(objects.ids[top:bottom, left:right] == number, left, top))
        for number, index, (top, left, bottom, right) in zip(
            np.flatnonzero(objects.areas()) + 1, shapes.classes.tolist(), shapes.boxes.tolist(), strict=True
        )
    ]
    return things + regions_of(rest, names)


def _shape(mask: npt.NDArray[np.bool_], x: int, y: int) -> Polygon:
    """The mask, whose upper left pixel is in column `x`, row `y`, as rings and holes."""
    polygon = polygons_of_mask(mask)
    corner = np.array([x, y], np.float64)
    return Polygon(tuple(ring + corner for ring in polygon.rings), tuple(hole + corner for hole in polygon.holes))


def _patches(mask: npt.NDArray[np.bool_]) -> list[Polygon]:
    """The 8-connected patches of a mask, each as rings and holes, in the order of their first pixels."""
    count, patches, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    shapes = []
    for patch in range(1, count):
        x, y, width, height = (int(v) for v in boxes[patch, :4])
        shapes.append(_shape(patches[y : y + height, x : x + width] == patch, x, y))
    return shapes
