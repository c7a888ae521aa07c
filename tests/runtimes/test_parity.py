"""The figures of the gate against numbers worked out by hand, and every kind of runtime that is not the network's equal."""

import dataclasses

import numpy as np
import pytest

from limner.core.bundle import Bundle, InputContract
from limner.core.errors import BundleError
from limner.core.labels import LabelSpace
from limner.runtimes.decision import Decision, decide
from limner.runtimes.parity import (
    VECTOR_SHAPES,
    VECTORS,
    Parity,
    check_vectors,
    compare,
    compare_logits,
    failures_bfloat16,
    failures_float32,
    read_vectors,
    synthetic_tiles,
    write_vectors,
)

CONTRACT = InputContract(
    channels=2, scale=1.0, normalization="unit", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.7
)  # fmt: skip


def network(batch):
    """Two classes; logit 0 of the first, the difference of the channels for the second."""
    difference = batch[:, :1] - batch[:, 1:2]
    return np.concatenate([np.zeros_like(difference), difference], axis=1)


def shifted(amount):
    def candidate(batch):
        logits = network(batch)
        logits[:, 1] += amount
        return logits

    return candidate


def tile(values):
    """One tile whose second logit takes these values."""
    values = np.asarray(values, np.float32)
    return np.stack([values, np.zeros_like(values)])[None]


def test_the_figures_are_those_worked_out_by_hand():
    first = tile([[-3.0, -0.5, -0.1], [0.25, 1.0, 2.0]])  # labels 0 0 0 / 1 1 1
    second = tile([[-0.2, 4.0]])
    parity = compare(network, shifted(0.3), [first, second], threshold=0.5)
    assert parity.max_abs_logit_difference == pytest.approx(0.3, abs=1e-6)
    assert parity.logit_spread == 7.0  # from -3 to 4
    assert parity.label_disagreement == 2 / 8  # -0.1 and -0.2 have become positive
    assert (parity.tiles, parity.pixels) == (2, 8)


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.5, [0, 1, 1]), (0.7, [0, 0, 1]), (0.0, [1, 1, 1]), (1.0, [0, 0, 0])]
)
def test_one_map_is_compared_with_the_threshold(threshold, expected):
    logits = np.array([-0.1, 0.8, 0.9], np.float32)[None, None, None]  # sigmoid: 0.475, 0.690, 0.711
    assert decide(logits, threshold).tolist() == [[expected]]


def test_of_several_maps_the_largest_wins():
    logits = np.array([[[[1.0, 0.0]], [[0.5, 3.0]], [[0.7, 2.0]]]], np.float32)
    assert decide(logits, 0.9).tolist() == [[[0, 1]]]


def test_limits_are_absolute_for_small_logits_and_relative_for_large_ones():
    small = Parity(0.0009, 0.5, 0.0, 1, 100)
    assert failures_float32(small) == []
    assert (
        "differs by 0.0011 (at most 0.001)"
        in failures_float32(dataclasses.replace(small, max_abs_logit_difference=0.0011))[0]
    )
    large = Parity(0.015, 20.0, 0.0, 1, 100)
    assert failures_float32(large) == []
    assert len(failures_float32(dataclasses.replace(large, max_abs_logit_difference=0.021))) == 1


def test_labels_have_a_stricter_limit_in_float32_than_in_bfloat16():
    parity = Parity(0.0, 1.0, 0.0005, 1, 10_000)
    assert "0.0500% of the pixels have another label (at most 0.01%)" in failures_float32(parity)
    assert failures_bfloat16(parity) == []
    assert failures_bfloat16(dataclasses.replace(parity, label_disagreement=0.0011, max_abs_logit_difference=0.3))


def test_maps_that_tell_objects_apart_are_held_to_their_spread():
    """Maps 1 and 2 lie behind one map of a class; the first of them differs by 1 of 20 in half of the pixels."""
    expected = np.zeros((2, 3, 2, 2), np.float32)
    expected[:, 1] = [[-10, 10], [0, 0]]
    found = expected.copy()
    found[:, 1, 0] += 1
    found[0, 2, 0, 0] = 0.1  # spread 0 counts as 1: 0.1 in one of eight pixels

    def candidate(batch):
        return found[: len(batch)]

    pairs = [(expected, expected), (expected[:1], expected[:1])]
    parity = compare_logits(pairs, candidate, Decision(0.5, 1))
    assert parity.map_difference == pytest.approx(0.5 / 20) and parity.label_disagreement == 0
    assert failures_bfloat16(parity) and not failures_bfloat16(parity, maps=False)
    assert "a map of objects differs by 2.50% on average (at most 2%)" in failures_bfloat16(parity)
    assert failures_bfloat16(dataclasses.replace(parity, map_difference=0.0199)) == []
    assert compare_logits(pairs, candidate, Decision(0.5)).map_difference == 0


