"""Which networks, recipes and classical methods there are, what they weigh and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from limner.api.extras import require
from limner.core.choices import nearest
from limner.core.errors import MachineError, RecipeError
from limner.core.named_recipes import named_recipe, recipe_names, recipe_text
from limner.core.protocols import Listener, Silent
from limner.core.recipe import Recipe

CHANNELS, INPUT_HW = 3, (256, 256)  # for architectures; a recipe has its own


def models(
    name: str | None = None, *, channels: int | None = None, classes: int = 1, listener: Listener | None = None
) -> dict[str, Any]:
    """All models there are, or one in detail.

    Parameters
    ----------
    name : of an architecture, a recipe or a classical method; None = list all.
    channels : of the input, at least 1; None = the recipe's own, 3 for an architecture.
    classes : maps that the network returns; 1 = foreground or not.
    listener : hears of progress.

    Returns
    -------
    ``{"models": [row, ...]}``, or one row with ``layers``. A row of a network: ``{"name", "kind", "parameters",
    "weights_total", "gmacs", "input_hw", "output_hw", "source"}``; ``weights_total`` = parameters + running means and
    variances; ``gmacs`` = 10^9 multiply-accumulates of one forward pass at ``input_hw``. Rows of classical methods have ``name``,
    ``kind`` and ``source``, and one by itself ``options`` with ``name``, ``default``, ``meaning`` and the values that tuning
    ``tries`` (empty: proposed from the training pictures).

    Raises
    ------
    RecipeError : unknown name.
    MachineError : torch or another package that the network needs is missing.
    """
    from limner.classical import METHODS

    listener = listener or Silent()
    if (channels is not None and channels < 1) or classes < 1:
        raise RecipeError(
            f"{channels} channels and {classes} classes",
            expected="at least 1 of each",
            fix="correct --channels or --classes",
        )
    if name in METHODS:
        return _method_row(name, options=True)
    require("train")
    from limner.models import NETWORKS

    makers = {**dict.fromkeys(NETWORKS, _architecture_row), **dict.fromkeys(recipe_names(), _recipe_row)}
    if name is not None:
        if name not in makers:
            known = [*makers, *METHODS]
            raise RecipeError(
                f"unknown model '{name}'",
                expected="an architecture, a recipe or a classical method",
                fix=nearest(name, known) + " (limner models lists them)",
            )
        return makers[name](name, channels, classes, True)
    rows = []
    for done, (each, make) in enumerate(makers.items(), 1):
        rows.append(_row_or_why_not(make, each, channels, classes))
        listener.progress("count", done, len(makers))
    return {"models": rows + [_method_row(method) for method in METHODS]}


def _row_or_why_not(
    make: Callable[[str, int | None, int, bool], dict[str, Any]], name: str, channels: int | None, classes: int
) -> dict[str, Any]:
    """A row of the list; where a package is missing, the row says so in place of figures."""
    try:
        return make(name, channels, classes, False)
    except MachineError as error:
        return {"name": name, "kind": "architecture", "missing": f"{error.found}; {error.fix}"}


def _architecture_row(name: str, channels: int | None, classes: int, layers: bool) -> dict[str, Any]:
    return {"name": name, "kind": "architecture", **_figures(name, {}, channels or CHANNELS, classes, INPUT_HW, layers)}


def _recipe_row(name: str, channels: int | None, classes: int, layers: bool) -> dict[str, Any]:
    from limner.api.network import model_arguments

    recipe = named_recipe(name)
    figures = _figures(
        recipe.model.architecture,
        model_arguments(recipe),
        channels or recipe.data.channels,
        classes,
        _input_size(recipe),
        layers,
    )
    return {"name": name, "kind": "recipe", **figures, "source": _opening(recipe_text(name))}


def _input_size(recipe: Recipe) -> tuple[int, int]:
    return recipe.data.resize_hw if any(recipe.data.resize_hw) else recipe.data.patch_hw


def _figures(
    architecture: str, arguments: dict[str, Any], channels: int, maps: int, size_hw: tuple[int, int], layers: bool
) -> dict[str, Any]:
    import torch

    from limner.models import NETWORKS, build, cost

    with torch.device("meta"):  # shapes without numbers: nothing is initialised or computed
        network = build(architecture, arguments, channels=channels, maps=maps).eval()
        answer = network(torch.empty(1, channels, *size_hw))
    found: dict[str, Any] = {
        "parameters": cost.parameters(network),
        "weights_total": cost.weights_total(network),
        "gmacs": round(cost.gmacs(network, channels, size_hw), 3),
        "input_hw": list(size_hw),
        "output_hw": list(answer.shape[-2:]),
        "source": NETWORKS[architecture].source,
    }
    if layers:
        found["layers"] = [vars(row) for row in cost.layer_table(network, channels, size_hw)]
    return found


def _opening(text: str) -> str:
    """The comment at the top of a recipe file, as one line."""
    lines = text[: text.index("\n\n")].splitlines()
    return " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))


def _method_row(name: str, *, options: bool = False) -> dict[str, Any]:
    from limner.classical import METHODS

    method = METHODS[name]
    row: dict[str, Any] = {"name": name, "kind": "classical", "source": method.source}
    if options:
        row["options"] = [
            {
                "name": key,
                "default": option.default,
                "tries": list(option.tries) if isinstance(option.tries, tuple) else [],
                "meaning": option.meaning,
            }
            for key, option in method.known.items()
        ]
    return row
