"""How much faster masks are scored than by the four scikit-learn scores that the five systems take of each picture.

python -m benchmarks.metrics [--masks 1000] [--side 256] [--json FILE]

Both sides get the same pairs of arrays in memory. Ours is all of ``evaluate --metrics overlap`` but reading: counting, every
overlap metric of every class, means, medians, intervals. Theirs is ``f1_score``, ``jaccard_score``, ``precision_score`` and
``recall_score`` of each flattened pair. Rounds of both alternate, so that a busy machine slows down both; the ratio is the
median over the rounds. Surface metrics are timed beside them, without a rival.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from limner.core.labels import LabelSpace
from limner.evaluation.evaluate import Scorer

THEIRS = (f1_score, jaccard_score, precision_score, recall_score)
SAMPLE = 20  # pairs that scikit-learn scores in a round; a thousand would take minutes
SPACE = LabelSpace(("background", "object"))


def make_pairs(number: int, side: int, *, noise: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of a prediction and the truth: discs that were moved a little, or noise."""
    random, pairs = np.random.default_rng(0), []
    yy, xx = np.mgrid[:side, :side]
    for _ in range(number):
        if noise:
            pairs.append(tuple((random.random((side, side)) > 0.5).astype(np.uint8) for _ in range(2)))
            continue
        y, x, radius = *random.uniform(0.3, 0.7, 2), random.uniform(0.1, 0.3)
        dy, dx = random.uniform(-0.03, 0.03, 2)
        discs = [(yy / side - a) ** 2 + (xx / side - b) ** 2 < radius**2 for a, b in ((y + dy, x + dx), (y, x))]
        pairs.append((discs[0].astype(np.uint8), discs[1].astype(np.uint8)))
    return pairs


def ours(pairs, metrics: str) -> float:
    start, scorer = time.perf_counter(), Scorer(SPACE, metrics=metrics)
    for number, (pred, target) in enumerate(pairs):
        scorer.add(str(number), pred, target)
    scorer.report(model="", data="", split="", threshold=None, split_checksum="", seconds=0)
    return (time.perf_counter() - start) / len(pairs)


def theirs(pairs) -> float:
    start = time.perf_counter()
    for pred, target in pairs[:SAMPLE]:
        for score in THEIRS:
            score(target.ravel(), pred.ravel())
    return (time.perf_counter() - start) / min(SAMPLE, len(pairs))


def measure(number: int, side: int, *, noise: bool, rounds: int = 7) -> dict[str, float]:
    pairs = make_pairs(number, side, noise=noise)
    times = [(ours(pairs, "overlap"), theirs(pairs)) for _ in range(rounds)]
    few = pairs[:50]
    return {
        "limner_ms": round(1e3 * statistics.median(a for a, _ in times), 4),
        "scikit_learn_ms": round(1e3 * statistics.median(b for _, b in times), 3),
        "ratio": round(statistics.median(b / a for a, b in times), 1),
        "lowest_ratio": round(min(b / a for a, b in times), 1),
        "all_metrics_ms": round(1e3 * statistics.median(ours(few, "all") for _ in range(3)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--masks", type=int, default=1000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {"masks": options.masks, "side": options.side, "processor": platform.processor() or platform.machine()}
    for kind in ("discs", "noise"):
        found[kind] = measure(options.masks, options.side, noise=kind == "noise")
        print(f"{kind}: {found[kind]}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
