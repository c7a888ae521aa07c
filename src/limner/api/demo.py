"""The main job on the built-in real data set: check, plan, train, evaluate, predict, report; no network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.api.check import check
from limner.api.extras import require
from limner.api.predict import predict
from limner.api.train import TrainResult, train
from limner.core.duration import parse_duration
from limner.core.files import check_output, prepare_output
from limner.core.protocols import Listener, Silent
from limner.data.splits import read_rows

DATA = Path(__file__).resolve().parent.parent / "demo" / "nuclei"


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Parameters
    ----------
    check : the report of the check.
    train : the result of the training, with the test scores.
    predictions : manifest of the predicted test pictures.
    report : path of ``report.html``.
    """

    check: dict[str, Any]
    train: TrainResult
    predictions: dict[str, Any]
    report: Path

    def as_dict(self) -> dict[str, Any]:
        """``demo --json``."""
        return {
            "check": self.check,
            "train": self.train.as_dict(),
            "predictions": self.predictions,
            "report": str(self.report),
        }


def demo(
    *, out: Path | str = "limner-demo", budget: str = "60s", overwrite: bool = False, listener: Listener | None = None
) -> DemoResult:
    """Run everything on nuclei under the microscope (BBBC038, CC0).

    Parameters
    ----------
    out : new folder; gets ``run/`` and ``predictions/``.
    budget : of the training.
    overwrite : replace `out` when an earlier call made it; not before it is clear that the call can begin.

    Raises
    ------
    UsageError : `budget` is no duration.
    MachineError : the extra ``train`` is not installed.
    OutputError : `out` exists or may not be written.
    KeyboardInterrupt : the training was interrupted; the best model so far is in ``run/model``.
    """
    listener, folder = listener or Silent(), Path(out)
    if budget != "none":
        parse_duration(budget)
    require("train")
    check_output(folder, overwrite=overwrite, inputs=[DATA])
    found = check(DATA, listener=listener)
    prepare_output(folder, overwrite=overwrite, inputs=[DATA])
    result = train(DATA, budget=budget, out=folder / "run", listener=listener)
    if result.stopped == "interrupted":  # there is no report, and the model was not judged
        raise KeyboardInterrupt
    pictures = [DATA / row["image"] for row in read_rows(DATA / "splits.csv") if row["split"] == "test"]
    predictions = predict(folder / "run", pictures, out=folder / "predictions", overlay=True, listener=listener)
    return DemoResult(found.as_dict(), result, predictions, folder / "run" / "report.html")
