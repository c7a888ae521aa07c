"""Metrics of objects: how far they are from pycocotools and from a second implementation, and how long they take.

Run: python benchmarks/object_metrics.py            (needs pycocotools; from the root of the repository)

Prints the largest differences over 200 random scenes, and the time for a picture of 4096 x 4096 with about 20,000 objects that
touch.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.metrics.test_coco_ap import by_pycocotools
from tests.oracles.objects import Scene, random_scene, ratio

from limner.core.objects import Objects, number_objects
from limner.metrics.coco_ap import SIZES, average_precision, average_precisions
from limner.metrics.instance import Findings, object_metrics
from limner.metrics.matching import count_overlaps, join
from limner.metrics.panoptic import panoptic_quality

SCENES = 200
SIDE, CELL = 4096, 29  # a grid of cells: 141 x 141 objects


def main() -> None:
    """Print both tables."""
    print(f"largest difference over {SCENES} scenes")
    for name, value in (differences_from_second() | {"ap ap50 ap75 (pycocotools)": difference_from_coco()}).items():
        print(f"  {name:28} {value:.1e}")
    pred, target = large_picture()
    print(f"{SIDE} x {SIDE}, {len(target)} true and {len(pred)} predicted objects, seconds")
    table = timed("table of shared pixels", lambda: count_overlaps(pred, target))
    findings = Findings(table)
    values = timed("all but AP", lambda: object_metrics(findings) | panoptic_quality(findings))
    values |= timed("AP, AP50, AP75", lambda: average_precisions(table))
    kinds = timed("merged, split, missed, spurious", findings.kinds)
    print("  " + ", ".join(f"{name} {values[name]:.3f}" for name in ("f1_at_iou", "aji", "pq", "ap")))
    print("  " + ", ".join(f"{sum(k.count(kind) for k in kinds)} {kind}" for kind in ("matched", "merged", "split")))


def differences_from_second() -> dict[str, float]:
    """Against sets of pixels."""
    worst: dict[str, float] = {}
    for seed in range(SCENES):
        pred, target, valid, crowds = random_scene(seed)
        scene, table = (
            Scene(pred, target, valid, crowds),
            count_overlaps(pred, target, valid=valid, crowds=crowds),
        )
        for class_id in (1, 2, 3):
            findings = Findings(table.of_class(class_id))
            values = object_metrics(findings) | panoptic_quality(findings)
            tp, fp, fn, _ = scene.counts(class_id, 0.5)
            expected = {
                "f1_at_iou": ratio(2 * tp, 2 * tp + fp + fn),
                "tp_share_at_iou": ratio(tp, tp + fp + fn),
                "aji": ratio(*scene.aji(class_id)),
            }
            tp, fp, fn, total = scene.counts(class_id, 0.5, strict=True)
            expected["pq"] = ratio(total, tp + fp / 2 + fn / 2)
            for name, value in expected.items():
                both = math.isnan(value) and math.isnan(values[name])
                worst[name] = max(worst.get(name, 0.0), 0.0 if both else abs(value - values[name]))
    return worst


def difference_from_coco() -> float:
    """Over all scenes together, with crowds."""
    scenes = [(pred, target, crowds) for pred, target, _, crowds in map(random_scene, range(SCENES))]
    table = join([count_overlaps(pred, target, crowds=crowds) for pred, target, crowds in scenes])
    expected = by_pycocotools(scenes, {"all": SIZES["all"]}, 1000)
    found = {
        "ap": average_precision(table),
        "ap50": average_precision(table, ious=[0.5]),
        "ap75": average_precision(table, ious=[0.75]),
    }
    return max(abs(value - expected["all", name]) for name, value in found.items())


def large_picture() -> tuple[Objects, Objects]:
    """Truth: a grid of touching cells. Prediction: shifted by three pixels, with some rows of cells merged and some split."""
    rows, columns = np.indices((SIDE, SIDE), np.int32) // CELL
    labels = np.ones((SIDE, SIDE), np.uint8)
    number = SIDE // CELL + 1
    target = number_objects(rows * number + columns + 1, labels)
    merged = np.where(rows % 10 == 3, columns // 2 * 2, columns)
    found = np.roll(rows * number + merged + 1, (1, 3), (0, 1))
    found = np.where(
        (rows % 10 == 7) & (np.arange(SIDE, dtype=np.int32) % CELL < CELL // 2), found + number * number, found
    )
    scores = np.random.default_rng(0).random(int(found.max()) + 1).astype(np.float32)
    return number_objects(found, labels, scores=scores), target


def timed(what, run):  # type: ignore[no-untyped-def]
    """Run once and print the seconds."""
    start = time.perf_counter()
    found = run()
    print(f"  {what:34} {time.perf_counter() - start:.3f}")
    return found


if __name__ == "__main__":
    main()
