"""The objects of an answer: counts, a table of measurements, ids, outlines."""

from __future__ import annotations

from typing import Any

import numpy as np

from limner.api import object_cells
from limner.core.annotation import Bitmap, Polygon
from limner.core.bundle import Bundle
from limner.core.labels import LabelSpace
from limner.core.objects import Objects
from limner.core.prediction import Prediction
from limner.core.sample import Image
from limner.data.formats.coco_rle import encode_rle
from limner.data.instance_files import LARGEST_PNG_ID, encode_instances
from limner.data.object_outlines import shapes_of_objects
from limner.data.object_records import Record, categories, coco_annotations
from limner.data.polygons import polygons_of_mask
from limner.inference.object_table import Spacing, measure_objects
from limner.server.refused import Refused

DECIMALS = 4
FILES = ("instances_png", "objects_csv")
OUTPUTS = ("objects", *FILES)


def objects_of(prediction: Prediction, model: str) -> Objects:
    """The objects of a prediction.

    Raises
    ------
    Refused : 422; the model does not tell objects apart.
    """
    if prediction.objects is None:
        raise Refused(422, "option", f"objects are asked of '{model}', which does not tell them apart")
    return prediction.objects


def spacing_of(stated: float | None, bundle: Bundle | None) -> Spacing | None:
    """Height and width of a pixel in mm: what the request says, else what the training data declared; None = not known."""
    if stated is not None:
        return stated, stated
    told = None if bundle is None else bundle.training.get("spacing_mm")
    return None if told is None else (float(told[0]), float(told[1]))


def summary(objects: Objects, space: LabelSpace, spacing: Spacing | None) -> dict[str, Any]:
    """``{"count", "classes": {name: count}, "rows"}``; a row is ``{"id", "class", "score", "pixels", "area", "box_xywh"}``."""
    table = measure_objects(objects, spacing=spacing)
    counts = np.bincount(table["class"], minlength=len(space)).tolist()
    columns = {name: values.tolist() for name, values in table.columns.items()}
    scores = columns.get("score", [None] * len(table))
    areas = columns.get("area_mm2", [None] * len(table))
    boxes = zip(columns["left"], columns["top"], columns["width"], columns["height"], strict=True)
    each = zip(columns["id"], columns["class"], scores, columns["area_px"], areas, boxes, strict=True)
    rows = [
        {
            "id": number, "class": space.names[kind], "score": None if score is None else round(score, DECIMALS), "pixels": pixels,
            "area": None if area is None else {"value": area, "unit": "mm²"}, "box_xywh": list(box),
        }
        for number, kind, score, pixels, area, box in each
    ]  # fmt: skip
    told = space.thing_ids or sorted(set(columns["class"]))
    return {"count": len(table), "classes": {space.names[i]: counts[i] for i in told}, "rows": rows}


def measurements(objects: Objects, image: Image, space: LabelSpace, spacing: Spacing | None) -> list[dict[str, Any]]:
    """One object of JSON for each object, with all columns of the table; classes by name."""
    table = measure_objects(objects, image, spacing=spacing)
    columns = {
        name: [round(value, DECIMALS) for value in values.tolist()] if values.dtype.kind == "f" else values.tolist()
        for name, values in table.columns.items()
    }
    columns["class"] = [space.names[i] for i in columns["class"]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def table_csv(name: str, objects: Objects, image: Image, space: LabelSpace, spacing: Spacing | None) -> bytes:
    """The table as ``objects.csv`` of `limner predict` has it."""
    table = measure_objects(objects, image, spacing=spacing)
    lines = [object_cells.line(object_cells.header(table)), *object_cells.lines(name, table, space)]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def ids_png(objects: Objects) -> bytes:
    """A 16-bit PNG of object ids.

    Raises
    ------
    Refused : 422; more objects than it can hold.
    """
    if len(objects) > LARGEST_PNG_ID:
        raise Refused(
            422, "content", f"{len(objects)} objects were found; a PNG of ids holds {LARGEST_PNG_ID}; ask for coco"
        )
    return encode_instances(objects.ids)


def outlines(objects: Objects, space: LabelSpace) -> list[dict[str, Any]]:
    """The outline of each object along the borders of pixels; of several pieces each has an entry, with the object's id."""
    found = []
    for number, shape in shapes_of_objects(objects.ids, measure_objects(objects).boxes(len(objects))):
        kind = int(objects.classes[number - 1])
        polygon, corner = shape, np.zeros(2)
        if not isinstance(polygon, Polygon):
            corner, polygon = np.array([polygon.x, polygon.y]), polygons_of_mask(polygon.mask)
        row = {"class": space.names[kind], "id": kind, "object": number, **_score(objects, number)}
        holes = [(hole + corner).astype(int).tolist() for hole in polygon.holes]
        found += [{**row, "points_xy": (ring + corner).astype(int).tolist(), "holes": holes} for ring in polygon.rings]
    return found


def run_lengths(objects: Objects, space: LabelSpace) -> list[dict[str, Any]]:
    """The pixels of each object as COCO's compressed run lengths."""
    size_hw = (int(objects.ids.shape[0]), int(objects.ids.shape[1]))
    boxes = measure_objects(objects).boxes(len(objects))
    found = []
    for index in np.flatnonzero(boxes[:, 2]).tolist():
        left, top, right, bottom = boxes[index].tolist()
        kind = int(objects.classes[index])
        mask = objects.ids[top:bottom, left:right] == index + 1
        row = {"class": space.names[kind], "id": kind, "object": index + 1, **_score(objects, index + 1)}
        found.append({**row, **encode_rle(Bitmap(left, top, mask), size_hw)})
    return found


def records_of(objects: Objects) -> list[Record]:
    """COCO annotations with ids, all of the picture 1."""
    boxes = measure_objects(objects).boxes(len(objects))
    return [
        {"id": number, "image_id": 1, **record}
        for number, record in enumerate(coco_annotations(objects, boxes), start=1)
    ]


def thing_categories(space: LabelSpace) -> list[Record]:
    """The classes whose objects are told apart."""
    return categories(space, things_alone=bool(space.things))


def _score(objects: Objects, number: int) -> dict[str, float]:
    return {} if objects.scores is None else {"score": round(float(objects.scores[number - 1]), DECIMALS)}
