"""Pictures for people: overlays, differences, training curves and the Dice of each picture.

Colours of differences are those of Okabe and Ito, which people with any kind of colour vision can tell apart.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from limner.core.files import write_bytes
from limner.core.labels import LabelSpace
from limner.core.report import Report

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
History = Sequence[Mapping[str, Any]]

CORRECT, MISSED, FALSE_ALARM, WRONG_CLASS = (0, 158, 115), (240, 170, 20), (213, 74, 160), (86, 180, 233)
INK = "#010203"  # stands for the page's text colour in an inline SVG
LINE, DOT, BEST = "#3b82c4", "#3b82c4", "#d97706"
STYLE: Any = {"svg.fonttype": "none", "font.family": ["DejaVu Sans"], "font.size": 10}


def to_display(image: npt.NDArray[Any], *, stretch: bool = False) -> Picture:
    """An image of any depth and channel count as 8-bit RGB.

    Parameters
    ----------
    image : ``(H, W)`` or ``(H, W, C)``; 1 channel becomes gray, 2 become red and green, of more the first 3 are shown.
    stretch : also stretch 8-bit pictures; all others always are, from their 0.5 to their 99.5 percentile.

    Returns
    -------
    ``(H, W, 3)`` uint8; not finite values become 0, a picture of one value that is not 8-bit becomes black.
    """
    shown = image[..., None] if image.ndim == 2 else image[..., :3]
    if shown.dtype == np.bool_:
        shown = shown.astype(np.uint8) * 255
    if stretch or shown.dtype != np.uint8:
        values = np.nan_to_num(shown.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        low, high = np.percentile(values, (0.5, 99.5)) if values.size else (0.0, 1.0)
        if high <= low:  # a few bright pixels on nothing
            low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        shown = np.rint(np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)
    if shown.shape[2] == 1:
        return np.repeat(shown, 3, axis=2)
    if shown.shape[2] == 2:
        return np.concatenate([shown, np.zeros_like(shown[..., :1])], axis=2)
    return np.ascontiguousarray(shown)


def overlay(
    image: npt.NDArray[Any],
    labels: npt.NDArray[np.integer],
    label_space: LabelSpace,
    *,
    opacity: float = 0.45,
    outline: bool = True,
) -> Picture:
    """The picture with its classes in colour; the background stays as it is.

    Parameters
    ----------
    image : ``(H, W, C)`` of any depth, see `to_display`.
    labels : ``(H, W)`` class ids of `label_space`.
    opacity : of the colour, 0 to 1.
    outline : draw the inner border of each region in full colour, about 1 / 700 of the longer side wide.

    Returns
    -------
    ``(H, W, 3)`` uint8.
    """
    shown = to_display(image)
    colors = np.array(label_space.colors, np.float32)[labels]
    strength = np.where(labels > 0, np.float32(opacity), np.float32(0))
    if outline:
        strength[_outline(labels)] = 1.0
    blended: Picture = np.rint(shown + (colors - shown) * strength[..., None]).astype(np.uint8)
    return blended


def difference(
    image: npt.NDArray[Any],
    pred: npt.NDArray[np.integer],
    target: npt.NDArray[np.integer],
    *,
    valid: Mask | None = None,
    opacity: float = 0.75,
) -> Picture:
    """Where prediction and truth agree and where not, on a gray copy of the picture.

    Parameters
    ----------
    image : ``(H, W, C)`` of any depth.
    pred, target : ``(H, W)`` class ids, 0 = background.
    valid : ``(H, W)`` bool; no colour where it is False.
    opacity : of the colours, 0 to 1.

    Returns
    -------
    ``(H, W, 3)`` uint8; `CORRECT` foreground, `MISSED`, `FALSE_ALARM` and `WRONG_CLASS` in their colours.
    """
    gray = to_display(image).astype(np.float32).mean(2, keepdims=True) * 0.75
    shown = np.repeat(gray, 3, axis=2)
    known = np.ones(target.shape, np.bool_) if valid is None else valid
    found, true = pred > 0, target > 0
    kinds: tuple[tuple[Mask, tuple[int, int, int]], ...] = (
        (true & (pred == target), CORRECT), (true & ~found, MISSED),
        (found & ~true, FALSE_ALARM), (found & true & (pred != target), WRONG_CLASS),
    )  # fmt: skip
    for where, color in kinds:
        shown[where & known] += (np.array(color, np.float32) - shown[where & known]) * opacity
    drawn: Picture = np.rint(shown).astype(np.uint8)
    return drawn


def curve_figure(history: History, key: str, title: str, *, best: bool = False) -> Figure | None:
    """One column of a training history over time; None when fewer than two rows have it.

    Parameters
    ----------
    history : rows with ``seconds`` (or ``step``) and `key`; empty and NaN entries are left out.
    key : the column.
    title : what it is, in words.
    best : mark the highest value.
    """
    clock = "seconds" if any(not math.isnan(_number(row.get("seconds"))) for row in history) else "step"
    points = [(_number(row.get(clock)), _number(row.get(key))) for row in history]
    points = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(points) < 2:
        return None
    in_minutes = clock == "seconds" and points[-1][0] > 180
    x = [a / 60 if in_minutes else a for a, _ in points]
    y = [b for _, b in points]
    figure = Figure(figsize=(4.6, 2.7), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(x, y, color=LINE, linewidth=1.8, marker="o" if len(x) < 40 else None, markersize=3.5)
    if best:
        top = max(range(len(y)), key=y.__getitem__)
        axes.plot(x[top], y[top], "o", color=BEST, markersize=8)
        near_end = x[top] > (x[0] + x[-1]) / 2
        axes.annotate(
            f"best {y[top]:.3f}", (x[top], y[top]), xytext=(-9 if near_end else 9, -15),
            textcoords="offset points", ha="right" if near_end else "left", color=INK,
        )  # fmt: skip
    axes.set_title(title, fontsize=11, loc="left", color=INK)
    axes.set_xlabel({"step": "step"}.get(clock, "minutes" if in_minutes else "seconds"), color=INK)
    _plain(axes)
    return figure


def dice_figure(report: Report, names: Sequence[str]) -> Figure | None:
    """One dot per picture and class with the mean and its 95 % interval; None when nothing is defined."""
    values = {name: [row.metrics["dice"] for row in report.rows if row.class_name == name] for name in names}
    values = {name: [v for v in found if not math.isnan(v)] for name, found in values.items()}
    values = {name: found for name, found in values.items() if found}
    if not values:
        return None
    figure = Figure(figsize=(4.6, 1.0 + 0.5 * len(values)), layout="constrained")
    axes = figure.add_subplot()
    for level, (name, found) in enumerate(values.items()):
        spread = 0.26 * np.sin(np.arange(len(found)) * 2.4)  # even and always the same, unlike random jitter
        many = len(found) > 1500
        axes.plot(found, level + spread, "o", color=DOT, alpha=0.55, markersize=4.5, mew=0, rasterized=many)
        score = report.scores["dice"][name]
        axes.plot(score.ci95, [level, level], color=BEST, linewidth=3, solid_capstyle="round")
        axes.plot(score.mean, level, "D", color=BEST, markersize=7)
    ticks = [name if len(name) < 25 else name[:22] + "..." for name in values]
    axes.set_yticks(range(len(values)), ticks, parse_math=False)
    axes.set_ylim(len(values) - 0.45, -0.55)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Dice of each picture", color=INK)
    _plain(axes)
    return figure


def to_svg(figure: Figure, *, name: str, label: str) -> str:
    """The figure as SVG to stand inside a page: text in the page's colour and font, no outside references.

    Parameters
    ----------
    name : unique in the page; its ids are derived from it.
    label : what a reader who cannot see it is told; plain text.
    """
    text = io.StringIO()
    _save(figure, text, kind="svg", name=name)
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href").replace(INK, "currentColor")
    svg = re.sub(r'font:([^"\']*?)\'?DejaVu Sans\'?[^;"]*', r"font:\1system-ui, sans-serif", svg)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', r"<svg \1 @@>", svg, count=1)
    spoken = label.translate({ord(c): f"&#{ord(c)};" for c in "&<>\"'"})
    return svg.replace("@@", f'role="img" aria-label="{spoken}"', 1)


def write_figures(folder: Path, *, report: Report, history: History = (), names: Sequence[str] = ()) -> list[Path]:
    """Save the curves and the Dice of each picture as PNG files; those without data are left out.

    Parameters
    ----------
    folder : becomes or is a folder; files ``loss.png``, ``validation_dice.png``, ``dice_per_image.png``.
    names : classes of the Dice figure; default: the foreground as one mask.
    """
    figures: dict[str, Callable[[], Figure | None]] = {
        "loss": lambda: curve_figure(history, "train_loss", "Training loss"),
        "validation_dice": lambda: curve_figure(history, "val_dice", "Dice on validation pictures", best=True),
        "dice_per_image": lambda: dice_figure(report, names or ("foreground",)),
    }
    written = []
    for name, draw in figures.items():
        figure = draw()
        if figure is not None:
            content = io.BytesIO()
            _save(figure, content, kind="png")
            write_bytes(folder / f"{name}.png", content.getvalue())
            written.append(folder / f"{name}.png")
    return written


def _outline(labels: npt.NDArray[np.integer]) -> Mask:
    width = max(1, round(max(labels.shape) / 700))
    ids = labels.astype(np.uint16)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    low, high = cv2.erode(ids, cross, iterations=width), cv2.dilate(ids, cross, iterations=width)
    return np.asarray((labels > 0) & ((low != ids) | (high != ids)), np.bool_)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def _save(figure: Figure, file: io.StringIO | io.BytesIO, *, kind: str, name: str = "limner") -> None:
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # class names may be in any script
        if kind == "svg":
            figure.savefig(file, format="svg", transparent=True)
        else:
            figure.savefig(file, format="png", dpi=150, facecolor="white")


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#8a8f98")
    axes.tick_params(color="#8a8f98", labelcolor=INK)
    axes.grid(axis="x", color="#8a8f98", alpha=0.25, linewidth=0.7)
    axes.set_axisbelow(True)
