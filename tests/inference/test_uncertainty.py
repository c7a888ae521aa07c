"""Entropy by hand and by its definition, and its two ends."""

import math

import numpy as np
import pytest

from limner.core.errors import ShapeError
from limner.inference.uncertainty import entropy


def test_one_map_stands_for_two_classes():
    scores = np.array([[[0.0, 0.1, 0.5], [0.9, 1.0, 0.25]]], np.float32)
    tenth = 255 * (0.1 * math.log2(10) + 0.9 * math.log2(1 / 0.9))
    quarter = 255 * (0.25 * 2 + 0.75 * math.log2(4 / 3))
    assert entropy(scores).tolist() == [[0, round(tenth), 255], [round(tenth), 0, round(quarter)]]


def test_several_classes_against_the_definition():
    rng = np.random.default_rng(3)
    scores = rng.dirichlet([0.4] * 5, (300, 7)).transpose(2, 0, 1).astype(np.float32)
    wanted = -(scores.astype(np.float64) * np.log(scores.astype(np.float64) + 1e-300)).sum(axis=0) / math.log(5) * 255
    found = entropy(scores)
    assert found.shape == (300, 7) and found.dtype == np.uint8
    assert np.abs(found - wanted).max() <= 0.51
    assert entropy(np.full((5, 3, 2), 0.2, np.float32)).min() == 255


def test_a_picture_without_pixels_and_scores_of_the_wrong_shape():
    assert entropy(np.zeros((3, 0, 7), np.float32)).shape == (0, 7)
    for shape in ((5, 7), (0, 5, 7)):
        with pytest.raises(ShapeError):
            entropy(np.zeros(shape, np.float32))
