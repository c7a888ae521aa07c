"""A draw leaves enough pictures of each class behind for training and validation."""

import dataclasses

import numpy as np
import pytest

from limner.data.stratify import draw, make_units
from tests.data.imagined import imagined

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


def test_units_are_the_connected_components():
    # a-b by group, b-c by digest, c-d nearly the same, e apart; f is tied to g by a copy that is not among the pictures
    dataset = imagined(
        list("abcdefg"), groups=["1", "1", "", "", "5", "", ""], digests=["a", "x", "x", "d", "e", "f", "g"],
        alike=(("images/c.png", "images/d.png"), ("images/f.png", "images/gone.png", "images/g.png")),
    )  # fmt: skip
    groups = {item.name: item.group for item in dataset.items}
    for items in (dataset.items, dataset.items[::-1]):
        units = make_units(items, groups, dataset.facts, dataset.alike)
        assert ["".join(item.image.stem for item in unit) for unit in units] == ["abcd", "e", "fg"]


def test_a_picture_of_one_value_is_no_copy():
    dataset = imagined(["a", "b"], digests=["same", "same"])
    flat = {name: dataclasses.replace(fact, highest=0.0) for name, fact in dataset.facts.items()}
    assert len(make_units(dataset.items, {}, flat)) == 2 and len(make_units(dataset.items, {}, dataset.facts)) == 1


def test_a_draw_fills_up_with_what_fits():
    # after the unit of 9 only the one of 1 comes closer to 10, wherever it stands in the order
    sizes = np.array([9, 7, 1, 6, 8])
    chosen = draw(np.stack([sizes, 0 * sizes], axis=1), sizes, target=10, keep=2, rng=np.random.default_rng(0))
    assert sizes[chosen].sum() == 10
