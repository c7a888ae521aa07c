"""A picture that lost its annotations, or has fewer regions than it was given, is found out."""

import dataclasses
import json

import numpy as np
import pytest

from limner.core.annotation import Annotation, AnnotationSet, Box, Polygon, Problem, Region
from limner.core.errors import DataError
from limner.data.formats import FORMATS
from limner.data.reading_back import read_back
from tests.make_data import picture, save

SIZE = (18, 27)
NAMES = ("a.png", "s/b.png")


def region(x, label="cell", **more):
    return Region(label, Polygon((np.array([[x, 2], [x + 4, 2], [x + 4, 9.0]]),)), **more)


@pytest.fixture
def written(tmp_path):
    images = []
    for index, name in enumerate(NAMES):
        save(tmp_path / "images" / name, picture(index, SIZE))
        images.append(Annotation(name, tuple(region(1 + 6 * i) for i in range(index + 1)), size_hw=SIZE))
    found = AnnotationSet("labelme", tuple(images))
    FORMATS["coco"].write(found, tmp_path)
    return found


def edit(folder, change):
    document = json.loads((folder / "annotations.json").read_text())
    change(document)
    (folder / "annotations.json").write_text(json.dumps(document))


def test_all_is_well(tmp_path, written):
    read_back(tmp_path, written, NAMES, (), FORMATS["coco"])


def test_a_picture_that_is_gone(tmp_path, written):
    (tmp_path / "images/s/b.png").unlink()
    for problems in ((), (Problem("no-area", "a point"),)):
        with pytest.raises(DataError, match=r"1 picture without its own annotations .* s/b.png"):
            read_back(tmp_path, written, NAMES, problems, FORMATS["coco"])
    left_out = Problem("too-many-pixels", "s/b.png: 27 x 18 pixels are too many")
    read_back(tmp_path, written, NAMES, (left_out,), FORMATS["coco"])


def test_regions_at_another_picture_are_not_its_own(tmp_path, written):
    def move(document):
        for record in document["annotations"]:
            record["image_id"] = document["images"][0]["id"]

    edit(tmp_path, move)
    with pytest.raises(DataError, match=r"s/b.png: 2 were written and 0"):
        read_back(tmp_path, written, NAMES, (), FORMATS["coco"])
    read_back(tmp_path, written, NAMES, (Problem("no-area", "a point"),), FORMATS["coco"])


def test_fewer_regions(tmp_path, written):
    edit(tmp_path, lambda document: document["annotations"].pop())
    with pytest.raises(DataError, match="3 regions were written and 2"):
        read_back(tmp_path, written, NAMES, (Problem("subset-lost", "no split"),), FORMATS["coco"])


def test_what_the_format_cannot_hold_is_not_counted(tmp_path, written):
    first, second = written.images
    ignored = Region("unsure", Box(20, 2, 3, 3), is_ignored=True)
    more = dataclasses.replace(written, images=(dataclasses.replace(first, regions=(*first.regions, ignored)), second))
    with pytest.raises(DataError, match="4 regions were written and 3"):
        read_back(tmp_path, more, NAMES, (), FORMATS["coco"])
    (tmp_path / "annotations.json").unlink()
    problems = FORMATS["yolo-seg"].write(more, tmp_path)
    assert [problem.code for problem in problems] == ["ignored"]
    read_back(tmp_path, more, NAMES, problems, FORMATS["yolo-seg"])
    (tmp_path / "labels/a.txt").write_text("")
    with pytest.raises(DataError, match="3 regions were written and 2"):
        read_back(tmp_path, more, NAMES, problems, FORMATS["yolo-seg"])
