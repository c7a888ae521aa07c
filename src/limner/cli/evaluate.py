"""``limner evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener
    from limner.core.report import Report


def evaluate(
    model: Path = typer.Argument(..., help="Run folder, bundle, or folder of predicted masks from any tool."),
    data: Path = typer.Argument(..., help="Folder of pictures and masks."),
    split: str | None = typer.Option(
        None, help="train, val, test or all; default: test, or all where there is no split."
    ),
    out: Path | None = typer.Option(None, help="New folder for summary.json, per_image.csv and report.html."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Score a model or foreign predictions with stated definitions."""

    def verb(listener: Listener) -> Report:
        from limner.api.evaluate import evaluate as call

        return call(model, data, split=split, out=out, overwrite=overwrite, listener=listener)

    def lines(report: Report) -> None:
        show.print_scores(report.summary())
        for name in report.missing:
            print(f"no prediction for {name}; counted as empty")
        if out is not None:
            print(f"\nreport: {out / 'report.html'}")

    show.run(verb, show=lines, document=lambda report: report.summary(), as_json=as_json, debug=debug)
