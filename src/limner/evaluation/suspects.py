"""Labels that may be wrong: where a model that did not learn from a picture is sure of something else than its label.

A pixel counts when the model gives `CONFIDENT` or more to another class than the label's, the pixel is known, and it is part of an
area at least three pixels wide, so that slightly different borders do not count. Then

    doubt of a picture    pixels that count / pixels of any class but the background in label or prediction; 0 where there are none
    doubt of an area      (sum over its pixels of the score of the prediction minus that of the label)
                          * its share of the object that it is part of: in the label, or in the prediction where nothing is labelled

so an object that was forgotten as a whole goes before a piece of the same size at the rim of a large one. To rank labels by what
out-of-sample scores say against them is the idea of confident learning (Northcutt et al. 2021, doi:10.1613/jair.1.12125); a high
rank is a reason to look, and no proof.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.errors import ShapeError
from limner.core.files import write_text
from limner.core.labels import LabelSpace

CONFIDENT = 0.8
WIDTH = 3  # pixels
MOST_AREAS = 20  # of a picture
Mask = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.integer]
Scores = npt.NDArray[np.floating]

COLUMNS = (
    "level", "rank", "image", "fold", "dice", "doubt", "pixels", "label", "prediction", "share", "margin",
    "x", "y", "width", "height",
)  # fmt: skip


@dataclass(frozen=True)
class SuspectArea:
    """A connected area of one label that is confidently predicted as one other class.

    Parameters
    ----------
    label, prediction : names of the classes.
    is_labelled : the label is not the background.
    pixels : its size.
    share : of the object that it is part of, in (0, 1].
    margin : mean over its pixels of the score of the prediction minus that of the label, in (0, 1].
    box_xywh : the smallest box around it: left, top, width, height.
    doubt : see above.
    """

    label: str
    prediction: str
    is_labelled: bool
    pixels: int
    share: float
    margin: float
    box_xywh: tuple[int, int, int, int]
    doubt: float


@dataclass(frozen=True)
class SuspectPicture:
    """What speaks against the label of one picture.

    Parameters
    ----------
    image : its name.
    dice : mean over the classes but the background that label or prediction show; NaN where neither shows one.
    doubt : in [0, 1], see above.
    pixels : that count.
    areas : those of most doubt, at most `MOST_AREAS`, most first.
    """

    image: str
    dice: float
    doubt: float
    pixels: int
    areas: tuple[SuspectArea, ...] = ()

    @property
    def reason(self) -> str:
        """Why somebody should look, in words."""
        dice = "undefined" if math.isnan(self.dice) else f"{self.dice:.2f}"
        words = f"Dice {dice}; the model is sure of something else on {self.pixels:,} pixels"
        if not self.areas:
            return words
        first = self.areas[0]
        what = f"labelled {first.label}" if first.is_labelled else "not labelled"
        x, y, width, height = first.box_xywh
        where = f"{width} x {height} pixels at x {x}, y {y}"
        return f"{words}. What weighs most: {what}, predicted as {first.prediction} ({where})"


def suspect_picture(
    name: str, labels: Ids, pred: Ids, scores: Scores, *, label_space: LabelSpace, valid: Mask | None = None
) -> SuspectPicture:
    """Compare one label with a prediction of a model that did not learn from it.

    Parameters
    ----------
    name : of the picture.
    labels, pred : ``(H, W)`` class ids.
    scores : ``(K, H, W)`` in [0, 1]: one map for two classes, else one for each.
    label_space : the classes.
    valid : ``(H, W)`` bool, False where the label is not known; None: all valid.

    Raises
    ------
    ShapeError : the arrays differ in shape.
    """
    if not labels.shape == pred.shape == scores.shape[1:] or (valid is not None and valid.shape != labels.shape):
        shapes = f"labels {labels.shape}, prediction {pred.shape}, scores {scores.shape}"
        raise ShapeError(shapes, expected="the same height and width", where=name, fix="give them at native size")
    known = np.ones(labels.shape, np.bool_) if valid is None else valid
    labels = np.where(known, labels, 0)
    of_pred, of_label = _scores_of(pred, scores), _scores_of(labels, scores)
    sure = (pred != labels) & known & (of_pred >= CONFIDENT)
    sure = cv2.morphologyEx(sure.astype(np.uint8), cv2.MORPH_OPEN, np.ones((WIDTH, WIDTH), np.uint8)) > 0
    shown = int((known & ((labels > 0) | (pred > 0))).sum())
    areas = _areas(sure, labels, pred, of_pred - of_label, label_space)
    pixels = int(sure.sum())
    return SuspectPicture(
        name, _dice(labels[known], pred[known], len(label_space)), pixels / shown if shown else 0.0, pixels,
        tuple(areas[:MOST_AREAS]),
    )  # fmt: skip


def suspect_labels(pictures: Iterable[SuspectPicture]) -> list[SuspectPicture]:
    """Pictures by doubt, the most doubtful first; of equal ones the lower Dice, then by name. Those without doubt are left out."""
    doubtful = [picture for picture in pictures if picture.pixels]
    return sorted(doubtful, key=lambda one: (-one.doubt, 2.0 if math.isnan(one.dice) else one.dice, one.image))


def suspect_areas(pictures: Iterable[SuspectPicture]) -> list[tuple[str, SuspectArea]]:
    """Areas of all pictures with the name of their picture, the most doubtful first."""
    areas = [(picture.image, area) for picture in pictures for area in picture.areas]
    return sorted(areas, key=lambda pair: (-pair[1].doubt, pair[0], pair[1].box_xywh))


def write_suspects(path: Path, pictures: Sequence[SuspectPicture], fold_of: Mapping[str, int]) -> None:
    """Write a row per picture, then one per area, each ranked from 1; columns that do not apply are empty.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for rank, picture in enumerate(suspect_labels(pictures), 1):
        dice = "" if math.isnan(picture.dice) else round(picture.dice, 6)
        row: dict[str, Any] = {"dice": dice, "doubt": round(picture.doubt, 6), "pixels": picture.pixels}
        writer.writerow(
            {"level": "picture", "rank": rank, "image": picture.image, "fold": fold_of[picture.image], **row}
        )
    for rank, (image, area) in enumerate(suspect_areas(pictures), 1):
        x, y, width, height = area.box_xywh
        row = {"doubt": round(area.doubt, 3), "pixels": area.pixels, "label": area.label, "prediction": area.prediction}
        row |= {"share": round(area.share, 4), "margin": round(area.margin, 4)}
        row |= {"x": x, "y": y, "width": width, "height": height}
        writer.writerow({"level": "area", "rank": rank, "image": image, "fold": fold_of[image], **row})
    write_text(path, text.getvalue())


