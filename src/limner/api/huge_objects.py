"""Objects of a picture larger than memory: their ids as a file, and their share in the documents, window by window.

The objects are known when the rows are finished, with their boxes; a window shows all of those that begin in some rows, and is
measured as a small picture. So the table has the columns, and the numbers, that it would have were the picture in memory.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limner.api import object_cells
from limner.api.predict_kept import Kept
from limner.api.predict_objects import INSTANCES, Part
from limner.api.ruled_rows import RuledObjects
from limner.core.annotation import Bitmap, Polygon
from limner.core.files import write_bytes
from limner.core.labels import LabelSpace
from limner.core.objects import Objects
from limner.core.protocols import Source
from limner.data.formats.coco_rle import encode_rle
from limner.data.instance_files import LARGEST_PNG_ID, encode_instances
from limner.data.label_tiff import LARGE_PIXELS, write_label_tiff
from limner.data.object_outlines import shapes_of_objects
from limner.inference.object_runs import Found, Ids
from limner.inference.object_table import ObjectTable, Spacing, measure_objects
from limner.inference.unfinished_objects import UnfinishedObjects

WINDOW_ROWS = 512  # in which the objects of one window begin
TALL = 1024  # rows; an object that is taller has a window of its own
LARGEST_WINDOW = 2**26  # pixels of such a window
Row = dict[str, Any]


@dataclass(frozen=True)
class Window:
    """A part of the picture and the objects that lie in it, renumbered from 1.

    Parameters
    ----------
    top, left : of its first pixel.
    numbers : ``(M,)`` ids in the picture.
    objects : ids ``(h, w)``; of others there is nothing.
    boxes : ``(M, 4)`` left, top, right, bottom in the window.
    """

    top: int
    left: int
    numbers: Ids
    objects: Objects
    boxes: Any


@dataclass(frozen=True)
class HugeObjects:
    """The objects of one picture whose rows are finished.

    Parameters
    ----------
    source : the picture.
    objects : what is kept of them.
    space : the classes.
    spacing : height and width of a pixel in mm; None = not known.
    name : of the picture in the documents.
    """

    source: Source
    objects: UnfinishedObjects | RuledObjects
    space: LabelSpace
    spacing: Spacing | None
    name: str

    def write(self, kept: Kept, target: str) -> Row:
        """Write the ids and keep the share in the documents; what the row of the manifest says of them.

        Returns
        -------
        ``{"instances": file, "objects": {class: count}}``, and ``"warnings"`` where something is left out.
        """
        found, numbers = self.objects.found(), self.objects.numbers()
        path = self._write_ids(kept.out / INSTANCES / target, len(found), numbers)
        header = [
            "image",
            *self._table(_empty(found), np.zeros((1, 1, self.source.channels), self.source.dtype)).columns,
        ]
        head = {
            "name": self.name, "target": target, "size_hw": list(self.source.size_hw), "columns": header, "segments": None,
        }  # fmt: skip
        Part(kept.objects(target)).write(head, self._lines(found, numbers, header), self._annotations(found, numbers))
        counts = np.bincount(found["class_id"], minlength=len(self.space)).tolist()
        row: Row = {
            "instances": path.relative_to(kept.out).as_posix(),
            "objects": {self.space.names[i]: counts[i] for i in self.space.thing_ids},
        }
        warnings = self._warnings(found)
        return {**row, "warnings": warnings} if warnings else row

    def _warnings(self, found: Found) -> list[str]:
        large = int((_window_pixels(found) > LARGEST_WINDOW).sum())
        said = []
        if large:
            said.append(
                f"{large} objects are larger than {LARGEST_WINDOW / 2**20:.0f} megapixels: the table has their place, area and "
                "class alone, coco.json leaves them out"
            )
        if self.space.kind == "panoptic":
            said.append("panoptic/ and panoptic.json leave this picture out: they need the whole picture in memory")
        return said

    def _write_ids(self, target: Path, count: int, numbers: Ids) -> Path:
        """16-bit PNG where it can hold them, see `limner.data.instance_files.write_instances`; else TIFF, tile by tile."""
        height, width = self.source.size_hw
        if count <= LARGEST_PNG_ID and height * width <= LARGE_PIXELS:
            path = target.with_name(f"{target.name}.png")
            write_bytes(path, encode_instances(self.objects.read(0, height, numbers)))
            return path
        path = target.with_name(f"{target.name}.tif")
        write_label_tiff(
            path,
            lambda start, stop: self.objects.read(start, stop, numbers),
            self.source.size_hw,
            None,
            dtype=np.uint32,
        )
        return path

    def _windows(self, found: Found, numbers: Ids) -> Iterator[Window]:
        """All objects that have a window, those of one by rising id; windows by rising row of their first object."""
        is_tall = found["bottom"] - found["top"] > TALL
        group = found["top"] // WINDOW_ROWS
        for at in np.unique(group):
            here = np.flatnonzero((group == at) & ~is_tall)
            if len(here):
                yield self._window(found[here], numbers, (0, self.source.size_hw[1]))
            for one in np.flatnonzero((group == at) & is_tall & (_window_pixels(found) <= LARGEST_WINDOW)):
                part = found[one : one + 1]
                yield self._window(part, numbers, (int(part["left"][0]), int(part["right"][0])))

    def _window(self, found: Found, numbers: Ids, columns: tuple[int, int]) -> Window:
        top, bottom = int(found["top"].min()), int(found["bottom"].max())
        lowest, highest = int(found["id"].min()), int(found["id"].max())
        table = np.zeros(highest - lowest + 2, np.int32)
        table[found["id"] - lowest + 1] = np.arange(1, len(found) + 1)
        ids = np.zeros((bottom - top, columns[1] - columns[0]), np.int32)
        for row in range(top, bottom, WINDOW_ROWS):
            stop = min(row + WINDOW_ROWS, bottom)
            part = self.objects.read(row, stop, numbers)[:, slice(*columns)]
            is_here = (part >= lowest) & (part <= highest)
            ids[row - top : stop - top] = table.take(np.where(is_here, part - (lowest - 1), 0))
        shift = np.array([columns[0], top, columns[0], top])
        boxes = np.stack([found[name] for name in ("left", "top", "right", "bottom")], axis=1).astype(np.int64) - shift
        return Window(top, columns[0], found["id"], Objects(ids, found["class_id"], _scores(found)), boxes)

    def _lines(self, found: Found, numbers: Ids, header: list[str]) -> Iterator[str]:
        """Lines of the table, window by window."""
        height, width = self.source.size_hw
        for window in self._windows(found, numbers):
            rows, columns = window.objects.ids.shape
            image = self.source.read(slice(window.top, window.top + rows), slice(window.left, window.left + columns))
            table = self._table(window.objects, image).columns
            sy, sx = self.spacing or (1.0, 1.0)
            moved = {
                "id": window.numbers[table["id"] - 1], "left": table["left"] + window.left, "top": table["top"] + window.top,
                "centroid_x": table["centroid_x"] + window.left, "centroid_y": table["centroid_y"] + window.top,
            }  # fmt: skip
            if self.spacing is not None:
                moved["centroid_x_mm"] = table["centroid_x_mm"] + window.left * sx
                moved["centroid_y_mm"] = table["centroid_y_mm"] + window.top * sy
            right, bottom = moved["left"] + table["width"], moved["top"] + table["height"]
            moved["touches_border"] = (moved["left"] == 0) | (moved["top"] == 0) | (right == width) | (bottom == height)
            yield from object_cells.lines(self.name, ObjectTable({**table, **moved}), self.space)
        yield from self._bare_lines(found[_window_pixels(found) > LARGEST_WINDOW], header)

    def _bare_lines(self, found: Found, header: list[str]) -> Iterator[str]:
        """Lines of objects too large for a window: what was summed while they were found, other cells empty."""
        if not len(found):
            return
        columns = table_of(found, self.source.size_hw).columns
        places = [header.index(name) - 1 for name in columns]
        for row in csv.reader(object_cells.lines("", ObjectTable(columns), self.space)):
            cells = [""] * (len(header) - 1)
            for place, cell in zip(places, row[1:], strict=True):
                cells[place] = cell
            yield object_cells.line([object_cells.guarded(self.name), *cells])

    def _annotations(self, found: Found, numbers: Ids) -> Iterator[Row]:
        """COCO annotations as `limner.data.object_records.coco_annotations` gives them, window by window."""
        for window in self._windows(found, numbers):
            at = np.searchsorted(found["id"], window.numbers)
            for number, shape in shapes_of_objects(window.objects.ids, window.boxes):
                yield self._annotation(found[at[number - 1]], shape, window)

    def _annotation(self, one: Any, shape: Polygon | Bitmap, window: Window) -> Row:
        left, top = int(one["left"]), int(one["top"])
        segmentation: Any
        if isinstance(shape, Polygon):
            segmentation = [(shape.rings[0] + np.array([window.left, window.top])).astype(int).ravel().tolist()]
        else:
            segmentation = encode_rle(
                Bitmap(shape.x + window.left, shape.y + window.top, shape.mask), self.source.size_hw
            )
        record: Row = {
            "category_id": int(one["class_id"]),
            "segmentation": segmentation,
            "area": int(one["area"]),
            "bbox": [left, top, int(one["right"]) - left, int(one["bottom"]) - top],
            "iscrowd": 0,
            "instance_id": int(one["id"]),
        }
        if not math.isnan(one["score"]):
            record["score"] = round(float(np.float32(one["score"])), 4)
        return record

    def _table(self, objects: Objects, image: Any) -> ObjectTable:
        return measure_objects(objects, image, spacing=self.spacing)


def table_of(found: Found, size_hw: tuple[int, int]) -> ObjectTable:
    """What the records say, in columns named and counted as `limner.inference.object_table.measure_objects` does."""
    area = found["area"].astype(np.float64)
    box = {name: found[name].astype(np.int64) for name in ("left", "top", "right", "bottom")}
    touches = (box["left"] == 0) | (box["top"] == 0) | (box["right"] == size_hw[1]) | (box["bottom"] == size_hw[0])
    scores = _scores(found)
    return ObjectTable(
        {
            "id": found["id"],
            "class": found["class_id"].astype(np.int64),
            **({} if scores is None else {"score": scores}),
            "area_px": found["area"],
            "centroid_x": found["sum_x"] / area + 0.5,
            "centroid_y": found["sum_y"] / area + 0.5,
            "equivalent_diameter_px": 2 * np.sqrt(area / math.pi),
            "left": box["left"],
            "top": box["top"],
            "width": box["right"] - box["left"],
            "height": box["bottom"] - box["top"],
            "touches_border": touches,
        }
    )


def _window_pixels(found: Found) -> Any:
    """``(M,)`` pixels of the window of each object that needs one of its own; 0 for the others."""
    sides = found["bottom"] - found["top"], found["right"] - found["left"]
    return np.where(sides[0] > TALL, sides[0].astype(np.int64) * sides[1], 0)


def _scores(found: Found) -> Any:
    return None if np.isnan(found["score"]).any() else found["score"].astype(np.float32)


def _empty(found: Found) -> Objects:
    """No objects, with scores where the objects have some."""
    scores = None if _scores(found) is None else np.zeros(0, np.float32)
    return Objects(np.zeros((1, 1), np.int32), np.zeros(0, np.int32), scores)
