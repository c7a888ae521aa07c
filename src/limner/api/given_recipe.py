"""A recipe that is given, with what the call changes in it and what follows from these changes.

A recipe is made as a whole: its number of validations fits its epochs, its options describe its network. Where one of the two is
changed by hand and the other is not, the other follows, with its reason in the recipe.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.core.named_recipes import AUTO, read_recipe
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.core.recipe_parts import SchedulePart

Follows = dict[str, tuple[Any, str]]  # key -> value and reason
LENGTH = ("schedule.budget", "schedule.epochs", "schedule.steps")
DEFAULT_VALIDATIONS = SchedulePart().validations
# The reason of a number of validations that was measured; it says which number was wished, for a run of another length.
_MEASURED = re.compile(r"measured: (?:(\d+) of (\d+) fit|what a budget of )")


def measured_validations(held: int, wished: int, budget: str) -> str:
    """The reason of `held` validations under a budget, of which `wished` were asked for."""
    return f"measured: {held} of {wished} fit into a budget of {budget} on this machine"


def given_recipe(recipe: Path | str | Recipe | None) -> Recipe | None:
    """The recipe that a call names; None where it leaves the decision to the planner.

    Raises
    ------
    RecipeError : see `limner.core.named_recipes.read_recipe`.
    """
    if recipe is None or isinstance(recipe, Recipe):
        return recipe
    return None if str(recipe) == AUTO else read_recipe(recipe)


def with_changes(given: Recipe, changes: Mapping[str, Any], listener: Listener) -> Recipe:
    """`given` with the changes of a call, and with what follows from them, which is said.

    Raises
    ------
    RecipeError : an unknown key, a value of another kind, an unknown architecture.
    """
    changed = given.override(changes)
    for rule in (_length, _validations, _network):
        for key, (value, reason) in rule(given, changed, changes).items():
            if changed.get(key) != value:
                changed = changed.override({key: value}, reason=reason)
                listener.message(f"{key} = {_short(changed.get(key))}: {reason}")
    return changed


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(value) + "}" if value else "{}"
    return repr(list(value) if isinstance(value, tuple) else value)


def _length(given: Recipe, changed: Recipe, changes: Mapping[str, Any]) -> Follows:
    """Steps that a recipe was measured for give way to epochs or a budget that are set, or to folds that share its budget."""
    asked = [key for key in ("schedule.epochs", "schedule.budget") if key in changes]
    if _shares_measured_budget(given, changed, changes):
        asked.append("split.folds")
    part = changed.schedule
    if "schedule.steps" in changes and "schedule.revisions" not in changes:
        return {"schedule.revisions": ((), "they were measured for another number of steps")}
    if not asked or not part.steps or "schedule.steps" in changes or not (part.epochs or part.budget != "none"):
        return {}  # without epochs and budget the steps are the only length that there is
    reason = f"the recipe's {given.schedule.steps} steps give way to {' and '.join(asked)}"
    return {"schedule.steps": (0, reason), "schedule.revisions": ((), reason)}


def _shares_measured_budget(given: Recipe, changed: Recipe, changes: Mapping[str, Any]) -> bool:
    """Whether a cross-validation is wanted of a recipe whose steps are what its whole budget held."""
    by_measure = given.reasons.get("schedule.steps", "").startswith("measured:")
    whole = changed.split.folds > 1 and changed.split.fold == 0  # one fold alone does not share the budget
    return "split.folds" in changes and whole and by_measure and bool(given.schedule.steps)


def _validations(given: Recipe, changed: Recipe, changes: Mapping[str, Any]) -> Follows:
    """One after every epoch stays so; a number that another budget made smaller becomes the wished one again."""
    part, now = given.schedule, changed.schedule
    asked = any(key in changes for key in LENGTH) or _shares_measured_budget(given, changed, changes)
    if "schedule.validations" in changes or not asked:
        return {}
    if part.epochs and part.validations == part.epochs:
        return {"schedule.validations": (now.epochs, "after every epoch, as in the recipe")} if now.epochs else {}
    wished = _wished_validations(given)
    if now.epochs:  # not many in one epoch: patience counts validations
        wished = min(wished, max(now.epochs, DEFAULT_VALIDATIONS, part.validations))
    return {"schedule.validations": (wished, "as planned before a budget allowed fewer")}


def _wished_validations(given: Recipe) -> int:
    """How many validations were wished before a budget was measured; those of the recipe where none was."""
    validations = given.schedule.validations
    found = _MEASURED.match(given.reasons.get("schedule.validations", ""))
    if found is None:
        return validations
    held, wished = found.groups()
    if held is None:  # a recipe of an earlier version: it does not say which number was wished
        return max(validations, DEFAULT_VALIDATIONS)
    return int(wished) if int(held) == validations else validations  # edited since: by hand


def _network(given: Recipe, changed: Recipe, changes: Mapping[str, Any]) -> Follows:
    """Options that describe the recipe's own network do not outlive it.

    The options that the new architecture knows stay, unless they belong to a plain encoder, which few architectures have: then
    none stays, and the encoder becomes the new architecture's own.
    """
    if "model.architecture" not in changes or "model.options" in changes:
        return {}
    if changed.model.architecture == given.model.architecture:
        return {}
    from limner.models import NETWORKS, PLAIN, config_fields

    name = changed.model.architecture
    known, options = config_fields(name), given.model.options
    follows: Follows = {}
    kept = {key: value for key, value in options.items() if key in known}
    if given.encoder.name == PLAIN and "encoder_widths" not in known:
        kept = {}
        own = {field.name: field.default for field in dataclasses.fields(NETWORKS[name].Config)}.get("encoder")
        if "encoder.name" not in changes and isinstance(own, str):
            follows["encoder.name"] = (own, f"{name} has no plain encoder; this one is its own")
    dropped = [key for key in options if key not in kept]
    if dropped:
        follows["model.options"] = (kept, f"{', '.join(dropped)} described {given.model.architecture}, not {name}")
    return follows
