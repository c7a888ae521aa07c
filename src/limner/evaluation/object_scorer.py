"""Pictures measured as objects: what `limner.evaluation.evaluate.Scorer` knows beside the counts of pixels.

Of each picture the sparse table of shared pixels is kept, no picture. A prediction that does not tell objects apart is taken as the
connected regions (8 neighbours) of each class of things.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.core.objects import Objects
from limner.core.report import ObjectRow
from limner.data.instances import connected_objects
from limner.evaluation.error_map import LabelArray, Mask
from limner.evaluation.object_bins import size_table
from limner.metrics.coco_ap import IOUS, SIZES, average_precision, average_precisions
from limner.metrics.instance import Findings, ObjectCounts, object_metrics
from limner.metrics.matching import Overlaps, count_overlaps, join
from limner.metrics.object_table import OBJECT_TABLE
from limner.metrics.panoptic import add_stuff, panoptic_quality

OF_SEGMENTS = ("pq", "sq", "rq")  # of stuff as well
COMPONENTS_NOTE = (
    "The predictions do not tell objects apart: each connected region (8 neighbours) of a class of things counts as "
    "one object."
)


class ObjectScorer:
    """Adds pictures up; a class has a name in the report, given by `names`.

    Parameters
    ----------
    label_space : the classes. Where it names no things, all classes but the background are.
    names : what the report calls each class, the background first.
    """

    def __init__(self, label_space: LabelSpace, names: Sequence[str]) -> None:
        everything = range(1, len(label_space))
        self.things = label_space.thing_ids or tuple(everything)
        self.stuff = tuple(i for i in everything if i not in self.things)
        self.names = tuple(names)
        self._tables: dict[str, Overlaps] = {}
        self._from_regions = 0

    def add(
        self, name: str, pred: Objects | None, target: Objects, pred_labels: LabelArray, target_labels: LabelArray,
        valid: Mask | None, *, told_apart: Collection[int] | None = None,
    ) -> None:  # fmt: skip
        """Measure one picture; arguments as of `limner.evaluation.evaluate.Scorer.add`."""
        for side in (target,) if pred is None else (pred, target):
            highest = int(side.classes.max(initial=0))
            if highest >= len(self.names):
                raise DataError(
                    f"an object of class {highest}", expected=f"class ids 1 to {len(self.names) - 1}",
                    fix="check that prediction and labels use the same classes in the same order",
                )  # fmt: skip
        missing = not_told_apart(pred, self.things, told_apart)
        pred = measured_objects(pred, pred_labels, self.things, told_apart=told_apart)
        if self.stuff:
            pred = add_stuff(pred, pred_labels, stuff=self.stuff)  # type: ignore[arg-type]
            target = add_stuff(target, target_labels, stuff=self.stuff)  # type: ignore[arg-type]
        self._tables[name] = count_overlaps(pred, target, valid=valid)
        self._from_regions += bool(missing)

    def __bool__(self) -> bool:
        return bool(self._tables)

    @property
    def notes(self) -> tuple[str, ...]:
        """That connected regions were taken for objects, where they were."""
        if not self._from_regions:
            return ()
        if self._from_regions == len(self._tables):
            return (COMPONENTS_NOTE,)
        return (f"{COMPONENTS_NOTE} So it is in {self._from_regions} of {len(self._tables)} pictures.",)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics; empty where no picture was measured."""
        return tuple(OBJECT_TABLE) if self._tables else ()

    def classes_of(self, metric: str) -> tuple[str, ...]:
        """The classes that a metric is defined for: things, and for panoptic quality stuff as well."""
        ids = sorted((*self.things, *self.stuff)) if metric in OF_SEGMENTS else self.things
        return tuple(self.names[i] for i in ids)

    def picture(self, name: str) -> dict[str, dict[str, float]]:
        """Every metric of the classes of one picture, by class; classes that it does not hold have ``count_error`` 0 alone."""
        table = self._tables.get(name)
        if table is None:
            return {}
        found = {self.names[k]: self._values(table, k) for k in table.classes()}
        absent = [self.names[k] for k in self.things if self.names[k] not in found]
        return found | {class_name: {"count_error": 0.0} for class_name in absent}

    def pooled(self) -> dict[str, dict[str, float]]:
        """Every metric of each class over the objects of all pictures."""
        found = {self.names[k]: self._values(self._whole, k) for k in self._whole.classes()}
        absent = [self.names[k] for k in self.things if self.names[k] not in found]
        return found | {class_name: {"count_error": 0.0} for class_name in absent}

    def _values(self, table: Overlaps, class_id: int) -> dict[str, float]:
        findings = Findings(table.of_class(class_id))
        quality = panoptic_quality(findings)
        if class_id in self.stuff:
            return quality
        return average_precisions(findings.overlaps) | quality | object_metrics(findings)

    @cached_property
    def _whole(self) -> Overlaps:
        return join(list(self._tables.values()))

    def summary(self) -> dict[str, Any]:
        """``objects`` of ``summary.json``: numbers, by IoU and by size, a class of things each; empty without a picture."""
        if not self._tables:
            return {}
        found = {self.names[k]: Findings(self._whole.of_class(k)) for k in self.things}
        return {
            "pictures": len(self._tables),
            "pictures_by_connected_regions": self._from_regions,
            "counts": {name: _numbers(one) for name, one in found.items()},
            "by_iou": {name: [_at(one.counts(iou), iou) for iou in IOUS] for name, one in found.items()},
            "by_size": {name: size_table(one) for name, one in found.items()},
            "ap_by_size": {
                name: {size: _or_none(average_precision(one.overlaps, size=size)) for size in SIZES if size != "all"}
                for name, one in found.items()
            },
        }  # fmt: skip

    def rows(self) -> Iterable[ObjectRow]:
        """Every true object of things, then every predicted one that matches none, picture by picture."""
        for image, table in self._tables.items():
            for k in sorted(set(table.classes()).intersection(self.things)):
                yield from _rows(image, self.names[k], Findings(table.of_class(k)))


