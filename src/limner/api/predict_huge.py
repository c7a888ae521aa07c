"""A picture larger than memory: labels by bands into a file of rows, from which the label map is written at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from limner.api.huge_objects import HugeObjects
from limner.api.input_kind import strange
from limner.api.predict_kept import Kept
from limner.api.predict_objects import picture_name
from limner.api.ruled_rows import RuledRows, has_room, obeying
from limner.core.answers import INPUTS
from limner.core.bundle import Bundle
from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.core.postprocess import Rules
from limner.core.protocols import Segmenter, Source
from limner.core.sample import Image
from limner.data.images import write_image, write_labels
from limner.data.label_tiff import LARGE_PIXELS, write_label_tiff
from limner.data.many_channels import resize_channels
from limner.data.windows import open_windows
from limner.evaluation.pictures import overlay as draw_overlay
from limner.inference.ensemble import EnsembleSegmenter
from limner.inference.object_stream import ObjectStream
from limner.inference.object_table import Spacing
from limner.inference.postprocess import RuledSegmenter
from limner.inference.segmenter import NetworkSegmenter
from limner.inference.unfinished import Unfinished
from limner.inference.unfinished_objects import UnfinishedObjects

OVERLAY_SIDE = 4096  # pixels; overlays of larger pictures are reduced
LOOK_PIXELS = 2**20  # that are looked at to tell whether a picture is unusual


@dataclass(frozen=True)
class Huge:
    """One picture and where its answer goes.

    Parameters
    ----------
    path : the file.
    folder, target : output folder and name in it, without suffix.
    work : folder for what is unfinished.
    overlay : also draw the classes over the picture.
    spacing : height and width of a pixel in mm, for measurements of objects; None = not known.
    """

    path: Path
    folder: Path
    target: str
    work: Path
    overlay: bool = False
    spacing: Spacing | None = None


def check_answers(name: str, pixels: int, segmenter: Segmenter, *, whole_scores: bool) -> None:
    """Refuse what needs memory for all scores of a picture of more than `LARGE_PIXELS`.

    Raises
    ------
    DataError : scores, uncertainty or an ensemble.
    """
    inner = segmenter.inner if isinstance(segmenter, RuledSegmenter) else segmenter
    many = isinstance(inner, EnsembleSegmenter)
    if pixels <= LARGE_PIXELS or not (whole_scores or many):
        return
    raise DataError(
        f"{name} has {pixels / 1e6:,.0f} megapixels, too many for "
        + ("an ensemble" if many else "scores or uncertainty of each pixel"),
        expected=f"at most {LARGE_PIXELS / 1e6:.0f} megapixels",
        where=name,
        fix="leave the option out for this picture, or cut it into parts",
    )


def segment_huge(
    huge: Huge,
    network: NetworkSegmenter,
    rules: Rules | None,
    bundle: Bundle,
    *,
    resume: bool,
    progress: Callable[[float], object],
) -> dict[str, Any]:
    """Write the label map and, where the network tells them apart, objects; the row of the manifest without its input.

    Parameters
    ----------
    network : what segments.
    rules : applied at the end where all labels fit into memory; else a warning says that they were not.
    resume : go on where an interrupted call ended.
    progress : hears what share of the picture is done.

    Raises
    ------
    DataError, MachineError : the file cannot be read, or its answer not written.
    """
    source = open_windows(huge.path)
    space, size_hw = network.label_space, source.size_hw
    rows, stream = _begin(huge, source, network)
    start = rows.open(resume=resume, classes=len(space))
    progress(start / size_hw[0])
    if stream is None:
        for part in network.label_rows(source, start=start, pieces=rows.pieces, where=huge.path.name):
            rows.append(part.labels, part.pieces)
            rows.note()
            progress(rows.rows / size_hw[0])
    else:
        _find_objects(rows, stream, lambda: progress(rows.rows / size_hw[0]))
    final: Unfinished | RuledRows = rows
    if rules is not None and rules.change_labels and size_hw[0] * size_hw[1] <= LARGE_PIXELS and has_room(rows):
        with suppress(MemoryError):  # then a warning says that they were not applied
            final, rules = obeying(rows, rules, space), None
    row = {
        "output": _write_labels(huge, final, space),
        "size_hw": list(size_hw),
        "classes": dict(zip(space.names, final.counts, strict=True)),
    }
    warnings = _warnings(source, rows, rules, bundle)
    if final.objects is not None:
        name = picture_name(huge.path, huge.target)
        told = HugeObjects(source, final.objects, space, huge.spacing, name).write(Kept(huge.folder), huge.target)
        warnings += told.pop("warnings", [])
        row |= told
    if huge.overlay:
        write_image(huge.folder / "overlays" / f"{huge.target}.png", _reduced_overlay(source, final, space))
    rows.remove()
    return {**row, "warnings": warnings} if warnings else row


def _begin(huge: Huge, source: Source, network: NetworkSegmenter) -> tuple[Unfinished, ObjectStream | None]:
    """What keeps the rows, and what finds objects in them where the network tells them apart."""
    space, size_hw, stat = network.label_space, source.size_hw, huge.path.stat()
    key: dict[str, Any] = {
        "size_hw": list(size_hw), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "classes": list(space.names),
    }  # fmt: skip
    objects = stream = None
    if network.contract.objects is not None:
        stream = ObjectStream(network, source, network.pieces(size_hw), huge.path.name)
        objects = UnfinishedObjects(huge.work, size_hw[1])
        key["bands"] = [stream.reach, stream.band_rows]
    dtype = np.dtype(np.uint8 if len(space) <= 256 else np.uint16)
    return Unfinished(huge.work, size_hw, dtype, key, objects=objects), stream


def _find_objects(rows: Unfinished, stream: ObjectStream, hear: Callable[[], object]) -> None:
    """Append what is left of the picture, band by band."""
    assert rows.objects is not None
    stream.pieces = rows.pieces or stream.pieces
    for part in stream.rows(rows.objects.state):
        rows.append_objects(part, stream.pieces)
        rows.note()
        hear()


def _write_labels(huge: Huge, rows: Unfinished | RuledRows, space: LabelSpace) -> str:
    height, width = rows.size_hw
    if height * width > LARGE_PIXELS:
        output = f"{huge.target}.tif"
        write_label_tiff(huge.folder / output, rows.read, rows.size_hw, space, dtype=rows.dtype)
    else:
        output = f"{huge.target}.png"
        write_labels(huge.folder / output, rows.read(0, height), space)
    return output


def _reduced_overlay(source: Source, rows: Unfinished | RuledRows, space: LabelSpace) -> Image:
    """Picture and labels at most `OVERLAY_SIDE` long: means of blocks of pixels, and the label at the upper left of each."""
    height, width = source.size_hw
    block = max(1, math.ceil(max(height, width) / OVERLAY_SIDE))
    images, labels = [], []
    step = block * max(1, 2**24 // (block * width * source.channels))
    for top in range(0, height, step):
        bottom = min(top + step, height)
        strip = source.read(slice(top, bottom), slice(0, width))
        images.append(
            resize_channels(strip, (math.ceil((bottom - top) / block), math.ceil(width / block)), cv2.INTER_AREA)
        )
        labels.append(rows.read(top, bottom)[::block, ::block])
    return draw_overlay(np.concatenate(images), np.concatenate(labels), space)


def _warnings(source: Source, rows: Unfinished, rules: Rules | None, bundle: Bundle) -> list[str]:
    """What is unusual about the picture, and what was done otherwise than for small ones: `rules` were not applied."""
    found: list[str] = []
    if INPUTS in bundle.answers:  # else there is nothing to compare with, and reading a file again takes time
        height, width = source.size_hw
        every = max(1, math.isqrt(height * width // LOOK_PIXELS))
        lines = [source.read(slice(row, row + 1), slice(0, width))[:, ::every] for row in range(0, height, every)]
        found += strange(np.concatenate(lines), bundle, size_hw=(height, width))
    if rules is not None and rules.change_labels:
        found.append("rules for small objects and holes were not applied: they need the whole picture in memory")
    return found + (list(rows.pieces.notes) if rows.pieces else [])
