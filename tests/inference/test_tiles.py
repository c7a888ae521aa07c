"""Windows cover every picture, and blended windows of the identity are the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.inference.tiles import blend_weight, starts, tiles

SIDES = st.integers(1, 90)
OVERLAP = st.floats(0, 0.9)


@given(SIDES, SIDES, st.integers(1, 40), OVERLAP)
def test_every_pixel_is_covered_and_no_window_leaves_the_picture(height, width, tile, overlap):
    seen = np.zeros((height, width), int)
    windows = list(tiles((height, width), tile, overlap=overlap))
    for y, x in windows:
        assert 0 <= y.start < y.stop <= height and 0 <= x.start < x.stop <= width
        assert (y.stop - y.start, x.stop - x.start) == (min(tile, height), min(tile, width))
        seen[y, x] += 1
    assert seen.min() >= 1 and len({(y.start, x.start) for y, x in windows}) == len(windows)


@given(st.integers(41, 200), st.integers(4, 40), OVERLAP)
def test_neighbours_share_the_overlap(length, tile, overlap):
    step = max(1, round(tile * (1 - overlap)))
    begins = starts(length, tile, step)
    gaps = np.diff(begins)
    assert begins[0] == 0 and begins[-1] == length - tile and (gaps > 0).all() and (gaps <= step).all()


def test_by_hand():
    assert starts(10, 4, 3) == [0, 3, 6] and starts(11, 4, 3) == [0, 3, 6, 7] and starts(4, 4, 3) == [0]
    found = [(y.start, y.stop, x.start, x.stop) for y, x in tiles((3, 7), 4, overlap=0.5)]
    assert found == [(0, 3, 0, 4), (0, 3, 2, 6), (0, 3, 3, 7)]


@settings(max_examples=40)
@given(SIDES, SIDES, st.integers(1, 40), OVERLAP)
def test_blending_the_identity_gives_the_picture_back(height, width, tile, overlap):
    picture = np.random.default_rng(height * 100 + width).random((height, width))
    total, weights = np.zeros((height, width)), np.zeros((height, width))
    for window in tiles((height, width), tile, overlap=overlap):
        weight = blend_weight(picture[window].shape)
        total[window] += picture[window] * weight
        weights[window] += weight
    assert weights.min() > 0 and np.allclose(total / weights, picture)


def test_weights_fall_from_the_middle_and_never_to_zero():
    weight = blend_weight((65, 33))
    assert weight.shape == (65, 33) and weight.dtype == np.float32
    assert weight[32, 16] == 1 and weight.min() == pytest.approx(1e-3)
    assert (np.diff(weight[32, 16:]) <= 0).all() and np.allclose(weight, weight[::-1, ::-1])
    # 8 pixels beside the middle of 65: one sigma of 65 / 8
    assert weight[40, 16] == pytest.approx(np.exp(-0.5 * (8 / (65 / 8)) ** 2), rel=1e-5)
    assert blend_weight((1, 1)).tolist() == [[1.0]]
