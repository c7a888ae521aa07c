"""Regions to class ids per pixel: what is drawn later lies on top; what is not known is not background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Annotation, Box, Points, Region
from limner.core.labels import Labels
from limner.data.rasterize import pixels_of

BACKGROUNDS = frozenset({"background", "_background_", "__background__"})  # what tools call class 0


@dataclass(frozen=True)
class Drawing:
    """All that is needed to turn the regions of one picture into labels.

    Parameters
    ----------
    annotation : the regions.
    ids : class id of each label, all above 0; labels of `BACKGROUNDS` are 0.
    boxes_are_areas : False where a box says only where an object is (COCO, YOLO): its pixels are not known.
    """

    annotation: Annotation
    ids: Mapping[str, int]
    boxes_are_areas: bool = True

    def labels(self, size_hw: tuple[int, int]) -> tuple[Labels, npt.NDArray[np.bool_]]:
        """Class ids ``(H, W)``, uint8 or (from 256 classes on) uint16, and where they are known, ``(H, W)`` bool.

        Ties of `Region.order` go by the order in the file. Points have no area and are passed over. Lines are areas when they end
        where they began, see `pixels_of`.
        """
        labels = np.zeros(size_hw, np.uint8 if max(self.ids.values(), default=0) < 256 else np.uint16)
        valid = np.ones(size_hw, bool)
        boxes = [region for region in self.annotation.regions if self.is_unknown_box(region)]
        for region in boxes:  # below all outlines: an outline inside a box is known
            place, mask = _part(region, size_hw)
            valid[place][mask] = False
        for region in sorted(self.annotation.regions, key=lambda region: region.order):
            if isinstance(region.shape, Points) or self.is_unknown_box(region):
                continue
            place, mask = _part(region, size_hw)
            valid[place][mask] = not region.is_ignored
            labels[place][mask] = 0 if region.is_ignored else self.ids.get(region.label, 0)
        return labels, valid

    def is_unknown_box(self, region: Region) -> bool:
        """The region is a box that stands for an object of unknown outline."""
        return isinstance(region.shape, Box) and not self.boxes_are_areas


def _part(region: Region, size_hw: tuple[int, int]) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
    """Where a region lies and its pixels there: the cost goes with the region, not with the picture."""
    part = pixels_of(region.shape, size_hw)
    height, width = part.mask.shape
    return (slice(part.y, part.y + height), slice(part.x, part.x + width)), part.mask
