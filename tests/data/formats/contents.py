"""Contents of annotation files for tests, and the corpus of real ones where it is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Box, Ellipse, Polygon, Region
from limner.data.formats.format import Content, read_content

SHARED = Path(__file__).resolve().parents[4] / "shared"


def json_content(document: Any, path: Path = Path("a.json"), duplicates: tuple[str, ...] = ()) -> Content:
    return Content(path, json.dumps(document), json=document, duplicates=duplicates)


def corpus(name: str) -> Content:
    path = SHARED / "annotations" / name
    if not path.is_file():
        pytest.skip("the corpus of annotation files is not here")
    return read_content(path)


def expected(name: str) -> dict[str, Any]:
    entries = json.loads((SHARED / "annotations" / "EXPECTED.json").read_text(encoding="utf-8"))
    return next(entry for entry in entries if entry["file"] == name)


def reread(folder: Path, name: str) -> Content:
    return read_content(folder / name)


def codes(problems: tuple[Any, ...]) -> list[str]:
    return [problem.code for problem in problems]


def ring(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float64)


def foreign() -> AnnotationSet:
    """What another format might have read: every kind of area, on pictures that are not square."""
    square, hole = ring((1, 1), (9, 1), (9, 6), (1, 6)), ring((3, 2), (5, 2), (5, 4), (3, 4))
    triangle = ring((0.25, 0.5), (4.75, 0.5), (0.25, 6.125))
    bent = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], bool)
    one = (
        Region("leaf", Polygon((square,), (hole,))),
        Region("stem", Polygon((triangle,)), attributes={"sure": "yes"}),
        Region("leaf", Box(2, 3, 4.5, 2)),
        Region("leaf", Ellipse(6, 3.5, 3, 1.5, 30)),
        Region("stem", Bitmap(7, 2, bent)),
    )
    two = (Region("leaf", Polygon((ring((0, 0), (2, 0), (0, 2)), ring((4, 4), (6, 4), (6, 5), (4, 5))))),)
    return AnnotationSet(
        "via2",
        (
            Annotation("a.png", one, size_hw=(7, 11), subset="train"),
            Annotation("b/c.jpg", two, size_hw=(6, 8), subset="train"),
            Annotation("d.jpg", (), size_hw=(5, 4), subset="train"),
        ),
        classes=("leaf", "stem"),
    )
