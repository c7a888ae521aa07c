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
    tta: bool = typer.Option(False, "--tta", help="Average over mirrored copies: slower, a little better."),
    ensemble: bool = typer.Option(False, "--ensemble", help="The mean of all folds of a run with folds."),
    uncertainty: bool = typer.Option(False, "--uncertainty", help="Also write how unsure each pixel is, gray PNG."),
    runtime: str = typer.Option("auto", help="What computes: auto (the fastest here), torch, onnx or openvino."),
    spacing: float | None = typer.Option(None, help="Side of a pixel in mm, for measurements of objects."),
    engine: str = typer.Option("local", help="local, or ray for many processes and machines."),
    resume: bool = typer.Option(False, "--resume", help="Continue an interrupted call in --out."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Write a label map of its own size for each picture."""

    def verb(listener: Listener) -> dict[str, Any]:
        from limner.api.predict import predict as call

        return call(
            model, inputs, out=out, overlay=overlay, scores=scores, tile=tile, tta=tta, ensemble=ensemble,
            uncertainty=uncertainty, runtime=runtime, spacing=spacing, engine=engine, resume=resume, overwrite=overwrite,
            listener=listener,
        )  # fmt: skip

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
