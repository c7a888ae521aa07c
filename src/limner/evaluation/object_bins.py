"""Objects by size: what fails first, and how."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from limner.evaluation.size_bins import FEWEST_FOR_BINS, NUM_BINS
from limner.metrics.instance import Findings
from limner.metrics.matching import Mask


def size_table(findings: Findings) -> list[dict[str, Any]]:
    """Everything that is counted of objects, in quarters of the true objects by area, at IoU 0.5.

    Parameters
    ----------
    findings : of one class over all pictures.

    Returns
    -------
    A row per bin, smallest first: ``smallest`` and ``largest`` area of the true objects in it, ``true`` objects, ``tp``, ``fp``,
    ``fn``, ``precision``, ``recall``, ``f1``, ``tp_share``, ``mean_iou`` (null where undefined), true objects that were ``missed``,
    ``merged`` and ``split``, and ``spurious`` predicted ones. Found objects count in the bin of the true one, others in that of
    their own area; the first bin takes all smaller predicted ones, the last all larger ones. One bin where there are fewer than
    `FEWEST_FOR_BINS` objects; none where there is none. Quarters that no object is in are left out.
    """
    true, pred = findings.overlaps.true, findings.overlaps.pred
    areas = true.areas[~true.is_crowd]
    if not len(areas):
        return []
    number = NUM_BINS if len(areas) >= FEWEST_FOR_BINS else 1
    tops = np.unique(np.quantile(areas, np.arange(1, number + 1) / number, method="inverted_cdf").astype(np.int64))
    rows, low = [], 0
    for top in tops.tolist():
        highest = math.inf if top == tops[-1] else top
        inside = [np.asarray((side.areas > low) & (side.areas <= highest), np.bool_) for side in (pred, true)]
        rows.append(_row(findings, inside[0], inside[1]))
        low = top
    return rows


def _row(findings: Findings, pred: Mask, true: Mask) -> dict[str, Any]:
    counts = findings.counts(pred=pred, true=true)
    shown = findings.overlaps.true.areas[true & ~findings.overlaps.true.is_crowd]
    pred_kinds, true_kinds = (np.array(kinds, object) for kinds in findings.kinds())
    values = {
        "precision": counts.precision, "recall": counts.recall, "f1": counts.f1, "tp_share": counts.tp_share,
        "mean_iou": counts.mean_iou,
    }  # fmt: skip
    return {
        "smallest": int(shown.min()), "largest": int(shown.max()), "true": counts.tp + counts.fn,
        "tp": counts.tp, "fp": counts.fp, "fn": counts.fn,
        **{name: None if math.isnan(value) else value for name, value in values.items()},
        **{kind: int((true_kinds[true] == kind).sum()) for kind in ("missed", "merged", "split")},
        "spurious": int((pred_kinds[pred] == "spurious").sum()),
    }  # fmt: skip
