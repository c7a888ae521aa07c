"""Fuzzy c-means against numbers by hand and a plain loop over pixels; the contour that follows it."""

import numpy as np
import pytest

from limner.classical.fuzzy_cmeans import (
    fuzzy_centres,
    fuzzy_cmeans_mask,
    fuzzy_level_set_mask,
    memberships,
    picture_centres,
)
from limner.classical.level_set import evolve
from tests.contracts.test_classical import disc


def objective(values, centres, fuzziness):
    """What fuzzy c-means makes small."""
    total = 0.0
    for x in values:
        distances = [max(abs(x - c), 1e-9) for c in centres]
        for d in distances:
            u = 1 / sum((d / other) ** (2 / (fuzziness - 1)) for other in distances)
            total += u**fuzziness * d**2
    return total


def test_memberships_by_hand():
    # distances 1 and 3: 1 / (1 + 1/9) = 0.9; with fuzziness 3 the ratio itself counts: 1 / (1 + 1/3)
    assert memberships(np.array([1.0]), np.array([0.0, 4.0])).ravel() == pytest.approx([0.9, 0.1])
    assert memberships(np.array([1.0]), np.array([0.0, 4.0]), fuzziness=3.0).ravel() == pytest.approx([0.75, 0.25])
    both = memberships(np.array([[2.0, 4.0]]), np.array([0.0, 4.0, 8.0]))
    assert both.shape == (3, 1, 2) and both.sum(axis=0) == pytest.approx(np.ones((1, 2)))
    assert both[:, 0, 1] == pytest.approx([0, 1, 0], abs=1e-9)


def test_centres_by_hand():
    # two values alone: the centres are the values
    assert fuzzy_centres(np.array([3.0, 3.0, 9.0])) == pytest.approx([3, 9], abs=1e-3)
    assert fuzzy_centres(np.array([5.0, 5.0]), clusters=3).tolist() == [5, 5, 5]
    # by symmetry around 10
    found = fuzzy_centres(np.array([0.0, 1.0, 2.0, 18.0, 19.0, 20.0]))
    assert found.sum() == pytest.approx(20, abs=0.01) and found[0] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("fuzziness", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("clusters", [2, 3])
def test_no_other_centres_are_better_nearby(fuzziness, clusters):
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(m, 6, 25) for m in (20, 90, 170)])
    found = fuzzy_centres(values, clusters=clusters, fuzziness=fuzziness, tolerance=1e-7)
    least = objective(values, found, fuzziness)
    for k in range(clusters):
        for step in (-0.5, 0.5):
            moved = found.copy()
            moved[k] += step
            assert objective(values, moved, fuzziness) > least


def test_weights_count_as_copies():
    values, weights = np.array([0.0, 4.0, 9.0, 30.0]), np.array([3, 1, 2, 5])
    assert fuzzy_centres(values, weights) == pytest.approx(fuzzy_centres(np.repeat(values, weights)))


def test_the_histogram_stands_for_the_pixels():
    rng = np.random.default_rng(3)
    gray = np.where(disc(), 170, 60).astype(np.float32) + rng.normal(0, 12, (96, 128)).astype(np.float32)
    pixels = fuzzy_centres(gray.ravel().astype(np.float64))
    assert picture_centres(gray, clusters=2, fuzziness=2.0) == pytest.approx(pixels, abs=0.1)


def test_a_pixel_belongs_to_its_nearest_centre():
    gray = np.array([[0, 0, 10, 120, 130, 255, 250, 0, 0, 0]], np.float32)
    found = fuzzy_cmeans_mask(gray, clusters=3, smoothing=0)[0]
    assert found.tolist() == [False, False, False, True, True, True, True, False, False, False]


def test_the_contour_drops_specks_and_keeps_discs():
    truth = disc()
    rng = np.random.default_rng(4)
    gray = np.where(truth, 150, 90).astype(np.float32) + rng.normal(0, 40, truth.shape).astype(np.float32)
    gray = np.clip(gray, 0, 255)
    plain, moved = fuzzy_cmeans_mask(gray) != truth, fuzzy_level_set_mask(gray) != truth
    assert moved.mean() < 0.5 * plain.mean() and moved.mean() < 0.03


def test_a_force_above_one_half_wins_alone():
    start = np.zeros((15, 21), bool)
    membership = np.zeros(start.shape, np.float32)
    membership[7, 10] = 1
    assert evolve(start, membership, force=0.6).sum() == 1
    assert not evolve(start, membership, force=0.4).any()


def test_a_contour_without_force_shrinks_by_its_curvature():
    start = disc((60, 80), (30, 40), 8)
    undecided = np.full(start.shape, 0.5, np.float32)
    assert not evolve(start, undecided, stiffness=3.0).any()
    half = np.zeros((60, 80), bool)
    half[:, :33] = True
    assert np.array_equal(evolve(half, np.full(half.shape, 0.5, np.float32)), half)  # straight: no curvature


def test_the_contour_ends_where_scikit_images_does():
    """Both make the energy of Chan and Vese small, theirs with means of brightness, ours with memberships."""
    segmentation = pytest.importorskip("skimage.segmentation")
    truth = disc()
    rng = np.random.default_rng(6)
    gray = np.clip(np.where(truth, 160, 80) + rng.normal(0, 25, truth.shape), 0, 255).astype(np.float32)
    theirs = (
        segmentation.morphological_chan_vese(gray.astype(np.float64), 60, init_level_set=gray > 120, smoothing=2) > 0
    )
    ours = fuzzy_level_set_mask(gray)
    assert (ours != theirs).mean() < 0.01 and (ours != truth).mean() < 0.01
