"""Decide a recipe for a data set and say why."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.api.extras import require
from limner.api.value_range import with_value_range
from limner.core.augmentation import check_augmentation
from limner.core.command_line import command_line
from limner.core.duration import parse_duration
from limner.core.errors import DataError, OutputError
from limner.core.files import write_text
from limner.core.labels import LabelSpace
from limner.core.presets import preset_changes, preset_reasons
from limner.core.protocols import Listener, Silent
from limner.core.recipe import Recipe
from limner.core.recipe_parts import SplitPart
from limner.data.dataset import Dataset, open_dataset
from limner.data.fingerprint import take_fingerprint
from limner.data.folds import deal_folds, split_of
from limner.data.splits import AUTOMATIC, GIVEN, Split

DEFAULT_SECONDS = 600.0


def plan(
    data: Path | str,
    *,
    out: Path | str | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> Recipe:
    """The recipe for the data set in folder `data`.

    Parameters
    ----------
    data : folder in any layout that ``check`` reads.
    out : where to write the recipe, or None.
    preset : variations for a kind of pictures: ``photo``, ``microscopy``, ``radiology`` or ``aerial``.
    settings : dotted keys fixed by hand, also over `preset`; rules that depend on them follow.
    overwrite : replace the file `out`; it may have been edited by hand.
    listener : hears of progress.

    Raises
    ------
    DataError : the data cannot be used; `check` lists everything.
    RecipeError : a setting names an unknown key.
    OutputError : `out` exists and `overwrite` is not set.
    MachineError : the training extra is missing (the plan depends on the machine's instructions).
    """
    require("train")
    listener = listener or Silent()
    if out is not None and Path(out).exists() and not overwrite:
        raise OutputError(
            f"{out} exists already",
            expected="a new file",
            where=str(out),
            fix="choose another -o, or pass --overwrite to replace it",
        )
    dataset = _opened(Path(data), settings or {}, listener)
    changes, reasons = with_preset(settings or {}, preset, dataset.label_space)
    recipe = plan_dataset(dataset, split_dataset(dataset, changes), changes, listener=listener).explain(reasons)
    check_augmentation(recipe, dataset.label_space)
    if out is not None:
        write_text(Path(out), recipe.to_toml())
    return recipe


def _opened(data: Path, settings: Mapping[str, Any], listener: Listener) -> Dataset:
    """The data set; a given split that leaks does no harm where an automatic one takes its place.

    Raises
    ------
    DataError : findings that block; where a leak does, with what helps a plan.
    """
    allowed = ("SPLIT_LEAK",) if settings.get("split.rule") == AUTOMATIC else ()
    try:
        return open_dataset(data, allow=allowed, listener=listener)
    except DataError as error:
        if not error.found.startswith("SPLIT_LEAK"):
            raise
        raise DataError(
            error.found,
            expected=error.expected,
            where=error.where,
            fix="keep all copies in one split, or leave the given split out with --set split.rule=automatic; "
            f"{command_line('limner', 'train', data, '--allow-leaks')} plans by itself and trains on it as it is",
            details=error.details,
        ) from None


def with_preset(
    settings: Mapping[str, Any], preset: str | None, label_space: LabelSpace
) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings with those of a preset below them, and the preset's reasons for the keys that it decides.

    Raises
    ------
    RecipeError : there is no such preset.
    """
    if preset is None:
        return dict(settings), {}
    reasons = preset_reasons(preset, label_space)
    changes = {**preset_changes(preset, label_space), **settings}
    return changes, {key: reason for key, reason in reasons.items() if key not in settings}


def split_dataset(dataset: Dataset, settings: Mapping[str, Any]) -> Split:
    """The split that `settings` ask for, or the default one; all pictures of the folds for a cross-validation."""
    recipe = _start(dataset).override(settings)
    if recipe.split.folds and not recipe.split.fold:
        return deal_folds(dataset, rule=recipe.split, seed=recipe.seed, folds=recipe.split.folds).pool()
    return split_of(dataset, rule=recipe.split, seed=recipe.seed)


def _start(dataset: Dataset) -> Recipe:
    """What no planning rule decides: a split that the data bring is obeyed."""
    return Recipe(split=SplitPart(rule=GIVEN if dataset.split_rule else AUTOMATIC))


def plan_dataset(dataset: Dataset, split: Split, settings: Mapping[str, Any], *, listener: Listener) -> Recipe:
    """The recipe for an open data set; only pictures that may train are looked at.

    The folds of a cross-validation share the budget, and the recipe is planned for the share of one.
    """
    from limner.api.machine import this_machine
    from limner.planning.planner import make_plan

    usable = dataset.with_items(tuple(item for item in split.items if item.split in ("train", "val")))
    facts = take_fingerprint(usable, listener)
    start = _start(dataset)
    wanted = start.override(settings)
    seconds = DEFAULT_SECONDS if wanted.schedule.budget == "none" else parse_duration(wanted.schedule.budget)
    if wanted.split.folds and not wanted.split.fold:
        seconds /= wanted.split.folds
    recipe = make_plan(
        facts, this_machine(), dataset.label_space, budget_seconds=seconds, start=start, overrides=settings
    )
    recipe = with_value_range(recipe, dataset, split.part("train"), listener)
    return dataclasses.replace(recipe, reasons={**recipe.reasons, "split.rule": split.rule})
