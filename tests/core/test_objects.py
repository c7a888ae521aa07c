"""Objects of a picture: numbering, classes, and what cannot be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from limner.core.errors import DataError, ShapeError
from limner.core.labels import LabelSpace
from limner.core.objects import Objects, number_objects
from limner.core.prediction import Prediction
from limner.core.sample import Sample


def slowly(ids, labels):
    """Ids and classes by looking at every object in turn."""
    out, classes, number = np.zeros(ids.shape, np.int32), [], {}
    for place in np.ndindex(ids.shape):
        old = ids[place]
        if old and old not in number:
            kinds = labels[ids == old]
            kinds = kinds[kinds > 0]
            number[old] = len(classes) + 1 if len(kinds) else 0
            if len(kinds):
                classes.append(int(np.bincount(kinds).argmax()))
        out[place] = number.get(old, 0)
    return out, classes


@given(
    hnp.arrays(np.int32, (5, 7), elements=st.sampled_from([0, 1, 2, 5, 9, 70_000, 2_000_000_000])),
    hnp.arrays(np.uint8, (5, 7), elements=st.integers(0, 3)),
)
def test_numbering_is_that_of_the_slow_way(ids, labels):
    found = number_objects(ids, labels)
    expected, classes = slowly(ids, labels)
    assert found.ids.tolist() == expected.tolist() and found.classes.tolist() == classes


def test_scores_go_with_their_objects():
    scores = np.array([0, 0.1, 0.2, 0.3, 0.4], np.float32)
    found = number_objects(np.array([[4, 0, 2, 1]]), np.array([[1, 0, 1, 0]], np.uint8), scores=scores)
    assert found.scores.tolist() == pytest.approx([0.4, 0.2]) and found.areas().tolist() == [1, 1]


def test_no_objects():
    none = number_objects(np.zeros((5, 7), int), np.ones((5, 7), np.uint8))
    assert len(none) == 0 and none.ids.shape == (5, 7) and not none.class_map().any()
    assert len(Objects.none((0, 3))) == 0


def test_what_cannot_be_is_refused():
    with pytest.raises(DataError, match="from 0 to 2"):
        Objects(np.array([[2]], np.int32), np.array([1], np.int32))
    with pytest.raises(DataError, match="1 scores"):
        Objects(np.zeros((1, 1), np.int32), np.zeros(0, np.int32), np.zeros(1, np.float32))
    objects = Objects.none((2, 3))
    with pytest.raises(ShapeError, match="object ids of shape"):
        Sample("a", np.zeros((3, 2, 1), np.uint8), objects=objects)
    space = LabelSpace(("background", "cell"), things=("cell",))
    with pytest.raises(ShapeError, match="object ids of shape"):
        Prediction("a", np.zeros((3, 2), np.uint8), space, objects=objects)


def test_the_task_is_a_property_of_the_labels():
    names = ("background", "sky", "person")
    assert LabelSpace(names).kind == "semantic"
    assert LabelSpace(names, things=("person",)).kind == "panoptic"
    both = LabelSpace(names, things=("person", "sky"))
    assert both.kind == "instance" and both.thing_ids == (1, 2)
    assert LabelSpace.from_dict(both.as_dict()) == both and "things" not in LabelSpace(names).as_dict()
    with pytest.raises(DataError, match="things"):
        LabelSpace(names, things=("background",))
