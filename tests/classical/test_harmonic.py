"""The solver on a grid against elimination in a dense matrix, and the coarser grids against sums written out."""

import numpy as np
import pytest

from limner.classical.harmonic import Network, add_blocks, fill_harmonic


def dense(along_x, along_y):
    """The matrix of flows out of every pixel, entry by entry."""
    height, width = along_x.shape[0], along_y.shape[1]
    matrix = np.zeros((height * width, height * width))
    steps = [((y, x), (y, x + 1), along_x[y, x]) for y in range(height) for x in range(width - 1)]
    steps += [((y, x), (y + 1, x), along_y[y, x]) for y in range(height - 1) for x in range(width)]
    for (y, x), (v, u), weight in steps:
        a, b = y * width + x, v * width + u
        matrix[[a, b], [a, b]] += weight
        matrix[[a, b], [b, a]] -= weight
    return matrix


def weights(rng, size, least=1e-3):
    height, width = size
    return tuple(np.maximum(rng.random(shape) ** 8, least) for shape in ((height, width - 1), (height - 1, width)))


@pytest.mark.parametrize("size", [(1, 2), (1, 17), (13, 1), (2, 2), (5, 7), (16, 16), (19, 26), (33, 21)])
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_elimination_says_the_same(size, share):
    rng = np.random.default_rng(size[0] * 100 + size[1])
    along_x, along_y = weights(rng, size)
    known = rng.random(size) < share
    known[0, 0] = True
    start = np.where(known, rng.random(size), 0.5)
    found = fill_harmonic(along_x, along_y, start, known)
    matrix, right = dense(along_x, along_y), np.zeros(start.size)
    given = known.ravel()
    matrix[given] = np.eye(start.size)[given]
    right[given] = start.ravel()[given]
    exact = np.linalg.solve(matrix, right).reshape(size)
    assert np.array_equal(found[known], start[known]) and np.abs(found - exact).max() < 3e-3


def test_everything_known_stays():
    start = np.random.default_rng(0).random((5, 7))
    assert np.array_equal(fill_harmonic(np.ones((5, 6)), np.ones((4, 7)), start, np.ones((5, 7), bool)), start)


def test_flow_is_the_matrix():
    rng = np.random.default_rng(1)
    along_x, along_y = weights(rng, (5, 7))
    matrix = dense(along_x, along_y)
    x = rng.random((5, 7))
    network = Network(along_x, along_y, np.diag(matrix).reshape(5, 7))
    assert network.flow(x).ravel() == pytest.approx(matrix @ x.ravel())


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 5), (3, 1)])
def test_a_coarser_grid_moves_blocks_together(size):
    """Its matrix is the fine one between vectors that are constant on blocks."""
    rng = np.random.default_rng(2)
    along_x, along_y = weights(rng, size)
    matrix = dense(along_x, along_y) + np.diag(rng.random(size[0] * size[1]))
    fine = Network(along_x, along_y, np.diag(matrix).reshape(size))
    coarse = fine.coarser()
    height, width = coarse.degree.shape
    assert (height, width) == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    blocks = np.zeros((height * width, size[0], size[1]))
    for place in range(height * width):
        y, x = divmod(place, width)
        blocks[place, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] = 1
    member = blocks.reshape(len(blocks), -1)
    value = rng.random((height, width))
    assert coarse.flow(value).ravel() == pytest.approx(member @ matrix @ member.T @ value.ravel())
    picture = rng.random(size)
    assert add_blocks(picture).ravel() == pytest.approx(member @ picture.ravel())


def test_sparse_seeds_in_a_large_picture_take_few_rounds(monkeypatch):
    """What one round cannot know is carried far by the coarser grids: without them this takes more than 300 rounds."""
    monkeypatch.setattr("limner.classical.harmonic.MOST_ROUNDS", 40)
    size = (150, 211)
    known = np.zeros(size, bool)
    known[:, 0], known[:, -1] = True, True
    start = np.where(known, np.arange(size[1]) > 0, 0.5).astype(float)
    found = fill_harmonic(np.ones((150, 210)), np.ones((149, 211)), start, known)
    assert np.abs(found - np.arange(211) / 210).max() < 2e-3
