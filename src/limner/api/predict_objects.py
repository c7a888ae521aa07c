"""What `limner predict` writes of objects: ids of each picture at once; tables and COCO documents of all pictures at the end.

    OUT/instances/<stem>.png|.tif   object ids of one picture
    OUT/objects.csv                 a row for each object
    OUT/coco.json                   COCO instances with scores
    OUT/panoptic/<stem>.png         segments of one picture, for models that know things and stuff
    OUT/panoptic.json               what those segments are

What goes into the documents is kept beside the rows of the manifest, in three files for each picture, so that processes on several
machines write no file together, and a call that is continued ends with the same documents.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from limner.api import object_cells
from limner.api.predict_kept import Kept
from limner.core.files import write_atomic, write_text
from limner.core.labels import LabelSpace
from limner.core.prediction import Prediction
from limner.core.sample import Image
from limner.data.images import write_image
from limner.data.instance_files import write_instances
from limner.data.object_records import categories, coco_annotations, panoptic_picture, panoptic_segments
from limner.inference.object_table import Spacing, measure_objects

TABLE, COCO, PANOPTIC = "objects.csv", "coco.json", "panoptic.json"
INSTANCES, SEGMENTS = "instances", "panoptic"
_INFO = '{"info": {"description": "predicted by Limner"}, "licenses": [], "categories": '
Row = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """Where the share of one picture in the documents is kept.

    Parameters
    ----------
    folder : for nothing else.
    """

    folder: Path

    @property
    def is_there(self) -> bool:
        """Whether it was written; the last of its files is `head.json`."""
        return (self.folder / "head.json").is_file()

    def head(self) -> Row:
        """``{"name", "size_hw", "columns", "segments"}``; segments None where there is no panoptic picture."""
        found: Row = json.loads((self.folder / "head.json").read_text(encoding="utf-8"))
        return found

    def lines(self, name: str) -> Iterator[str]:
        """The lines of ``table.csv`` or ``coco.jsonl``."""
        with (self.folder / name).open(encoding="utf-8", newline="\n") as file:
            for text in file:
                yield text.rstrip("\n")

    def write(self, head: Row, table: Iterable[str], annotations: Iterable[Row]) -> None:
        """Write it, its head last."""
        write_text(self.folder / "table.csv", "".join(f"{text}\n" for text in table))
        write_text(self.folder / "coco.jsonl", "".join(f"{json.dumps(record)}\n" for record in annotations))
        write_text(self.folder / "head.json", json.dumps(head))


def picture_name(source: Path, target: str) -> str:
    """How documents call a picture: the name of its label map with the suffix of the picture.

    Examples
    --------
    >>> picture_name(Path("in/a/b.jpg"), "a/b"), picture_name(Path("in/b.jpg"), "b.jpg")
    ('a/b.jpg', 'b.jpg')
    """
    return target if target.endswith(source.suffix) and source.suffix else f"{target}{source.suffix}"


def write_objects(
    kept: Kept, source: Path, target: str, image: Image, prediction: Prediction, *, spacing: Spacing | None
) -> Row:
    """Write the ids of one picture, and keep its share in the documents.

    Parameters
    ----------
    kept : knows the output folder.
    source, target : of the job.
    image : ``(H, W, C)``.
    prediction : with objects or without.
    spacing : see `limner.inference.object_table.measure_objects`.

    Returns
    -------
    For the row of the manifest: ``{"instances": file, "objects": {class: count}}``, counts of objects that show; empty without
    objects.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    objects, space = prediction.objects, prediction.label_space
    if objects is None:
        return {}
    table = measure_objects(objects, image, spacing=spacing)
    boxes = table.boxes(len(objects))
    path = write_instances(kept.out / INSTANCES / target, objects.ids)
    name, segments = picture_name(source, target), None
    if space.kind == "panoptic":
        canvas, segments = panoptic_segments(objects, prediction.labels, space, boxes)
        write_image(kept.out / SEGMENTS / f"{target}.png", panoptic_picture(canvas))
    head = {
        "name": name, "target": target, "size_hw": [int(side) for side in objects.ids.shape],
        "columns": object_cells.header(table), "segments": segments,
    }  # fmt: skip
    Part(kept.objects(target)).write(head, object_cells.lines(name, table, space), coco_annotations(objects, boxes))
    counts = np.bincount(table["class"], minlength=len(space)).tolist()
    counted = space.thing_ids or sorted(set(table["class"].tolist()))
    return {"instances": path.relative_to(kept.out).as_posix(), "objects": {space.names[i]: counts[i] for i in counted}}


