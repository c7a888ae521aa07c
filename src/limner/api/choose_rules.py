"""Which rules make the answers better: tried one after the other on validation pictures, kept only when `rule_gain` says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from limner.api.rule_gain import MARGIN, Counts, chosen_candidate, dice_table, no_class_worse
from limner.api.validated import Validated
from limner.core.labels import Labels, LabelSpace
from limner.core.postprocess import Rules, no_rules
from limner.core.protocols import Listener
from limner.inference.postprocess import apply_rules
from limner.metrics.counts import count_classes
from limner.metrics.summary import unit_numbers

T = TypeVar("T")

SMALL_OBJECT = 0.05  # quantile of the area of true objects that is called small
SMALLEST_SHARES = (0.1, 0.25, 0.5, 1.0)  # of a small object, that parts have to have
HOLE_SHARES = (0.01, 0.05, 0.25, 1.0)  # of a middling object, that holes may have
MOST_PIXELS = (
    60_000_000  # of the pictures that rules are tried on, together; at most so many are taken, from the first on
)


def choose_rules(
    seen: Sequence[Validated], label_space: LabelSpace, *, threshold: float, listener: Listener
) -> dict[str, Any]:
    """Rules for a network, with the scores before and after.

    Parameters
    ----------
    seen : predicted validation pictures.
    threshold : the one that the bundle has; of no consequence for several classes.
    listener : hears of progress.

    Returns
    -------
    ``{"rules", "pictures", "before", "after", "margin", "reason"}``: rules None where nothing passed.
    """
    used = _within(seen, MOST_PIXELS)
    units = unit_numbers([one.group for one in used], len(used))
    samples = [one.sample() for one in used]

    def counted(answers: Iterable[Labels]) -> Counts:
        rows = [
            [(c.tp, c.fp, c.fn) for c in count_classes(labels, s.labels, valid=s.valid, num_classes=len(label_space))]
            for labels, s in zip(answers, samples, strict=True)
            if s.labels is not None
        ]
        return np.array(rows, np.int64).reshape(len(used), len(label_space), 3)

    plain = [one.labels(threshold) for one in used]
    before, rules = counted(plain), no_rules(len(label_space))
    if used and used[0].thresholds:
        values = [threshold, *(value for value in used[0].thresholds if value != threshold)]
        tables = [counted(one.labels(value) for one in used) for value in values]
        best = chosen_candidate(tables, units)
        rules = dataclasses.replace(rules, threshold=values[best] if best else None)
    start = [one.labels(rules.threshold or threshold) for one in used]
    rules = _search(rules, start, _candidates(samples, label_space), label_space, counted, units, listener)
    answers = [apply_rules(labels, rules, label_space) for labels in start]
    after = counted(answers)
    kept = rules != no_rules(len(label_space)) and no_class_worse(before, after)
    return {
        "rules": rules.as_dict() if kept else None,
        "pictures": len(used),
        "before": _scores(before, label_space),
        "after": _scores(after if kept else before, label_space),
        "margin": MARGIN,
        "reason": _reason(len(used), len(np.unique(units)), kept=kept),
    }


def _search(
    rules: Rules,
    start: Sequence[Labels],
    candidates: Sequence[tuple[str, int, Sequence[int]]],
    label_space: LabelSpace,
    counted: Callable[[Iterable[Labels]], Counts],
    units: npt.NDArray[np.int64],
    listener: Listener,
) -> Rules:
    """Rules with one kind for one class after the other added, where the pictures ask for it."""
    base = counted(apply_rules(labels, rules, label_space) for labels in start)
    for done, (kind, index, values) in enumerate(candidates, 1):
        tried = [_with(rules, kind, index, value) for value in values]
        tables = [base, *(counted(apply_rules(labels, one, label_space) for labels in start) for one in tried)]
        best = chosen_candidate(tables, units)
        if best:
            rules, base = tried[best - 1], tables[best]
        listener.progress("rules", done, len(candidates))
    return rules


def _with(rules: Rules, kind: str, index: int, value: int) -> Rules:
    """Rules with one number of one class changed."""
    if kind == "largest":
        return dataclasses.replace(rules, largest=_put(rules.largest, index, bool(value)))
    if kind == "holes":
        return dataclasses.replace(rules, holes=_put(rules.holes, index, value))
    return dataclasses.replace(rules, smallest=_put(rules.smallest, index, value))


def _put(numbers: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*numbers[:index], value, *numbers[index + 1 :])


def _candidates(samples: Sequence[Any], label_space: LabelSpace) -> list[tuple[str, int, list[int]]]:
    """What is tried for which class, in order: sizes follow from the objects that the truth shows."""
    found = []
    for index in range(1, len(label_space)):
        areas = np.concatenate([np.zeros(0), *(_areas(sample.labels == index) for sample in samples)])
        if not areas.size:
            continue
        small, middling = float(np.quantile(areas, SMALL_OBJECT)), float(np.median(areas))
        holes = sorted({max(1, round(middling * share)) for share in HOLE_SHARES})
        parts = sorted({max(2, round(small * share)) for share in SMALLEST_SHARES})
        found += [("holes", index, holes), ("largest", index, [1]), ("smallest", index, parts)]
    return found


def _areas(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Pixels of each connected part (8 neighbours)."""
    stats = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2]
    return np.asarray(stats[1:, cv2.CC_STAT_AREA], np.float64)


def _within(seen: Sequence[Validated], most: int) -> list[Validated]:
    """The first pictures, as many as have at most so many pixels together; none where even the first has more."""
    used, pixels = [], 0
    for one in seen:
        pixels += one.truth.shape[0] * one.truth.shape[1]
        if pixels > most:
            break
        used.append(one)
    return used


def _scores(counts: Counts, label_space: LabelSpace) -> dict[str, dict[str, float]]:
    """Mean and pooled Dice of each class, where nothing to find and nothing found counts as 1."""
    mean = dice_table(counts).mean(axis=0) if len(counts) else np.full(len(label_space), np.nan)
    pooled = dice_table(counts.sum(axis=0))
    return {
        name: {"mean": round(float(mean[i]), 6), "pooled": round(float(pooled[i]), 6)}
        for i, name in enumerate(label_space.names)
        if len(counts)
    }


def _reason(pictures: int, units: int, *, kept: bool) -> str:
    if kept:
        return (
            f"on {pictures} validation pictures no class got worse, one got better by more than {MARGIN}, and it held for pictures "
            "that had no say in the choice"
        )
    few = " and five are the least" if units < 5 else ""
    return f"no rule made the answers better beyond doubt: {pictures} validation pictures of {units} groups{few}"
