"""``limner predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener


def predict(
    model: Path = typer.Argument(..., help="Run folder, bundle or classical method such as otsu."),
    inputs: list[str] = typer.Argument(..., help="Pictures, folders or glob patterns."),
    out: Path = typer.Option(..., help="New folder."),
    overlay: bool = typer.Option(False, "--overlay", help="Also draw the classes over each picture."),
    scores: bool = typer.Option(False, "--scores", help="Also write the scores, float16 NPY."),
    tile: int | None = typer.Option(None, min=32, help="Side of a tile in input pixels."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Write a label map of its own size for each picture."""

    def verb(listener: Listener) -> dict[str, Any]:
        from limner.api.predict import predict as call

        return call(
            model, inputs, out=out, overlay=overlay, scores=scores, tile=tile, overwrite=overwrite, listener=listener
        )

    def document(manifest: dict[str, Any]) -> dict[str, Any]:
        if manifest["failed"]:
            first = next(row["error"] for row in manifest["images"] if "error" in row)
            return {**manifest, "error": first}
        return manifest

    def lines(manifest: dict[str, Any]) -> None:
        done = len(manifest["images"]) - manifest["failed"]
        print(
            f"{done} label maps in {out}"
            + (f"; {manifest['failed']} pictures failed, see predictions.json" if manifest["failed"] else "")
        )

    show.run(
        verb,
        show=lines,
        document=document,
        as_json=as_json,
        debug=debug,
        failed=lambda manifest: int(manifest["failed"] > 0),
    )
