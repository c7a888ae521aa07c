"""Finished rows of a stream are the rows of the whole, wherever it starts; tiles leave no seams."""

import dataclasses
import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.bundle import InputContract
from limner.core.labels import LabelSpace
from limner.core.sample import Sample
from limner.inference import blend, capacity
from limner.inference import segmenter as module
from limner.inference.blend import Grid, blended_rows, enlarged_rows, first_needed
from limner.inference.capacity import Pieces, plan_pieces
from limner.inference.segmenter import NetworkSegmenter
from limner.inference.source import ArraySource
from limner.inference.tiles import make_axis
from limner.inference.working import PreparedRows

CONTRACT = InputContract(
    channels=1, scale=1.0, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.5
)  # fmt: skip
TWO = LabelSpace(("background", "cell"))


def noise(height, width, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.random((max(2, height // 11), max(2, width // 17))), (width, height)).reshape(height, width)
    return np.repeat(
        (255 * np.clip(coarse * 0.8 + rng.random((height, width)) * 0.2, 0, 1)).astype(np.uint8)[..., None], channels, 2
    )


class Blocks:
    """Means of blocks of `side` pixels around each block, as a network of that stride sees them: padding is not the picture."""

    def __init__(self, side, reach=0):
        self.side, self.reach = side, reach

    def __call__(self, batch):
        n, _, height, width = batch.shape
        pad = ((0, 0), (0, -height % self.side), (0, -width % self.side))
        out = np.empty((n, 1, height, width), np.float32)
        for picture, answer in zip(np.pad(batch[:, 0], pad, mode="edge"), out, strict=True):
            rows, columns = (side // self.side for side in picture.shape)
            coarse = picture.reshape(rows, self.side, columns, self.side).mean((1, 3))
            if self.reach:
                size = (2 * self.reach + 1,) * 2
                coarse = cv2.blur(coarse, size, borderType=cv2.BORDER_CONSTANT)
            fine = np.kron(coarse, np.ones((self.side, self.side), np.float32))
            answer[0] = 20 * (picture - fine)[:height, :width]
        return out


def segmenter(predictor, scores=False, **changes):
    return NetworkSegmenter(predictor, dataclasses.replace(CONTRACT, **changes), TWO, 1, scores)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 150), st.integers(1, 150), st.sampled_from([32, 48, 64, 96]), st.integers(1, 5), st.integers(0, 99)
)
def test_any_start_gives_the_same_rows(height, width, tile, batch, seed):
    image = noise(height, width, seed=seed)
    grid = Grid(*(make_axis(side, tile, overlap=0.25) for side in (height, width)), batch)
    start = seed * height // 100
    counted = []

    def scores_of(parts):
        counted.append(len(parts))
        return [np.stack([part[..., 0] / 255.0, part[..., 0] / 510.0]).astype(np.float32) for part in parts]

    parts = list(blended_rows(PreparedRows(image), grid, scores_of, maps=2))
    assert [first for first, _ in parts] == list(np.cumsum([0] + [part.shape[1] for _, part in parts[:-1]]))
    every = np.concatenate([part for _, part in parts], axis=1)
    assert np.allclose(every[0], image[..., 0] / 255, atol=1e-5) and np.allclose(every[1], every[0] / 2, atol=1e-5)
    assert max(counted) <= batch and sum(counted) == len(grid.rows.spans) * len(grid.columns.spans)
    again = np.concatenate(
        [part for _, part in blended_rows(PreparedRows(image), grid, scores_of, maps=2, start=start)], axis=1
    )
    assert np.array_equal(again, every[:, start:])  # bit for bit: an interrupted picture ends like any other


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 80), st.integers(1, 60), st.integers(0, 99))
def test_rows_are_enlarged_as_the_whole_is(height, width, native_height, native_width, seed):
    rng = np.random.default_rng(seed)
    scores = rng.random((2, height, width), np.float32)
    cuts = sorted({0, height, *rng.integers(0, height + 1, 3).tolist()})
    native = (native_height, native_width)

    def parts(first=0):
        for low, high in itertools.pairwise(cuts):
            if high > first:
                yield max(low, first), scores[:, max(low, first) : high]

    expected = np.stack([cv2.resize(one, native[::-1]).reshape(native) for one in scores])
    found = list(enlarged_rows(parts(), (height, width), native))
    assert np.allclose(np.concatenate([part for _, part in found], axis=1), expected, atol=1e-5)
    start = found[seed * len(found) // 100][0]  # whoever goes on behind a part gets the very same numbers
    first = first_needed(start, height, native_height)
    again = list(enlarged_rows(parts(first), (height, width), native, start=start))
    for (row, part), (other, same) in zip(again, found[-len(again) :], strict=True):
        assert row == other and np.array_equal(part, same)
    anywhere = seed * native_height // 100
    first = first_needed(anywhere, height, native_height)
    later = np.concatenate([p for _, p in enlarged_rows(parts(first), (height, width), native, start=anywhere)], axis=1)
    assert np.allclose(later, expected[:, anywhere:], atol=1e-5)


@pytest.mark.parametrize("flips", ["", "x", "xy"])
@pytest.mark.parametrize("size", [(320, 256), (301, 367)])
def test_tiles_are_in_step_with_a_network_of_stride_32(size, flips):
    """Shifted by one pixel, other blocks are averaged and labels change everywhere; in step, none does."""
    image = noise(*size)
    sample = Sample("a", image)
    whole = segmenter(Blocks(32), True, flips=flips).segment(sample)
    tiled = segmenter(Blocks(32), True, flips=flips, tile=70).segment(sample)
    assert np.abs(whole.scores - tiled.scores).max() < 1e-3 and (whole.labels != tiled.labels).mean() < 1e-4
    assert 0.2 < whole.labels.mean() < 0.8
    other = segmenter(Blocks(32), flips=flips).segment(Sample("a", image[:, 5:])).labels
    assert (other != whole.labels[:, 5:]).mean() > 0.003


def test_what_disagrees_does_not_lie_at_tile_borders():
    """A network that looks further than tiles overlap: there is disagreement, and it is no more frequent near borders."""
    image = noise(700, 620)
    net, tile = Blocks(8, reach=10), 256
    whole = segmenter(net).segment(Sample("a", image)).labels
    tiled = segmenter(net, tile=tile).segment(Sample("a", image)).labels
    wrong = whole != tiled
    near = np.zeros(whole.shape, bool)
    for axis, length in enumerate(whole.shape):
        for window in make_axis(length, tile, overlap=0.25).spans:
            for border in (window.start, window.stop):
                if 0 < border < length:
                    near[(slice(None),) * axis + (slice(border - 8, border + 8),)] = True
    assert 0 < wrong.mean() < 0.01
    assert wrong[near].mean() < 2 * max(wrong[~near].mean(), 1e-4), (wrong[near].mean(), wrong[~near].mean())
    hard = np.zeros_like(whole)  # tiles laid side by side, for comparison, leave seams
    for top in range(0, 700, tile):
        for left in range(0, 620, tile):
            part = Sample("a", np.ascontiguousarray(image[top : top + tile, left : left + tile]))
            hard[top : top + tile, left : left + tile] = segmenter(net).segment(part).labels
    assert (hard != whole).mean() > 3 * wrong.mean()


@pytest.mark.parametrize("scale", [0.37, 1.0, 1.415])
def test_windows_give_the_labels_of_the_whole(monkeypatch, scale):
    image = noise(201, 173)
    network = segmenter(Blocks(8, reach=1), scale=scale, normalization="percentile", tile=100)
    expected = network.segment(Sample("a", image)).labels
    monkeypatch.setattr(module, "PREPARED_PIXELS", 0)  # as a file that is read by windows
    monkeypatch.setattr(blend, "CHUNK_BYTES", 4 * 173 * 7)
    rows = list(network.label_rows(ArraySource(image)))
    found = np.concatenate([part.labels for part in rows])
    assert len(rows) > 20 and (found != expected).mean() < 1e-4
    later = np.concatenate([part.labels for part in network.label_rows(ArraySource(image), start=rows[9].start)])
    assert np.array_equal(later, found[rows[9].start :])


def test_many_pictures_at_once_are_those_one_by_one():
    sizes = [(40, 31), (40, 31), (25, 60), (40, 31), (300, 200)]
    samples = [Sample(f"{i}", noise(*size, seed=i)) for i, size in enumerate(sizes)]
    calls = []

    class Counted(Blocks):
        def __call__(self, batch):
            calls.append(len(batch))
            return super().__call__(batch)

    network = segmenter(Counted(8, 1), True, tile=256, flips="x", temperature=2.0)
    many = network.segment_many(samples)
    assert sorted(calls)[-2:] == [3, 3]
    for one, sample in zip(many, samples, strict=True):
        alone = network.segment(sample)
        assert one.name == sample.name and one.seconds > 0
        assert np.array_equal(one.labels, alone.labels) and np.array_equal(one.scores, alone.scores)
    assert network.segment_many([]) == []


class Greedy(Blocks):
    """Runs out of memory above a number of pixels."""

    def __init__(self, most, error):
        super().__init__(8)
        self.most, self.error = most, error

    def __call__(self, batch):
        if batch.size > self.most:
            raise self.error
        return super().__call__(batch)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate")])
def test_memory_that_runs_out_halves_the_tiles_once_and_says_so(error):
    image = noise(500, 400)
    found = segmenter(Greedy(100_000, error)).segment(Sample("a", image))
    assert np.array_equal(found.labels, segmenter(Blocks(8), tile=250).segment(Sample("a", image)).labels)
    rows = list(segmenter(Greedy(100_000, error)).label_rows(ArraySource(image)))
    assert "memory ran out; tiles of 250 working pixels instead of one piece" in rows[0].pieces.notes
    assert np.array_equal(np.concatenate([part.labels for part in rows]), found.labels)
    for call in (lambda n: n.segment(Sample("a", image)), lambda n: list(n.label_rows(ArraySource(image)))):
        with pytest.raises(MemoryError):
            call(segmenter(Greedy(900, error)))
    with pytest.raises(RuntimeError, match="another"):
        segmenter(Greedy(900, RuntimeError("another"))).segment(Sample("a", image))


def test_pieces_follow_the_free_memory(monkeypatch):
    def plan(free, size=(9000, 8000), maps=1, **changes):
        monkeypatch.setattr(capacity, "free_memory", lambda: free)
        return plan_pieces(size, dataclasses.replace(CONTRACT, **changes), maps=maps)

    assert plan(64 * 2**30) == Pieces(896) and plan(64 * 2**30, (1000, 1400)) == Pieces(0)
    assert plan(64 * 2**30, tile=2000, scale=0.5) == Pieces(1000) and plan(64 * 2**30, tile=96).batch == 4
    assert plan(64 * 2**30, (900, 1000), tile=4096) == Pieces(0) and plan(1, resize_hw=(50, 70)) == Pieces(0)
    small = plan(2**30)
    assert small.tile == 224 and "1024 MiB" in small.notes[0] and plan(1).tile == 128
    assert 128 <= plan(2**30, (1200, 1200)).tile < 1200 and plan(2**28, (200, 200)) == Pieces(0)
    assert plan(6 * 2**30, (9000, 100_000), maps=100).tile < 896  # the band of scores of many classes counts
    assert plan(64 * 2**30, tile=64).halved((9000, 8000)).tile == 32
