"""Objects that touch, or that cannot be told apart when shown small, are of different tints."""

import numpy as np

from limner.api.object_tints import tinted
from limner.core.labels import LabelSpace
from limner.core.objects import Objects

SPACE = LabelSpace(("background", "cell", "sky"), things=("cell",))


def test_objects_that_touch_differ_and_keep_their_colour():
    ids = np.kron(np.array([[1, 2, 0, 4], [3, 3, 0, 0]]), np.ones((5, 7))).astype(np.int32)
    labels = np.where(ids > 0, 1, 2).astype(np.uint8)
    shown, space = tinted(labels, Objects(ids, np.ones(4, np.int32)), SPACE, side=320)
    assert (shown[ids == 0] == 2).all() and (shown % 3 == labels).all()
    one, two, three, four = (np.unique(shown[ids == number]) for number in (1, 2, 3, 4))
    assert len({*one, *two, *three}) == 3 and four == one
    assert all(space.colors[index] == SPACE.colors[index % 3] for index in range(len(space)))


def test_objects_far_apart_are_one_class_and_near_ones_differ_when_shown_small():
    ids = np.zeros((60, 100), np.int32)
    ids[:, :40], ids[:, 42:80] = 1, 2
    objects, labels = Objects(ids, np.array([1, 1], np.int32)), (ids > 0).astype(np.uint8)
    assert (tinted(labels, objects, SPACE, side=100)[0] == labels).all()
    assert len(np.unique(tinted(labels, objects, SPACE, side=10)[0])) == 3


def test_no_objects():
    labels = np.full((3, 5), 2, np.uint8)
    shown, space = tinted(labels, Objects.none((3, 5)), SPACE, side=2)
    assert (shown == 2).all() and len(space) == 3
