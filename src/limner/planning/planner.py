"""From facts to a recipe: the rules in order, each seeing what was decided before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.data.fingerprint import Fingerprint
from limner.planning.memory import Machine
from limner.planning.rules import FIXED, RULES, Situation


def make_plan(
    facts: Fingerprint,
    machine: Machine,
    label_space: LabelSpace,
    *,
    budget_seconds: float,
    start: Recipe,
    overrides: Mapping[str, Any],
) -> Recipe:
    """The recipe for a data set.

    Parameters
    ----------
    facts : of the training pictures.
    machine : where it will run.
    budget_seconds : wall-clock time that training may take.
    start : holds what is not decided by a rule.
    overrides : dotted keys that the user fixed; rules that come later see them.

    Raises
    ------
    RecipeError : an override names an unknown key.
    """
    recipe = start.override(overrides)
    decided: dict[str, Any] = {key: recipe.get(key) for key in overrides}
    situation = Situation(facts, machine, budget_seconds, len(label_space), label_space.names, decided)
    reasons = {key: text for key, text in FIXED.items() if key not in overrides}
    for key, rule in RULES.items():
        if key in overrides:
            continue
        choice = rule(situation)
        recipe = recipe.override({key: choice.value}, reason=choice.reason)
        decided[key] = choice.value
    return dataclasses.replace(recipe, reasons={**reasons, **recipe.reasons})
