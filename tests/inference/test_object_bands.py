"""Objects from bands are those of the whole picture: compared with decoding it at once, on random scenes, bands and parts."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import ShapeError
from limner.core.objects import Objects, number_objects
from limner.inference import object_bands
from limner.inference.object_bands import BandState, band_rows_of, object_rows
from limner.inference.object_columns import by_columns
from limner.inference.object_runs import final_ids, measure, renumbered, runs_of


def components(maps):
    """Connected pixels of one class; the score is the mean of the first map."""
    labels = np.where(maps[0] > 0.5, 1 + (maps[1] > 0.5), 0).astype(np.uint8)
    ids = np.zeros(labels.shape, np.int32)
    for one in (1, 2):
        found = cv2.connectedComponents((labels == one).astype(np.uint8), connectivity=8)[1]
        ids[found > 0] = found[found > 0] + ids.max()
    found = number_objects(ids, labels)
    means = np.array([maps[0][found.ids == one].mean(dtype=np.float64) for one in range(1, len(found) + 1)], np.float32)
    return labels, Objects(found.ids, found.classes, means)


RADIUS = 4


def nearest_seed(maps):
    """Foreground within a radius of a seed pixel belongs to the nearest seed: touching objects, told apart."""
    labels = (maps[0] > 0.5).astype(np.uint8)
    seeds = np.argwhere((maps[1] > 0.8) & (labels > 0))
    ids = np.zeros(labels.shape, np.int32)
    if len(seeds):
        y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
        far = (y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2
        ids = np.where((far.min(-1) <= RADIUS**2) & (labels > 0), far.argmin(-1) + 1, 0).astype(np.int32)
    found = number_objects(ids, labels)
    labels[(labels > 0) & (found.ids == 0)] = 2  # what belongs to no object, so that labels depend on the objects
    return labels, Objects(found.ids, found.classes, np.linspace(1, 1, len(found), dtype=np.float32))


def cut(maps, sizes, first=0):
    """Parts of the maps from a row on, of the given heights, again and again."""
    place = 0
    while first < maps.shape[1]:
        step = sizes[place % len(sizes)]
        yield first, maps[:, first : first + step]
        first, place = first + step, place + 1


def by_bands(maps, decode, *, reach, band_rows, sizes=(7,), state=None, **words):
    """Everything that comes out: labels, ids (joined ones under their last id), records, the states."""
    size = maps.shape[1:]
    labels, ids, found, joined, states = [], [], [], [], []
    start = 0 if state is None else state.start
    first = 0 if state is None else state.first_row(reach)
    for rows in object_rows(
        cut(maps, sizes, first), decode, size_hw=size, reach=reach, band_rows=band_rows, state=state, **words
    ):
        assert rows.start == start and rows.labels.shape == rows.ids.shape
        start += len(rows.ids)
        labels.append(rows.labels)
        ids.append(rows.ids)
        found.append(rows.finished)
        joined.append(rows.joined)
        states.append(rows.state)
    assert start == size[0]
    return np.concatenate(labels), np.concatenate(ids), np.concatenate(found), np.concatenate(joined), states


def check(maps, decode, **words):
    """The result equals the decoding of the whole picture, and the records are those of its ids."""
    labels, ids, found, joined, states = by_bands(maps, decode, **words)
    whole_labels, whole = decode(maps)
    table = final_ids(states[-1].next_id - 1, joined)
    assert np.array_equal(labels, whole_labels)
    assert np.array_equal(table[ids], whole.ids)  # the same numbers, not only the same objects
    found = renumbered(found, table)
    expected = measure(runs_of(whole.ids))
    expected["class_id"] = whole.classes
    names = [name for name in found.dtype.names if name != "score"]
    assert np.array_equal(found[names], expected[names])
    return found, whole, joined


def scene(seed, height, width, share):
    """Two maps of noise, somewhat smooth, so that there are objects of all sizes."""
    rng = np.random.default_rng(seed)
    noise = rng.random((2, height, width), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise[0], (3, 3), 0) if width > 1 and height > 1 else noise[0]
    level = np.quantile(smooth, 1 - share)
    return np.stack([np.clip(0.5 + (smooth - level), 0, 1), noise[1]]).astype(np.float32)


@given(
    st.integers(0, 10**6), st.integers(1, 70), st.integers(1, 23), st.floats(0.02, 0.7), st.integers(1, 40),
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
)  # fmt: skip
def test_connected_components_of_any_length(seed, height, width, share, band_rows, sizes):
    check(scene(seed, height, width, share), components, reach=1, band_rows=band_rows, sizes=sizes, join_share=0)


@given(
    st.integers(0, 10**6), st.integers(1, 80), st.integers(1, 19), st.floats(0.1, 1.0), st.integers(1, 40),
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
)  # fmt: skip
def test_touching_objects_smaller_than_the_reach(seed, height, width, share, band_rows, sizes):
    reach = 2 * RADIUS + 1  # also the longest object
    maps = scene(seed, height, width, share)
    found, whole, joined = check(maps, nearest_seed, reach=reach, band_rows=band_rows, sizes=sizes)
    states = by_bands(maps, nearest_seed, reach=reach, band_rows=band_rows, sizes=sizes)[-1]
    assert not any(len(state.open_ids) for state in states)  # each was handed out by one band, whole
    assert not len(joined) and len(found) == len(whole)
    assert np.array_equal(found["score"].astype(np.float32), whole.scores)


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(30, 60), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=20)
def test_wide_bands_are_decoded_by_columns(seed, height, width, band_rows, columns):
    maps = scene(seed, height, width, 0.4)
    reach = 2 * RADIUS + 1
    narrow = by_columns(nearest_seed, reach=reach, columns=columns)
    _, ids, found, joined, _ = by_bands(maps, narrow, reach=reach, band_rows=band_rows)
    labels, whole = nearest_seed(maps)
    assert np.array_equal(ids, whole.ids) and np.array_equal(narrow(maps)[0], labels) and not len(joined)
    assert np.array_equal(np.sort(found, order="id")["class_id"], whole.classes)
    spread = by_columns(components, reach=1, columns=columns, join_share=0)
    _, ids, found, joined, states = by_bands(maps, spread, reach=1, band_rows=band_rows, join_share=0)
    assert np.array_equal(final_ids(states[-1].next_id - 1, joined)[ids], components(maps)[1].ids)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 30))
@settings(max_examples=25)
def test_it_goes_on_behind_any_rows(seed, place, band_rows):
    maps = scene(seed, 51, 9, 0.45)
    for decode, words in ((components, {"reach": 1, "join_share": 0}), (nearest_seed, {"reach": 2 * RADIUS + 1})):
        labels, ids, found, joined, states = by_bands(maps, decode, band_rows=band_rows, **words)
        at = place % len(states)
        if states[at].start == len(maps[0]):
            continue
        behind = by_bands(maps, decode, band_rows=band_rows, sizes=(3, 11), state=states[at], **words)
        start = states[at].start
        assert np.array_equal(behind[0], labels[start:]) and np.array_equal(behind[1], ids[start:])
        assert np.array_equal(behind[2], found[len(found) - len(behind[2]) :], equal_nan=False)
        assert np.array_equal(behind[3], joined[len(joined) - len(behind[3]) :])
        assert np.array_equal(behind[4][-1].next_id, states[-1].next_id)


def test_arms_that_meet_far_below_are_one_object():
    """A comb: four arms longer than two bands, which the lowest row connects."""
    maps = np.zeros((2, 60, 11), np.float32)
    maps[0, :, ::3] = 1
    maps[0, 59] = 1
    found, whole, joined = check(maps, components, reach=1, band_rows=8, join_share=0)
    assert len(whole) == 1 and found["area"].tolist() == [4 * 59 + 11] and len(joined) == 3
    found, whole, joined = check(maps[:, ::-1], components, reach=1, band_rows=8, join_share=0)  # they meet at the top
    assert len(whole) == 1 and not len(joined)


def test_neighbours_longer_than_a_band_stay_two():
    """With a share, two long objects whose border moves by a pixel from band to band are not joined."""
    calls = 0

    def decode(maps):
        nonlocal calls
        calls += 1
        ids = np.where(np.arange(maps.shape[2]) < 5 + calls % 2, 1, 2) * np.ones((maps.shape[1], 1), int)
        labels = np.ones(ids.shape, np.uint8)
        return labels, Objects(ids.astype(np.int32), np.array([1, 1], np.int32))

    maps = np.ones((2, 90, 11), np.float32)
    _, ids, found, joined, states = by_bands(maps, decode, reach=2, band_rows=9)
    assert not len(joined) and states[-1].next_id == 3 and set(ids[:, 0]) == {1} and set(ids[:, -1]) == {2}
    assert found["area"].sum() == ids.size and len(found) == 2
    _, _, _, joined, _ = by_bands(maps, decode, reach=2, band_rows=9, join_share=0)
    assert joined.tolist() == [[1, 2]]


def test_a_decoder_that_sees_farther_than_it_says_loses_and_doubles_nothing():
    """Each pixel of an object that changes when the band is cut is handed out once, and counts stay what the rows show."""

    def restless(maps):
        labels, found = nearest_seed(maps)
        ids = np.roll(found.ids, maps.shape[1] % 3, axis=1)  # depends on the height of the band
        return np.maximum(labels, ids > 0).astype(np.uint8), Objects(ids, found.classes, found.scores)

    maps = scene(5, 97, 17, 0.6)
    labels, ids, found, joined, states = by_bands(maps, restless, reach=3, band_rows=11)
    assert not len(joined) and (labels[ids > 0] > 0).all()
    expected = measure(runs_of(ids))
    found = found[np.argsort(found["id"])]
    assert np.array_equal(found["area"], expected["area"]) and np.array_equal(found["id"], expected["id"])
    assert len(found) <= states[-1].next_id - 1


def test_what_a_later_band_adds_to_a_known_object_is_part_of_it():
    """The first object is final, the second waits, so that the first is seen again, cut, and by then a column wider."""

    def decode(maps):
        ids = np.zeros(maps.shape[1:], np.int32)
        ids[maps[0] == 1], ids[maps[0] == 2] = 1, 2
        if maps.shape[1] != 16:
            ids[:, 3] = ids[:, 2]
        return (ids > 0).astype(np.uint8), Objects(ids, np.array([1, 1], np.int32))

    maps = np.zeros((1, 30, 9), np.float32)
    maps[0, 2:13, :3], maps[0, 8:23, 5:8] = 1, 2
    labels, ids, found, _, states = by_bands(maps, decode, reach=2, band_rows=16)
    assert states[0].start == 8 and states[-1].next_id == 3
    assert (ids[8:13, :4] == 1).all() and not ids[:8, 3].any() and (ids[8:23, 5:8] == 2).all()
    assert sorted(found["area"].tolist()) == [33 + 5, 45] and np.array_equal(labels > 0, ids > 0)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_and_everything(share):
    maps = np.full((2, 41, 5), share, np.float32)
    found, _, _ = check(maps, components, reach=1, band_rows=6, join_share=0)
    assert len(found) == round(share) and found["area"].sum() == share * 41 * 5


def test_bands_hold_few_rows():
    seen = []

    def decode(maps):
        seen.append(maps.shape[1])
        return components(maps)

    maps = scene(3, 300, 9, 0.65)  # objects of hundreds of rows
    by_bands(maps, decode, reach=2, band_rows=10, join_share=0)
    assert max(seen) <= 2 + 10 + 10 and sum(seen) < 3 * 300


def test_parts_must_follow_one_another():
    maps = scene(1, 30, 7, 0.3)
    for parts in (
        [(0, maps[:, :10]), (12, maps[:, 12:])],
        [(0, maps[:, :10])],
        [(3, maps)],
        [(0, maps[:, :10]), (10, maps[:, 10:, :5])],
    ):
        with pytest.raises(ShapeError):
            list(object_rows(iter(parts), components, size_hw=(30, 7), reach=1, band_rows=8))


def test_ids_are_refused_beyond_32_bits(monkeypatch):
    monkeypatch.setattr(object_bands, "MOST_OBJECTS", 3)
    maps = np.zeros((2, 9, 7), np.float32)
    maps[0, ::2, ::2] = 1
    with pytest.raises(object_bands.DataError, match="too many objects"):
        by_bands(maps, components, reach=1, band_rows=3)


def test_bands_of_wide_pictures_are_lower():
    assert band_rows_of(1000, maps=4, reach=50) == object_bands.BAND_ROWS
    rows = band_rows_of(40_000, maps=5, reach=60)
    assert 120 < rows < 1024 and 4 * 5 * 40_000 * (60 + 2 * rows) <= object_bands.BAND_BYTES
    assert band_rows_of(10**6, maps=5, reach=60) == 120
    assert BandState.begin(5).first_row(3) == 0
