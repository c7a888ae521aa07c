"""Areas, boxes, pieces, convexity and touching of objects against one object after the other; facts of a data set."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from limner.core.labels import LabelSpace
from limner.core.objects import Objects
from limner.data.areas import boxes_of
from limner.data.object_facts import ObjectFacts, object_facts
from limner.data.object_shapes import shapes_of, touching_pairs


def cross(o, a, b):
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def hull(points):
    """Corners, counter-clockwise (monotone chain)."""
    points = sorted(set(points))
    if len(points) < 3:
        return points
    halves = []
    for line in (points, points[::-1]):
        half = []
        for point in line:
            while len(half) > 1 and cross(half[-2], half[-1], point) <= 0:
                half.pop()
            half.append(point)
        halves += half[:-1]
    return halves


def pixels_in_hull(mask):
    """Centres in the convex hull of the centres, one after the other."""
    corners = hull([tuple(p) for p in np.argwhere(mask).tolist()])
    pairs = list(zip(corners, corners[1:] + corners[:1], strict=True))
    count = 0
    for point in np.ndindex(mask.shape):
        inside = all(cross(a, b, point) >= 0 for a, b in pairs)
        if len(corners) < 3:
            low, high = np.min(corners, axis=0), np.max(corners, axis=0)
            inside = inside and bool((low <= point).all() and (high >= point).all())
        count += inside
    return count


def pieces_of(mask):
    """Connected pieces, corners connect, by flooding."""
    left, pieces = {tuple(p) for p in np.argwhere(mask).tolist()}, 0
    while left:
        pieces, open_ = pieces + 1, [left.pop()]
        while open_:
            y, x = open_.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            open_ += near
    return pieces


def touches(ids, classes, number):
    mask = np.pad(ids == number, 1)
    grown = sum(np.roll(mask, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1))[1:-1, 1:-1] > 0
    return sorted(i for i in np.unique(ids[grown]).tolist() if i not in (0, number))


@given(arrays.arrays(np.int32, (5, 7), elements=st.integers(0, 4)), st.lists(st.integers(1, 2), min_size=4, max_size=4))
def test_shapes_agree_with_one_object_after_the_other(ids, classes):
    found = shapes_of(Objects(ids, np.array(classes, np.int32)))
    shown = [i for i in range(1, 5) if (ids == i).any()]
    assert len(found) == len(shown)
    pairs = set()
    for place, number in enumerate(shown):
        mask = ids == number
        rows, columns = np.nonzero(mask)
        box = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        near = touches(ids, classes, number)
        pairs |= {(min(number, other), max(number, other)) for other in near}
        assert found.classes[place] == classes[number - 1] and found.areas[place] == mask.sum()
        assert found.boxes[place].tolist() == box and boxes_of(ids)[number] == tuple(box)
        assert found.pieces[place] == pieces_of(mask)
        assert found.touching[place] == any(classes[other - 1] == classes[number - 1] for other in near)
        assert found.at_border[place] == (box[0] == 0 or box[1] == 0 or box[2] == 5 or box[3] == 7)
        assert found.convexity[place] == pytest.approx(mask.sum() / pixels_in_hull(mask), abs=1e-12)
        assert found.sides[place] == max(box[2] - box[0], box[3] - box[1])
    assert [tuple(pair) for pair in touching_pairs(ids).tolist()] == sorted(pairs)


def test_no_objects_and_hidden_ones():
    none = shapes_of(Objects.none((3, 5)))
    assert len(none) == 0 and none.boxes.shape == (0, 4) and none.sides.shape == (0,) and none.diameters.shape == (0,)
    assert boxes_of(np.zeros((3, 5), np.uint32)) == {} and touching_pairs(np.zeros((3, 5), np.int32)).shape == (0, 2)
    ids = np.zeros((3, 5), np.int32)
    ids[1, 2:4] = 2
    assert shapes_of(Objects(ids, np.array([1, 1, 2], np.int32))).classes.tolist() == [1]


def test_discs_are_convex_and_rings_are_not():
    y, x = np.mgrid[:41, :53]
    far = np.hypot(y - 20, x - 20)
    ids = ((far < 14.3) & (far > 9)).astype(np.int32) + 2 * ((np.hypot(y - 9, x - 45) < 6.5) & True)
    ring, disc = shapes_of(Objects(ids.astype(np.int32), np.array([1, 1], np.int32))).convexity
    assert disc == 1.0 and ring < 0.7


def test_many_objects_take_less_than_a_second():
    ids = np.kron(np.arange(1, 20_001, dtype=np.int32).reshape(100, 200), np.ones((9, 11), np.int32))
    objects = Objects(ids, np.ones(20_000, np.int32))
    start = time.process_time()
    found = shapes_of(objects)
    assert time.process_time() - start < 3  # 0.2 s alone
    assert len(found) == 20_000 and found.touching.all() and (found.convexity == 1).all()


def test_facts_count_over_pictures_with_and_without_objects():
    ids = np.zeros((8, 11), np.int32)
    ids[2:4, 2:4], ids[2:4, 4:6], ids[6, 9], ids[5:7, 0:2] = 1, 2, 3, 4
    ids[0, 9] = 3  # a second piece, at the border
    first = shapes_of(Objects(ids, np.array([1, 1, 1, 2], np.int32)))
    pictures = [first, shapes_of(Objects.none((8, 11))), shapes_of(Objects.none((5, 5)))]
    space = LabelSpace(("background", "cell", "dirt", "sky", "crack"), things=("cell", "dirt", "crack"))
    cell, dirt, crack = object_facts(pictures, space)
    assert (cell.name, cell.images, cell.objects, cell.per_image[1:]) == ("cell", 1, 3, (0.0, pytest.approx(2.4), 3.0))
    assert cell.touching == pytest.approx(2 / 3) and cell.fragmented == pytest.approx(1 / 3)
    assert cell.at_border == pytest.approx(1 / 3) and cell.side == (pytest.approx(6.9), 7.0)
    assert cell.diameter[1] == pytest.approx(math.sqrt(16 / math.pi)) and cell.sizes == ((1, 1), (2, 2))
    assert cell.convexity == 1.0 and cell.convex == pytest.approx(2 / 3)
    assert (dirt.objects, dirt.at_border, dirt.touching) == (1, 1.0, 0.0)
    assert crack.objects == 0 and math.isnan(crack.touching) and crack.sizes == ()
    tree = cell.as_dict()
    assert tree["sizes"] == [{"from": 1, "to": 2, "count": 1}, {"from": 2, "to": 4, "count": 2}]
    assert json.loads(json.dumps(ObjectFacts("none").as_dict(), allow_nan=False))["touching"] is None
    assert object_facts(pictures, LabelSpace(("background", "cell"))) == ()
