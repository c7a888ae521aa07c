"""Scores on arrays: count once, derive many.

A new overlap metric is a function of `Counts` in `overlap.py`, a new one of boundaries a function of `SurfaceDistances`
in `surface.py`; both get a line in `table.py` with their definition.
"""

from limner.metrics.boundary import boundary_iou, count_band
from limner.metrics.calibration import Reliability, apply_temperature, fit_temperature, reliability, to_logits
from limner.metrics.counts import Counts, confusion_table, count_classes, count_foreground, count_mask, split_table
from limner.metrics.overlap import (
    DEFINITIONS,
    METRICS,
    accuracy,
    dice,
    iou,
    precision,
    recall,
    specificity,
    volumetric_similarity,
)
from limner.metrics.summary import bootstrap_interval, summarize
from limner.metrics.surface import SurfaceDistances, assd, hausdorff, hd95, surface_dice, surface_distances
from limner.metrics.table import TABLE, Metric, define

__all__ = [
    "DEFINITIONS", "METRICS", "TABLE", "Counts", "Metric", "Reliability", "SurfaceDistances", "accuracy",
    "apply_temperature", "assd", "bootstrap_interval", "boundary_iou", "confusion_table", "count_band", "count_classes",
    "count_foreground", "count_mask", "define", "dice", "fit_temperature", "hausdorff", "hd95", "iou", "precision",
    "recall", "reliability", "specificity", "split_table", "summarize", "surface_dice", "surface_distances", "to_logits",
    "volumetric_similarity",
]  # fmt: skip
