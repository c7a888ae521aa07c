"""Tuning finds what a picture needs, leaves what is fixed, says honestly what it tried, and ends when told."""

import dataclasses
import math

import numpy as np
import pytest

from limner.classical import METHODS
from limner.classical.gain import GAIN, is_better, mean
from limner.classical.options import Option
from limner.classical.training_copies import Copy, choose_copies, evenly, on_copy, shrink
from limner.classical.tune import tune
from limner.core.errors import DataError
from limner.core.sample import Sample
from tests.contracts.test_classical import disc


def score(labels, sample):
    """Dice, written out once more."""
    known = np.ones(sample.size_hw, bool) if sample.valid is None else sample.valid
    found, truth = labels[known] > 0, sample.labels[known] > 0
    return 2 * (found & truth).sum() / (found.sum() + truth.sum()) if (found | truth).any() else math.nan


def dark_on_bright(seed, size=(47, 63)):
    """Dark discs that hold most of the border: by themselves all methods take the rest for the object."""
    truth = ~disc(size, (22, 30), 15)
    rng = np.random.default_rng(seed)
    image = np.clip(np.where(truth, 70, 160)[..., None] + rng.normal(0, 18, (*size, 1)), 0, 255).astype(np.uint8)
    return Sample(f"{seed}.png", image, truth.astype(np.uint8))


def red(seed, size=(40, 56)):
    """A disc that is redder than its surroundings, on an uneven brightness that has nothing to do with it."""
    truth = disc(size, (18, 25 + seed), 9)
    rng = np.random.default_rng(seed)
    light = rng.uniform(60, 160) * (0.5 + np.indices(size)[1] / size[1])
    image = np.stack([light + 30 * truth, light - 15 * truth, light], axis=2) + rng.normal(0, 3, (*size, 3))
    return Sample(f"{seed}.png", np.clip(image, 0, 255).astype(np.uint8), truth.astype(np.uint8))


def test_polarity_is_found():
    samples = [dark_on_bright(seed) for seed in range(3)]
    found = tune(METHODS["otsu"], samples, dice=score)
    assert found.options["polarity"] == "dark" and found.score > 0.95 > 0.3 > found.default_score
    assert found.stopped == "patience" and found.num_settings == len(found.tried) > 5
    assert set(found.options) == set(METHODS["otsu"].known)


@pytest.mark.parametrize("name", ["threshold", "otsu", "random-walker"])
def test_the_plane_that_shows_the_object_is_found(name):
    found = tune(METHODS[name], [red(seed) for seed in range(4)], dice=score)
    assert found.options["plane"] == "red-green" and found.score > 0.95 > found.default_score + 0.1


def test_gray_pictures_are_not_looked_at_in_other_planes():
    samples = [dark_on_bright(0)]
    found = tune(
        METHODS["otsu"], [dataclasses.replace(samples[0], image=np.repeat(samples[0].image, 3, axis=2))], dice=score
    )
    assert {each.options["plane"] for each in found.tried} == {"gray"}
    four = dataclasses.replace(
        samples[0], image=np.random.default_rng(0).integers(0, 255, (47, 63, 4)).astype(np.uint8)
    )
    assert {each.options["plane"] for each in tune(METHODS["otsu"], [four], dice=score).tried} == {"gray"}


def test_a_fixed_threshold_is_fitted():
    def picture(seed, low, high):
        truth = disc((40, 56), (18, 25), 9 + seed)
        rng = np.random.default_rng(seed)
        image = np.where(truth, high, low)[..., None] + rng.normal(0, 4, (40, 56, 1))
        return Sample(f"{seed}", np.clip(image, 0, 255).astype(np.uint8), truth.astype(np.uint8))

    found = tune(METHODS["threshold"], [picture(0, 20, 60), picture(1, 30, 90)], dice=score)
    assert found.default_score == 0 and found.score > 0.97 and 40 / 255 < found.options["threshold"] < 55 / 255