def not_told_apart(
    pred: Objects | None, things: Collection[int], told_apart: Collection[int] | None
) -> tuple[int, ...]:
    """The things whose connected regions are taken for objects; arguments as of `measured_objects`."""
    return tuple(things if pred is None else sorted(set(things) - set(told_apart or things)))


def measured_objects(
    pred: Objects | None, labels: LabelArray, things: Collection[int], *, told_apart: Collection[int] | None = None
) -> Objects:
    """The predicted objects as they are measured; rows of a report have their numbers.

    Parameters
    ----------
    pred : what a model told apart; None: nothing.
    labels : ``(H, W)`` predicted class ids.
    things : class ids of the things of the data; other objects of `pred` are left out.
    told_apart : class ids of which the model tells objects apart; of other things its connected regions are taken. None: all.
    """
    missing = not_told_apart(pred, things, told_apart)
    if pred is None:
        return connected_objects(labels, missing)
    pred = of_classes(pred, things)
    return beside(pred, connected_objects(labels, missing)) if missing else pred


def of_classes(objects: Objects, classes: Collection[int]) -> Objects:
    """The objects of some classes; what else a model tells apart is no object of these data."""
    kept = np.isin(objects.classes, list(classes))
    if kept.all():
        return objects
    table = np.zeros(len(objects) + 1, np.int32)
    table[np.flatnonzero(kept) + 1] = np.arange(1, int(kept.sum()) + 1)
    return Objects(table[objects.ids], objects.classes[kept], None if objects.scores is None else objects.scores[kept])


def beside(objects: Objects, further: Objects) -> Objects:
    """Both together; where they overlap, the first ones stay."""
    ids = np.where((objects.ids == 0) & (further.ids > 0), further.ids + len(objects), objects.ids).astype(np.int32)
    scores = None
    if objects.scores is not None:
        scores = np.concatenate([objects.scores, np.ones(len(further), np.float32)])
    return Objects(ids, np.concatenate([objects.classes, further.classes]), scores)


def _rows(image: str, class_name: str, found: Findings) -> Iterable[ObjectRow]:
    pred, true, matches = found.overlaps.pred, found.overlaps.true, found.matches
    (pred_kinds, true_kinds), (pred_iou, true_iou) = found.kinds(), found.best_iou()
    for place, kind in enumerate(true_kinds):
        other = int(matches.pred_of_true[place])
        partner, iou = (int(pred.numbers[other]), float(matches.iou[place])) if other >= 0 else (0, true_iou[place])
        yield ObjectRow(image, "true", int(true.numbers[place]), class_name, int(true.areas[place]), partner, iou,
                        kind or "not counted")  # fmt: skip
    for place, kind in enumerate(pred_kinds):
        if kind != "matched":
            yield ObjectRow(image, "predicted", int(pred.numbers[place]), class_name, int(pred.areas[place]), 0,
                            pred_iou[place], kind or "not counted")  # fmt: skip


def _numbers(found: Findings) -> dict[str, Any]:
    """How many objects there are of each kind."""
    counts, (pred, true) = found.counts(), found.kinds()
    return {
        "true": counts.tp + counts.fn, "predicted": counts.tp + counts.fp, "matched": counts.tp,
        "missed": true.count("missed"), "spurious": pred.count("spurious"),
        "true_merged": true.count("merged"), "true_split": true.count("split"),
        "predicted_merged": pred.count("merged"), "predicted_split": pred.count("split"),
        "merges": int(found.merges.sum()), "splits": int(found.splits.sum()),
    }  # fmt: skip


def _at(counts: ObjectCounts, iou: float) -> dict[str, Any]:
    values = {
        "precision": counts.precision, "recall": counts.recall, "f1": counts.f1, "tp_share": counts.tp_share,
        "mean_iou": counts.mean_iou,
    }  # fmt: skip
    return {"iou": round(iou, 2), "tp": counts.tp, "fp": counts.fp, "fn": counts.fn} | {
        name: _or_none(value) for name, value in values.items()
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
