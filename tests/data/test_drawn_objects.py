"""Each region is an object; parts are joined; ids agree with labels; what is covered is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.annotation import Annotation, Box, Points, Polygon, Region
from limner.data.drawing import Drawing, Overlaps

IDS = {"leaf": 1, "stem": 2}
THINGS = frozenset(IDS)


def draw(*regions, size_hw=(5, 7), things=THINGS, is_ordered=True, boxes_are_areas=True):
    return Drawing(Annotation("a", regions), IDS, boxes_are_areas, things, is_ordered).draw(size_hw)


def test_each_region_is_an_object_in_the_order_of_first_pixels():
    found = draw(Region("stem", Box(4, 2, 2, 2)), Region("leaf", Box(0, 0, 2, 1)), Region("leaf", Box(0, 1, 1, 4)))
    assert found.objects.ids.tolist() == [
        [1, 1, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 3, 3, 0], [2, 0, 0, 0, 3, 3, 0], [2, 0, 0, 0, 0, 0, 0],
    ]  # fmt: skip
    assert found.objects.classes.tolist() == [1, 1, 2]
    assert found.objects.ids.dtype == np.int32 and found.objects.classes.dtype == np.int32
    assert found.overlaps == Overlaps()


def test_parts_of_a_group_are_one_object_but_not_across_classes_or_pictures():
    one, two = Region("leaf", Box(0, 0, 2, 1), group="7"), Region("leaf", Box(4, 0, 2, 1), group="7")
    other = Region("stem", Box(0, 3, 1, 1), group="7")
    found = draw(one, two, other).objects
    assert found.ids[0].tolist() == [1, 1, 0, 0, 1, 1, 0] and found.classes.tolist() == [1, 2]
    polygon = Polygon(tuple(np.array([(x, 0), (x + 1, 0), (x + 1, 1), (x, 1.0)]) for x in (0, 3)))
    assert draw(Region("leaf", polygon)).objects.ids[0].tolist() == [1, 0, 0, 1, 0, 0, 0]


def test_boxes_that_locate_points_ignored_regions_and_crowds_are_no_objects():
    regions = (
        Region("leaf", Box(0, 0, 2, 2)), Region("leaf", Points(np.array([[3.0, 3.0]]))),
        Region("leaf", Polygon((np.array([(3, 0), (5, 0), (5, 2), (3, 2.0)]),)), is_crowd=True),
        Region("leaf", Polygon((np.array([(5, 3), (7, 3), (7, 5), (5, 5.0)]),)), is_ignored=True),
    )  # fmt: skip
    found = draw(*regions, boxes_are_areas=False)
    assert len(found.objects) == 0 and not found.objects.ids.any()
    assert (~found.valid).sum() == 12 and not found.valid[0, 4]
    apart = draw(*regions, boxes_are_areas=False, things=frozenset({"stem"}))  # not told apart: a crowd is known
    assert apart.valid[0, 4] and apart.labels[0, 4] == 1


def test_what_is_later_lies_on_top_where_there_is_an_order():
    small, large = Region("leaf", Box(1, 1, 1, 1)), Region("leaf", Box(0, 0, 4, 3))
    found = draw(small, large)
    assert len(found.objects) == 1 and found.overlaps == Overlaps(shared=2, hidden=1)
    assert draw(large, small).overlaps == Overlaps(shared=2)
    raised = Region("leaf", Box(1, 1, 1, 1), order=3)
    assert len(draw(raised, large).objects) == 2


def test_the_smaller_of_one_class_lies_on_top_where_there_is_none():
    small, large = Region("leaf", Box(1, 1, 2, 1)), Region("leaf", Box(0, 0, 4, 3))
    found = draw(small, large, is_ordered=False)
    assert found.objects.ids[1].tolist() == [1, 2, 2, 1, 0, 0, 0] and found.overlaps == Overlaps(shared=2)
    stem = Region("stem", Box(0, 0, 4, 3))  # of another class: labels stay as they are, and ids follow them
    found = draw(small, stem, is_ordered=False)
    assert found.objects.classes.tolist() == [2] and found.overlaps == Overlaps(shared=2, hidden=1)
    nearly = Region("stem", Box(2, 0, 4, 3))
    assert draw(Region("leaf", Box(0, 1, 5, 1)), nearly, is_ordered=False).overlaps == Overlaps(2, 1, 0)


def test_stuff_and_background_on_top_take_pixels_away():
    found = draw(Region("leaf", Box(0, 0, 3, 1)), Region("stem", Box(1, 0, 1, 2)), things=frozenset({"leaf"}))
    assert found.objects.ids[0].tolist() == [1, 0, 1, 0, 0, 0, 0] and found.objects.classes.tolist() == [1]
    found = draw(Region("leaf", Box(0, 0, 3, 1)), Region("background", Box(2, 0, 9, 1)))
    assert found.objects.ids[0].tolist() == [1, 1, 0, 0, 0, 0, 0]


def test_nothing_drawn_and_what_lies_outside_hide_nothing():
    assert len(draw().objects) == 0 and draw().objects.ids.shape == (5, 7)
    assert draw(Region("leaf", Box(20, 20, 2, 2))).overlaps == Overlaps()


boxes = st.builds(
    lambda label, x, y, w, h, group, marks: Region(
        label, Box(x, y, w, h), group=group, is_crowd=marks == 1, is_ignored=marks == 2, order=marks
    ),
    st.sampled_from(["leaf", "stem", "background"]), st.integers(-1, 6), st.integers(-1, 4), st.integers(1, 5),
    st.integers(1, 5), st.sampled_from(["", "", "", "g"]), st.sampled_from([0, 0, 0, 1, 2]),
)  # fmt: skip


@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("things", [THINGS, frozenset({"stem"})])
@given(regions=st.lists(boxes, max_size=7))
def test_every_pixel_of_a_thing_has_an_object_of_its_class(regions, is_ordered, things):
    drawing = Drawing(Annotation("a", tuple(regions)), IDS, True, things, is_ordered)
    found = drawing.draw((5, 7))
    labels, valid = drawing.labels((5, 7))
    assert (found.labels == labels).all() and (found.valid == valid).all()
    is_thing = np.isin(labels, [IDS[name] for name in things]) & valid
    assert ((found.objects.ids > 0) == is_thing).all()
    assert (found.objects.class_map() == np.where(is_thing, labels, 0)).all()
    first = [np.flatnonzero(found.objects.ids == i + 1)[0] for i in range(len(found.objects))]
    assert first == sorted(first)
    numbered = {(r.label, r.group or i) for i, r in enumerate(regions) if drawing.is_object(r)}
    assert len(found.objects) + found.overlaps.hidden <= len(numbered)
    ids, classes = drawing.objects((5, 7))
    assert (ids == found.objects.ids).all() and (classes == found.objects.classes).all()
