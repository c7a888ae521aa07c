"""What a run began with, kept in its folder, so that it goes on with the same call on the same data or not at all.

The recipe in the folder is not enough to tell: a run changes it where a budget, memory or the labels decide. So the folder also
keeps what the call asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from limner.api.given_recipe import with_changes
from limner.api.query_recipe import with_queries
from limner.api.run_folder import RunFolder
from limner.core.bundle import CLASSICAL
from limner.core.errors import DataError, RecipeError
from limner.core.protocols import Silent
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset, Item

CLEARED: dict[str, Any] = {"schedule.epochs": 0, "schedule.steps": 0, "schedule.revisions": ()}  # by ``--budget``
# What tells recipes apart where a run of an earlier version does not say which one it began with.
TELLING = (
    "model.architecture",
    "model.options",
    "loss",
    "optimizer.name",
    "optimizer.learning_rate",
    "optimizer.weight_decay",
)
DIGITS = 12  # of the digest of a picture's labels
_PARTS = ("train", "val")  # the labels of test pictures may be corrected meanwhile: nothing was learnt from them


def beginning(
    given: Recipe | None, changes: Mapping[str, Any], dataset: Dataset, items: Sequence[Item]
) -> dict[str, Any]:
    """What a run begins with, as `RunFolder.start` keeps it.

    Parameters
    ----------
    given : the recipe that the call names, as it is before its changes; None where one is planned.
    changes : what the call fixes.
    items : all pictures with their parts.
    """
    return {
        "recipe": None if given is None else recipe_digest(given),
        "changes": {key: _text(key, value) for key, value in changes.items()},
        "classes": list(dataset.label_space.names),
        "labels": label_digests(dataset, items),
    }


def stored_recipe(
    folder: RunFolder, given: Recipe | None, changes: Mapping[str, Any], *, planned: bool = False
) -> Recipe:
    """The recipe of the run that is gone on with.

    A value is the same when the call that began the run asked for it, whatever the run made of it, and when the run has it.

    Parameters
    ----------
    given : the recipe that the call names, as it is before its changes; None where there is none.
    planned : the call asks for a planned recipe, in so many words.

    Raises
    ------
    RecipeError : the call names another recipe, or says something else.
    """
    stored, began = Recipe.read(folder.recipe), folder.began()
    explicit = {key: value for key, value in changes.items() if key not in CLEARED or value}
    wanted = stored.override(explicit)
    different = [key for key in not_asked_for(folder, explicit) if stored.get(key) != wanted.get(key)]
    refuse_other_values(folder, different)
    other = planned and (bool(began.get("recipe")) or stored.model.architecture.startswith(CLASSICAL))
    if given is not None and given != stored:
        other = not _same_recipe(given, stored, changes, began)
    if other:
        raise RecipeError(
            f"the run in {folder.path} was started with another recipe",
            expected="the same one with --resume",
            where=str(folder.recipe),
            fix="leave --recipe out to go on with it, or start a new run in another --out",
        )
    return stored


def not_asked_for(folder: RunFolder, changes: Mapping[str, Any]) -> list[str]:
    """The keys of `changes` for which the call that began the run did not ask for the same value."""
    asked = folder.began().get("changes", {})
    return [key for key, value in changes.items() if asked.get(key) != _text(key, value)]


def refuse_other_values(folder: RunFolder, keys: Sequence[str]) -> None:
    """Refuse to go on where the call says something else than the run.

    Raises
    ------
    RecipeError : there is at least one such key.
    """
    if keys:
        raise RecipeError(
            f"the run in {folder.path} was started with other values of {', '.join(keys)}",
            expected="the same ones with --resume",
            where=str(folder.recipe),
            fix="leave them out, or start a new run in another --out",
        )


def check_same_data(folder: RunFolder, dataset: Dataset, items: Sequence[Item]) -> None:
    """Refuse data whose classes or labels are no longer those that the run has learnt from; a run that does not say goes on.

    Parameters
    ----------
    items : the pictures of the run with their parts.

    Raises
    ------
    DataError : the classes, or the labels of pictures that train or validate, are others.
    """
    began, names = folder.began(), list(dataset.label_space.names)
    if "classes" in began and began["classes"] != names:
        raise DataError(
            f"the classes of the data are {', '.join(names)}, in the order of their ids",
            expected=f"{', '.join(map(str, began['classes']))}, which the run began with",
            where=str(dataset.root),
            fix="give the data as they were, declare classes in that order in limner.toml, or start a new run in another --out",
        )
    known, now = began.get("labels", {}), label_digests(dataset, [item for item in items if item.split in _PARTS])
    changed = [name for name, digest in now.items() if known.get(name, digest) != digest]
    if changed:
        raise DataError(
            f"labels have changed since the run began, of {len(changed)} of the {len(now)} pictures that train or validate",
            expected="the same labels with --resume",
            where=", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else ""),
            fix="give the data as they were, or start a new run in another --out",
        )


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 of the values that are not the defaults, so that keys of later versions do not change it."""
    defaults = Recipe()
    lines = [f"{key} = {_text(key, value)}\n" for key, value in recipe.items() if value != defaults.get(key)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def label_digests(dataset: Dataset, items: Sequence[Item]) -> dict[str, str]:
    """What tells the labels of each picture apart from others, in a few letters: the pixels of each class id."""
    counted = {item.name: dataset.facts[item.name].pixels for item in items if item.name in dataset.facts}
    lines = {name: sorted((int(i), int(n)) for i, n in pixels.items() if n) for name, pixels in counted.items()}
    return {name: hashlib.sha256(str(line).encode()).hexdigest()[:DIGITS] for name, line in lines.items()}


def _same_recipe(given: Recipe, stored: Recipe, changes: Mapping[str, Any], began: Mapping[str, Any]) -> bool:
    """Whether a run began with the recipe `given`; an earlier version does not say, so its run is compared with the recipe."""
    if "recipe" in began:
        return bool(began["recipe"] == recipe_digest(given))
    wanted = with_queries(with_changes(given, changes, Silent()))
    return all(wanted.get(key) == stored.get(key) for key in TELLING)


def _text(key: str, value: Any) -> str:
    """A value of the recipe as text that is the same whether it was read, set or converted."""
    return json.dumps(Recipe().override({key: value}).get(key), sort_keys=True, default=str)
