"""Rules that tell how objects are told apart, each with its reason."""

import math

import pytest

from limner.data.object_facts import ObjectFacts
from limner.planning.object_rules import choose_diameter, choose_head, choose_reach


def facts(**changes):
    known = {
        "name": "cell", "images": 5, "objects": 100, "diameter": (10.0, 20.0, 30.0), "touching": 0.3, "convexity": 0.95,
        "side": (40.0, 44.0),
    }  # fmt: skip
    return ObjectFacts(**(known | changes))


def test_labels_without_objects_need_no_head():
    for none in ((), (ObjectFacts("cell"),)):
        assert choose_head(none, 5000)[0] == "none"
        assert choose_diameter(none)[0] == 0 and choose_reach(none)[0] == 0


@pytest.mark.parametrize(
    ("changes", "steps", "head"),
    [
        ({"touching": 0.0}, 9000, "components"),
        ({"touching": 0.3}, 500, "flow"),
        ({"touching": 0.3}, 9000, "both"),
        ({"touching": 0.3, "convexity": 0.6}, 9000, "flow"),
    ],
)
def test_the_head_follows_touch_shape_and_time(changes, steps, head):
    value, reason = choose_head([facts(**changes)], steps)
    assert value == head and "100 objects" in reason


def test_classes_count_by_their_objects():
    many, few = facts(objects=990, touching=0.0, diameter=(5.0, 10.0, 12.0)), facts(objects=10, touching=1.0)
    assert choose_head([many, few], 500)[0] == "components"
    value, reason = choose_diameter([many, few])
    assert value == pytest.approx(10.1) and "5 to 30" in reason
    assert choose_reach([many, few])[0] == math.ceil(1.25 * 44)
