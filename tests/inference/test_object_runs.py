"""Records summed from runs are those that loops over pixels find."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from limner.inference.object_runs import RECORD, added, final_ids, measure, pair_counts, renumbered, runs_of

MAPS = arrays.arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 7)), elements=st.integers(0, 4))


def loops(ids, top=0):
    """The records by brute force: id, area, sum of rows, sum of columns, top, left, bottom, right."""
    rows = []
    for one in sorted(set(ids.ravel().tolist()) - {0}):
        y, x = np.nonzero(ids == one)
        y = y + top
        rows.append((one, len(y), y.sum(), x.sum(), y.min(), x.min(), y.max() + 1, x.max() + 1))
    return rows


NAMES = ["id", "area", "sum_y", "sum_x", "top", "left", "bottom", "right"]


@given(MAPS, st.integers(0, 50))
def test_measures(ids, top):
    found = measure(runs_of(ids), top=top)
    assert [tuple(row) for row in found[NAMES].tolist()] == loops(ids, top)
    assert (found["class_id"] == 0).all() and np.isnan(found["score"]).all()


@given(MAPS, st.data())
def test_parts_add_up_to_the_whole(ids, data):
    cut = data.draw(st.integers(0, len(ids)))
    upper, lower = (measure(runs_of(part), top=top) for part, top in ((ids[:cut], 0), (ids[cut:], cut)))
    upper["class_id"], lower["class_id"] = 1, 2
    score = np.float32(0.3)
    upper["score"] = lower["score"] = score
    found = added(upper, lower)
    assert [tuple(row) for row in found[NAMES].tolist()] == loops(ids)
    assert (found["score"].astype(np.float32) == score).all()  # bit for bit
    for row in found:
        above, below = ((part == row["id"]).sum() for part in (ids[:cut], ids[cut:]))
        assert row["class_id"] == (1 if above >= below else 2)
    assert np.array_equal(measure(runs_of(ids).above(cut))[NAMES], upper[NAMES])


@given(MAPS, st.data())
def test_pairs(first, data):
    second = data.draw(arrays.arrays(np.int32, first.shape, elements=st.integers(0, 3)))
    expected = {}
    for one, other in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True):
        if one and other:
            expected[one, other] = expected.get((one, other), 0) + 1
    found = list(zip(*(values.tolist() for values in pair_counts(first, second)), strict=True))
    assert found == [(*pair, expected[pair]) for pair in sorted(expected)]


def test_scores_are_means_over_pixels():
    first, second = np.zeros(1, RECORD), np.zeros(1, RECORD)
    for part, area, score in ((first, 3, 0.5), (second, 1, 0.9)):
        part["id"], part["area"], part["score"], part["right"] = 4, area, score, area
    assert added(first, second)["score"][0] == pytest.approx(0.6)


def test_renumbered_records_are_added():
    found = measure(runs_of(np.array([[1, 2, 2, 0, 3]], np.int32)))
    together = renumbered(found, np.array([0, 1, 2, 1], np.int32))
    assert together["id"].tolist() == [1, 2] and together["area"].tolist() == [2, 2]
    assert together["right"].tolist() == [5, 3] and together["left"].tolist() == [0, 1]


def test_sums_of_the_widest_pictures_are_exact():
    width = 2**21 + 1  # an odd number of pixels in the last row of a picture of so many rows
    found = measure(runs_of(np.full((3, width), 1, np.int32)), top=2**20)
    assert found["sum_y"][0] == width * (3 * 2**20 + 3) and found["sum_x"][0] == 3 * (width * (width - 1) // 2)


def test_chains_of_joined_ids():
    table = final_ids(7, np.array([[5, 6], [3, 5], [1, 3], [2, 7]], np.int32))
    assert table.tolist() == [0, 1, 2, 1, 3, 1, 1, 2]
    assert final_ids(0, np.zeros((0, 2), np.int32)).tolist() == [0]
