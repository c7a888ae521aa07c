"""Panoptic quality: things as objects, stuff as one segment of a class in a picture, both scored alike.

    sq = mean IoU of the matched segments      rq = tp / (tp + fp / 2 + fn / 2)      pq = sq x rq

Segments match at an IoU above 0.5. A predicted segment without a match is no false alarm where more than half of it is not valid
or on crowds of its class (Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963, and the published evaluation that goes with it).

    true  predicted    pq    sq    rq
    no    no           NaN   NaN   NaN
    no    yes          0     NaN   0
    yes   no           0     NaN   0
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from limner.core.errors import ShapeError
from limner.core.labels import Labels
from limner.core.objects import Objects
from limner.metrics.instance import Findings, ObjectCounts

_EMPTY = "undefined, skipped and counted where neither truth nor prediction has a segment"
_POOLED = "pooled is over the segments of all pictures"

DEFINITIONS: dict[str, str] = {
    "pq": "Panoptic quality per picture, SQ x RQ: sum of the IoU of matched segments / (TP + FP / 2 + FN / 2), matched above IoU "
    f"0.5, over things (objects) and stuff (one segment of a class); {_EMPTY}, 0 where only one has; {_POOLED}.",
    "sq": "Mean IoU of the segments that match above IoU 0.5, per picture; "
    f"undefined, skipped and counted where none matches; {_POOLED}.",
    "rq": "TP / (TP + FP / 2 + FN / 2) of segments that match above IoU 0.5, per picture; "
    f"{_EMPTY}, 0 where only one has; {_POOLED}.",
}


def panoptic_quality(findings: Findings) -> dict[str, float]:
    """``pq``, ``sq`` and ``rq`` of one class, each in [0, 1]; NaN where undefined (see the table above).

    Parameters
    ----------
    findings : of one class, of one or several pictures.
    """
    return quality_of(findings.counts(0.5, strict=True))


def quality_of(counts: ObjectCounts) -> dict[str, float]:
    """The same from counts at an IoU above 0.5."""
    rq = counts.f1
    return {"pq": 0.0 if rq == 0 else counts.mean_iou * rq, "sq": counts.mean_iou, "rq": rq}


def add_stuff(objects: Objects, labels: Labels, *, stuff: Collection[int]) -> Objects:
    """The objects, and one segment for each class of stuff, numbered after them.

    Parameters
    ----------
    objects : the things of a picture; a pixel of an object belongs to no stuff.
    labels : ``(H, W)`` class ids.
    stuff : class ids above 0.

    Returns
    -------
    `Objects`; the scores of stuff are 1. `objects` itself where no stuff is to be seen.

    Raises
    ------
    ShapeError : objects and labels differ in size.

    Examples
    --------
    >>> found = add_stuff(Objects.none((1, 3)), np.array([[2, 0, 2]], np.uint8), stuff=[2])
    >>> found.ids.tolist(), found.classes.tolist()
    ([[1, 0, 1]], [2])
    """
    if objects.ids.shape != labels.shape:
        raise ShapeError(f"objects {objects.ids.shape}, labels {labels.shape}", expected="the same shape")
    free = np.where(objects.ids == 0, labels, 0)
    shown = np.flatnonzero(np.bincount(free.ravel()))
    present = [int(k) for k in shown if k > 0 and k in stuff]
    if not present:
        return objects
    number = np.zeros(int(shown.max()) + 1, np.int32)
    number[present] = len(objects) + 1 + np.arange(len(present), dtype=np.int32)
    scores = None
    if objects.scores is not None:
        scores = np.concatenate([objects.scores, np.ones(len(present), np.float32)])
    return Objects(objects.ids + number[free], np.append(objects.classes, present).astype(np.int32), scores)
