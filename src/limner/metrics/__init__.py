"""Scores on arrays: count once, derive many.

A new overlap metric is a function of `Counts` in `overlap.py`, a new one of boundaries a function of `SurfaceDistances`
in `surface.py`; both get a line in `table.py` with their definition. One of objects is a function of `Overlaps` or `Findings`
and gets a line in `object_table.py`.
"""

from limner.metrics.boundary import boundary_iou, count_band
from limner.metrics.calibration import Reliability, apply_temperature, fit_temperature, reliability, to_logits
from limner.metrics.coco_ap import average_precision, average_precisions
from limner.metrics.counts import Counts, confusion_table, count_classes, count_foreground, count_mask, split_table
from limner.metrics.instance import Findings, aggregated_jaccard, f1_at_iou, object_metrics, tp_share_at_iou
from limner.metrics.matching import Matches, Overlaps, count_overlaps, join, match
from limner.metrics.object_table import OBJECT_TABLE
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
from limner.metrics.panoptic import add_stuff, panoptic_quality
from limner.metrics.summary import bootstrap_interval, summarize
from limner.metrics.surface import SurfaceDistances, assd, hausdorff, hd95, surface_dice, surface_distances
from limner.metrics.table import TABLE, Metric, define

__all__ = [
    "DEFINITIONS", "METRICS", "OBJECT_TABLE", "TABLE", "Counts", "Findings", "Matches", "Metric", "Overlaps",
    "Reliability", "SurfaceDistances", "accuracy", "add_stuff", "aggregated_jaccard", "apply_temperature", "assd",
    "average_precision", "average_precisions", "bootstrap_interval", "boundary_iou", "confusion_table",
    "count_band", "count_classes", "count_foreground", "count_mask", "count_overlaps", "define", "dice",
    "f1_at_iou", "fit_temperature", "hausdorff", "hd95", "iou", "join", "match", "object_metrics",
    "panoptic_quality", "precision", "recall", "reliability", "specificity", "split_table", "summarize",
    "surface_dice", "surface_distances", "to_logits", "tp_share_at_iou", "volumetric_similarity",
]  # fmt: skip
