"""Regions without an order get one: of a class the smaller on top, between classes as in the file."""

import numpy as np
import pytest

from limner.core.annotation import Annotation, Box, Points, Polygon, Region
from limner.data.drawing import Drawing
from limner.data.formats.relative import NORMALIZED
from limner.data.stacking import smaller_on_top

SIZE = (24, 37)
IDS = {"a": 1, "b": 2}


def area(label, x, y, w, h, **more):
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
    return Region(label, Polygon((corners,)), **more)


def places(*regions):
    """Where each region went: its place in the file, the lowest first."""
    ordered = smaller_on_top(Annotation("p", regions, size_hw=SIZE)).regions
    return [next(i for i, one in enumerate(regions) if one is region) for region in ordered]


def draw(image, *, is_ordered):
    drawn = Drawing(image, IDS, things=frozenset(IDS), is_ordered=is_ordered).draw(SIZE)
    return drawn.labels, drawn.objects.ids, drawn.objects.classes


def assert_same(*regions):
    image = Annotation("p", regions, size_hw=SIZE)
    for one, other in zip(draw(image, is_ordered=False), draw(smaller_on_top(image), is_ordered=True), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_small_region_listed_first_is_drawn_last():
    assert places(area("a", 10, 5, 4, 4), area("a", 2, 2, 20, 15)) == [1, 0]
    assert_same(area("a", 10, 5, 4, 4), area("a", 2, 2, 20, 15))


def test_regions_that_do_not_touch_stay_where_they_are():
    assert places(area("a", 1, 1, 3, 3), area("a", 10, 1, 9, 9), area("b", 25, 1, 2, 2)) == [0, 1, 2]


def test_classes_stay_in_the_order_of_the_file():
    small, other, large = area("a", 8, 5, 3, 3), area("b", 12, 4, 5, 6), area("a", 4, 2, 20, 15)
    assert places(other, large) == [0, 1]  # b lies below and is hidden, as in the file
    assert places(small, other, large) == [1, 2, 0]
    assert_same(small, other, large)


def test_in_a_circle_the_classes_win():
    small, other, large = area("a", 8, 5, 6, 6), area("b", 10, 4, 7, 6), area("a", 4, 2, 20, 15)
    assert places(small, other, large) == [0, 1, 2]
    image = Annotation("p", (small, other, large), size_hw=SIZE)
    labels = [draw(one, is_ordered=ordered)[0] for one, ordered in ((image, False), (smaller_on_top(image), True))]
    np.testing.assert_array_equal(*labels)


@pytest.mark.parametrize("seed", range(30))
def test_any_scene_keeps_its_classes_and_nested_ones_their_objects(seed):
    rng = np.random.default_rng(seed)
    regions = []
    for _ in range(9):
        w, h = rng.integers(1, 12, 2)
        regions.append(
            area(
                str(rng.choice(["a", "b"])), int(rng.integers(0, SIZE[1] - w)), int(rng.integers(0, SIZE[0] - h)), w, h
            )
        )
    image = Annotation("p", tuple(regions), size_hw=SIZE)
    ordered = smaller_on_top(image)
    assert sorted(map(id, ordered.regions)) == sorted(map(id, regions))
    np.testing.assert_array_equal(draw(image, is_ordered=False)[0], draw(ordered, is_ordered=True)[0])
    one_class = [region for region in regions if region.label == "a"]
    assert_same(*one_class)


def test_what_is_no_object_stays_in_its_place():
    crowd, points = area("a", 2, 2, 4, 4, is_crowd=True), Region("a", Points(np.array([[3.0, 3.0]])))
    assert places(crowd, points, area("a", 1, 1, 9, 9), Region("a", Box(2, 2, 2, 2))) == [0, 1, 2, 3]


def test_without_a_size_nothing_is_moved():
    regions = (area("a", 0.3, 0.3, 0.1, 0.1), area("a", 0, 0, 1, 1))
    for image in (Annotation("p", regions), Annotation("p", regions, size_hw=SIZE, attributes={NORMALIZED: True})):
        assert smaller_on_top(image).regions == regions
    assert smaller_on_top(Annotation("p", (), size_hw=SIZE)).regions == ()
