"""How figures of a report look, and how they become SVG inside a page or PNG files."""

from __future__ import annotations

import io
import math
import re
import warnings
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#010203"  # stands for the page's text colour in an inline SVG
LINE, ACCENT, GRID = "#3b82c4", "#d97706", "#8a8f98"
DASHED = (0, (4, 2))
STYLE: Any = {"svg.fonttype": "none", "font.family": ["DejaVu Sans"], "font.size": 10}


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


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file on white, 150 dots per inch."""
    content = io.BytesIO()
    _save(figure, content, kind="png")
    return content.getvalue()


def number(value: object) -> float:
    """A cell of a table as a number; NaN where it is none."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def plain(axes: Axes, *, grid: str = "x") -> None:
    """No frame but the two axes, and faint lines across the axis `grid`."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(color=GRID, labelcolor=INK)
    axes.grid(axis="x" if grid == "x" else "y", color=GRID, alpha=0.25, linewidth=0.7)
    axes.set_axisbelow(True)


def _save(figure: Figure, file: io.StringIO | io.BytesIO, *, kind: str, name: str = "limner") -> None:
    with rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # class names may be in any script
        if kind == "svg":
            figure.savefig(file, format="svg", transparent=True)
        else:
            figure.savefig(file, format="png", dpi=150, facecolor="white")
