"""Rules on labels against a second implementation, which walks from pixel to pixel."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from limner.core.errors import ShapeError
from limner.core.labels import LabelSpace
from limner.core.postprocess import Rules, no_rules
from limner.core.prediction import Prediction
from limner.core.sample import Sample
from limner.inference.postprocess import RuledSegmenter, apply_rules

TWO, FOUR = LabelSpace(("background", "a")), LabelSpace(("background", "a", "b", "c"))
SIDES = [(-1, 0), (1, 0), (0, -1), (0, 1)]
CORNERS = [*SIDES, (-1, -1), (-1, 1), (1, -1), (1, 1)]


def parts(mask, steps):
    """Connected sets of pixels, in the order of their first pixel."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    found = []
    for start in sorted(left):
        if start not in left:
            continue
        left.remove(start)
        part, open_ends = [], [start]
        while open_ends:
            y, x = open_ends.pop()
            part.append((y, x))
            for dy, dx in steps:
                if (y + dy, x + dx) in left:
                    left.remove((y + dy, x + dx))
                    open_ends.append((y + dy, x + dx))
        found.append(part)
    return found


def walked(labels, rules):
    """The rules, pixel by pixel; None in place of a class where the nearest pixel that stays is not the only nearest one."""
    found, (height, width) = labels.copy(), labels.shape
    for index, most in enumerate(rules.holes):
        for part in parts(found != index, SIDES) if most else []:
            at_border = any(y in (0, height - 1) or x in (0, width - 1) for y, x in part)
            if not at_border and len(part) <= most and all(found[p] == 0 for p in part):
                for p in part:
                    found[p] = index
    gone = np.zeros(labels.shape, bool)
    for index in range(1, len(rules)):
        regions = parts(found == index, CORNERS)
        largest = max(regions, key=len, default=[])
        for part in regions:
            if len(part) < rules.smallest[index] or (rules.largest[index] and part is not largest):
                for p in part:
                    gone[p] = True
    out = found.astype(object)
    stays = np.argwhere(~gone)
    for y, x in np.argwhere(gone):
        far = ((stays - (y, x)) ** 2).sum(axis=1) if len(stays) else np.zeros(0)
        classes = {int(found[tuple(p)]) for p in stays[far == far.min()]} if len(stays) else {0}
        out[y, x] = classes.pop() if len(classes) == 1 else None
    return out


def all_rules(num_classes):
    number = st.integers(0, 9)
    rest = num_classes - 1
    return st.builds(
        lambda a, b, c: Rules((0, *a), (0, *b), (False, *c)),
        *(st.lists(number, min_size=rest, max_size=rest) for _ in range(2)),
        st.lists(st.booleans(), min_size=rest, max_size=rest),
    )


def maps(most):
    shapes = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
    return arrays.arrays(np.uint8, shapes, elements=st.integers(0, most))


@given(maps(1), all_rules(2))
def test_two_classes_as_a_walk_from_pixel_to_pixel_finds_them(labels, rules):
    before = labels.copy()
    found = apply_rules(labels, rules, TWO)
    wanted = walked(labels, rules)
    known = wanted != None  # noqa: E711 - elementwise
    assert np.array_equal(found[known], wanted[known].astype(np.uint8)) and np.isin(found[~known], (0, 1)).all()
    assert found.dtype == np.uint8 and np.array_equal(labels, before)


def test_of_equally_large_parts_the_first_stays_row_by_row():
    found = apply_rules(
        np.array([[0, 0, 2], [2, 0, 0]], np.uint8), Rules((0,) * 4, (0,) * 4, (False, False, True, False)), FOUR
    )
    assert found.tolist() == [[0, 0, 2], [0, 0, 0]]


