"""Plots of the scores: Dice of the pictures, confusion of classes, calibration, kinds of mistakes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from limner.core.report import Report
from limner.evaluation.error_map import KINDS
from limner.evaluation.figure_style import ACCENT, DASHED, GRID, INK, LINE, number, plain
from limner.evaluation.names import visible

MOST_CELLS = 30  # classes of a confusion figure; numbers stand in its cells up to FEW_CELLS
FEW_CELLS = 8
MARKS = (("#3b82c4", "o"), ("#d97706", "s"), ("#0a8f68", "^"), ("#b0507f", "D"), ("#7a5cc0", "v"), ("#5f6b7a", "P"))


def dice_figure(report: Report, names: Sequence[str]) -> Figure | None:
    """One dot per picture and class with the mean and its 95 % interval; None when nothing is defined."""
    values = {name: _defined(report, name) for name in names}
    values = {name: found for name, found in values.items() if found}
    if not values:
        return None
    figure = Figure(figsize=(4.6, 1.0 + 0.5 * len(values)), layout="constrained")
    axes = figure.add_subplot()
    for level, (name, found) in enumerate(values.items()):
        spread = 0.26 * np.sin(np.arange(len(found)) * 2.4)  # even and always the same, unlike random jitter
        many = len(found) > 1500
        axes.plot(found, level + spread, "o", color=LINE, alpha=0.75, markersize=4.5, mew=0, rasterized=many)
        score = report.scores["dice"][name]
        axes.plot(score.ci95, [level, level], color=ACCENT, linewidth=3, solid_capstyle="round")
        axes.plot(score.mean, level, "D", color=ACCENT, markersize=7)
    axes.set_yticks(range(len(values)), [visible(name, longest=24) for name in values], parse_math=False)
    axes.set_ylim(len(values) - 0.45, -0.55)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Dice of each picture", color=INK)
    plain(axes)
    return figure


def histogram_figure(values: Sequence[float], title: str) -> Figure | None:
    """How many pictures have which Dice, in steps of 0.05; None when nothing is defined.

    Parameters
    ----------
    values : one per picture; NaN is left out.
    title : what was counted.
    """
    defined = [value for value in values if not math.isnan(value)]
    if not defined:
        return None
    figure = Figure(figsize=(4.6, 2.4), layout="constrained")
    axes = figure.add_subplot()
    axes.hist(defined, bins=[i / 20 for i in range(21)], color=LINE, edgecolor="white", linewidth=0.6)
    middle = float(np.mean(defined))
    axes.axvline(middle, color=ACCENT, linewidth=2, linestyle=DASHED)
    axes.set_title(f"{title} (dashed: mean {middle:.3f})", fontsize=9, loc="left", color=INK)
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("pictures", color=INK)
    plain(axes, grid="y")
    return figure


def confusion_figure(table: Sequence[Sequence[int]], names: Sequence[str]) -> Figure | None:
    """The confusion matrix: colour and percent per row, so that rare classes are seen too, with the pixels below.

    Parameters
    ----------
    table : ``(K, K)`` pixels; rows are the truth, columns the prediction. A class that the truth does not show has an empty row.
    names : of the K classes; None is drawn for none, or for more than `MOST_CELLS`.
    """
    if not len(table) or len(names) > MOST_CELLS:
        return None
    counts = np.array(table, np.int64)
    rows = counts.sum(1, keepdims=True)
    shares = np.divide(counts, rows, out=np.full(counts.shape, np.nan), where=rows > 0)
    side = 1.6 + (0.95 if len(names) <= FEW_CELLS else 0.36) * len(names)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1)
    labels = [visible(name, longest=18) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=45 if len(names) > 3 else 0, parse_math=False)
    axes.set_yticks(range(len(names)), labels, parse_math=False)
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("truth", color=INK)
    axes.tick_params(color=GRID, labelcolor=INK)
    if len(names) <= FEW_CELLS:
        for (row, column), share in np.ndenumerate(shares):
            text = "none" if math.isnan(share) else f"{share:.1%}\n{counts[row, column]:,}"
            dark = share > 0.55
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "#10233a")
    return figure


def reliability_figure(bins: Mapping[str, Sequence[Mapping[str, float | int | None]]]) -> Figure | None:
    """How often the answer is right against how sure it is, a line per class; None without bins that hold a pixel.

    Parameters
    ----------
    bins : class to rows with ``confidence`` (mean), ``accuracy`` (share that is right) and ``n`` pixels; empty ones are left out.
        The first six classes are drawn.
    """
    filled = {name: [row for row in rows if number(row.get("n")) > 0] for name, rows in bins.items()}
    filled = {name: rows for name, rows in filled.items() if rows}
    if not filled:
        return None
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GRID, linestyle=DASHED, linewidth=1.2)
    for (name, rows), (color, marker) in zip(filled.items(), MARKS, strict=False):
        x, y = [number(row.get("confidence")) for row in rows], [number(row.get("accuracy")) for row in rows]
        largest = max(number(row.get("n")) for row in rows)
        sizes = [12 + 70 * math.sqrt(number(row.get("n")) / largest) for row in rows]
        axes.plot(x, y, color=color, linewidth=1.3)
        axes.scatter(x, y, s=sizes, color=color, marker=marker, label=f" {visible(name, longest=24)}")
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("how sure the model is", color=INK)
    axes.set_ylabel("how often it is right", color=INK)
    if len(filled) > 1:
        legend = figure.legend(frameon=False, fontsize=8, labelcolor=INK, loc="outside lower center", ncols=2)
        for text in legend.get_texts():
            text.set_parse_math(False)
    plain(axes)
    return figure


def error_figure(pixels: Sequence[int]) -> Figure | None:
    """What the wrong pixels are, one bar per kind in its colour; None when no pixel is wrong.

    Parameters
    ----------
    pixels : wrong pixels of each kind, in the order of `limner.evaluation.error_map.KINDS`.
    """
    total = sum(pixels)
    if not total:
        return None
    figure = Figure(figsize=(5.6, 2.4), layout="constrained")
    axes = figure.add_subplot()
    shares = [count / total for count in pixels]
    colors = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in (kind.color for kind in KINDS)]
    axes.barh(range(len(KINDS)), shares, color=colors, edgecolor="#555555", linewidth=0.6)
    for level, (count, share) in enumerate(zip(pixels, shares, strict=True)):
        axes.text(share + 0.01, level, f"{share:.1%} ({count:,})", va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(KINDS)), [kind.title for kind in KINDS])
    axes.invert_yaxis()
    axes.set_xlim(0, max(shares) * 1.35)
    axes.set_xticks([])
    axes.set_xlabel(f"share of {total:,} wrong pixels", color=INK)
    plain(axes)
    return figure


def _defined(report: Report, name: str) -> list[float]:
    found = [row.metrics.get("dice", math.nan) for row in report.rows if row.class_name == name]
    return [value for value in found if not math.isnan(value)]
