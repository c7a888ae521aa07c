"""``limner import-keras``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from limner.cli import show
from limner.core.command_line import command_line

if TYPE_CHECKING:
    from limner.api.import_keras import ImportResult
    from limner.core.protocols import Listener


def import_keras(
    file: Path = typer.Argument(..., help="Keras file: .keras, or .h5 with a model or weights alone."),
    recipe: str = typer.Option(..., help="Name or file of the recipe that the network was built from."),
    out: Path = typer.Option(..., "-o", "--out", help="New folder for the bundle."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Carry trained Keras weights of a teaching system over into a bundle."""

    def verb(listener: Listener) -> ImportResult:
        from limner.api.import_keras import import_keras as call

        return call(file, recipe=recipe, out=out, overwrite=overwrite, listener=listener)

    def lines(result: ImportResult) -> None:
        print(f"{result.layers} layers, {result.weights:,} weights in {result.bundle}")
        if result.max_abs_difference is not None:
            print(
                f"largest difference of a score between Keras and the bundle: {result.max_abs_difference:.2g} ({result.picture})"
            )
        print(f"predict with: {command_line('limner', 'predict', result.bundle, 'PICTURES', '--out', 'DIR')}")

    show.run(verb, show=lines, document=lambda result: result.as_dict(), as_json=as_json, debug=debug)