def _scores_of(ids: Ids, scores: Scores) -> npt.NDArray[np.float32]:
    """The score of each pixel's class ``(H, W)``; of two classes the background has what the one map leaves."""
    if len(scores) == 1:
        return np.asarray(np.where(ids > 0, scores[0], 1 - scores[0]), np.float32)
    return np.asarray(np.take_along_axis(scores, ids[None].astype(np.intp), axis=0)[0], np.float32)


def _areas(
    sure: Mask, labels: Ids, pred: Ids, margin: npt.NDArray[np.float32], label_space: LabelSpace
) -> list[SuspectArea]:
    found = []
    pairs = np.unique(np.stack([labels[sure], pred[sure]]).astype(np.int64), axis=1).T
    for label, other in pairs.tolist():
        part = (sure & (labels == label) & (pred == other)).astype(np.uint8)
        whole = ((labels == label) if label > 0 else (pred == other)).astype(np.uint8)
        _, objects = cv2.connectedComponents(whole, connectivity=8)
        sizes = np.bincount(objects.ravel())
        count, areas, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
        evidence = np.bincount(areas.ravel(), weights=margin.ravel(), minlength=count)
        first = dict(zip(*(each.tolist() for each in np.unique(areas, return_index=True)), strict=True))
        for index in range(1, count):
            x, y, width, height, pixels = (int(number) for number in stats[index])
            share = pixels / int(sizes[objects.ravel()[first[index]]])
            weight, box = float(evidence[index]), (x, y, width, height)
            names = label_space.names[label], label_space.names[other]
            found.append(SuspectArea(*names, label > 0, pixels, share, weight / pixels, box, weight * share))
    return sorted(found, key=lambda area: (-area.doubt, area.box_xywh))


def _dice(labels: Ids, pred: Ids, classes: int) -> float:
    """Mean over the classes but the background of twice the shared pixels over both areas; NaN where none is shown."""
    table = np.bincount(labels.astype(np.int64) * classes + pred, minlength=classes**2).reshape(classes, classes)
    both = (table.sum(0) + table.sum(1))[1:]
    values = 2 * np.diagonal(table)[1:][both > 0] / both[both > 0]
    return float(values.mean()) if len(values) else math.nan
