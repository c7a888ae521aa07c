"""Test vectors for rasterisers in other languages, made by the exact oracle: python -m tests.make_vectors

A case has a shape, a picture size, a fill rule, a line width, and for each row of the picture the lengths of its runs: background
first (0 when the row begins with the shape), then in turn.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from limner.core.annotation import Bitmap, Box, Ellipse, Points, Polygon, Polyline
from tests.oracles.pixels import oracle

PATH = Path(__file__).parent / "oracles" / "rasterize_vectors.json"
SAFE = 1e-6  # no centre is nearer to a border that depends on a sine: those may differ in the last digit


def ring(*numbers) -> np.ndarray:
    return np.array(numbers, float).reshape(-1, 2)


def cases():
    """Name, shape, size, fill rule, line width."""
    yield from _written()
    yield from _drawn(np.random.default_rng(20))


def _written():
    bow = Polygon((ring(1, 1, 9, 7, 9, 1, 1, 7),))
    star = Polygon((ring(5, 0, 8, 9, 0, 3, 10, 3, 2, 9),))
    twice = Polygon((ring(1, 1, 6, 1, 6, 6, 1, 6, 1, 1, 4, 1, 4, 4, 1, 4),))
    for name, shape in (("bow tie", bow), ("pentagram", star), ("run round twice", twice)):
        yield name, shape, (9, 11), "nonzero", 1.0
        yield f"{name}, even-odd", shape, (9, 11), "evenodd", 1.0
    corners = [
        ring(*c)
        for c in ((0.5, 0.5, 6.5, 1.5, 3.5, 4.5), (6.5, 1.5, 8.5, 6.5, 3.5, 4.5), (0.5, 0.5, 3.5, 4.5, 1.5, 6.5))
    ]
    for i, corner in enumerate(corners):
        yield f"shared edges through centres {i}", Polygon((corner,)), (8, 10), "nonzero", 1.0
    yield "square on pixels", Polygon((ring(2, 1, 5, 1, 5, 4, 2, 4),)), (5, 7), "nonzero", 1.0
    yield "square on centres", Polygon((ring(1.5, 0.5, 4.5, 0.5, 4.5, 3.5, 1.5, 3.5),)), (5, 7), "nonzero", 1.0
    yield "square run the other way", Polygon((ring(1.5, 3.5, 4.5, 3.5, 4.5, 0.5, 1.5, 0.5),)), (5, 7), "nonzero", 1.0
    yield "diagonal through centres", Polygon((ring(0, 0, 7, 7, 0, 7),)), (7, 5), "nonzero", 1.0
    yield "diagonal of tenths", Polygon((ring(0.1, 0.1, 7.1, 7.1, 0.1, 7.1),)), (7, 5), "nonzero", 1.0
    yield "third of a slope", Polygon((ring(-2, 0, 10, 4, -2, 6),)), (7, 9), "nonzero", 1.0
    yield "outside", Polygon((ring(-9, -9, -2, -9, -5, -1),)), (5, 7), "nonzero", 1.0
    yield "around everything", Polygon((ring(-1e9, -1e9, 1e9, -1e9, 1e9, 1e9, -1e9, 1e9),)), (5, 7), "nonzero", 1.0
    yield "huge and slanted", Polygon((ring(-1e9, -1e9 + 3, 1e9, 1e9 + 2, -1e9, 1e9),)), (5, 7), "nonzero", 1.0
    yield (
        "huge with a hole",
        Polygon((ring(-1e9, -1e9, 1e9, -1e9, 0, 1e9),), (ring(2, 1, 6, 1, 4, 4),)),
        (5, 7),
        "nonzero",
        1.0,
    )
    yield "sliver between centres", Polygon((ring(0, 1.6, 9, 1.6, 9, 2.4, 0, 2.4),)), (5, 9), "nonzero", 1.0
    yield (
        "sliver on centres",
        Polygon((ring(0, 1.5, 9, 1.5, 9, 1.5 + 2**-40, 0, 1.5 + 2**-40),)),
        (5, 9),
        "nonzero",
        1.0,
    )
    yield "long sliver", Polygon((ring(0, 0, 9, 4.25, 0, 0.5),)), (5, 9), "nonzero", 1.0
    yield "without area", Polygon((ring(1, 1, 5, 5, 3, 3),)), (7, 7), "nonzero", 1.0
    yield "no ring", Polygon(()), (3, 5), "nonzero", 1.0
    yield (
        "rings that overlap",
        Polygon((ring(0, 0, 5, 0, 5, 4, 0, 4), ring(3, 2, 9, 2, 9, 6, 3, 6))),
        (7, 9),
        "evenodd",
        1.0,
    )
    nested = Polygon((ring(0, 0, 9, 0, 9, 8, 0, 8), ring(3, 3, 6, 3, 6, 6, 3, 6)), (ring(2, 2, 7, 2, 7, 7, 2, 7),))
    yield "a hole is cut out of all rings", nested, (8, 9), "nonzero", 1.0
    joined = (ring(2, 2, 2, 7, 7, 7, 7, 2, 2, 2, 3, 3, 6, 3, 6, 6, 3, 6, 3, 3),)
    yield "an island joined to its hole", Polygon(nested.rings, joined), (8, 9), "nonzero", 1.0
    yield "hole that crosses itself", Polygon((ring(0, 0, 9, 0, 9, 9, 0, 9),), star.rings), (9, 10), "evenodd", 1.0
    yield "box", Box(1.0, 0.5, 4.5, 3.0), (5, 7), "nonzero", 1.0
    yield "box turned by 30", Box(3.0, 0.25, 5.0, 3.0, 30.0), (8, 9), "nonzero", 1.0
    yield "box turned by -90", Box(1.5, 6.5, 5.0, 3.0, -90.0), (8, 9), "nonzero", 1.0
    yield "circle on a corner", Ellipse(4.0, 3.0, 2.5, 2.5), (6, 8), "nonzero", 1.0
    yield "circle through centres", Ellipse(4.5, 3.5, 2.0, 2.0), (7, 9), "nonzero", 1.0
    yield "ellipse cut off", Ellipse(0.0, 5.0, 6.25, 2.5), (6, 8), "nonzero", 1.0
    yield "ellipse turned by 20", Ellipse(5.0, 4.0, 4.5, 1.75, 20.0), (8, 10), "nonzero", 1.0
    yield "ellipse turned by 90", Ellipse(5.0, 4.0, 3.5, 1.75, 90.0), (8, 10), "nonzero", 1.0
    open_line = Polyline(ring(1, 1, 7, 1, 7, 5, 2.5, 3.25))
    for width in (1.0, 2.0, 3.5):
        yield f"line of width {width:g}", open_line, (7, 9), "nonzero", width
    yield "line thinner than a pixel", open_line, (7, 9), "nonzero", 0.1
    yield "line with a tiny step", Polyline(ring(3.1, 2.1, 3.2, 2.2)), (5, 7), "nonzero", 1.0
    yield "closed line", Polyline(ring(1, 1, 8, 1, 8, 6, 1, 6, 1, 1.5)), (7, 9), "nonzero", 1.0
    yield "line that goes back", Polyline(ring(1, 1, 6, 4, 1, 1)), (5, 7), "nonzero", 1.0
    yield "points", Points(ring(0, 0, 6.99, 2.5, 7, 1, -0.1, 1, 3, 4.999)), (5, 7), "nonzero", 1.0
    yield (
        "mask cut off",
        Bitmap(-1, 2, np.array([[1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0]], bool)),
        (4, 6),
        "nonzero",
        1.0,
    )


def _drawn(rng):
    for i in range(60):
        grid = (1.0, 2.0, 8.0, 2.0**20)[i % 4]
        count, fill = int(rng.integers(3, 9)), ("nonzero", "evenodd")[i // 4 % 2]
        points_xy = np.round(rng.uniform([-3, -3], [14, 11], (count, 2)) * grid) / grid
        yield f"random polygon {i}", Polygon((points_xy,)), (9, 12), fill, 1.0
    for i in range(20):
        line = np.round(rng.uniform([-2, -2], [13, 10], (int(rng.integers(2, 5)), 2)) * 2) / 2
        yield f"random line {i}", Polyline(line), (9, 12), "nonzero", float(rng.integers(1, 5))
    for i in range(10):
        x, y, rx, ry, angle = (float(v) for v in np.round(rng.uniform([0, 0, 1, 1, -180], [12, 9, 7, 4, 180]), 3))
        yield f"random ellipse {i}", Ellipse(x, y, rx, ry, angle), (9, 12), "nonzero", 1.0
        yield f"random box {i}", Box(x, y, 2 * rx, ry, angle), (9, 12), "nonzero", 1.0


def as_json(shape) -> dict:
    """A shape as the studio writes it."""
    name = type(shape).__name__.lower()
    if isinstance(shape, Polygon):
        return {"kind": name, "rings": [r.tolist() for r in shape.rings], "holes": [h.tolist() for h in shape.holes]}
    if isinstance(shape, Bitmap):
        return {"kind": name, "x": shape.x, "y": shape.y, "mask": shape.mask.astype(int).tolist()}
    if isinstance(shape, Box | Ellipse):
        return {"kind": name, **{key: float(value) for key, value in vars(shape).items()}}
    return {"kind": name, "points_xy": shape.points_xy.tolist()}


def runs(row: np.ndarray) -> list[int]:
    """Lengths of the runs of a row, background first."""
    change = np.flatnonzero(np.diff(row)) + 1
    lengths = np.diff([0, *change.tolist(), len(row)]).tolist()
    return [0, *lengths] if row[0] else lengths


def document() -> str:
    """The file."""
    lines = []
    for name, shape, size_hw, fill, line_width in cases():
        mask, margin = oracle(shape, size_hw, fill=fill, line_width=line_width)
        if margin < SAFE:
            raise ValueError(f"{name}: a centre is {margin} from the border")
        case = {"name": name, "shape": as_json(shape), "size_hw": list(size_hw), "fill": fill, "line_width": line_width}
        lines.append(json.dumps(case | {"rows": [runs(row) for row in mask]}))
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    PATH.write_text(document())
