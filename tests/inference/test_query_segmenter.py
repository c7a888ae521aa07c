"""Whole pictures through a network of query masks: sizes, batches, contracts; with a predictor that needs no network."""

import dataclasses

import numpy as np
import pytest

from limner.core.bundle import InputContract
from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.core.object_head import QUERIES, ObjectHead
from limner.core.sample import Sample
from limner.inference.query_segmenter import QuerySegmenter, make_segmenter
from limner.inference.segmenter import NetworkSegmenter
from limner.inference.source import ArraySource

SPACE = LabelSpace(("background", "red", "green"), things=("red", "green"))
HEAD = ObjectHead(head=QUERIES, decoder=QUERIES, diameter=1.0)
CONTRACT = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5, resize_hw=(32, 64), objects=HEAD)


class ColourQueries:
    """Query 0 says where a picture is red, query 1 where it is green; the masks are a quarter of the input's size."""

    def __init__(self):
        self.sizes = []

    def __call__(self, batch, /):
        self.sizes.append(batch.shape)
        small = batch[:, :, 2::4, 2::4]
        masks = 8 * np.stack([small[:, 0] - small[:, 1] - 0.86, small[:, 1] - small[:, 0] - 0.86], 1)
        logits = np.zeros((len(batch), 2, 1, masks.shape[3]), np.float32)
        logits[:, 0, 0, 0] = logits[:, 1, 0, 1] = 5.0
        return np.concatenate([masks, logits], 2).astype(np.float32)


def picture(size_hw, red, green):
    image = np.full((*size_hw, 3), 20, np.uint8)
    image[red] = (240, 20, 20)
    image[green] = (20, 240, 20)
    return Sample(f"{size_hw[0]}.png", image)


@pytest.fixture
def sample():
    return picture((70, 150), (slice(10, 40), slice(15, 60)), (slice(30, 62), slice(80, 130)))


def test_labels_and_objects_at_native_size(sample):
    predictor = ColourQueries()
    found = make_segmenter(predictor, CONTRACT, SPACE, 3, True).segment(sample)
    assert predictor.sizes == [(1, 3, 32, 64)] and found.labels.shape == (70, 150) and len(found.objects) == 2
    truth = (sample.image[..., 0] > 200) * 1 + (sample.image[..., 1] > 200) * 2
    assert np.mean(truth != found.labels) < 0.1  # a cell of the masks is 9 x 9 native pixels
    assert found.objects.classes.tolist() == [1, 2] and np.array_equal(found.objects.class_map(), found.labels)
    assert found.scores.shape == (3, 70, 150) and np.mean(found.scores.argmax(0) == found.labels) > 0.95


def test_many_pictures_are_one_batch_and_answer_as_alone(sample):
    predictor = ColourQueries()
    segmenter = make_segmenter(predictor, CONTRACT, SPACE, 3)
    other = picture((33, 21), (slice(2, 20), slice(3, 9)), (slice(0, 0), slice(0, 0)))
    both = segmenter.segment_many([sample, other, sample])
    assert predictor.sizes == [(3, 3, 32, 64)] and [one.name for one in both] == ["70.png", "33.png", "70.png"]
    for one, given in zip(both, (sample, other, sample), strict=True):
        alone = segmenter.segment(given)
        assert np.array_equal(one.labels, alone.labels) and np.array_equal(one.objects.ids, alone.objects.ids)
        assert one.seconds > 0
    assert segmenter.segment_many([]) == []


def test_a_label_space_without_things_has_no_objects(sample):
    plain = LabelSpace(SPACE.names)
    found = make_segmenter(ColourQueries(), CONTRACT, plain, 3).segment(sample)
    assert found.objects is None and set(np.unique(found.labels)) == {0, 1, 2}


def test_rows_of_a_source_are_those_of_the_picture(sample):
    segmenter = make_segmenter(ColourQueries(), CONTRACT, SPACE, 3)
    expected = segmenter.segment(sample)
    [rows] = segmenter.label_rows(ArraySource(sample.image), start=17)
    assert rows.start == 17 and np.array_equal(rows.labels, expected.labels[17:])
    labels, objects = segmenter.objects_of(ArraySource(sample.image))
    assert np.array_equal(labels, expected.labels) and np.array_equal(objects.ids, expected.objects.ids)


def test_the_contract_says_when_a_query_counts(sample):
    large = dataclasses.replace(HEAD, min_area=1500)
    [one] = (
        make_segmenter(ColourQueries(), dataclasses.replace(CONTRACT, objects=large), SPACE, 3)
        .segment(sample)
        .objects.classes
    )
    assert one == 2
    strict = dataclasses.replace(HEAD, seed=0.999)
    assert not len(
        make_segmenter(ColourQueries(), dataclasses.replace(CONTRACT, objects=strict), SPACE, 3).segment(sample).objects
    )


def test_tiles_and_mirrored_copies_are_of_no_consequence(sample):
    plain = make_segmenter(ColourQueries(), CONTRACT, SPACE, 3)
    tiled = make_segmenter(ColourQueries(), dataclasses.replace(CONTRACT, tile=16, flips="xy"), SPACE, 3)
    assert np.array_equal(plain.segment(sample).objects.ids, tiled.segment(sample).objects.ids)
    assert plain.pieces((9000, 9000)).tile == 0
    assert plain.working_scores(sample.image).shape == (3, 32, 64) and plain.native_maps(sample).shape == (3, 70, 150)


def test_other_contracts_are_segmented_as_ever():
    network = make_segmenter(ColourQueries(), dataclasses.replace(CONTRACT, objects=None), SPACE, 3)
    assert type(network) is NetworkSegmenter and issubclass(QuerySegmenter, NetworkSegmenter)


def test_pictures_of_other_channels_are_refused():
    with pytest.raises(DataError, match="channels"):
        make_segmenter(ColourQueries(), CONTRACT, SPACE, 3).segment(Sample("x", np.zeros((9, 9, 5), np.uint8)))
