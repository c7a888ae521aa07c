"""A draw leaves enough pictures of each class behind for training and validation."""

import numpy as np
import pytest

from limner.data.stratify import draw

# six single pictures; class 1 is shown by the first three, no class by the last one
TABLE = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("keep", "holders"), [(2, 1), (1, 2)])
def test_as_many_holders_stay_as_units_have_to(keep, holders, seed):
    # without the rule two of four would be drawn, the share of the whole
    chosen = draw(TABLE, np.ones(6, int), target=4, keep=keep, rng=np.random.default_rng(seed))
    assert len(chosen) == 4 and sum(unit < 3 for unit in chosen) == holders


def test_groups_are_drawn_whole_and_near_the_target():
    sizes = np.array([9, 2, 3, 7])
    table = np.stack([sizes, 0 * sizes], axis=1)
    chosen = draw(table, sizes, target=5, keep=2, rng=np.random.default_rng(0))
    assert chosen == [1, 2]


def test_units_that_must_stay_do():
    chosen = draw(TABLE, np.ones(6, int), target=6, keep=2, rng=np.random.default_rng(0))
    assert len(chosen) <= 4