def collect(kept: Kept, targets: Iterable[str], space: LabelSpace) -> list[str]:
    """Write the documents of all pictures, each as a whole, from what was kept of them.

    Parameters
    ----------
    targets : of the pictures whose objects are known, in the order of the manifest.
    space : the classes.

    Returns
    -------
    Names of the documents; none for no pictures.
    """
    parts = [Part(kept.objects(target)) for target in targets]
    if not parts:
        return []
    written = {TABLE: _write_table, COCO: _write_coco}
    if space.kind == "panoptic":
        written[PANOPTIC] = _write_panoptic
    for name, write in written.items():
        write_atomic(kept.out / name, _as_text(write, parts, space))
    return list(written)


def _as_text(
    write: Callable[[IO[str], list[Part], LabelSpace], None], parts: list[Part], space: LabelSpace
) -> Callable[[Path], None]:
    def save(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            write(file, parts, space)

    return save


def _write_table(file: IO[str], parts: list[Part], space: LabelSpace) -> None:
    """Columns that a picture has not, such as channels that others have, are empty in its rows."""
    headers = [part.head()["columns"] for part in parts]
    longest = max(headers, key=len)
    columns = [*longest, *dict.fromkeys(name for header in headers for name in header if name not in longest)]
    file.write(object_cells.line(columns) + "\n")
    for part, header in zip(parts, headers, strict=True):
        lines = part.lines("table.csv")
        file.writelines(f"{text}\n" for text in (lines if header == columns else _arranged(lines, header, columns)))


def _arranged(lines: Iterable[str], header: list[str], columns: list[str]) -> Iterator[str]:
    places = [header.index(name) if name in header else None for name in columns]
    for row in csv.reader(lines):
        yield object_cells.line("" if place is None else row[place] for place in places)


def _write_coco(file: IO[str], parts: list[Part], space: LabelSpace) -> None:
    number, images, comma = 0, [], ""
    file.write(f'{_INFO}{json.dumps(categories(space, things_alone=bool(space.things)))},\n"annotations": [')
    for index, part in enumerate(parts, start=1):
        images.append(_image(index, part.head()))
        for text in part.lines("coco.jsonl"):
            number += 1
            file.write(f'{comma}\n{{"id": {number}, "image_id": {index}, {text[1:]}')
            comma = ","
    file.write(f'],\n"images": {json.dumps(images)}}}\n')


def _write_panoptic(file: IO[str], parts: list[Part], space: LabelSpace) -> None:
    """Pictures without segments, which were too large for them, are left out."""
    images, records = [], []
    for index, part in enumerate(parts, start=1):
        head = part.head()
        if head["segments"] is None:
            continue
        images.append(_image(index, head))
        file_name = f"{head['target']}.png"
        records.append({"image_id": index, "file_name": file_name, "segments_info": head["segments"]})
    file.write(f"{_INFO}{json.dumps(categories(space, things_alone=False))},\n")
    file.write(f'"images": {json.dumps(images)},\n"annotations": {json.dumps(records)}}}\n')


def _image(number: int, head: Row) -> Row:
    height, width = head["size_hw"]
    return {"id": number, "file_name": head["name"], "width": width, "height": height}