def test_what_is_fixed_stays():
    samples = [dark_on_bright(seed) for seed in range(2)]
    method = METHODS["otsu"].with_options({"polarity": "bright", "smoothing": 2.0})
    found = tune(method, samples, dice=score)
    assert {(each.options["polarity"], each.options["smoothing"]) for each in found.tried} == {("bright", 2.0)}
    everything = METHODS["otsu"].with_options(found.options)
    again = tune(everything, samples, dice=score)
    assert len(again.tried) == again.num_settings == 1 and again.options == found.options
    assert again.score == again.default_score == found.score


@pytest.mark.parametrize("name", METHODS)
def test_no_method_loses_by_being_tuned_and_scores_are_its_own(name):
    samples = [dark_on_bright(seed, (43, 55)) for seed in range(2)]
    found = tune(METHODS[name], samples, dice=score)
    tuned = METHODS[name].with_options(found.options)
    own = [np.mean([score(m.segment(s).labels, s) for s in samples]) for m in (tuned, METHODS[name])]
    assert (found.score, found.default_score) == pytest.approx(tuple(own)) and found.score >= found.default_score
    again = tune(METHODS[name], samples, dice=score)
    assert again.options == found.options and [t.options for t in again.tried] == [t.options for t in found.tried]


def test_small_gains_do_not_move_a_setting():
    calls = []

    def nearly_equal(labels, sample):
        calls.append(1)
        return 0.8 + len(calls) * GAIN / 1000

    samples = [dark_on_bright(0)]
    assert tune(METHODS["otsu"], samples, dice=nearly_equal).options == METHODS["otsu"].all_options()


def test_large_pictures_are_halved_and_the_winner_is_compared_at_full_size():
    truth = disc((150, 210), (70, 95), 45)
    rng = np.random.default_rng(0)
    image = np.clip(np.where(truth, 150, 90)[..., None] + rng.normal(0, 50, (150, 210, 1)), 0, 255).astype(np.uint8)
    samples = [Sample("a", image, truth.astype(np.uint8)), dark_on_bright(1)]
    found = tune(METHODS["otsu"], samples, dice=score, side=60)
    full = [each for each in found.tried if each.full_size]
    assert 2 <= len(full) <= 4 and full[0].options == METHODS["otsu"].all_options()
    tuned = METHODS["otsu"].with_options(found.options)
    assert found.score == pytest.approx(np.mean([score(tuned.segment(s).labels, s) for s in samples]))
    assert found.score >= found.default_score == full[0].dice


def test_shrinking_keeps_depth_and_takes_the_larger_half():
    image = np.zeros((4, 6, 2), np.uint16)
    image[:2, :2, 0], image[2, 4, 1] = 60000, 1001
    labels = np.zeros((4, 6), np.uint8)
    labels[0, :2], labels[3, 5] = 1, 1
    valid = np.ones((4, 6), bool)
    valid[2:, :2] = False
    found = shrink(Sample("a", image, labels, valid), 3)
    assert found.halvings == 1 and found.sample.image.dtype == np.uint16 and found.sample.size_hw == (2, 3)
    assert found.sample.image[0, 0].tolist() == [60000, 0] and found.sample.image[1, 2, 1] == 250
    assert found.sample.labels.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert found.sample.valid.tolist() == [[True] * 3, [False, True, True]]
    assert shrink(found.sample, 3) == Copy(found.sample) and shrink(Sample("b", image, labels), 1).halvings == 3


def test_lengths_in_pixels_follow_the_copy():
    method = METHODS["watershed"]
    options = {**method.all_options(), "margin": 16.0, "smoothing": 2.0, "levels": 1}
    assert on_copy(method, options, 0).options == options
    half = on_copy(method, options, 1).options  # the copy is what the first level would have been
    assert (half["margin"], half["smoothing"], half["levels"]) == (16.0, 2.0, 0)
    eighth = on_copy(method, options, 3).options
    assert (eighth["margin"], eighth["smoothing"], eighth["levels"], eighth["core"]) == (4.0, 0.5, 0, 0.3)
    whole = Option("", 3, (5,), in_pixels=True)
    assert [whole.on_copy(value, 0.25) for value in (0, 1, 3, 31)] == [0, 1, 1, 8]


