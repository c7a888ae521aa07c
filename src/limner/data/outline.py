"""Masks back to regions: one polygon with its holes for each connected patch of a class."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.annotation import Annotation, AnnotationSet, Polygon, Region
from limner.core.labels import Labels
from limner.core.protocols import Listener
from limner.data.dataset import Dataset
from limner.data.mask_folder import plain_names
from limner.data.polygons import polygons_of_mask

IGNORED = "__ignore__"


def annotations_of(dataset: Dataset, *, listener: Listener) -> AnnotationSet:
    """The masks of a data set as annotations.

    Patches that touch at a side or a corner are one region; pixels whose class is not known become regions that are ignored.

    Raises
    ------
    DataError : a picture or mask cannot be read.
    """
    images = []
    names, plain = dataset.label_space.names, plain_names(dataset.items)
    for done, item in enumerate(dataset.items, start=1):
        sample = dataset.load(item)
        regions = [] if sample.labels is None else regions_of(sample.labels, names)
        if sample.valid is not None:
            regions += [Region(IGNORED, shape, is_ignored=True) for shape in _patches(~sample.valid)]
        images.append(Annotation(plain[item.name], tuple(regions), size_hw=sample.size_hw, subset=item.split))
        listener.progress("convert", done, len(dataset.items), item.name)
    return AnnotationSet("folders", tuple(images), classes=dataset.label_space.foreground_names)


def regions_of(labels: Labels, names: tuple[str, ...]) -> list[Region]:
    """One region for each connected patch of each class of ``(H, W)`` class ids; none for the background."""
    return [
        Region(names[index], shape)
        for index in np.unique(labels).tolist()
        if index > 0
        for shape in _patches(labels == index)
    ]


def _patches(mask: npt.NDArray[np.bool_]) -> list[Polygon]:
    """The 8-connected patches of a mask, each as rings and holes, in the order of their first pixels."""
    count, patches, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    shapes = []
    for patch in range(1, count):
        x, y, width, height = (int(v) for v in boxes[patch, :4])
        polygon = polygons_of_mask(patches[y : y + height, x : x + width] == patch)
        corner = np.array([x, y], np.float64)
        shapes.append(
            Polygon(tuple(ring + corner for ring in polygon.rings), tuple(hole + corner for hole in polygon.holes))
        )
    return shapes
