"""Every figure of a report as a PNG file, for slides and papers; and which plots there are."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from limner.core.files import write_bytes
from limner.core.report import Report
from limner.evaluation.curves import curve_figure, curves_together
from limner.evaluation.evaluate import FOREGROUND, MACRO
from limner.evaluation.figure_style import to_png
from limner.evaluation.gallery import DrawnCase
from limner.evaluation.inspection import Inspection
from limner.evaluation.object_plots import f1_figure
from limner.evaluation.pictures import Picture
from limner.evaluation.plots import (
    confusion_figure,
    dice_figure,
    error_figure,
    histogram_figure,
    reliability_figure,
)
from limner.evaluation.ranking import picture_scores

__all__ = ["plots_of", "write_figures"]

History = Sequence[Mapping[str, Any]]
LOSS, DICE = "Training loss", "Dice on validation pictures"


def plots_of(
    report: Report,
    *,
    history: History = (),
    kept_step: int | None = None,
    names: Sequence[str] = (),
    inspection: Inspection | None = None,
) -> dict[str, Callable[[], Figure | None]]:
    """File name without suffix to what draws the figure; it returns None where there are no data for it.

    Parameters
    ----------
    history : rows of ``history.csv``.
    kept_step : of the row whose weights were kept.
    names : classes of the Dice figure; default: all but the background, or the foreground as one mask where there is one class.
    inspection : kinds of mistakes; None draws none.
    """
    classes = [name for name in report.scores["dice"] if name not in (FOREGROUND, MACRO)][1:]
    several = len(classes) > 1
    chosen = [name for name in names or (classes if several else (FOREGROUND,)) if name in report.scores["dice"]]
    known = calibrated(report)
    return {
        "loss": lambda: curve_figure(history, "train_loss", LOSS),
        "validation_dice": lambda: curve_figure(history, "val_dice", DICE, kept=kept_step),
        "curves": lambda: curves_together(history, "train_loss", "val_dice", ("training loss", "validation Dice")),
        "dice_per_image": lambda: dice_figure(report, chosen),
        "dice_histogram": lambda: histogram_figure(
            list(picture_scores(report).values()),
            "Mean Dice of a picture's classes" if several else "Dice of each picture",
        ),
        "confusion": lambda: confusion_figure(report.confusion, report.classes),
        "errors": lambda: None if inspection is None else error_figure(inspection.errors.pixels),
        "objects_by_iou": lambda: f1_figure(report.objects.get("by_iou", {})),
        "calibration": lambda: reliability_figure({name: report.calibration[name] for name in known}),
    }


def calibrated(report: Report) -> list[str]:
    """The rows of ``Report.calibration`` that are shown: the foreground where there is one class, else each class."""
    names = [name for name in report.calibration if name not in (FOREGROUND, MACRO)]
    if len(names) > 2:
        return names[1:]
    return [FOREGROUND] if FOREGROUND in report.calibration else names[-1:]


def write_figures(
    folder: Path,
    *,
    report: Report,
    history: History = (),
    kept_step: int | None = None,
    names: Sequence[str] = (),
    inspection: Inspection | None = None,
    cases: Sequence[DrawnCase] = (),
) -> list[Path]:
    """Save the figures that there are data for, and triptych and overlay of each shown picture.

    Parameters
    ----------
    folder : becomes or is a folder; gets ``loss.png``, ``validation_dice.png``, ``curves.png``, ``dice_per_image.png``,
        ``dice_histogram.png``, ``confusion.png``, ``errors.png``, ``calibration.png``,
        ``objects_by_iou.png``, and for each shown picture
        ``worst-1-triptych.png`` and ``worst-1-overlay.png``, numbered within its kind.
    history, kept_step, names, inspection : as in `plots_of`.
    cases : the shown pictures.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    written = []
    plots = plots_of(report, history=history, kept_step=kept_step, names=names, inspection=inspection)
    for name, draw in plots.items():
        figure = draw()
        if figure is not None:
            write_bytes(folder / f"{name}.png", to_png(figure))
            written.append(folder / f"{name}.png")
    numbers: dict[str, int] = {}
    for case in cases:
        numbers[case.kind] = numbers.get(case.kind, 0) + 1
        for what, picture in (("triptych", case.triptych), ("overlay", case.overlay)):
            path = folder / f"{case.kind or 'picture'}-{numbers[case.kind]}-{what}.png"
            write_bytes(path, _png(picture))
            written.append(path)
    return written


def _png(picture: Picture) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()
