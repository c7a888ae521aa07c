"""The shares of pictures in the documents of a finished call, taken apart again so that it can be continued."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from limner.api import object_cells
from limner.api.predict_kept import Kept
from limner.api.predict_objects import COCO, PANOPTIC, TABLE, Part, picture_name

Row = dict[str, Any]


def restore(kept: Kept, done: dict[str, Row]) -> dict[str, Row]:
    """The rows whose objects are known, by output: those that were kept, and those that the documents in the folder tell.

    Parameters
    ----------
    kept : where shares are kept; those of the documents are written there.
    done : rows of finished pictures, by output. One whose objects nobody knows any more is left out, and its picture is done again.
    """
    parts = {output: Part(kept.objects(target_of(output))) for output, row in done.items() if "instances" in row}
    missing = {output: part for output, part in parts.items() if not part.is_there}
    told = _documents(kept.out) if missing else {}
    lost = set()
    for output, part in missing.items():
        share = told.get(picture_name(Path(done[output]["input"]), target_of(output)))
        if share is None:
            lost.add(output)
        else:
            part.write({**share["head"], "target": target_of(output)}, share["table"], share["annotations"])
    return {output: row for output, row in done.items() if output not in lost}


def target_of(output: str) -> str:
    """The name of an output without the suffix that label maps have.

    Examples
    --------
    >>> target_of("a/b.jpg.png")
    'a/b.jpg'
    """
    return output[: -len(".png")]  # as long as .tif


def _documents(out: Path) -> dict[str, Row]:
    """``{"head", "table", "annotations"}`` of each picture by its name; empty where the documents are missing or damaged."""
    try:
        coco = json.loads((out / COCO).read_text(encoding="utf-8"))
        with (out / TABLE).open(encoding="utf-8", newline="") as file:
            columns, *rows = list(csv.reader(file))
        segments: dict[str, Any] = {}
        if (out / PANOPTIC).is_file():
            panoptic = json.loads((out / PANOPTIC).read_text(encoding="utf-8"))
            names = {image["id"]: image["file_name"] for image in panoptic["images"]}
            segments = {names[record["image_id"]]: record["segments_info"] for record in panoptic["annotations"]}
        shares = {image["id"]: _share(image, columns, segments) for image in coco["images"]}
        for record in coco["annotations"]:
            share = shares[record["image_id"]]
            share["annotations"].append({key: record[key] for key in record if key not in ("id", "image_id")})
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    by_name = {share["head"]["name"]: share for share in shares.values()}
    by_cell = {object_cells.guarded(name): share for name, share in by_name.items()}
    for row in rows:
        if row and row[0] in by_cell:
            by_cell[row[0]]["table"].append(object_cells.line(row))
    return by_name


def _share(image: Row, columns: list[str], segments: dict[str, Any]) -> Row:
    name = image["file_name"]
    head = {
        "name": name, "size_hw": [image["height"], image["width"]], "columns": columns, "segments": segments.get(name)
    }  # fmt: skip
    return {"head": head, "table": [], "annotations": []}
