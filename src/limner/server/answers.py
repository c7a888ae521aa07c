"""Predictions as answers: JSON documents and files."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
from fastapi.responses import Response

from limner.api.object_overlay import drawn
from limner.core.annotation import Bitmap, Polygon
from limner.core.labels import Labels, LabelSpace
from limner.core.prediction import Prediction
from limner.core.sample import Image
from limner.data.formats.coco_rle import encode_rle
from limner.data.formats.file_names import inner_path
from limner.data.images import encode_labels
from limner.data.instance_files import LARGEST_PNG_ID, encode_instances
from limner.data.outline import regions_of
from limner.inference.object_table import Spacing
from limner.server import found_objects
from limner.server.loaded import Loaded
from limner.server.unusual import header

PNG = "image/png"


@dataclass(frozen=True)
class Answer:
    """A prediction with all that is said about it.

    Parameters
    ----------
    name : of the file, as the client stated it.
    image : ``(H, W, C)``, for overlays.
    loaded : the model that answered.
    confidence : see `limner.api.confidence`.
    warnings : what is odd about the picture.
    seconds : by part of the work: ``queue``, ``decode``, ``predict``, ``total``.
    spacing_mm : side of a pixel, or None.
    """

    name: str
    image: Image
    prediction: Prediction
    loaded: Loaded
    confidence: float | None
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    spacing_mm: float | None = None

    @property
    def spacing(self) -> Spacing | None:
        """Height and width of a pixel in mm, for objects; None = not known."""
        return found_objects.spacing_of(self.spacing_mm, self.loaded.bundle)


def document(answer: Answer, output: str, *, mask: bool = True) -> dict[str, Any]:
    """The JSON document of one picture for an output that is one: ``json``, ``polygons``, ``rle`` or ``coco``."""
    labels, space = answer.prediction.labels, answer.prediction.label_space
    size_hw = [int(side) for side in labels.shape]
    head: dict[str, Any] = {"model": model_of(answer.loaded), "size_hw": size_hw}
    objects, warned = answer.prediction.objects, {"warnings": list(answer.warnings)}
    if output == "polygons":
        return {**head, "polygons": _all_outlines(answer.prediction), **warned}
    if output == "rle":
        return {**head, "rle": _all_run_lengths(answer.prediction), **warned}
    if output == "coco":
        return coco(answer)
    if output == "objects":
        assert objects is not None
        return {**head, "objects": found_objects.measurements(objects, answer.image, space, answer.spacing), **warned}
    counts = np.bincount(labels.ravel(), minlength=len(space))
    classes = [
        {
            **row,
            "pixels": int(counts[i]),
            "share": float(counts[i] / labels.size),
            "area": _area(int(counts[i]), answer),
        }
        for i, row in enumerate(class_table(space))
    ]
    found = {**head, "classes": classes}
    if mask:
        found["mask_png"] = base64.b64encode(encode_labels(labels, space)).decode("ascii")
    if objects is not None:
        found["objects"] = found_objects.summary(objects, space, answer.spacing)
        if mask and len(objects) <= LARGEST_PNG_ID:
            found["instances_png"] = base64.b64encode(encode_instances(objects.ids)).decode("ascii")
    return {
        **found,
        "confidence": None if answer.confidence is None else round(answer.confidence, 4),
        "seconds": {part: round(value, 4) for part, value in answer.seconds.items()},
        "warnings": list(answer.warnings),
    }


def file_answer(answer: Answer, output: str) -> Response:
    """The response for an output that is a file: ``mask_png``, ``overlay_png``, ``probs_npz``, ``instances_png``, ``objects_csv``.

    Raises
    ------
    Refused : 422; more objects than a PNG of ids holds.
    """
    labels, space, objects = answer.prediction.labels, answer.prediction.label_space, answer.prediction.objects
    if output == "mask_png":
        content, kind, suffix = encode_labels(labels, space), PNG, ".png"
    elif output == "overlay_png":
        buffer = io.BytesIO()
        PIL.Image.fromarray(drawn(answer.image, answer.prediction)).save(buffer, format="PNG")
        content, kind, suffix = buffer.getvalue(), PNG, ".overlay.png"
    elif output == "instances_png":
        assert objects is not None
        content, kind, suffix = found_objects.ids_png(objects), PNG, ".instances.png"
    elif output == "objects_csv":
        assert objects is not None
        content = found_objects.table_csv(answer.name, objects, answer.image, space, answer.spacing)
        kind, suffix = "text/csv; charset=utf-8", ".objects.csv"
    else:
        assert answer.prediction.scores is not None
        buffer = io.BytesIO()
        np.savez_compressed(buffer, scores=answer.prediction.scores.astype(np.float16))
        content, kind, suffix = buffer.getvalue(), "application/zip", ".npz"
    return Response(content, media_type=kind, headers={**headers(answer), **attachment(answer.name, suffix)})


def headers(answer: Answer) -> dict[str, str]:
    """What a file cannot say itself."""
    return {
        "X-Limner-Model": answer.loaded.name,
        "X-Limner-Version": answer.loaded.version,
        **header(list(answer.warnings)),
        "Cache-Control": "no-store",
    }


def attachment(name: str, suffix: str) -> dict[str, str]:
    """The header by which browsers save an answer and never show it as a page; the name is safe on every system."""
    stem = inner_path(name).with_suffix("").name
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._- ()") else "_" for letter in stem)
    return {"Content-Disposition": f'attachment; filename="{plain}{suffix}"'}


def model_of(loaded: Loaded) -> dict[str, str]:
    """Name and version of the model that answered."""
    return {"name": loaded.name, "version": loaded.version}


def class_table(space: LabelSpace) -> list[dict[str, Any]]:
    """All classes with their colours, the background first."""
    return [
        {"id": i, "name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
        for i, (name, color) in enumerate(zip(space.names, space.colors, strict=True))
    ]


def polygons(labels: Labels, space: LabelSpace) -> list[dict[str, Any]]:
    """The outline of each connected patch of each class, along the borders of pixels."""
    found = []
    for region in regions_of(labels, space.names):
        assert isinstance(region.shape, Polygon)
        holes = [hole.astype(int).tolist() for hole in region.shape.holes]
        for ring in region.shape.rings:
            row = {"class": region.label, "id": space.names.index(region.label), "points_xy": ring.astype(int).tolist()}
            found.append({**row, "holes": holes})
    return found


def _all_outlines(prediction: Prediction) -> list[dict[str, Any]]:
    """Outlines of objects, then of what is no object."""
    if prediction.objects is None:
        return polygons(prediction.labels, prediction.label_space)
    rest = _stuff(prediction)
    return [
        *found_objects.outlines(prediction.objects, prediction.label_space),
        *polygons(rest, prediction.label_space),
    ]


def _all_run_lengths(prediction: Prediction) -> list[dict[str, Any]]:
    """Run lengths of objects, then of classes that are stuff."""
    if prediction.objects is None:
        return run_lengths(prediction.labels, prediction.label_space)
    rest = _stuff(prediction)
    return [
        *found_objects.run_lengths(prediction.objects, prediction.label_space),
        *run_lengths(rest, prediction.label_space),
    ]


def _stuff(prediction: Prediction) -> Labels:
    """Class ids without objects, and without pixels of things that belong to none."""
    assert prediction.objects is not None
    labels = prediction.labels.copy()
    labels[(prediction.objects.ids > 0) | np.isin(labels, prediction.label_space.thing_ids)] = 0
    return labels


def run_lengths(labels: Labels, space: LabelSpace) -> list[dict[str, Any]]:
    """The pixels of each class but the background as COCO's compressed run lengths; none for a class that is not there."""
    size_hw = (int(labels.shape[0]), int(labels.shape[1]))
    return [
        {"class": space.names[i], "id": i, **encode_rle(Bitmap(0, 0, labels == i), size_hw)}
        for i in np.unique(labels).tolist()
        if i > 0
    ]