def stops(batch):
    raise RuntimeError("Reshape:\n  cannot infer 5 x 7")


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (lambda batch: network(batch)[:, :, 1:], "answers (1, 2, 1, 3) in place of (1, 2, 2, 3)"),
        (lambda batch: network(batch) * np.float32(np.nan), "not-a-number"),
        (stops, "for 1 x 2 x 3 pixels it stops: Reshape: cannot infer 5 x 7"),
    ],
)
def test_a_runtime_without_an_answer_fails_at_every_limit(candidate, words):
    parity = compare(network, candidate, [tile([[1, 2, 3], [4, 5, 6]])], threshold=0.5)
    assert parity.max_abs_logit_difference is None and parity.label_disagreement == 1.0
    assert words in parity.failures()[0]
    assert failures_float32(parity) and failures_bfloat16(parity)


def test_one_wrong_tile_among_good_ones_is_not_averaged_away():
    def candidate(batch):
        return network(batch)[..., :-1] if batch.shape[3] == 5 else network(batch)

    tiles = [tile(np.ones((3, n))) for n in (4, 5, 6)]
    assert failures_float32(compare(network, candidate, tiles, threshold=0.5))


def test_synthetic_tiles_cover_the_range_of_intensities_and_depend_on_the_seed_alone():
    tiles = synthetic_tiles(2, normalization="fixed")
    assert [t.shape for t in tiles] == [(n, 2, h, w) for n, h, w in VECTOR_SHAPES]
    again, other = synthetic_tiles(2, normalization="fixed"), synthetic_tiles(2, normalization="fixed", seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(tiles, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(tiles, other, strict=True))
    large = tiles[-1]
    assert large.dtype == np.float32 and -1 <= large.min() < -0.7 and 0.7 < large.max() <= 1
    unit = synthetic_tiles(2, normalization="unit")[-1]
    assert 0 <= unit.min() < 0.15 and 0.85 < unit.max() <= 1


def make_bundle(folder):
    bundle = Bundle(folder, "unet", {"channels": 2, "maps": 2}, LabelSpace(("background", "a", "b")), CONTRACT)
    write_vectors(folder / VECTORS, network, bundle)
    return bundle


def test_vectors_are_kept_without_pickle_and_judge_a_predictor(tmp_path):
    bundle = make_bundle(tmp_path)
    with np.load(tmp_path / VECTORS, allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted(
            f"{kind}_{i}" for kind in ("tile", "logits", "labels") for i in range(len(VECTOR_SHAPES))
        )
        assert archive["labels_3"].shape == (3, 64, 48) and archive["labels_3"].max() == 1
    good, bad = check_vectors(network, bundle), check_vectors(shifted(0.1), bundle)
    assert good.max_abs_logit_difference == 0 and failures_float32(good) == []
    assert good.tiles == sum(n for n, _, _ in VECTOR_SHAPES)
    assert bad.max_abs_logit_difference == pytest.approx(0.1, abs=1e-6) and failures_float32(bad)


def not_there(file):
    file.unlink()


def cut_short(file):
    file.write_bytes(file.read_bytes()[:500])


def one_array(file):
    with file.open("wb") as stream:
        np.save(stream, np.zeros(3))


def objects(file):
    with file.open("wb") as stream:
        np.savez(stream, tile_0=np.array([{}], object), logits_0=np.array([{}], object))


def other_names(file):
    with file.open("wb") as stream:
        np.savez(stream, picture=np.zeros((1, 2, 3, 4)))


@pytest.mark.parametrize("damage", [not_there, cut_short, one_array, objects, other_names])
def test_damaged_vectors_are_named(tmp_path, damage):
    make_bundle(tmp_path)
    damage(tmp_path / VECTORS)
    with pytest.raises(BundleError, match=r"parity\.npz") as caught:
        read_vectors(tmp_path / VECTORS)
    assert caught.value.where.endswith(VECTORS) and caught.value.fix
