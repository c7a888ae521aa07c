from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Box, Points, Polygon, Polyline, Region
from limner.data.formats import coco
from limner.data.formats.coco_write import outline_record
from limner.data.rasterize import rasterize
from tests.data.formats.contents import codes, corpus, foreign, json_content, reread, ring
from tests.data.formats.test_coco import SETS


def written(annotations, folder, name="annotations.json"):
    problems = coco.FORMAT.write(annotations, folder)
    return json.loads((folder / name).read_text(encoding="utf-8")), problems


def pixels(region, size_hw):
    return rasterize(region.shape, size_hw)


@pytest.mark.parametrize("name", SETS)
def test_what_was_not_changed_is_written_as_it_was(name, tmp_path):
    content = corpus(name)
    document, problems = written(coco.read(content), tmp_path)
    assert document == content.json and not problems


def test_unknown_keys_and_the_way_ids_are_written_stay(tmp_path):
    document = {
        "info": {"contributor": "someone", "later": [1, {"x": None}]},
        "licenses": [{"id": 3}],
        "extra": True,
        "images": [{"id": "7", "file_name": "sub/a.png", "width": "8", "height": 6, "flickr_url": ""}],
        "annotations": [
            {
                "id": 5,
                "image_id": 7,
                "category_id": "3",
                "segmentation": [1, 1, 5, 1, 5, 4],
                "area": 99,
                "new": {"a": 1},
            },
            {"id": 6, "image_id": "7", "category_id": 8, "segmentation": [], "bbox": [1, 1, 2, 2], "iscrowd": 0},
        ],
        "categories": [{"id": 3, "name": "cell", "keypoints": ["x"]}, {"id": 8, "name": "cell"}],
    }
    assert written(coco.read(json_content(document)), tmp_path)[0] == document


def test_a_file_without_categories_gets_none(tmp_path):
    square = {"id": 1, "image_id": 1, "category_id": 4, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]}
    document = {"images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 5}], "annotations": [square]}
    assert written(coco.read(json_content(document)), tmp_path)[0] == document


def test_crowds_that_were_taken_as_objects_are_written_as_they_were(tmp_path):
    mask = {"size": [2, 3], "counts": [1, 2, 3]}
    objects = [{"id": i, "image_id": 1, "category_id": 1, "segmentation": mask, "iscrowd": 1} for i in (1, 2)]
    images = [{"id": 1, "file_name": "a.png", "width": 3, "height": 2}]
    document = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "x"}]}
    found = coco.read(json_content(document))
    assert not any(region.is_crowd for region in found.images[0].regions)
    assert written(found, tmp_path)[0] == document


def test_regions_of_other_formats_keep_their_pixels(tmp_path):
    given_set = foreign()
    document, problems = written(given_set, tmp_path)
    assert codes(problems) == ["as-mask"] and "3 times" in problems[0].message
    assert [entry["id"] for entry in document["annotations"]] == [1, 2, 3, 4, 5, 6]
    assert [entry["name"] for entry in document["categories"]] == ["leaf", "stem"]
    assert all(entry["iscrowd"] == 0 for entry in document["annotations"])
    assert document["annotations"][1]["attributes"] == {"sure": "yes"}
    again = coco.read(reread(tmp_path, "annotations.json"))
    assert [image.image for image in again.images] == ["a.png", "b/c.jpg", "d.jpg"]
    for before, after in zip(given_set.images, again.images, strict=True):
        assert after.size_hw == before.size_hw and len(after.regions) == len(before.regions)
        for old, new in zip(before.regions, after.regions, strict=True):
            assert new.label == old.label and not new.is_crowd
            np.testing.assert_array_equal(pixels(new, before.size_hw), pixels(old, before.size_hw))


def test_area_and_box_of_polygons_are_exact_and_of_masks_are_counted():
    # 8 x 5 square with a hole of 2 x 2: a mask of 36 pixels from (1, 1) on
    square, hole = ring((1, 1), (9, 1), (9, 6), (1, 6)), ring((3, 2), (5, 2), (5, 4), (3, 4))
    record = outline_record(Polygon((square,), (hole,)), (7, 11))
    assert (record["area"], record["bbox"], record["segmentation"]["size"]) == (36, [1, 1, 8, 5], [7, 11])
    # a triangle with legs 4.5 and 5.625 has the area 12.65625
    record = outline_record(Polygon((ring((0.25, 0.5), (4.75, 0.5), (0.25, 6.125)),)), (7, 11))
    assert (record["area"], record["bbox"]) == (12.65625, [0.25, 0.5, 4.5, 5.625])
    assert record["segmentation"] == [[0.25, 0.5, 4.75, 0.5, 0.25, 6.125]]
    # two squares of 200 x 200, one 20 lower than the other: their corners say 80000, the pixels 200 * 220
    twice = (ring((0, 0), (200, 0), (200, 200), (0, 200)), ring((0, 20), (200, 20), (200, 220), (0, 220)))
    assert outline_record(Polygon(twice), (300, 250))["area"] == 200 * 220


