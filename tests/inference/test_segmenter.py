"""A fake network of three lines shows what happens around a network: size, scale, tiles, channels, decision."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.bundle import InputContract
from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.core.sample import Sample
from limner.inference import capacity
from limner.inference.blend import activate
from limner.inference.segmenter import NetworkSegmenter

CONTRACT = InputContract(
    channels=3, scale=1.0, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.5
)  # fmt: skip
TWO, THREE = LabelSpace(("background", "cell")), LabelSpace(("background", "cell", "wall"))


class Bright:
    """Foreground where the first channel is above its middle; remembers the sizes that it saw."""

    def __init__(self):
        self.sizes = []

    def __call__(self, batch):
        self.sizes.append(batch.shape)
        return 8 * batch[:, :1]


class Colors:
    """Each channel is the logit of a class."""

    def __call__(self, batch):
        return 8 * batch


def segment(image, predictor=None, label_space=TWO, channels=3, scores=False, **changes):
    contract = dataclasses.replace(CONTRACT, **changes)
    return NetworkSegmenter(predictor or Bright(), contract, label_space, channels, scores).segment(
        Sample("p.png", image)
    )


def picture(size_hw, seed=0):
    """Large blocks of dark and bright without symmetry."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 2, (-(-size_hw[0] // 8), -(-size_hw[1] // 8)))
    mask = np.kron(blocks, np.ones((8, 8), int))[: size_hw[0], : size_hw[1]]
    return np.repeat((40 + 170 * mask).astype(np.uint8)[..., None], 3, axis=2), mask


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (64, 48), (215, 331)])
@pytest.mark.parametrize("changes", [{}, {"tile": 32}, {"flips": "xy"}, {"tile": 40, "flips": "xy", "overlap": 0.5}])
def test_labels_are_exact_and_of_native_size(size, changes):
    image, mask = picture(size)
    found = segment(image, **changes)
    assert found.labels.shape == size and found.labels.dtype == np.uint8 and np.array_equal(found.labels, mask)
    assert found.name == "p.png" and found.scores is None and found.label_space is TWO and found.seconds > 0


@pytest.mark.parametrize("scale", [0.5, 0.37, 2.0])
@pytest.mark.parametrize("size", [(1, 1), (3, 400), (64, 48)])
def test_working_scale_is_undone(scale, size):
    image, mask = picture(size)
    seen = Bright()
    found = segment(image, seen, scale=scale, scores=True)
    assert found.labels.shape == size and found.scores.shape == (1, *size)
    assert seen.sizes == [(1, 3, max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))]
    if min(size) > 8:
        assert (found.labels == mask).mean() > 0.75


def test_tiles_are_in_input_pixels_and_see_what_surrounds_them():
    image, _mask = picture((300, 270))
    seen = Bright()
    segment(image, seen, tile=100)
    # in steps of 96, as far as 128 further: (300 - 128) / 96 and (270 - 128) / 96 are less than 2
    assert {size[2:] for size in seen.sizes} == {(224, 224), (224, 174), (204, 224), (204, 174)}
    seen = Bright()
    segment(image, seen, tile=600, scale=0.5)  # the picture is 150 x 135 and the tile 300
    assert [size[2:] for size in seen.sizes] == [(150, 135)]
    seen = Bright()
    segment(image, seen, tile=100, scale=0.8)  # 240 x 216, tiles of 80
    assert {size[2:] for size in seen.sizes} == {(192, 192), (192, 152), (176, 192), (176, 152)}


def test_large_pictures_are_tiled_unasked(monkeypatch):
    monkeypatch.setattr(capacity, "WHOLE_PIXELS", 3000)
    monkeypatch.setattr(capacity, "DEFAULT_TILE", 48)
    image, mask = picture((60, 270))
    seen = Bright()
    assert np.array_equal(segment(image, seen).labels, mask) and max(size[3] for size in seen.sizes) == 160
    assert len(seen.sizes) == 5


@settings(max_examples=25)
@given(st.integers(1, 80), st.integers(1, 80), st.sampled_from([0, 32, 48]), st.sampled_from([0.4, 1.0, 1.7]))
def test_scores_of_any_size_are_complete(height, width, tile, scale):
    image, _ = picture((height, width))
    found = segment(image, Colors(), THREE, scores=True, tile=tile, scale=scale)
    assert found.scores.shape == (3, height, width) and found.labels.shape == (height, width)
    assert np.allclose(found.scores.sum(0), 1, atol=1e-4)


