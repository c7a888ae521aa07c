"""``limner plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from limner.cli import show
from limner.core.command_line import command_line

if TYPE_CHECKING:
    from limner.core.protocols import Listener
    from limner.core.recipe import Recipe


def plan(
    data: Path = typer.Argument(..., help="Folder of pictures and masks."),
    out: Path | None = typer.Option(None, "-o", "--out", help="File to write the recipe to; default: print it."),
    preset: str | None = typer.Option(
        None, help="Variations for a kind of pictures: photo, microscopy, radiology, aerial."
    ),
    settings: list[str] = typer.Option([], "--set", help="KEY=VALUE, for example schedule.budget=30m; repeatable."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace the file."),
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Decide a recipe for the data and say why, line by line."""

    def verb(listener: Listener) -> Recipe:
        from limner.api.plan import plan as call
        from limner.core.recipe import parse_settings

        return call(
            data, out=out, preset=preset, settings=parse_settings(settings), overwrite=overwrite, listener=listener
        )

    def lines(recipe: Recipe) -> None:
        if out is None:
            print(recipe.to_toml())
        else:
            print(f"written to {out}; train with: {command_line('limner', 'train', data, '--recipe', out)}")

    def document(recipe: Recipe) -> dict[str, Any]:
        return {
            "recipe": dict(recipe.items()),
            "reasons": dict(recipe.reasons),
            "out": None if out is None else str(out),
        }

    show.run(verb, show=lines, document=document, as_json=as_json, debug=debug)
