"""The metrics of objects by name, in the order of a report; `limner.metrics.table` has those of pixels."""

from __future__ import annotations

from limner.metrics import coco_ap, instance, panoptic
from limner.metrics.table import TABLE, Metric

DEFINITIONS: dict[str, str] = {**coco_ap.DEFINITIONS, **panoptic.DEFINITIONS, **instance.DEFINITIONS}

_TITLES: dict[str, str] = {
    "ap": "COCO AP", "ap50": "COCO AP at IoU 0.5", "ap75": "COCO AP at IoU 0.75",
    "pq": "Panoptic quality", "sq": "Segmentation quality", "rq": "Recognition quality",
    "f1_at_iou": "F1 of objects at IoU 0.5", "f1_at_iou75": "F1 of objects at IoU 0.75",
    "f1_at_iou90": "F1 of objects at IoU 0.9", "mean_f1_at_iou": "F1 of objects, mean over IoU 0.5 to 0.95",
    "object_precision": "Precision of objects at IoU 0.5", "object_recall": "Recall of objects at IoU 0.5",
    "tp_share_at_iou": "TP share at IoU 0.5", "tp_share_at_iou75": "TP share at IoU 0.75",
    "tp_share_at_iou90": "TP share at IoU 0.9", "mean_tp_share_at_iou": "TP share, mean over IoU 0.5 to 0.95",
    "mean_matched_iou": "Mean IoU of matched objects", "aji": "Aggregated Jaccard index",
    "count_error": "Count error", "relative_count_error": "Relative count error",
}  # fmt: skip
_ERRORS = ("count_error", "relative_count_error")
_ONE_WAY = ("ap", "ap50", "ap75", "object_precision", "object_recall", "aji", "relative_count_error")

OBJECT_TABLE: dict[str, Metric] = {
    name: Metric(
        title, "objects", DEFINITIONS[name], higher_is_better=name not in _ERRORS, is_symmetric=name not in _ONE_WAY
    )
    for name, title in _TITLES.items()
}

EVERY_METRIC: dict[str, Metric] = {**TABLE, **OBJECT_TABLE}
