"""Outlines of objects: where they run, and that no two neighbours share a colour."""

import cv2
import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.core.objects import Objects, number_objects
from limner.inference.object_drawing import PALETTE, different_numbers, draw_objects

ONE = LabelSpace(("background", "cell"), things=("cell",))
TWO = LabelSpace(("background", "cell", "wall"), things=("cell", "wall"))


def crowd(seed, size_hw=(61, 83), number=40):
    rng = np.random.default_rng(seed)
    ids = np.zeros(size_hw, np.int32)
    for i in range(1, number + 1):
        centre = int(rng.integers(0, size_hw[1])), int(rng.integers(0, size_hw[0]))
        cv2.circle(ids, centre, int(rng.integers(3, 9)), i, -1)
    return ids


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reach", [1, 3])
def test_neighbours_differ(seed, reach):
    ids = number_objects(crowd(seed), np.ones((61, 83), np.uint8)).ids
    number = int(ids.max())
    found = different_numbers(ids, number, reach, 20)
    assert found.min() >= 0 and found.max() < 20
    close = 0
    for index in range(1, number + 1):
        near = cv2.dilate((ids == index).astype(np.uint8), np.ones((3, 3), np.uint8))  # corners count
        others = set(np.unique(ids[near > 0]).tolist()) - {0, index}
        close += len(others)
        assert all(found[other - 1] != found[index - 1] for other in others)
    assert close > 20


def test_more_neighbours_than_colours():
    ids = np.arange(1, 36, dtype=np.int32).reshape(5, 7)
    found = different_numbers(ids, 35, 1, 2)
    assert set(found.tolist()) == {0, 1}
    assert different_numbers(np.zeros((5, 7), np.int32), 0, 3, 4).tolist() == []
    assert different_numbers(ids[:1, :1], 1, 3, 4).tolist() == [0]  # smaller than the reach


def test_outlines_lie_inside_and_the_edge_of_the_picture_is_no_border():
    ids = np.zeros((9, 13), np.int32)
    ids[0:6, 0:5], ids[0:6, 5:9], ids[8, 12] = 1, 2, 3
    shown = np.full((9, 13, 3), 100, np.uint8)
    drawn = draw_objects(shown, Objects(ids, np.ones(3, np.int32)), ONE, opacity=0.0)
    changed = (drawn != 100).any(2)
    expected = np.zeros((9, 13), bool)
    expected[5, 0:9] = expected[0:6, 4] = expected[0:6, 5] = expected[0:6, 8] = expected[8, 12] = True
    assert np.array_equal(changed, expected) and (shown == 100).all()
    colors = {tuple(drawn[0, 4].tolist()), tuple(drawn[0, 5].tolist())}
    assert len(colors) == 2 and colors <= set(PALETTE)
    assert np.array_equal(draw_objects(shown, Objects.none((9, 13)), ONE), shown)


def test_several_classes_have_shades_of_their_colours():
    ids = np.zeros((9, 13), np.int32)
    ids[1:4, 1:4], ids[1:4, 4:8], ids[6:8, 1:12] = 1, 2, 3
    drawn = draw_objects(np.zeros((9, 13, 3), np.uint8), Objects(ids, np.array([1, 1, 2], np.int32)), TWO)
    red, other, wall = (drawn[y, x].astype(int) for y, x in ((1, 2), (1, 6), (6, 5)))
    assert not np.array_equal(red, other)
    for color in (red, other):
        assert color[0] >= color[1] and color[0] >= color[2]  # red is the class's colour
    assert wall.argmax() == np.argmax(TWO.colors[2])


def test_lines_grow_with_the_picture():
    ids = np.zeros((40, 2100), np.int32)
    ids[5:35, 100:400] = 1
    drawn = draw_objects(np.zeros((40, 2100, 3), np.uint8), Objects(ids, np.ones(1, np.int32)), ONE, opacity=0.0)
    assert (drawn[20, 100:103] > 0).any(1).all() and not drawn[20, 103].any()