@given(maps(3), all_rules(4))
def test_several_classes_and_the_nearest_pixel_that_stays(labels, rules):
    found, wanted = apply_rules(labels, rules, FOUR), walked(labels, rules)
    known = wanted != None  # noqa: E711 - elementwise
    close = found[known] == wanted[known].astype(np.uint8)
    assert close.mean() > 0.9 if known.any() else True  # the distance is measured in steps, right to 2 %
    again = wanted.copy()
    again[~known] = found[~known]
    assert set(np.unique(found)) <= set(np.unique(labels)) | {0}


def test_of_two_alike_parts_the_first_stays_and_holes_count_before_sizes():
    ring = np.zeros((9, 14), np.uint8)
    ring[1:6, 1:6], ring[2:5, 2:5] = 1, 0  # 16 pixels around a hole of 9
    ring[1:5, 8:12] = 1  # 16 pixels
    largest = Rules((0, 0), (0, 0), (False, True))
    assert apply_rules(ring, largest, TWO)[:, 7:].sum() == 0
    filled = Rules((0, 20), (0, 9), (False, False))
    assert apply_rules(ring, filled, TWO).sum() == 25  # with its hole the ring is large enough
    assert apply_rules(ring, Rules((0, 20), (0, 8), (False, False)), TWO).sum() == 0


def test_a_hole_with_another_object_in_it_stays_and_so_does_an_open_one():
    labels = np.ones((7, 8), np.uint8)
    labels[2:5, 2:5], labels[3, 3] = 0, 2
    rules = Rules((0, 0, 0, 0), (0, 50, 0, 0), (False,) * 4)
    assert apply_rules(labels, rules, FOUR) is labels
    labels[2:5, 2:5] = 0
    assert (apply_rules(labels, rules, FOUR) == 1).all()
    labels[3, 4:] = 0
    assert apply_rules(labels, rules, FOUR) is labels


def test_nothing_to_do_gives_back_the_same_array():
    labels = np.zeros((5, 7), np.uint8)
    assert apply_rules(labels, no_rules(2), TWO) is labels
    assert apply_rules(labels, Rules((0, 9), (0, 9), (False, True)), TWO) is labels
    empty = np.zeros((0, 7), np.uint16)
    assert apply_rules(empty, Rules((0, 9), (0, 9), (False, True)), TWO).shape == (0, 7)
    full = np.ones((5, 7), np.uint16)
    gone = apply_rules(full, Rules((0, 36), (0, 0), (False, False)), TWO)
    assert gone.dtype == np.uint16 and not gone.any()
    with pytest.raises(ShapeError, match="rules of 2 classes"):
        apply_rules(labels, no_rules(2), FOUR)


class Speckled:
    """One large part, one pixel far from it, and scores that nobody may touch."""

    def segment(self, sample):
        labels = np.zeros(sample.size_hw, np.uint8)
        labels[:4, :5], labels[-1, -1] = 1, 1
        return Prediction(sample.name, labels, TWO, np.full((1, *sample.size_hw), 0.7, np.float32), 2.0)


def test_a_segmenter_with_rules_changes_labels_alone():
    sample = Sample("p.png", np.zeros((9, 11, 3), np.uint8))
    found = RuledSegmenter(Speckled(), Rules((0, 2), (0, 0), (False, False))).segment(sample)
    assert found.labels.sum() == 20 and not found.labels[-1, -1]
    assert (found.scores == np.float32(0.7)).all() and found.name == "p.png" and found.seconds > 2


def test_four_megapixels_take_less_than_a_second():
    rng = np.random.default_rng(0)
    coarse = rng.random((200, 201)) > 0.4
    labels = np.kron(coarse, np.ones((10, 10), np.uint8)).astype(np.uint8)
    labels ^= (rng.random(labels.shape) > 0.999).astype(np.uint8)
    start = time.process_time()
    found = apply_rules(labels, Rules((0, 50), (0, 50), (False, False)), TWO)
    assert time.process_time() - start < 4  # sixteen times what it takes
    clean = np.kron(coarse, np.ones((10, 10), np.uint8))
    assert (found != clean).mean() < 0.7 * (labels != clean).mean()  # specks beside an edge stay
