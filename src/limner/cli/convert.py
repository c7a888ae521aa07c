"""``limner convert``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener


def convert(
    src: Path = typer.Argument(..., help="Folder of pictures and masks in any layout."),
    dst: Path = typer.Argument(..., help="New folder."),
    to: str = typer.Option("masks", help="Format to write: masks."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be written."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Write a data set as images/, masks/ with class ids, and limner.toml."""

    def verb(listener: Listener) -> dict[str, Any]:
        from limner.api.convert import convert as call

        return call(src, dst, to=to, dry_run=dry_run, overwrite=overwrite, listener=listener)

    def lines(found: dict[str, Any]) -> None:
        print(f"{found['images']} pictures, {found['images_without_objects']} of them without any foreground")
        print("classes: " + ", ".join(f"{name} ({count})" for name, count in found["classes"].items()))
        for warning in found["warnings"]:
            print(f"{warning['code']}: {warning['message']}")
        print("nothing was written" if dry_run else f"written to {dst}")

    show.run(verb, show=lines, document=lambda found: found, as_json=as_json, debug=debug)
