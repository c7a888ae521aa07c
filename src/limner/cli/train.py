"""``limner train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.api.train import TrainResult
    from limner.core.protocols import Listener


def train(
    data: Path = typer.Argument(..., help="Folder of pictures and masks."),
    recipe: str | None = typer.Option(None, help="Recipe file, its name in the package, or auto; default: decide one."),
    preset: str | None = typer.Option(
        None, help="Variations for a kind of pictures: photo, microscopy, radiology, aerial."
    ),
    settings: list[str] = typer.Option([], "--set", help="KEY=VALUE that overrules the recipe; repeatable."),
    budget: str | None = typer.Option(
        None, help="Wall-clock time from the first step to the last, as in 10m; folds share it evenly."
    ),
    out: Path | None = typer.Option(None, help="Run folder; default: runs/<name of DATA>."),
    resume: bool = typer.Option(False, "--resume", help="Go on with the run in --out; start it when there is none."),
    seed: int | None = typer.Option(None, help="Of everything random."),
    folds: int | None = typer.Option(
        None, help="Cross-validation: so many models, each holds out other pictures, and one report over all of them."
    ),
    devices: int = typer.Option(1, help="GPUs of each machine, one process each."),
    nodes: int = typer.Option(1, help="Machines; start the command on each with torchrun or srun."),
    log: list[str] = typer.Option([], help="Also draw curves with tensorboard or mlflow; repeatable."),
    allow_leaks: bool = typer.Option(False, "--allow-leaks", help="Train although the given split leaks."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Train, keep the best, judge it on the test split, write report.html."""

    def verb(listener: Listener) -> TrainResult:
        from limner.api.train import train as call
        from limner.core.recipe import parse_settings
        from limner.training.place import first_process

        result = call(
            data,
            recipe=recipe,
            preset=preset,
            settings=parse_settings(settings),
            budget=budget,
            out=out,
            resume=resume,
            seed=seed,
            folds=folds,
            devices=devices,
            nodes=nodes,
            log=log,
            overwrite=overwrite,
            allow_leaks=allow_leaks,
            listener=listener,
        )
        if not first_process():  # one of several that torchrun or srun has started: one speaks for all
            raise typer.Exit(show.INTERRUPTED if result.stopped == "interrupted" else 0)
        return result

    show.run(
        verb,
        show=lines,
        document=lambda result: result.as_dict(),
        as_json=as_json,
        debug=debug,
        failed=lambda result: show.INTERRUPTED if result.stopped == "interrupted" else 0,
    )


def lines(result: TrainResult) -> None:
    """The result in a few lines."""
    if result.stopped == "interrupted":
        return
    best = result.best
    kept = f"fold {best['fold']} is kept, its " if result.folds else ""
    print(
        f"{result.steps} steps in {result.seconds:.0f} s, stopped by {result.stopped}; "
        f"{kept}best after step {best['step']} ({best['metric']} {_four(best['value'])})"
    )
    for fold in result.folds:
        test = "".join(f", test {name} {_four(value)}" for name, value in fold.get("test", {}).items())
        scores = ", ".join(f"{name} {_four(value)}" for name, value in fold["scores"].items())
        print(f"fold {fold['fold']}: {fold['n']} pictures held out, Dice {scores}{test}")
    show.print_scores(result.test)
    print(f"\nmodel:  {result.model}\nreport: {result.run / 'report.html'}")


def _four(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
