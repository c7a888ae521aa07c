"""Scores on arrays: count once, derive many.

A new overlap metric is a function of `Counts` in `overlap.py` and a line in its ``METRICS`` and ``DEFINITIONS``.
"""

from limner.metrics.counts import Counts, confusion_table, count_classes, count_foreground, count_mask, split_table
from limner.metrics.overlap import DEFINITIONS, METRICS, accuracy, dice, iou, precision, recall
from limner.metrics.summary import bootstrap_interval, summarize

__all__ = [
    "DEFINITIONS", "METRICS", "Counts", "accuracy", "bootstrap_interval", "confusion_table", "count_classes",
    "count_foreground", "count_mask", "dice", "iou", "precision", "recall", "split_table", "summarize",
]  # fmt: skip