def test_time_that_runs_out_ends_it_with_the_best_so_far():
    samples = [dark_on_bright(seed) for seed in range(3)]
    found = tune(METHODS["otsu"], samples, dice=score, budget_seconds=0)
    assert found.stopped == "budget" and len(found.tried) == 1 and found.options == METHODS["otsu"].all_options()
    large = [
        Sample("a", np.repeat(np.repeat(s.image, 4, 0), 4, 1), np.repeat(np.repeat(s.labels, 4, 0), 4, 1))
        for s in samples
    ]
    found = tune(METHODS["otsu"], large, dice=score, budget_seconds=0, side=64)
    assert found.stopped == "budget" and found.score == found.default_score


def test_pictures_without_an_object():
    empty = Sample("a", dark_on_bright(0).image, np.zeros((47, 63), np.uint8))
    with pytest.raises(DataError, match="none of 2 training pictures"):
        tune(METHODS["otsu"], [empty, empty], dice=score)
    found = tune(METHODS["otsu"], [empty, dark_on_bright(1)], dice=score)
    assert found.tried[0].pictures == 2


def test_at_most_so_many_pictures():
    samples = [dark_on_bright(seed, (23, 31)) for seed in range(12)]
    assert {each.pictures for each in tune(METHODS["otsu"], samples, dice=score, pictures=5).tried} == {5}
    seen = []
    tune(METHODS["grabcut"], samples, dice=lambda labels, s: seen.append(s.name) or score(labels, s), budget_seconds=0)
    assert len(seen) == len(set(seen)) == 8
    assert evenly(12, 4) == [1, 4, 7, 10] and evenly(3, 8) == [0, 1, 2] and evenly(0, 4) == []


def test_a_gain_has_to_be_larger_than_its_error():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.4, 0.9, 12)
    shift = rng.normal(0, 0.05, 12)
    for gain in (-0.1, 0.0, 0.002, 0.01, 0.03, 0.1):
        other = base + shift - shift.mean() + gain
        error = np.std(other - base, ddof=1) / np.sqrt(12)
        assert is_better(other.tolist(), base.tolist()) == (gain > max(error, GAIN))
    assert is_better([0.8], [0.7]) and not is_better([0.7004], [0.7]) and not is_better([0.7], [0.8])


def test_pictures_without_a_score():
    nan = math.nan
    assert math.isnan(mean([nan, nan])) and mean([nan, 0.5, 0.7]) == pytest.approx(0.6)
    # a false alarm on an empty picture counts 0, none counts nothing
    assert is_better([0.8, 0.9, 0.85, nan], [0.8, 0.9, 0.85, 0.0]) and not is_better([0.8, 0.9, 0.0], [0.8, 0.9, nan])
    assert is_better([0.5, 0.4], [nan, nan]) and not is_better([nan, nan], [nan, nan])


def test_rare_objects_are_looked_for_until_some_are_found():
    """Eight evenly spaced ones of 60 show nothing; the three that do stand where none of these is."""
    shown = {7, 30, 59}
    samples = [
        dark_on_bright(i) if i in shown else Sample(f"{i}", dark_on_bright(i).image, np.zeros((47, 63), np.uint8))
        for i in range(60)
    ]
    assert not shown & set(evenly(60, 8))
    copies = choose_copies(samples, 8, 64)
    assert len(copies) == 8 and {place for place, copy in copies.items() if copy.has_object} == {59, 30}
    assert tune(METHODS["k-means"], samples, dice=score, budget_seconds=0).stopped == "budget"
    assert set(choose_copies(samples[31:59], 8, 64)) == set(evenly(28, 8))