def coco(answer: Answer) -> dict[str, Any]:
    """A COCO document of this picture: an annotation for each object, or for each class where objects are not told apart."""
    objects = answer.prediction.objects
    labels, space = answer.prediction.labels, answer.prediction.label_space
    height, width = labels.shape
    annotations = [] if objects is None else found_objects.records_of(objects)
    for index, row in enumerate(run_lengths(labels, space) if objects is None else [], start=1):
        rows, columns = np.nonzero(labels == row["id"])
        x, y = int(columns.min()), int(rows.min())
        annotations.append({
            "id": index, "image_id": 1, "category_id": row["id"], "iscrowd": 0, "area": len(rows),
            "bbox": [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y],
            "segmentation": {"size": row["size"], "counts": row["counts"]},
        })  # fmt: skip
    return {
        "info": {"description": f"{answer.loaded.name} {answer.loaded.version}"},
        "images": [{"id": 1, "file_name": answer.name, "width": int(width), "height": int(height)}],
        "categories": found_objects.thing_categories(space)
        if objects is not None
        else [{"id": i, "name": name} for i, name in enumerate(space.names) if i > 0],
        "annotations": annotations,
    }


def _area(pixels: int, answer: Answer) -> dict[str, Any] | None:
    if answer.spacing_mm is None:
        return None
    return {"value": pixels * answer.spacing_mm**2, "unit": "mm²"}
