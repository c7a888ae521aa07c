"""Windows cover every picture, lie where a network with strides answers as for the whole, and blend to the picture."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.inference.tiles import LEAST_OVERLAP, LEAST_WEIGHT, STRIDE, blend_ramp, make_axis, overlap_of, spans, tiles

SIDES = st.integers(1, 1500)
TILES = st.integers(32, 700)
OVERLAP = st.floats(0, 0.9)


@given(SIDES, TILES, OVERLAP, st.booleans())
def test_every_pixel_is_covered_and_no_window_is_too_long(length, tile, overlap, mirrored):
    windows = spans(length, tile, overlap=overlap, mirrored=mirrored)
    longest = tile + overlap_of(tile, overlap) + (STRIDE - 1 if mirrored else 0)
    seen = np.zeros(length, int)
    for window in windows:
        assert 0 <= window.start < window.stop <= length and window.stop - window.start <= longest
        seen[window] += 1
    assert seen.min() >= 1 and windows[0].start == 0 and windows[-1].stop == length
    assert len({window.start for window in windows}) == len(windows)
    if length <= tile:
        assert windows == [slice(0, length)]


@given(SIDES, TILES, OVERLAP, st.booleans())
def test_windows_begin_in_step_with_the_network(length, tile, overlap, mirrored):
    windows = spans(length, tile, overlap=overlap, mirrored=mirrored)
    assert all(window.start % STRIDE == 0 for window in windows)
    if mirrored:  # seen from the other border they are in step as well
        assert all((length - window.stop) % STRIDE == 0 for window in windows)


@given(st.integers(1301, 4000), TILES, st.floats(0.01, 0.9), st.booleans())
def test_neighbours_share_the_overlap(length, tile, overlap, mirrored):
    windows = spans(length, tile, overlap=overlap, mirrored=mirrored)
    common = [before.stop - after.start for before, after in itertools.pairwise(windows)]
    assert (
        set(common) == {overlap_of(tile, overlap) + (length % STRIDE if mirrored else 0)} and common[0] >= LEAST_OVERLAP
    )
    assert len({after.start - before.start for before, after in itertools.pairwise(windows)}) == 1


def test_by_hand():
    windows = [(w.start, w.stop) for w in spans(3328, 896, overlap=0.25)]
    assert windows == [(0, 928), (800, 1728), (1600, 2528), (2400, 3328)]
    assert overlap_of(32, 0.25) == overlap_of(512, 0.25) == overlap_of(2000, 0.25) == LEAST_OVERLAP == 128
    assert overlap_of(512, 0.5) == 256 and overlap_of(300, 0.5) == 160 and overlap_of(300, 0) == 0
    found = [(y.start, y.stop, x.start, x.stop) for y, x in tiles((3, 250), 50, overlap=0.1)]
    assert found == [(0, 3, 0, 160), (0, 3, 32, 192), (0, 3, 64, 224), (0, 3, 96, 250)]
    assert spans(250, 64, overlap=0) == [slice(0, 64), slice(64, 128), slice(128, 192), slice(192, 250)]


@settings(max_examples=40)
@given(SIDES, TILES, OVERLAP, st.booleans())
def test_weights_of_each_pixel_add_up_to_one(length, tile, overlap, mirrored):
    axis = make_axis(length, tile, overlap=overlap, mirrored=mirrored)
    total, picture, blended = np.zeros(length), np.random.default_rng(length).random(length), np.zeros(length)
    for window, weight in zip(axis.spans, axis.weights, strict=True):
        assert weight.dtype == np.float32 and weight.min() > 0
        total[window] += weight
        blended[window] += weight * picture[window]
    assert np.allclose(total, 1, atol=1e-5) and np.allclose(blended, picture, atol=1e-5)


def test_pixels_at_a_border_hardly_count():
    ramp = blend_ramp(64)
    assert ramp.shape == (64,) and (ramp[:16] == LEAST_WEIGHT).all() and (ramp[48:] == 1).all()
    assert (np.diff(ramp) >= 0).all() and ramp[31] + ramp[32] == pytest.approx(1)
    axis = make_axis(928 + 800, 896, overlap=0.25)
    assert axis.weights[0][0] == 1 and axis.weights[-1][-1] == 1  # at the picture's own border there is nobody else
    assert axis.weights[1][0] < 0.01
