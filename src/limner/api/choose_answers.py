"""What a network learns about its own answers when it is trained: how sure, which rules, how good, and what is strange to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from limner.api.calibrate import FEWEST_PICTURES, with_temperature
from limner.api.choose_objects import choose_objects
from limner.api.choose_rules import choose_rules
from limner.api.confidence import expected_dice, fit_confidence
from limner.api.judged_confidence import dice_of_picture
from limner.api.learn_inputs import learn_inputs
from limner.api.rule_gain import MARGIN
from limner.api.validated import Validated, predict_validation
from limner.core.answers import CONFIDENCE, INPUTS, POSTPROCESS
from limner.core.bundle import Bundle
from limner.core.postprocess import read_rules
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset
from limner.data.splits import Split
from limner.inference.postprocess import apply_rules
from limner.metrics.calibration import apply_temperature

CHOSEN = "chosen"  # the word of the recipe key inference.postprocess that asks for rules


def fit_answers(bundle: Bundle, dataset: Dataset, split: Split, recipe: Recipe, listener: Listener) -> Bundle:
    """The bundle with temperature, rules, confidence and what inputs look like, saved.

    Parameters
    ----------
    bundle : as it was trained, on disk. A classical method has no scores: only its inputs are looked at.
    dataset, split : the validation pictures teach all but the inputs, which the training pictures show. Test pictures are not
        touched.
    recipe : ``inference.postprocess`` asks for rules or not.
    listener : hears of progress.
    """
    answers = {
        **bundle.answers,
        INPUTS: learn_inputs(dataset, split.part("train"), bundle.contract, held_out=split.part("val")),
    }
    bundle = dataclasses.replace(bundle, answers={name: value for name, value in answers.items() if value is not None})
    items, asked = split.part("val"), recipe.inference.postprocess == CHOSEN
    if bundle.contract.objects is not None:
        bundle = choose_objects(bundle, dataset, items, listener)
        bundle.save()  # what follows opens it
    if bundle.method is None and (asked or len(items) >= FEWEST_PICTURES):
        seen = predict_validation(bundle, dataset, items, seed=recipe.seed, listener=listener)
        bundle = with_temperature(bundle, seen)
        if asked:
            bundle = _with_rules(bundle, seen, listener)
        bundle = with_confidence(bundle, seen)
    bundle.save()
    return bundle


def _with_rules(bundle: Bundle, seen: Sequence[Validated], listener: Listener) -> Bundle:
    """The bundle with the rules that pass; a threshold goes into its contract, which every runtime obeys."""
    space = bundle.label_space
    if bundle.contract.objects is not None and len(space) == 2:
        chosen = _no_rules_of_objects(len(seen))
    else:
        chosen = choose_rules(seen, space, threshold=bundle.contract.threshold, listener=listener)
    bundle = dataclasses.replace(bundle, answers={**bundle.answers, POSTPROCESS: chosen})
    rules = read_rules(bundle.answers)
    if rules is None:
        listener.message(f"rules: none ({chosen['reason']})")
        return bundle
    calibrated = (
        None if rules.threshold is None else bundle.contract.calibrated(rules.threshold)
    )  # as people see scores
    told = dataclasses.replace(rules, threshold=calibrated)
    listener.message(f"rules: {'; '.join(told.sentences(space.names))}")
    if rules.threshold is None:
        return bundle
    return dataclasses.replace(bundle, contract=dataclasses.replace(bundle.contract, threshold=rules.threshold))


def _no_rules_of_objects(pictures: int) -> dict[str, Any]:
    """No rules, in the form of `choose_rules`.

    What a threshold makes of the scores of one class is never answered where objects are told apart: the labels are those of the
    objects, which are decoded with numbers of their own, see `limner.api.choose_objects`. A rule judged on it would be a gain that
    nobody gets.
    """
    return {
        "rules": None, "pictures": pictures, "before": {}, "after": {}, "margin": MARGIN,
        "reason": "the model tells objects apart, so its labels are those of the objects and not of a threshold",
    }  # fmt: skip


def with_confidence(bundle: Bundle, seen: Sequence[Validated]) -> Bundle:
    """The bundle with a correction of expected Dice, fitted to predicted pictures; as it is where there are too few."""
    rules, space = read_rules(bundle.answers), bundle.label_space
    estimated, true = [], []
    for one in seen:
        labels = one.labels(bundle.contract.threshold)
        if rules is not None:
            labels = apply_rules(labels, rules, space)
        scores = apply_temperature(one.scores, bundle.contract.temperature)
        estimated.append(expected_dice(scores, labels[:: one.every, :: one.every], space))
        true.append(dice_of_picture(labels, one.sample(), space))
    fitted = fit_confidence(estimated, true, groups=[one.group for one in seen], source="validation")
    return bundle if fitted is None else dataclasses.replace(bundle, answers={**bundle.answers, CONFIDENCE: fitted})
