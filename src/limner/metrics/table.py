"""All metrics of a report by name: what they are called, which way is better, and the sentence that defines each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from limner.metrics import boundary, calibration, overlap, surface

Kind = Literal["overlap", "surface", "calibration", "objects"]


@dataclass(frozen=True)
class Metric:
    """One metric of a report.

    Parameters
    ----------
    title : as people call it.
    kind : what it needs: counts (``overlap``), boundaries (``surface``), scores (``calibration``), or ``objects`` told apart.
    definition : one sentence with its empty case; ``{unit}`` and ``{tolerance}`` stand for those of the evaluation.
    higher_is_better : False for distances and errors.
    is_symmetric : prediction and truth may change places.
    is_length : in pixels or mm; all others lie in [0, 1], but for numbers of objects.
    """

    title: str
    kind: Kind
    definition: str
    higher_is_better: bool = True
    is_symmetric: bool = True
    is_length: bool = False


def _distance(title: str, name: str) -> Metric:
    return Metric(title, "surface", surface.DEFINITIONS[name], higher_is_better=False, is_length=True)


def _error(title: str, name: str) -> Metric:
    return Metric(title, "calibration", calibration.DEFINITIONS[name], higher_is_better=False, is_symmetric=False)


TABLE: dict[str, Metric] = {
    "dice": Metric("Dice", "overlap", overlap.DEFINITIONS["dice"]),
    "iou": Metric("IoU", "overlap", overlap.DEFINITIONS["iou"]),
    "precision": Metric("Precision", "overlap", overlap.DEFINITIONS["precision"], is_symmetric=False),
    "recall": Metric("Recall", "overlap", overlap.DEFINITIONS["recall"], is_symmetric=False),
    "accuracy": Metric("Accuracy", "overlap", overlap.DEFINITIONS["accuracy"]),
    "specificity": Metric("Specificity", "overlap", overlap.DEFINITIONS["specificity"], is_symmetric=False),
    "volumetric_similarity": Metric("Volumetric similarity", "overlap", overlap.DEFINITIONS["volumetric_similarity"]),
    "hd95": _distance("HD95", "hd95"),
    "hd": _distance("Hausdorff distance", "hd"),
    "assd": _distance("ASSD", "assd"),
    "surface_dice": Metric("Surface Dice", "surface", surface.DEFINITIONS["surface_dice"]),
    "boundary_iou": Metric("Boundary IoU", "surface", boundary.DEFINITIONS["boundary_iou"]),
    "ece": _error("ECE", "ece"),
    "brier": _error("Brier score", "brier"),
}


def define(name: str, *, unit: str, tolerance: float) -> str:
    """The sentence of a metric with the unit of its lengths and the tolerance of surface Dice.

    Examples
    --------
    >>> define("surface_dice", unit="px", tolerance=2)[:71]
    'The share of the boundary pixels of both masks that lie within 2 px of '
    """
    words = {"px": "pixels"}.get(unit, unit)
    return TABLE[name].definition.replace("{unit}", words).replace("{tolerance}", f"{tolerance:g} {unit}")
