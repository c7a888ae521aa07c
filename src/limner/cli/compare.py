"""``limner compare``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.api.compare import Comparison
    from limner.core.protocols import Listener
    from limner.evaluation.compare import Versus


def compare(
    runs: list[Path] = typer.Argument(
        ...,
        help="Two or more run folders or folders of evaluate --out; with --data also bundles, methods, folders of masks.",
    ),
    data: Path | None = typer.Option(None, help="Score all of them anew on these data."),
    split: str | None = typer.Option(None, help="Part of --data: train, val, test or all."),
    metric: str = typer.Option("dice", help="What the sentences are about, such as dice, iou or hd95."),
    out: Path | None = typer.Option(None, help="New folder for compare.json and compare.html."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Compare models picture by picture; says when a difference is smaller than the noise."""

    def verb(listener: Listener) -> Comparison:
        from limner.api.compare import compare as call

        return call(runs, data=data, split=split, metric=metric, out=out, overwrite=overwrite, listener=listener)

    def lines(found: Comparison) -> None:
        for one in found.versus:
            print(f"\n{one.sentence}")
            _print_table(one, found.metric)
            for image, first, second in one.regressions:
                print(f"worse: {image}  {first:.3f} -> {second:.3f}")
        for note in found.notes:
            print(f"note: {note}")
        if out is not None:
            print(f"\ntable: {out / 'compare.html'}")

    show.run(verb, show=lines, document=lambda found: found.as_dict(), as_json=as_json, debug=debug)


def _print_table(versus: Versus, metric: str) -> None:
    """The metric for every class, then the others for the class that the sentence is about."""
    shown = [d for d in versus.differences if d.metric == metric or d.class_name == versus.headline]
    shown.sort(key=lambda d: d.metric != metric)
    width = max(len(f"{d.metric} {d.class_name}") for d in shown)
    print(f"{'':{width}}  {'first':>8}  {'second':>8}  {'diff.':>8}  {'95 % interval':>20}  {'pairs':>5}  verdict")
    for d in shown:
        low, high = d.ci95
        interval = "-" if math.isnan(low) else f"{low:+.3f} .. {high:+.3f}"
        numbers = "  ".join("-".rjust(8) if math.isnan(v) else f"{v:8.3f}" for v in (d.first, d.second, d.difference))
        print(f"{f'{d.metric} {d.class_name}':{width}}  {numbers}  {interval:>20}  {d.pairs:>5}  {d.verdict}")
