"""Outlines of objects: filling them gives the object ids again, whatever touches, encloses or falls apart."""

import cv2
import numpy as np
import pytest

from limner.core.annotation import Bitmap, Polygon
from limner.data.object_outlines import shapes_of_objects
from limner.data.rasterize import pixels_of


def scene(seed, size_hw, number):
    rng = np.random.default_rng(seed)
    ids = np.zeros(size_hw, np.int32)
    for i in range(1, number + 1):
        centre = int(rng.integers(0, size_hw[1])), int(rng.integers(0, size_hw[0]))
        axes = int(rng.integers(1, 9)), int(rng.integers(1, 6))
        cv2.ellipse(ids, centre, axes, float(rng.integers(0, 180)), 0, 360, i, int(rng.choice([-1, 1])))
    return ids


def boxes_of(ids, number):
    boxes = np.zeros((number, 4), np.int64)
    for i in range(number):
        y, x = np.nonzero(ids == i + 1)
        if len(y):
            boxes[i] = x.min(), y.min(), x.max() + 1, y.max() + 1
    return boxes


@pytest.mark.parametrize("canvas_pixels", [2**24, 60])
@pytest.mark.parametrize("seed", range(8))
def test_filling_the_outlines_gives_the_ids_again(seed, canvas_pixels):
    ids = scene(seed, (37, 53), 25)
    again, order, kinds = np.zeros_like(ids), [], set()
    for number, shape in shapes_of_objects(ids, boxes_of(ids, 25), canvas_pixels=canvas_pixels):
        pixels = pixels_of(shape, ids.shape)
        window = again[pixels.y :, pixels.x :][: pixels.mask.shape[0], : pixels.mask.shape[1]]
        window[pixels.mask] = number
        order.append(number)
        mask = np.pad((ids == number).astype(np.uint8), 1)
        pieces = cv2.connectedComponents(mask, connectivity=4)[0] - 1
        gaps = cv2.connectedComponents(1 - mask, connectivity=8)[0] - 2
        assert isinstance(shape, Polygon) == (pieces == 1 and gaps == 0)
        kinds.add(type(shape))
    assert np.array_equal(again, ids) and order == np.unique(ids)[1:].tolist()
    assert kinds == {Polygon, Bitmap}


def test_hidden_objects_and_none():
    ids = np.zeros((5, 7), np.int32)
    ids[1:3, 2:6], ids[4, 6], ids[0, 0] = 2, 4, 4
    found = dict(shapes_of_objects(ids, boxes_of(ids, 5)))
    assert list(found) == [2, 4] and found[2] == Polygon((np.array([[2, 1], [6, 1], [6, 3], [2, 3]], float),))
    assert list(shapes_of_objects(np.zeros((5, 7), np.int32), np.zeros((3, 4), np.int64))) == []