@given(st.integers(0, 2**20), st.integers(1, 6), st.integers(1, 6))
def test_areas_are_those_of_the_coco_api(seed, height, width):
    api = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    if not mask.any():
        return
    record = outline_record(Bitmap(1, 2, mask), (9, 8))
    theirs = {"size": [9, 8], "counts": record["segmentation"]["counts"].encode()}
    assert record["area"] == api.area(theirs) == mask.sum()
    assert record["bbox"] == api.toBbox(theirs).tolist()


def test_changed_labels_and_shapes_are_written_and_the_rest_stays(tmp_path):
    square = {
        "id": 9,
        "image_id": 1,
        "category_id": 1,
        "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]],
        "area": 16,
        "note": "n",
    }
    images = [{"id": 1, "file_name": "a.png", "width": 9, "height": 5}]
    document = {"images": images, "annotations": [square], "categories": [{"id": 1, "name": "x", "color": "red"}]}
    found = coco.read(json_content(document))
    region = dataclasses.replace(found.images[0].regions[0], label="y", shape=Box(1, 1, 2, 3))
    image = dataclasses.replace(found.images[0], regions=(region, Region("x", Box(0, 0, 1, 1))))
    after, _ = written(dataclasses.replace(found, images=(image,)), tmp_path)
    assert after["categories"] == [{"id": 1, "name": "x", "color": "red"}, {"id": 2, "name": "y", "supercategory": ""}]
    first, second = after["annotations"]
    assert (first["id"], first["category_id"], first["area"], first["note"]) == (9, 2, 6, "n")
    assert first["segmentation"] == [[1, 1, 3, 1, 3, 4, 1, 4]]
    assert (second["id"], second["category_id"]) == (1, 1)


def test_what_coco_cannot_hold_is_refused_by_name(tmp_path):
    regions = (
        Region("a", Points(ring((1, 1)))), Region("a", Polyline(ring((0, 0), (5, 0)))), Region("", Box(0, 0, 2, 2)),
        Region("a", Bitmap(50, 50, np.ones((2, 2), bool))), Region("a", Box(1, 1, 2, 2)),
    )  # fmt: skip
    images = (Annotation("a.png", regions, size_hw=(5, 7)), Annotation("far.png", regions[:2]))
    document, problems = written(AnnotationSet("labelme", images), tmp_path)
    assert sorted(codes(problems)) == ["no-area", "no-area", "no-area", "no-class", "no-size"]
    assert any("far.png" in problem.message for problem in problems)
    assert len(document["annotations"]) == 1 and [image["file_name"] for image in document["images"]] == ["a.png"]


def test_parts_of_a_group_become_one_object_and_ignored_ones_are_marked(tmp_path):
    parts = [
        Region("a", Box(0, 0, 2, 2), group="1"),
        Region("b", Box(0, 3, 1, 1)),
        Region("a", Box(4, 0, 2, 3), group="1"),
    ]
    ignored = Region("a", Box(2, 4, 3, 1), is_ignored=True)
    document, _ = written(AnnotationSet("labelme", (Annotation("a.png", (*parts, ignored), size_hw=(5, 7)),)), tmp_path)
    first, second, third = document["annotations"]
    assert len(first["segmentation"]) == 2 and first["area"] == 10 and second["area"] == 1
    assert (third["iscrowd"], third["ignore"]) == (1, 1)
    assert [r.is_ignored for r in coco.read(reread(tmp_path, "annotations.json")).images[0].regions] == [
        False,
        False,
        True,
    ]


def test_several_subsets_are_several_files(tmp_path):
    images = tuple(
        Annotation(f"{s}.png", (Region("a", Box(0, 0, 2, 2)),), size_hw=(5, 7), subset=s) for s in ("train", "../x")
    )
    coco.FORMAT.write(AnnotationSet("cvat", images), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotations_train.json", "annotations_x.json"]


def test_ids_that_clash_are_given_anew(tmp_path):
    square = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]}
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 5}], "annotations": [square],
        "categories": [{"id": 1, "name": "x"}],
    }  # fmt: skip
    one = coco.read(json_content(document))
    other = dataclasses.replace(one.images[0], image="b.png")
    merged = dataclasses.replace(one, images=(one.images[0], other), record=None)
    after, _ = written(merged, tmp_path)
    assert [image["id"] for image in after["images"]] == [1, 2]
    assert [(entry["id"], entry["image_id"]) for entry in after["annotations"]] == [(1, 1), (2, 2)]
    assert after["images"][1]["file_name"] == "b.png"


def test_results_are_written_as_they_were_or_anew(tmp_path):
    results = [
        {"image_id": 9, "category_id": 3, "segmentation": {"size": [2, 3], "counts": [1, 2, 3]}, "score": 0.25, "x": 1},
        {"image_id": 4, "category_id": 3, "bbox": [0, 1, 2, 3], "score": 1},
    ]
    assert not coco.RESULTS.write(coco.read_results(json_content(results)), tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    guess = Region("a", Bitmap(1, 0, np.ones((2, 1), bool)), score=0.75)
    coco.RESULTS.write(AnnotationSet("label-studio-predictions", (Annotation("a.png", (guess,), (2, 3)),)), tmp_path)
    found = coco.read_results(reread(tmp_path, "results.json"))
    (region,) = found.images[0].regions
    assert (region.label, region.score, region.shape) == ("a", 0.75, guess.shape)
