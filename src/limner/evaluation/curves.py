"""Training curves, apart and together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from limner.evaluation.figure_style import ACCENT, DASHED, GRID, INK, LINE, number, plain

History = Sequence[Mapping[str, Any]]


def curve_figure(history: History, key: str, title: str, *, kept: int | None = None) -> Figure | None:
    """One column of a training history over time; None when fewer than two rows have it.

    Parameters
    ----------
    history : rows with ``seconds`` (or ``step``) and `key`; empty and NaN entries are left out.
    key : the column.
    title : what it is, in words.
    kept : step of the row whose weights were kept, which is marked; not always the highest. None marks none.
    """
    x, y, steps, clock = _points(history, key)
    if len(x) < 2:
        return None
    figure = Figure(figsize=(4.6, 2.7), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(x, y, color=LINE, linewidth=1.8, marker="o" if len(x) < 40 else None, markersize=3.5)
    if kept in steps:
        _mark_kept(axes, x, y, steps.index(kept))
    axes.set_title(title, fontsize=11, loc="left", color=INK)
    axes.set_xlabel(clock, color=INK)
    plain(axes)
    return figure


def curves_together(history: History, first: str, second: str, titles: tuple[str, str]) -> Figure | None:
    """Two columns of a training history over the same time, each with a scale of its own; None when one is missing.

    Parameters
    ----------
    history : as in `curve_figure`.
    first, second : the columns; the first is drawn in full with its scale at the left, the second dashed, at the right.
    titles : of the two scales.
    """
    (x1, y1, _, clock), (x2, y2, _, _) = _points(history, first), _points(history, second)
    if len(x1) < 2 or len(x2) < 2:
        return None
    figure = Figure(figsize=(4.6, 2.7), layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    left.plot(x1, y1, color=LINE, linewidth=1.8)
    right.plot(x2, y2, color=ACCENT, linewidth=1.8, linestyle=DASHED)
    left.set_title(f"{titles[0]} (full line, left), {titles[1]} (dashed, right)", fontsize=9, loc="left", color=INK)
    left.set_xlabel(clock, color=INK)
    plain(left)
    right.spines[["top", "left", "bottom"]].set_visible(False)
    right.spines["right"].set_color(GRID)
    right.tick_params(color=GRID, labelcolor=INK)
    return figure


def _points(history: History, key: str) -> tuple[list[float], list[float], list[float], str]:
    """Times, values and steps where time and value are finite, and the unit of the time."""
    clock = "seconds" if any(not math.isnan(number(row.get("seconds"))) for row in history) else "step"
    points = [(number(row.get(clock)), number(row.get(key)), number(row.get("step"))) for row in history]
    points = [(x, y, step) for x, y, step in points if math.isfinite(x) and math.isfinite(y)]
    in_minutes = clock == "seconds" and bool(points) and points[-1][0] > 180
    times = [x / 60 if in_minutes else x for x, _, _ in points]
    return times, [y for _, y, _ in points], [step for _, _, step in points], "minutes" if in_minutes else clock


def _mark_kept(axes: Axes, x: Sequence[float], y: Sequence[float], place: int) -> None:
    axes.plot(x[place], y[place], "o", color=ACCENT, markersize=8)
    near_end = x[place] > (x[0] + x[-1]) / 2
    axes.annotate(
        f"kept {y[place]:.3f}", (x[place], y[place]), xytext=(-9 if near_end else 9, -15),
        textcoords="offset points", ha="right" if near_end else "left", color=INK,
    )  # fmt: skip
