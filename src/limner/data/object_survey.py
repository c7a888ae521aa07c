"""The objects of every picture of a data set, measured; their ids are not kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from limner.core.errors import DataError
from limner.core.objects import Objects
from limner.data.drawing import Overlaps
from limner.data.instances import objects_of_mask
from limner.data.items import Item
from limner.data.mask_survey import TINY_PIXELS
from limner.data.mask_survey import Objects as Count
from limner.data.masks import MaskReading
from limner.data.object_shapes import ObjectShapes, shapes_of
from limner.data.pixels import raw_mask

NO_OVERLAPS = Overlaps()


@dataclass(frozen=True)
class PictureObjects:
    """The objects of one picture.

    Parameters
    ----------
    shapes : of those that can be seen.
    overlaps : how they cover each other; nothing where ids are stored, since a pixel has one id.
    """

    shapes: ObjectShapes
    overlaps: Overlaps = NO_OVERLAPS

    def counts(self) -> dict[int, Count]:
        """Objects of each class id, and how many of them are tiny."""
        return {
            index: Count(int(mine.sum()), int((mine & (self.shapes.areas < TINY_PIXELS)).sum()))
            for index in sorted(set(self.shapes.classes.tolist()))
            for mine in [self.shapes.classes == index]
        }


def survey_objects(items: Sequence[Item], reading: MaskReading) -> dict[str, PictureObjects]:
    """Measure the objects of pictures with mask files, in threads; those without ids, or that cannot be read, are left out.

    Parameters
    ----------
    items : the pictures.
    reading : how masks become class ids; its label space has things.
    """

    def look(item: Item) -> PictureObjects | None:
        try:
            found = _objects_of(item, reading)
        except DataError:
            return None  # the findings name it
        return None if found is None else PictureObjects(shapes_of(found))

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        found = dict(zip((item.name for item in items), pool.map(look, items), strict=True))
    return {name: objects for name, objects in found.items() if objects is not None}


def _objects_of(item: Item, reading: MaskReading) -> Objects | None:
    if item.mask is None:
        return None
    raw = raw_mask(item, alpha=reading.source == "alpha")
    labels, valid = reading.labels_of(raw, item.mask)
    objects, _ = objects_of_mask(raw, labels, valid, reading, reading.label_space.thing_ids)
    return objects