def test_gray_is_repeated_for_a_colour_network():
    image, mask = picture((20, 30))
    found = segment(image[..., :1], Colors(), LabelSpace(("a", "b", "c")), channels=3)
    assert np.array_equal(found.labels, np.zeros((20, 30)))  # three equal logits: the first class
    assert np.array_equal(segment(image[..., :1]).labels, mask)


def test_other_channels_are_refused_with_the_name():
    with pytest.raises(DataError, match="a picture of 5 channels") as caught:
        segment(np.zeros((4, 4, 5), np.uint8))
    assert caught.value.where == "p.png" and "3" in caught.value.expected


def test_classes_threshold_and_percentiles():
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, :, 1], image[1, :, 2], image[1, 2, 0] = 200, 200, 255
    assert segment(image, Colors(), THREE).labels.tolist() == [[1, 1, 1], [2, 2, 0]]
    half = np.full((1, 2, 3), 127, np.uint8)  # logit 0: score 0.5, which is not above it
    half[0, 1] = 140
    assert segment(half).labels.tolist() == [[0, 1]]
    assert segment(half, threshold=0.4).labels.tolist() == [[1, 1]]
    assert segment(half, threshold=0.9).labels.tolist() == [[0, 0]]
    deep = np.repeat(np.linspace(1000, 1400, 100).astype(np.uint16).reshape(1, 100, 1), 3, axis=2)
    assert segment(deep).labels.all()  # beyond 255 everything is bright
    found = segment(deep, normalization="percentile").labels[0]
    assert not found[:45].any() and found[55:].all()
    assert not segment(deep, intensity_range=(1000.0, 2000.0)).labels.any()


def test_flips_average_a_one_sided_network():
    class Left:
        def __call__(self, batch):
            logits = np.full((1, 1, *batch.shape[2:]), -4.0, np.float32)
            logits[..., : batch.shape[3] // 2] = 4.0
            return logits

    plain = segment(np.zeros((4, 8, 3), np.uint8), Left(), scores=True).scores[0]
    both = segment(np.zeros((4, 8, 3), np.uint8), Left(), scores=True, flips="x").scores[0]
    assert plain[0, 0] > 0.9 > 0.1 > plain[0, -1] and np.allclose(both, 0.5)


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (1, 1), (4, 6)])
def test_mirrored_pictures_of_one_pixel_lie_forward_in_memory(size):
    """Torch refuses arrays that are read backwards, which NumPy allows along an axis of one pixel."""
    image, mask = picture(size)

    def forward(batch):
        assert min(batch.strides) > 0 and batch.flags.c_contiguous
        return 8 * batch[:, :1]

    assert np.array_equal(segment(image, forward, flips="xy").labels, mask)


def test_activations_are_stable():
    one = activate(np.array([[[[-1e5, 0.0, 1e5]]]], np.float32))
    assert one.dtype == np.float32 and np.allclose(one, [[[[0, 0.5, 1]]]])
    many = activate(np.array([1e5, 0.0, 1e5], np.float32).reshape(1, 3, 1, 1))
    assert np.allclose(many.ravel(), [0.5, 0, 0.5])


@pytest.mark.parametrize("temperature", [1.0, 1.5])
def test_scores_of_overlapping_tiles_stay_in_range(temperature):
    """Weights of tiles add up to 1 + 2**-23 in places; where all tiles are sure, their mean must not be more than sure."""
    image = np.full((700, 900, 3), 255, np.uint8)

    class Sure:
        def __call__(self, batch):
            return np.full((len(batch), 1, *batch.shape[2:]), 20.0, np.float32)

    scores = segment(image, Sure(), scores=True, tile=256, temperature=temperature).scores
    assert scores.max() <= 1 and scores.min() > 0.999
    contract = dataclasses.replace(CONTRACT, tile=256)
    maps = NetworkSegmenter(Sure(), contract, TWO, 3).native_maps(Sample("p.png", image))
    assert maps.max() <= 1
