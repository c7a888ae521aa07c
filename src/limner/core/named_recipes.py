"""Recipes that come with Limner: the five teaching systems it starts from, each repaired, each repair a comment in its file."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from limner.core.choices import nearest
from limner.core.errors import RecipeError
from limner.core.recipe import Recipe

AUTO = "auto"  # the planner decides


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes in the package, sorted."""
    files = importlib.resources.files("limner").joinpath("recipes").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def named_recipe(name: str) -> Recipe:
    """The recipe of the package called `name`.

    Raises
    ------
    RecipeError : there is none; the message names the nearest ones.
    """
    if name not in recipe_names():
        raise RecipeError(
            f"unknown recipe '{name}'",
            expected="a TOML file or the name of a recipe",
            fix=nearest(name, [AUTO, *recipe_names()]),
        )
    return Recipe.from_toml(recipe_text(name), where=f"recipe {name}")


def recipe_text(name: str) -> str:
    """The file of a named recipe as it is, comments included; `name` is one of `recipe_names`."""
    return importlib.resources.files("limner").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")


def read_recipe(file_or_name: Path | str) -> Recipe:
    """A recipe file, or a named recipe where no such file exists.

    Raises
    ------
    RecipeError : neither a file nor a name, or the file cannot be obeyed.
    """
    path = Path(file_or_name)
    if path.is_file() or path.suffix == ".toml":
        return Recipe.read(path)
    return named_recipe(str(file_or_name))
