"""Which rules pass: real gains do, flukes of a few pictures, gains at another class's cost and tiny ones do not."""

import numpy as np
import pytest

from limner.api.rule_gain import FEWEST, MARGIN, best_candidate, chosen_candidate, dice_table, no_class_worse, sign_test


def counts(dices, *, pixels=1000):
    """Counts of pictures with two classes whose second has these Dice values; the background is nearly right."""
    rows = []
    for value in dices:
        tp = round(value * pixels)
        rows.append([(9000, pixels - tp, 0), (tp, 0, 2 * (pixels - tp))])
    return np.array(rows, np.int64)


def alone(number):
    return np.arange(number)


def test_dice_is_one_where_there_is_nothing_to_find_and_nothing_found():
    table = dice_table(np.array([[0, 0, 0], [0, 4, 0], [3, 1, 1], [0, 0, 2]]))
    assert table.tolist() == [1, 0, 0.75, 0]


def test_a_gain_in_every_picture_is_kept():
    base = np.linspace(0.5, 0.8, 7)
    assert chosen_candidate([counts(base), counts(base + 0.03), counts(base + 0.01)], alone(7)) == 1
    assert chosen_candidate([counts(base), counts(base + 0.01), counts(base + 0.03)], alone(7)) == 2


def test_three_lucky_pictures_are_a_fluke():
    base = np.full(12, 0.6)
    lucky = base.copy()
    lucky[:3] += 0.2  # a large gain of the mean, but of three pictures only
    assert best_candidate([counts(base), counts(lucky)], np.ones(12, bool)) == 1
    assert chosen_candidate([counts(base), counts(lucky)], alone(12)) == 0
    lucky[:5] = 0.8
    assert chosen_candidate([counts(base), counts(lucky)], alone(12)) == 1


def test_a_set_of_a_few_pictures_never_passes_and_neither_do_few_groups():
    base = np.full(FEWEST - 1, 0.5)
    assert chosen_candidate([counts(base), counts(base + 0.2)], alone(FEWEST - 1)) == 0
    many = np.full(12, 0.5)
    assert chosen_candidate([counts(many), counts(many + 0.2)], np.repeat(np.arange(4), 3)) == 0
    assert chosen_candidate([counts(many), counts(many + 0.2)], np.repeat(np.arange(6), 2)) == 1


def test_less_than_the_margin_is_not_worth_it():
    base = np.full(20, 0.5)
    pixels = 100_000
    assert chosen_candidate(
        [counts(base, pixels=pixels), counts(base + 0.9 * MARGIN, pixels=pixels)], alone(20)) == 0  # fmt: skip
    assert chosen_candidate(
        [counts(base, pixels=pixels), counts(base + 1.1 * MARGIN, pixels=pixels)], alone(20)) == 1  # fmt: skip


def test_no_class_may_pay_for_another_neither_by_mean_nor_by_pooled_dice():
    before = np.array([[(900, 10, 10), (50, 20, 20), (80, 5, 5)]] * 9)
    better = before.copy()
    better[:, 1] = 60, 10, 10
    assert chosen_candidate([before, better], alone(9)) == 1
    paid = better.copy()
    paid[:, 2] = 79, 6, 6
    assert chosen_candidate([before, paid], alone(9)) == 0
    background = better.copy()
    background[:, 0] = 899, 11, 11
    assert not no_class_worse(before, background) and chosen_candidate([before, background], alone(9)) == 0
    # better on average over pictures, worse over pixels: eight small pictures gain, a large one loses
    before = np.array([[(9000, 0, 0), (5, 5, 5)]] * 8 + [[(9000, 0, 0), (9000, 100, 100)]])
    after = np.array([[(9000, 0, 0), (8, 2, 2)]] * 8 + [[(9000, 0, 0), (8900, 200, 200)]])
    assert dice_table(after).mean(axis=0)[1] > dice_table(before).mean(axis=0)[1]
    assert not no_class_worse(before, after) and chosen_candidate([before, after], alone(9)) == 0


def test_a_rule_chosen_by_chance_among_many_rarely_passes():
    rng, kept = np.random.default_rng(2), 0
    for _ in range(60):
        base = rng.uniform(0.4, 0.8, 10)
        noise = [counts(np.clip(base + rng.normal(0, 0.03, 10), 0, 1)) for _ in range(9)]
        kept += chosen_candidate([counts(base), *noise], alone(10)) > 0
    assert kept <= 6  # the best of nine that change nothing on average passes at most one time in ten


@pytest.mark.parametrize(
    ("better", "worse", "wanted"), [(4, 1, 6 / 32), (7, 0, 1 / 128), (0, 3, 1.0), (8, 1, 10 / 512)]
)
def test_the_sign_test_by_hand(better, worse, wanted):
    assert sign_test(better, worse) == pytest.approx(wanted)
