"""Objects as records of COCO: an annotation for each, and the segments of a panoptic picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.annotation import Polygon
from limner.core.labels import Labels, LabelSpace
from limner.core.objects import Objects
from limner.data.formats.coco_rle import encode_rle
from limner.data.object_outlines import Boxes, shapes_of_objects

Record = dict[str, Any]
LARGEST_PANOPTIC_ID = 2**24 - 1
_DECIMALS = 4  # of scores


def coco_annotations(objects: Objects, boxes: Boxes) -> Iterator[Record]:
    """A COCO annotation without ``id`` and ``image_id`` for each object that shows, by rising id.

    Parameters
    ----------
    objects : of one picture.
    boxes : see `limner.data.object_outlines.shapes_of_objects`.

    Yields
    ------
    ``category_id`` (class id), ``segmentation`` (one polygon along the borders of pixels where the object is one piece without
    holes, else compressed run lengths), ``area`` in pixels, ``bbox``, ``iscrowd`` 0, ``instance_id`` (the id in the file of
    ids), and ``score`` where objects have one.
    """
    areas = objects.areas().tolist()
    size_hw = (int(objects.ids.shape[0]), int(objects.ids.shape[1]))
    for number, shape in shapes_of_objects(objects.ids, boxes):
        left, top, right, bottom = boxes[number - 1].tolist()
        record: Record = {
            "category_id": int(objects.classes[number - 1]),
            "segmentation": [shape.rings[0].astype(int).ravel().tolist()]
            if isinstance(shape, Polygon)
            else encode_rle(shape, size_hw),
            "area": areas[number - 1],
            "bbox": [left, top, right - left, bottom - top],
            "iscrowd": 0,
            "instance_id": number,
        }
        if objects.scores is not None:
            record["score"] = round(float(objects.scores[number - 1]), _DECIMALS)
        yield record


def panoptic_segments(
    objects: Objects, labels: Labels, space: LabelSpace, boxes: Boxes
) -> tuple[npt.NDArray[np.uint32], list[Record]]:
    """The segment of every pixel, and a record for each: things keep their object ids, stuff classes follow them.

    Parameters
    ----------
    objects, labels : of one picture; objects lie on top of the classes of `labels`.
    space : which classes are things; those of the others are stuff.
    boxes : see `limner.data.object_outlines.shapes_of_objects`.

    Returns
    -------
    ``(H, W)`` ids and ``id``, ``category_id``, ``area``, ``bbox``, ``iscrowd`` of each segment that shows. The id 0 is nobody's:
    background, and pixels of a thing that belong to no object.

    Raises
    ------
    ValueError : more segments than a panoptic PNG can tell apart, 16,777,215.
    """
    if len(objects) + len(space) > LARGEST_PANOPTIC_ID:
        raise ValueError(f"{len(objects)} objects; a panoptic PNG holds ids up to {LARGEST_PANOPTIC_ID}")
    canvas = objects.ids.astype(np.uint32)
    areas = objects.areas()
    segments = [
        _segment(index + 1, int(objects.classes[index]), int(areas[index]), boxes[index].tolist())
        for index in np.flatnonzero(areas).tolist()
    ]
    things = set(space.thing_ids)
    free = objects.ids == 0
    for number in (i for i in range(1, len(space)) if i not in things):
        where = free & (labels == number)
        columns, rows = np.flatnonzero(where.any(0)).tolist(), np.flatnonzero(where.any(1)).tolist()
        if rows:
            canvas[where] = len(objects) + number
            box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            segments.append(_segment(len(objects) + number, number, int(where.sum()), box))
    return canvas, segments


def _segment(number: int, category: int, area: int, box: list[int]) -> Record:
    left, top, right, bottom = box
    return {
        "id": number, "category_id": category, "area": area, "bbox": [left, top, right - left, bottom - top], "iscrowd": 0,
    }  # fmt: skip


def panoptic_picture(ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """``(H, W, 3)`` colours of panoptic ids: id = red + 256 green + 65,536 blue."""
    return np.stack([(ids >> np.uint32(shift)).astype(np.uint8) for shift in (0, 8, 16)], axis=-1)


def categories(space: LabelSpace, *, things_alone: bool) -> list[Record]:
    """The classes as COCO categories with their class ids; with ``isthing`` and colour unless things alone are asked for."""
    if things_alone:
        return [{"id": i, "name": space.names[i], "supercategory": ""} for i in space.thing_ids]
    return [
        {
            "id": i, "name": name, "supercategory": "", "isthing": int(name in space.things), "color": list(space.colors[i]),
        }
        for i, name in enumerate(space.names)
        if i > 0
    ]  # fmt: skip
