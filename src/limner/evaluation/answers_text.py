"""What a model learnt about its own answers, in sentences: rules, confidence, exports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from limner.core.answers import CONFIDENCE, POSTPROCESS
from limner.core.bundle import Bundle
from limner.core.postprocess import read_rules
from limner.evaluation.sentences import plural


def rules_sentences(bundle: Bundle) -> list[str]:
    """Which rules the labels obey and what they brought; that none passed, where they were asked for; empty where they were not."""
    stored = bundle.answers.get(POSTPROCESS)
    if not stored:
        return []
    rules = read_rules(bundle.answers)
    if rules is None:
        return [f"Rules for the labels were asked for, and none is used: {stored['reason']}."]
    gains = [
        f"{name} {stored['before'][name]['mean']:.3f} to {stored['after'][name]['mean']:.3f}"
        for name in bundle.label_space.foreground_names
        if name in stored["before"]
    ]
    if rules.threshold is not None:  # people see calibrated scores
        rules = dataclasses.replace(rules, threshold=bundle.contract.calibrated(rules.threshold))
    words = "; ".join(rules.sentences(bundle.label_space.names))
    return [
        f"The labels obey rules that were chosen on the validation pictures: {words}. Mean validation Dice, where other than in "
        "the scores a picture without the class counts as 1 unless something is found in it, before and after: "
        f"{', '.join(gains)}."
    ]


def confidence_sentences(bundle: Bundle) -> list[str]:
    """How far the confidence of a model is to be trusted, as it was found when it was fitted; empty where none is stated."""
    stored = bundle.answers.get(CONFIDENCE)
    if not stored:
        return []
    pictures = plural(int(stored["pictures"]), f"{stored['from']} picture")
    return [
        f"The confidence that the model states for a picture was {stored['error']:.3f} away from its Dice on average, over "
        f"{pictures} of which each was left out of the fit in turn (always saying the mean of the others: "
        f"{stored['constant_error']:.3f})."
    ]


def export_sentences(bundle: Bundle) -> list[str]:
    """Which other runtimes can open the model, and how exactly; empty where there are none."""
    return [f"Exported for {', '.join(_export(name, entry) for name, entry in bundle.exports.items())}."] * bool(
        bundle.exports
    )


def _export(name: str, entry: Mapping[str, Any]) -> str:
    difference = entry.get("max_abs_logit_difference")
    return name if difference is None else f"{name} (largest difference of a logit {difference:.1g})"
