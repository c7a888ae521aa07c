"""``limner models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener

SOURCE_WIDTH = 72


def models(
    name: str | None = typer.Argument(None, help="Architecture, recipe or classical method; default: list all."),
    channels: int | None = typer.Option(
        None, help="Channels of the input; default: the recipe's own, 3 for an architecture."
    ),
    classes: int = typer.Option(1, help="Maps that the network returns; 1 = foreground or not."),
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """List networks, recipes and classical methods with weights, cost and source; or draw one network's layers."""

    def verb(listener: Listener) -> dict[str, Any]:
        from limner.api.models import models as call

        return call(name, channels=channels, classes=classes, listener=listener)

    show.run(verb, show=lines, document=lambda found: found, as_json=as_json, debug=debug)


def lines(found: dict[str, Any]) -> None:
    """A table of all, or of one model's layers."""
    if "models" in found:
        print(f"{'name':24} {'kind':12} {'weights':>12} {'GMAC':>8} {'input':>9}  source")
        for row in found["models"]:
            print(_line(row))
        return
    for layer in found.get("layers", []):
        shape = " x ".join(str(n) for n in layer["output_shape"])
        print(f"{layer['name']:52} {layer['kind']:20} {shape:>20} {layer['weights']:>12,}")
    for option in found.get("options", []):
        tries = ", ".join(f"{value}" for value in option["tries"]) or "proposed from the training pictures"
        print(f"{option['name']:12} {option['default']!s:8} {option['meaning']}; tuning tries {tries}")
    if "weights_total" in found:
        height, width = found["input_hw"]
        print(
            f"\n{found['name']}: {found['parameters']:,} parameters, {found['weights_total']:,} weights with running means and "
            f"variances, {found['gmacs']:.1f} GMAC at {width} x {height}"
        )
    print(found["source"])


def _line(row: dict[str, Any]) -> str:
    if "missing" in row:
        return f"{row['name']:24} {row['kind']:12} {'':31}  {row['missing']}"
    source = row["source"] if len(row["source"]) <= SOURCE_WIDTH else row["source"][: SOURCE_WIDTH - 3] + "..."
    if "weights_total" not in row:
        return f"{row['name']:24} {row['kind']:12} {'':31}  {source}"
    size = f"{row['input_hw'][1]}x{row['input_hw'][0]}"
    return f"{row['name']:24} {row['kind']:12} {row['weights_total']:>12,} {row['gmacs']:>8.1f} {size:>9}  {source}"
