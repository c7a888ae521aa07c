"""What is drawn later lies on top; what is not known is not background."""

import numpy as np

from limner.core.annotation import Annotation, Bitmap, Box, Points, Polygon, Region
from limner.data.drawing import Drawing

IDS = {"leaf": 1, "stem": 2}


def draw(*regions, boxes_are_areas=True, size_hw=(4, 6)):
    labels, valid = Drawing(Annotation("a", regions), IDS, boxes_are_areas).labels(size_hw)
    return labels.tolist(), valid


def test_later_lies_on_top_and_order_goes_before_the_file():
    low, high = Region("leaf", Box(0, 0, 3, 2)), Region("stem", Box(2, 1, 3, 2))
    assert draw(low, high)[0] == [[1, 1, 1, 0, 0, 0], [1, 1, 2, 2, 2, 0], [0, 0, 2, 2, 2, 0], [0] * 6]
    raised = Region("leaf", Box(0, 0, 3, 2), order=5)
    assert draw(raised, high)[0][1] == [1, 1, 1, 2, 2, 0]


def test_ignored_regions_are_unknown_until_something_is_drawn_over_them():
    ignored = Region("__ignore__", Box(0, 0, 4, 1), is_ignored=True)
    labels, valid = draw(ignored, Region("leaf", Box(2, 0, 1, 2)))
    assert labels[0] == [0, 0, 1, 0, 0, 0]
    assert valid[0].tolist() == [False, False, True, False, True, True]


def test_boxes_that_only_locate_are_unknown_but_for_outlines_in_them():
    box, outline = Region("leaf", Box(1, 0, 4, 3)), Region("stem", Bitmap(2, 1, np.array([[True, True]])))
    labels, valid = draw(outline, box, boxes_are_areas=False)
    assert labels[1] == [0, 0, 2, 2, 0, 0]
    assert valid[1].tolist() == [True, False, True, True, False, True]
    assert valid[3].all()


def test_points_have_no_area_and_background_outlines_erase():
    whole = Polygon((np.array([[0, 0], [6, 0], [6, 4], [0, 4.0]]),))
    labels, valid = draw(
        Region("leaf", whole), Region("background", Box(0, 0, 2, 4)), Region("stem", Points(np.array([[5, 1.0]])))
    )
    assert labels == [[0, 0, 1, 1, 1, 1]] * 4
    assert valid.all()


def test_nothing_drawn_is_background():
    labels, valid = draw()
    assert labels == [[0] * 6] * 4
    assert valid.all()
