"""Recipes without a network: ``model.architecture = "classical/otsu"``, its options, the split, the budget, and nothing else."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.api.beginning import not_asked_for, refuse_other_values
from limner.api.run_folder import RunFolder
from limner.classical import METHODS
from limner.classical.segmenter import ClassicalSegmenter
from limner.classical.tune import Tuned
from limner.core.bundle import CLASSICAL, Bundle
from limner.core.choices import choose
from limner.core.errors import RecipeError
from limner.core.recipe import Recipe

ARCHITECTURE, OPTIONS = "model.architecture", "model.options"
SPLIT = ("split.rule", "split.val_share", "split.test_share", "split.group_by")
OBEYED = ("seed", *SPLIT, ARCHITECTURE, OPTIONS, "schedule.budget")


def classical_recipe(recipe: Path | str | Recipe | None) -> Recipe | None:
    """The recipe of a classical method, from its name, a recipe or a file of one; None for everything else.

    A file goes before a method of the same name.

    Raises
    ------
    RecipeError : a file of a classical recipe that cannot be obeyed.
    """
    if recipe is None:
        return None
    if not isinstance(recipe, Recipe):
        path = Path(recipe)
        if not path.is_file():
            return _by_name(str(recipe)) if str(recipe) in METHODS else None
        try:
            if CLASSICAL not in path.read_text(encoding="utf-8"):
                return None
        except (OSError, UnicodeDecodeError):
            return None  # who reads it as a recipe says what is wrong
        recipe = Recipe.read(path)
    return recipe if recipe.model.architecture.startswith(CLASSICAL) else None


def _by_name(method: str) -> Recipe:
    return Recipe().override({ARCHITECTURE: CLASSICAL + method}, reason="named in the call")


def decide_recipe(method: str | Path | Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe of `method` with `changes`.

    Raises
    ------
    RecipeError : no classical method, or keys that mean nothing without a network.
    """
    found = classical_recipe(method)
    if found is None:
        choose(METHODS, str(method), kind="classical method")
        raise RecipeError(
            f"{method} is no recipe of a classical method", expected='model.architecture = "classical/..."'
        )
    recipe, plain = found.override(changes), Recipe()
    useless = [
        key for key, value in recipe.items() if key not in OBEYED and (value != plain.get(key) or key in changes)
    ]
    if useless:
        raise RecipeError(
            f"{', '.join(useless)} in a run without a network",
            expected=f"only {', '.join(OBEYED)}",
            where=recipe.model.architecture,
            fix="leave them out, or train a network",
        )
    return recipe


def stored_recipe(folder: RunFolder, method: str | Path | Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe in the folder of a run that is gone on with; what its first call asked for is no other value.

    Raises
    ------
    RecipeError : `method` or `changes` say something else.
    """
    stored, wanted = Recipe.read(folder.recipe), decide_recipe(method, changes)
    keys = (*not_asked_for(folder, changes), ARCHITECTURE)
    different = [key for key in keys if key != OPTIONS and stored.get(key) != wanted.get(key)]
    if any(stored.model.options.get(name, value) != value for name, value in wanted.model.options.items()):
        different.append(OPTIONS)
    refuse_other_values(folder, different)
    return stored


def method_of(recipe: Recipe) -> ClassicalSegmenter:
    """The method of a classical recipe, with the options that it names.

    Raises
    ------
    RecipeError : unknown method or option, or a value that is not allowed.
    """
    method = choose(METHODS, recipe.model.architecture.removeprefix(CLASSICAL), kind="classical method")
    return method.with_options(recipe.model.options)


def tuned_recipe(recipe: Recipe, bundle: Bundle, *, split_rule: str) -> Recipe:
    """The recipe that repeats a run: every option is named. One that named all of them already keeps its reason."""
    if dict(recipe.model.options) != bundle.arguments:
        recipe = recipe.override({OPTIONS: bundle.arguments}, reason=str(bundle.training["tuning"]))
    return recipe.explain({"split.rule": split_rule})


def recipe_toml(recipe: Recipe) -> str:
    """The lines of a recipe file that mean something without a network; reading it gives `recipe` again."""
    lines = [
        "# A Limner recipe of a classical method. Every line may be edited; options that are left out are tuned.",
        "",
    ]
    section = ""
    for line in recipe.to_toml().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif ".".join(filter(None, (section, line.partition(" = ")[0]))) in OBEYED:
            if section and f"[{section}]" not in lines:
                lines += ["", f"[{section}]"]
            lines.append(line)
    return "\n".join(lines) + "\n"


def tuning_words(tuned: Tuned) -> str:
    """How the options came about, in one sentence."""
    pictures = tuned.tried[-1].pictures
    on = f"{pictures} training picture{'s' if pictures > 1 else ''}"
    ended = "; the budget ended the search" if tuned.stopped == "budget" else ""
    if tuned.num_settings == 1:
        return f"{'as it comes' if ended else 'nothing was left to tune'}: mean Dice {tuned.score:.3f} on {on}{ended}"
    return (
        f"the best of {tuned.num_settings} settings on {on}: mean Dice {tuned.score:.3f}, "
        f"without tuning {tuned.default_score:.3f}{ended}"
    )


def history_csv(tuned: Tuned) -> str:
    """One line per setting compared: what it was and how good."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "seconds", "pictures", "full_size", "train_dice", "options"])
    for number, each in enumerate(tuned.tried, 1):
        score = "" if math.isnan(each.dice) else repr(each.dice)
        writer.writerow([number, each.seconds, each.pictures, each.full_size, score, json.dumps(each.options)])
    return text.getvalue()
