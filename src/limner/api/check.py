"""The verb ``check``: read everything, report, change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from limner.core.errors import LimnerError
from limner.core.files import prepare_output, write_json
from limner.core.protocols import Listener, Silent
from limner.core.sample import Image
from limner.data.checks import CheckReport, Examination, examine
from limner.data.dataset import Dataset
from limner.data.images import write_image

CELL = 160  # pixels: side of one picture on the contact sheet
MOST_CELLS = 48
_QUIET = Silent()


def check(
    data: Path | str, *, out: Path | str | None = None, overwrite: bool = False, listener: Listener = _QUIET
) -> CheckReport:
    """Read every image and mask of a data set and report.

    Parameters
    ----------
    data : the data folder; nothing in it is changed.
    out : new folder for ``check.json`` and ``contact_sheet.png``; None writes nothing.
    overwrite : replace `out` when an earlier call made it.
    listener : hears of progress.

    Raises
    ------
    DataError : there is nothing to read, or ``limner.toml`` or ``splits.csv`` cannot be obeyed.
    OutputError : `out` exists or may not be written.
    """
    data, out = Path(data), None if out is None else Path(out)
    examination = examine(data, listener=listener)
    report = examination.report()
    if out is not None:
        prepare_output(out, overwrite=overwrite)
        write_json(out / "check.json", report.as_dict())
        cells = _cells(examination)
        if cells:
            write_image(out / "contact_sheet.png", _sheet(cells))
    return report


def _cells(examination: Examination) -> list[Image]:
    """Up to `MOST_CELLS` pictures, evenly over the data set, with the outlines of their classes."""
    items = [item for item in examination.layout.items if item.name in examination.facts]
    picks = sorted({round(i) for i in np.linspace(0, len(items) - 1, min(MOST_CELLS, len(items)))}) if items else []
    label_space = examination.reading.label_space
    dataset = Dataset(
        examination.root, tuple(items), label_space, examination.reading, "", "folders", examination.channels
    )  # fmt: skip
    cells = []
    for index in picks:
        try:
            sample = dataset.load(items[index])
        except LimnerError:
            continue  # the report names it
        side = max(sample.size_hw)
        height, width = (max(1, round(n * CELL / side)) for n in sample.size_hw)
        cell = np.full((CELL, CELL, 3), 255, np.uint8)
        small = cv2.resize(_visible(sample.image), (width, height), interpolation=cv2.INTER_AREA)
        if sample.labels is not None:
            labels = cv2.resize(sample.labels, (width, height), interpolation=cv2.INTER_NEAREST)
            for class_id, color in list(enumerate(label_space.colors))[1:]:
                mask = (labels == class_id).astype(np.uint8)
                outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
                small = cv2.drawContours(np.ascontiguousarray(small), outlines, -1, color, 1)
        cell[:height, :width] = small
        cells.append(cell)
    return cells


def _visible(image: Image) -> Image:
    """Any picture as ``(H, W, 3)`` uint8, its own range stretched when it is not 8 bit."""
    shown = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    if shown.dtype == np.uint8:
        return shown
    low, high = float(shown.min()), float(shown.max())
    return ((shown - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)


def _sheet(cells: Sequence[Image]) -> Image:
    columns = min(8, len(cells))
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * (CELL + 4), columns * (CELL + 4), 3), 255, np.uint8)
    for index, cell in enumerate(cells):
        y, x = (index // columns) * (CELL + 4), (index % columns) * (CELL + 4)
        sheet[y : y + CELL, x : x + CELL] = cell
    return sheet
