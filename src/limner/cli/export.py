"""``limner export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.api.export_job import ExportResult
    from limner.core.protocols import Listener


def export(
    model: Path = typer.Argument(..., help="Run folder or bundle."),
    to: str = typer.Option(..., "--to", help="onnx or openvino."),
    int8: bool = typer.Option(False, "--int8", help="In 8-bit integers, calibrated on training pictures."),
    data: Path | None = typer.Option(None, help="Data of the model; default: where its run found them."),
    out: Path | None = typer.Option(
        None, "-o", "--out", help="New .onnx file or OpenVINO folder; default: into the bundle."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace an earlier export at --out."),
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Write a network for ONNX Runtime or OpenVINO, when it gives the same labels there."""

    def verb(listener: Listener) -> ExportResult:
        from limner.api.export import export as call

        return call(model, to=to, int8=int8, data=data, out=out, overwrite=overwrite, listener=listener)

    def lines(result: ExportResult) -> None:
        print(f"{result.path} ({result.precision})")
        print(f"against the network on {result.tiles} {result.tiles_from} tiles:")
        print(f"  largest difference of a logit  {result.max_abs_logit_difference:.2g}")
        print(f"  pixels with another label      {result.label_disagreement:.4%}")
        if result.dice_loss is not None:
            print(f"  loss of Dice                   {result.dice_loss:+.4f}")
        if result.bfloat16 is not None:
            verdict = "used where it is faster" if result.bfloat16["passed"] else "too many, not used"
            print(f"  the same in bfloat16           {result.bfloat16['label_disagreement']:.4%}, {verdict}")
        if result.kept_float32:
            print(f"  in float32 stay                {', '.join(result.kept_float32)}")

    show.run(verb, show=lines, document=lambda result: result.as_dict(), as_json=as_json, debug=debug)
