import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from limner.metrics import distance
from limner.metrics.distance import boundary, bounding_box, nearest_distances

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))


@given(masks)
def test_the_boundary_is_the_mask_minus_its_erosion(mask):
    assert np.array_equal(boundary(mask), mask & ~ndimage.binary_erosion(mask, border_value=0))


def test_a_mask_cut_off_by_the_picture_has_a_boundary_there():
    mask = np.ones((4, 6), bool)
    inner = np.zeros((4, 6), bool)
    inner[1:3, 1:5] = True
    assert np.array_equal(boundary(mask), ~inner)
    assert mask.all(), "the argument is left alone"


def test_the_box_around_a_mask():
    mask = np.zeros((7, 9), bool)
    mask[2, 3] = mask[4, 7] = True
    assert bounding_box(mask) == (slice(2, 5), slice(3, 8))
    assert mask[bounding_box(np.zeros((7, 9), bool))].shape == (0, 0)


spacings = st.sampled_from([(1.0, 1.0), (0.5, 0.5), (0.7, 1.9), (3.0, 0.4)])


@given(st.data(), hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), spacings)
def test_distances_are_those_of_scipy(data, shape, spacing):
    source, target = data.draw(hnp.arrays(np.bool_, shape)), data.draw(hnp.arrays(np.bool_, shape))
    found = nearest_distances(source, target, spacing=spacing)
    if not target.any():
        assert found.shape == (source.sum(),) and np.isinf(found).all()
        return
    assert found == pytest.approx(ndimage.distance_transform_edt(~target, sampling=spacing)[source])


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.8, 0.8), (0.3, 1.1)])
@pytest.mark.parametrize("density", [0.5, 0.01, 0.0002])
def test_distances_of_larger_pictures_are_exact(spacing, density):
    random = np.random.default_rng(2)
    target, source = random.random((211, 150)) < density, random.random((211, 150)) < 0.3
    target[200, 3] = True
    expected = ndimage.distance_transform_edt(~target, sampling=spacing)[source]
    assert np.abs(nearest_distances(source, target, spacing=spacing) - expected).max() < 1e-9


def test_pictures_too_large_for_24_bits_are_exact_too(monkeypatch):
    random = np.random.default_rng(3)
    target, source = random.random((61, 83)) < 0.02, np.ones((61, 83), bool)
    own = nearest_distances(source, target)
    monkeypatch.setattr(distance, "MOST_SQUARES", 0)
    assert np.array_equal(nearest_distances(source, target), own)


def test_columns_beyond_4096_do_not_round():
    """A transform in 32 bits takes the neighbour for the nearest here: squares of 6000 need more than 24 bits."""
    target = np.zeros((2, 6000), bool)
    target[0] = True
    target[0, 5990] = False
    found = nearest_distances(np.ones_like(target), target).reshape(2, 6000)
    assert (found[0] == ~target[0]).all()
    assert found[1, 5990] == pytest.approx(2**0.5) and (np.delete(found[1], 5990) == 1).all()
