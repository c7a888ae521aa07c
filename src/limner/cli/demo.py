"""``limner demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.api.demo import DemoResult
    from limner.core.protocols import Listener


def demo(
    out: Path = typer.Option(Path("limner-demo"), help="New folder."),
    budget: str = typer.Option("60s", help="Wall-clock time of the training."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """The main job on built-in microscope pictures: check, plan, train, evaluate, predict, report."""

    def verb(listener: Listener) -> DemoResult:
        from limner.api.demo import demo as call

        return call(out=out, budget=budget, overwrite=overwrite, listener=listener)

    def lines(result: DemoResult) -> None:
        from limner.cli.train import lines as train_lines

        train_lines(result.train)
        print(f"predicted masks and overlays: {out / 'predictions'}")

    show.run(verb, show=lines, document=lambda result: result.as_dict(), as_json=as_json, debug=debug)
