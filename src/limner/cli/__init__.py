"""The command line: one command, one file; parse, call, show. Heavy imports wait until a verb is used."""

from __future__ import annotations

import io
import sys

import typer

from limner.cli import (
    check,
    compare,
    convert,
    demo,
    evaluate,
    export,
    import_keras,
    info,
    models,
    plan,
    predict,
    serve,
    train,
)

app = typer.Typer(
    name="limner",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From a folder of pictures and masks to a segmentation model you can trust.",
)

for command in (
    demo,
    check,
    convert,
    plan,
    train,
    evaluate,
    compare,
    predict,
    export,
    serve,
    models,
    import_keras,
    info,
):
    name = command.__name__.rpartition(".")[2]
    app.command(name.replace("_", "-"))(getattr(command, name))


def main() -> None:
    """Entry point of the ``limner`` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's encoding lacks is printed with its number
            stream.reconfigure(errors="backslashreplace")
    if sys.argv[1:] == ["--version"]:
        import limner

        print(f"limner {limner.__version__}")
        return
    app()
