"""How many objects are found as more is asked of their outlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from limner.evaluation.figure_style import INK, number, plain
from limner.evaluation.names import visible
from limner.evaluation.plots import MARKS


def f1_figure(by_iou: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure | None:
    """F1 of the objects of all pictures over the IoU that they have to reach, a line per class; None where nothing is defined.

    Parameters
    ----------
    by_iou : class to rows with ``iou`` and ``f1``, as in ``summary.json``; the first six classes are drawn.
    """
    shown = {name: rows for name, rows in by_iou.items() if rows and rows[0].get("f1") is not None}
    if not shown:
        return None
    figure = Figure(figsize=(4.6, 2.9), layout="constrained")
    axes = figure.add_subplot()
    for (name, rows), (color, marker) in zip(shown.items(), MARKS, strict=False):
        x, y = [number(row["iou"]) for row in rows], [number(row["f1"]) for row in rows]
        axes.plot(
            x, y, color=color, marker=marker, markersize=4.5, linewidth=1.6, label=f" {visible(name, longest=24)}"
        )
    axes.set_xlim(0.48, 0.97)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("IoU that an object has to reach", color=INK)
    axes.set_ylabel("F1 of the objects", color=INK)
    if len(shown) > 1:
        legend = figure.legend(frameon=False, fontsize=8, labelcolor=INK, loc="outside lower center", ncols=2)
        for text in legend.get_texts():
            text.set_parse_math(False)
    plain(axes, grid="y")
    return figure
