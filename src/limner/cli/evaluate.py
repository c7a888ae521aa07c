"""``limner evaluate``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener
    from limner.core.report import Report

COLUMNS = {
    "hd95": "HD95",
    "assd": "ASSD",
    "surface_dice": "surf.D",
    "boundary_iou": "b.IoU",
    "ece": "ECE",
    "brier": "Brier",
}


def evaluate(
    model: Path = typer.Argument(
        ..., help="Run folder, bundle, classical method, or folder of predicted masks from any tool."
    ),
    data: Path = typer.Argument(..., help="Folder of pictures and masks."),
    split: str | None = typer.Option(
        None, help="train, val, test or all; default: test, or all where there is no split."
    ),
    metrics: str = typer.Option("all", help="all, or overlap for counts of pixels alone, which is faster."),
    tolerance: float | None = typer.Option(
        None,
        help="Distance that surface Dice accepts, in pixels, or mm where a spacing is declared; default: 2 pixels.",
    ),
    compat: bool = typer.Option(False, "--compat", help="Also say what other tools would have printed."),
    out: Path | None = typer.Option(None, help="New folder for summary.json, per_image.csv and report.html."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Score a model or foreign predictions with stated definitions."""

    def verb(listener: Listener) -> Report:
        from limner.api.evaluate import evaluate as call

        return call(
            model, data, split=split, metrics=metrics, tolerance=tolerance, compat=compat, out=out, overwrite=overwrite,
            listener=listener,
        )  # fmt: skip

    def lines(report: Report) -> None:
        show.print_scores(report.summary())
        _print_more(report)
        _print_objects(report)
        for row in report.compat:
            print(f"{row['tool']:22} {row['call']:58} {_number(row['value'])}")
        for name in report.missing:
            print(f"no prediction for {name}; counted as empty")
        for note in report.notes:
            print(f"note: {note}")
        if out is not None:
            print(f"\nreport: {out / 'report.html'}")

    show.run(verb, show=lines, document=lambda report: report.summary(), as_json=as_json, debug=debug)


def _print_more(report: Report) -> None:
    """A table of boundary and calibration scores, where they were taken."""
    taken = [name for name in COLUMNS if name in report.scores]
    names = [name for name in report.scores["dice"] if any(name in report.scores[metric] for metric in taken)]
    if not taken:
        return
    width = max(12, *(len(name) for name in names))
    print(
        f"\n{'':{width}}  " + "  ".join(f"{COLUMNS[metric]:>6}" for metric in taken) + f"    lengths in {report.unit}"
    )
    for name in names:
        found = [report.scores[metric].get(name) for metric in taken]
        print(f"{name:{width}}  " + "  ".join(f"{_number(math.nan if s is None else s.mean):>6}" for s in found))


def _print_objects(report: Report) -> None:
    """A table of objects, where the truth tells them apart: numbers of all pictures together, then means over pictures."""
    counts = report.objects.get("counts", {})
    if not counts:
        return
    width = max(12, *(len(name) for name in counts))
    print(f"\n{'objects':{width}}    true   pred. missed merged  split spurious      F1  TP share     AP50      PQ")
    for name, found in counts.items():
        numbers = [found[key] for key in ("true", "predicted", "missed", "true_merged", "true_split", "spurious")]
        means = [report.scores[metric][name].mean for metric in ("f1_at_iou", "tp_share_at_iou", "ap50", "pq")]
        print(
            f"{name:{width}}  "
            + " ".join(f"{n:>6}" for n in numbers)
            + "  "
            + "  ".join(f"{_number(v):>7}" for v in means)
        )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"
