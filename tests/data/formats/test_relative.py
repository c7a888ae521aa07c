from __future__ import annotations

import numpy as np
import pytest

from limner.core.annotation import Annotation, Bitmap, Box, Ellipse, Points, Polygon, Polyline, Region
from limner.data.formats.relative import is_normalized, to_pixels
from tests.data.formats.contents import ring


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (
            Polygon(
                (ring((0, 0.5), (1, 0), (0.5, 1)),),
                (
                    ring(
                        (0.25, 0.5),
                    ),
                ),
            ),
            Polygon(
                (ring((0, 10), (40, 0), (20, 20)),),
                (
                    ring(
                        (10, 10),
                    ),
                ),
            ),
        ),
        (Box(0.25, 0.5, 0.5, 0.25, 30), Box(10, 10, 20, 5, 30)),
        (Ellipse(0.5, 0.25, 0.125, 0.5, 10), Ellipse(20, 5, 5, 10, 10)),
        (Polyline(ring((0, 0), (1, 1))), Polyline(ring((0, 0), (40, 20)))),
        (Points(ring((0.5, 0.5))), Points(ring((20, 10)))),
        (Bitmap(3, 2, np.ones((2, 1), bool)), Bitmap(3, 2, np.ones((2, 1), bool))),
    ],
)
def test_shares_become_pixels_and_angles_stay(shape, expected):
    annotation = Annotation("a.png", (Region("x", shape, order=3),), attributes={"normalized": True, "light": "day"})
    found = to_pixels(annotation, (20, 40))
    assert is_normalized(annotation) and not is_normalized(found)
    assert found.regions == (Region("x", expected, order=3),)
    assert found.size_hw == (20, 40) and dict(found.attributes) == {"light": "day"}


def test_pixels_stay_pixels():
    annotation = Annotation("a.png", (Region("x", Box(1, 2, 3, 4)),), size_hw=(5, 7), attributes={"normalized": "yes"})
    assert to_pixels(annotation, (50, 70)) is annotation
