"""The walker's probabilities by hand and against scikit-image's solver; the seeds that start it."""

import numpy as np
import pytest

from limner.classical.gray import smooth
from limner.classical.random_walker import object_probability, random_walker_mask
from limner.classical.seeds import make_seeds
from tests.contracts.test_classical import dice, disc


def seeds_at(shape, *places):
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


def test_a_flat_row_is_a_straight_line():
    # on a row the probability of reaching one end first falls evenly
    gray = np.array([[0, 0, 0, 0, 0, 0]], np.float32)
    found = object_probability(gray, seeds_at((1, 6), (0, 0)), seeds_at((1, 6), (0, 5)))
    assert found[0] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0], abs=1e-4)


def test_an_edge_takes_the_fall():
    # resistances 1, 1/w, 1 in a row, w of the jump in the middle
    gray = np.array([[0, 0, 9, 9]], np.float32)
    weight = np.exp(-1.0 * 81 / gray.var())
    found = object_probability(gray, seeds_at((1, 4), (0, 0)), seeds_at((1, 4), (0, 3)), beta=1.0)
    total = 2 + 1 / weight
    assert found[0] == pytest.approx([1, 1 - 1 / total, 1 / total, 0], abs=1e-4)
    even = object_probability(gray, seeds_at((1, 4), (0, 0)), seeds_at((1, 4), (0, 3)), beta=0.0)
    assert even[0] == pytest.approx([1, 2 / 3, 1 / 3, 0], abs=1e-4)


@pytest.mark.parametrize("beta", [3.0, 30.0])
@pytest.mark.parametrize("seed", range(2))
def test_scikit_image_says_the_same(seed, beta):
    segmentation = pytest.importorskip("skimage.segmentation")
    rng = np.random.default_rng(seed)
    gray = smooth(rng.uniform(0, 255, (37, 53)).astype(np.float32), 4.0)
    inside, outside = disc((37, 53), (17, 24), 4), ~disc((37, 53), (17, 24), 16)
    ours = object_probability(gray, inside, outside, beta=beta)
    # their weights are exp(-beta' d^2 / (10 s)), ours exp(-beta d^2 / s^2); in so smooth a picture none is as small as our least
    theirs = segmentation.random_walker(
        gray.astype(np.float64),
        inside + 2 * outside,
        beta=10 * beta / float(gray.std()),
        mode="bf",
        return_full_prob=True,
    )[0]
    assert np.abs(ours - theirs).max() < 1e-3 and 0.05 < (ours > 0.5).mean() < 0.9
    assert np.abs(ours - object_probability(gray, inside, outside, beta=beta / 4)).max() > 0.01


@pytest.mark.parametrize("beta", [0.0, 30.0, 1000.0])
def test_the_walker_solves_the_linear_system(beta):
    """In noise, where many weights are the least: against elimination in a dense matrix, written out pixel by pixel."""
    size = (11, 14)
    gray = np.random.default_rng(7).uniform(0, 255, size).astype(np.float32)
    inside, outside = seeds_at(size, (2, 3), (3, 3)), seeds_at(size, (9, 12), (0, 13))
    matrix, right = np.eye(gray.size), inside.ravel().astype(float)
    for y, x in np.argwhere(~(inside | outside)):
        here = y * size[1] + x
        matrix[here, here] = 0
        for v, u in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
            if 0 <= v < size[0] and 0 <= u < size[1]:
                jump = float(gray[y, x]) - float(gray[v, u])
                weight = max(np.exp(-beta * jump**2 / gray.astype(np.float64).var()), 1e-3)
                matrix[here, v * size[1] + u] -= weight
                matrix[here, here] += weight
    exact = np.linalg.solve(matrix, right).reshape(size)
    assert np.abs(object_probability(gray, inside, outside, beta=beta) - exact).max() < 2e-3


def test_seeds_are_the_outer_halves_of_both_sides():
    gray = np.array([[0, 1, 2, 3, 10, 11, 12, 13, 14]], np.float32)
    seeds = make_seeds(gray, polarity="bright")
    assert seeds.side[0].tolist() == [False] * 4 + [True] * 5
    assert np.flatnonzero(seeds.sure_background).tolist() == [0, 1] and np.flatnonzero(seeds.sure_object).tolist() == [
        6,
        7,
        8,
    ]
    dark = make_seeds(gray, polarity="dark")
    assert np.array_equal(dark.sure_object, seeds.sure_background) and np.array_equal(dark.side, ~seeds.side)
    assert make_seeds(gray, sure=1.0).decide_all and not seeds.decide_all
    assert make_seeds(gray, sure=0.0).sure_object.sum() == 1
    assert make_seeds(np.zeros((2, 3), np.float32)).decide_all


def test_what_two_thresholds_leave_open_joins_its_surroundings():
    truth = disc()
    rng = np.random.default_rng(4)
    gray = np.clip(np.where(truth, 150, 90) + rng.normal(0, 30, truth.shape), 0, 255).astype(np.float32)
    assert dice(random_walker_mask(gray, sure=0.25, smoothing=2.0), truth) > 0.96
