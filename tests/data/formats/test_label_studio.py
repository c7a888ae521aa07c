from __future__ import annotations

import copy
import dataclasses
import json

import numpy as np
import pytest

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Box, Ellipse, Points, Polygon, Polyline, Region
from limner.data.formats import coco, label_studio
from limner.data.formats.label_studio_rle import encode_brush
from limner.data.formats.label_studio_tasks import picture_of
from limner.data.formats.relative import to_pixels
from limner.data.rasterize import rasterize
from tests.data.formats.contents import codes, corpus, foreign, json_content, reread, ring

SIZE = {"original_width": 50, "original_height": 20, "image_rotation": 0}


def result(kind, value, label="a", number="r1", size=True, **more):
    labels = {f"{kind}labels": [label]} if label else {}
    return {
        "id": number, "type": f"{kind}labels", "from_name": "x", "to_name": "image", **(SIZE if size else {}),
        "value": {**value, **labels}, **more,
    }  # fmt: skip


def task(*results, name="a.png", **more):
    return {
        "id": 1,
        "data": {"image": name},
        "annotations": [{"id": 7, "was_cancelled": False, "result": list(results)}],
        **more,
    }


def read(*tasks):
    content = json_content(list(tasks))
    assert label_studio.sniff(content) and not label_studio.sniff_predictions(content)
    return label_studio.read(content)


SQUARE = {"points": [[10, 10], [50, 10], [50, 100], [10, 100]]}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("poly_rect_keypoints.json", ["box", "polygon", "point", "point"]), ("one_polygon.json", ["polygon"])],
)
def test_corpus(name, kinds):
    content = corpus(f"label_studio/{name}")
    assert (
        label_studio.sniff(content) and not label_studio.sniff_predictions(content) and not coco.sniff_results(content)
    )
    found = label_studio.read(content)
    (image,) = found.images
    assert [region.kind for region in image.regions] == kinds and not found.refused
    assert image.image == {"poly_rect_keypoints.json": "test_image1.jpg", "one_polygon.json": "000000000025.jpg"}[name]
    assert image.size_hw == {"poly_rect_keypoints.json": (320, 500), "one_polygon.json": (426, 640)}[name]


def test_corpus_brushes_have_the_known_numbers_of_pixels():
    content = corpus("label_studio/brush_rle_predictions.json")
    assert label_studio.sniff_predictions(content) and not label_studio.sniff(content)
    found = label_studio.read_predictions(content)
    (image,) = found.images
    assert found.is_prediction and image.size_hw == (576, 768) and image.image == ""
    assert [int(region.shape.mask.sum()) for region in image.regions] == [12104, 5716, 11709]
    assert [region.label for region in image.regions] == ["Person"] * 3 and image.regions[0].score == 0.8602948784828186


def test_corpus_polygons_and_brushes_of_one_scene_agree():
    polygons = label_studio.read_predictions(corpus("label_studio/polygon_predictions.json"))
    brushes = label_studio.read_predictions(corpus("label_studio/brush_rle_predictions.json"))
    assert "no-size" in codes(polygons.warnings) and polygons.images[0].size_hw is None
    image = to_pixels(polygons.images[0], (576, 768))
    for polygon, brush in zip(image.regions, brushes.images[0].regions, strict=True):
        one, two = rasterize(polygon.shape, (576, 768)), rasterize(brush.shape, (576, 768))
        assert (one & two).sum() / (one | two).sum() > 0.9


@pytest.mark.parametrize("name", ["poly_rect_keypoints", "one_polygon", "brush_rle_predictions", "polygon_predictions"])
def test_what_was_not_changed_is_written_as_it_was(name, tmp_path):
    content = corpus(f"label_studio/{name}.json")
    before = copy.deepcopy(content.json)
    entry = label_studio.PREDICTIONS if "predictions" in name else label_studio.FORMAT
    found = entry.read(content)
    sized = dataclasses.replace(found, images=tuple(to_pixels(image, (576, 768)) for image in found.images))
    for given_set in (found, sized):
        assert not entry.write(given_set, tmp_path)
        assert json.loads(next(tmp_path.iterdir()).read_text()) == before
    assert content.json == before, "reading changes nothing"


def test_percent_become_pixels_and_boxes_turn_about_their_corner():
    found = read(
        task(
            result("polygon", SQUARE),
            result("rectangle", {"x": 20, "y": 10, "width": 10, "height": 25, "rotation": 90}, number="r2"),
            result("ellipse", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 25, "rotation": 15}, number="r3"),
            result("keypoint", {"x": 10, "y": 5, "width": 0.3}, number="r4"),
            result("polygon", {"points": [[0, 0], [50, 50]], "closed": False}, number="r5"),
            result(
                "brush",
                {"format": "rle", "rle": encode_brush(Bitmap(3, 4, np.ones((2, 1), bool)), (20, 50))},
                number="r6",
            ),
        )
    )
    shapes = [region.shape for region in found.images[0].regions]
    assert shapes == [
        Polygon((ring((5, 2), (25, 2), (25, 20), (5, 20)),)),
        Box(10, 2, 5, 5, 90),
        Ellipse(25, 10, 5, 5, 15),
        Points(ring((5, 1))),
        Polyline(ring((0, 0), (25, 10))),
        Bitmap(3, 4, np.ones((2, 1), bool)),
    ]
    assert found.images[0].size_hw == (20, 50) and found.images[0].regions[1].where == "0/annotations/0/result/1"
    # turned by 90 degrees clockwise about (10, 2), the box of 5 x 5 lies to the left of its corner
    assert np.argwhere(rasterize(shapes[1], (20, 50)))[0].tolist() == [2, 5]


def test_without_a_size_shapes_wait_for_the_picture_and_brushes_cannot():
    brush = {"format": "rle", "rle": encode_brush(Bitmap(0, 0, np.ones((1, 1), bool)), (20, 50))}
    found = read(task(result("polygon", SQUARE, size=False), result("brush", brush, size=False, number="r2")))
    (image,) = found.images
    assert image.size_hw is None and image.attributes["normalized"] is True and codes(found.refused) == ["no-size"]
    (region,) = to_pixels(image, (20, 50)).regions
    np.testing.assert_allclose(region.shape.rings[0], [[5, 2], [25, 2], [25, 20], [5, 20]])
    found = read(task(result("polygon", SQUARE), result("brush", brush, size=False, number="r2")))
    assert found.num_regions == 2 and not found.refused, "another result tells the size"


def test_tool_and_label_in_two_results_of_one_id_are_one_region():
    drawn = {"id": "r1", "type": "polygon", "from_name": "tool", **SIZE, "value": SQUARE}
    labelled = {
        "id": "r1",
        "type": "labels",
        "from_name": "label",
        **SIZE,
        "value": {**SQUARE, "labels": ["cat", "dog"]},
    }
    answer = {"id": "r1", "type": "choices", "from_name": "sure?", "value": {"choices": ["yes"]}}
    picture = {"id": "q", "type": "choices", "from_name": "light", "value": {"choices": ["day", "sun"]}}
    relation = {"type": "relation", "from_id": "r1", "to_id": "r1"}
    found = read(task(drawn, labelled, answer, picture, relation))
    (region,) = found.images[0].regions
    assert region.label == "cat" and dict(region.attributes) == {"sure?": "yes", "labels": ["cat", "dog"]}
    assert dict(found.images[0].attributes) == {"light": ["day", "sun"]} and not found.refused
    assert "several-labels" in codes(found.warnings)


def test_the_first_answer_that_was_not_cancelled_counts(tmp_path):
    tasks = [
        {
            "id": 1,
            "data": {"image": "a.png"},
            "annotations": [
                {"id": 1, "was_cancelled": True, "result": [result("polygon", SQUARE, "no")]},
                {"id": 2, "result": [result("polygon", SQUARE, "yes")]},
                {"id": 3, "result": []},
                17,
            ],
        },
        {
            "id": 2,
            "data": {"image": "b.png"},
            "completions": [{"was_cancelled": True, "result": [result("polygon", SQUARE)]}],
        },
        {"id": 3, "data": {"image": "c.png"}, "annotations": []},
    ]
    found = read(*tasks)
    assert [[region.label for region in image.regions] for image in found.images] == [["yes"], [], []]
    assert codes(found.warnings) == ["several-answers"] * 2
    assert not label_studio.FORMAT.write(found, tmp_path)
    assert json.loads((tmp_path / "tasks.json").read_text()) == tasks


def test_the_short_export(tmp_path):
    tasks = [
        {
            "id": 3,
            "image": "/data/upload/1/0a1b2c3d-b.png",
            "note": "x",
            "annotator": 1,
            "label": [
                {**SQUARE, "polygonlabels": ["cat"], "original_width": 50, "original_height": 20},
                {
                    "x": 20,
                    "y": 10,
                    "width": 10,
                    "height": 25,
                    "rotation": 0,
                    "rectanglelabels": ["dog"],
                    "original_width": 50,
                    "original_height": 20,
                },
            ],
            "spots": [
                {"x": 1, "y": 2, "width": 0.1, "keypointlabels": ["eye"], "original_width": 50, "original_height": 20}
            ],
        },
        {"id": 4, "image": "c.png", "annotator": 1},
    ]
    found = read(*tasks)
    assert [region.label for region in found.images[0].regions] == ["cat", "dog", "eye"]
    assert found.images[0].image == "b.png" and found.images[0].regions[1].shape == Box(10, 2, 5, 5)
    assert found.images[0].regions[1].where == "0/label/1" and found.images[1].regions == ()
    assert not label_studio.FORMAT.write(found, tmp_path)
    assert json.loads((tmp_path / "tasks.json").read_text()) == tasks


def test_predictions_within_tasks_are_predictions_unless_a_person_answered(tmp_path):
    guessed = {
        "id": 1,
        "data": {"image": "a.png"},
        "predictions": [{"score": 0.5, "result": [result("polygon", SQUARE, score=0.25)]}],
    }
    content = json_content([guessed])
    assert label_studio.sniff_predictions(content) and not label_studio.sniff(content)
    found = label_studio.read_predictions(content)
    assert found.images[0].regions[0].score == 0.25 and found.images[0].image == "a.png"
    assert not label_studio.PREDICTIONS.write(found, tmp_path)
    assert json.loads((tmp_path / "predictions.json").read_text()) == [guessed]
    answered = {**guessed, "annotations": [{"result": [result("polygon", SQUARE, "truth")]}]}
    found = read(guessed, answered)
    assert [[region.label for region in image.regions] for image in found.images] == [[], ["truth"]]
    assert found.images[1].regions[0].score is None


def test_one_task_alone_is_written_alone(tmp_path):
    alone = task(result("polygon", SQUARE))
    content = json_content(alone)
    assert label_studio.sniff(content)
    label_studio.FORMAT.write(label_studio.read(content), tmp_path)
    assert json.loads((tmp_path / "tasks.json").read_text()) == alone


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (result("polygon", {"points": [[1, 1], [2, 2]]}), "too-few-points"),
        (result("polygon", {"points": 5}), "not-a-list"),
        (result("polygon", {"points": [[1, 1], [2]]}), "ragged"),
        (result("rectangle", {"x": 1, "y": 1, "width": 0, "height": 5}), "no-area"),
        (result("rectangle", {"x": 1, "y": 1, "width": "wide", "height": 5}), "not-a-number"),
        (result("ellipse", {"x": 1}), "not-a-number"),
        (result("brush", {"format": "rle", "rle": [1, 2]}), "bad-runs"),
        (result("brush", {"format": "png", "rle": []}), "unknown-shape"),
        (result("keypoint", {"x": 1e12, "y": 0}), "too-large"),
        ({"id": "z", "type": "polygonlabels"}, "bad-record"),
        (7, "bad-record"),
        ({"id": "v", "type": "videorectangle", "value": {"sequence": [], "labels": ["a"]}}, "unknown-shape"),
        ({"id": "s", "type": "labels", "value": {"start": 1, "end": 2, "labels": ["a"]}}, "unknown-shape"),
        ({"id": "b", "type": "bitmask", "value": {"x": 1, "y": 2}}, "unknown-shape"),
    ],
)
def test_a_bad_result_is_refused_alone_and_stays_in_the_file(bad, code, tmp_path):
    whole = task(result("polygon", SQUARE, number="g1"), bad, result("polygon", SQUARE, number="g2"))
    found = read(whole)
    assert (
        codes(found.refused) == [code]
        and found.refused[0].where == "0/annotations/0/result/1"
        and found.num_regions == 2
    )
    label_studio.FORMAT.write(found, tmp_path)
    assert json.loads((tmp_path / "tasks.json").read_text()) == [whole]


def test_sizes_that_disagree_and_turned_pictures_are_told():
    other = {**result("polygon", SQUARE, number="r2"), "original_width": 100, "image_rotation": 90}
    found = read(task(result("polygon", SQUARE), other))
    assert codes(found.warnings) == ["size-mismatch", "turned-picture"] and found.images[0].size_hw == (20, 50)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"data": {"image": "a.png"}}, "a.png"),
        ({"data": {"image": "s/a.png"}}, "s/a.png"),
        ({"data": {"image": "http://h/x/a%20b.jpg?v=1#f"}}, "a b.jpg"),
        ({"data": {"image": "/data/local-files/?d=set/one/a.png"}}, "set/one/a.png"),
        ({"data": {"ocr": "s3://b/c/a.tif"}}, "a.tif"),
        ({"data": {"image": "/image2"}, "file_upload": "e97d4735-25.jpg"}, "25.jpg"),
        ({"data": {"image": "/image2"}}, "image2"),
        ({"data": {"image": "0a1b2c3d-a.png"}}, "0a1b2c3d-a.png"),
        ({"data": {"image": "/data/upload/1/0a1b2c3d-a.png"}}, "a.png"),
        ({"data": {"image": "C:\\x\\a.png"}}, "a.png"),
        ({"data": {"image": "http://[broken/a.png"}}, "a.png"),
        ({"data": {"image": ["a"]}}, ""),
        ({"data": {}}, ""),
        ({"data": {"text": "hello", "image": "a.png"}}, "a.png"),
    ],
)
def test_names_of_pictures(given, name):
    assert picture_of(given) == name


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        [1],
        [{}],
        {"annotations": []},
        [{"image_id": 1, "bbox": []}],
        [{"annotations": [{"x": 1}]}],
        "x",
        None,
        [[]],
    ],
)
def test_other_documents_are_not_label_studio(document):
    content = json_content(document)
    assert not label_studio.sniff(content) and not label_studio.sniff_predictions(content)


def test_regions_of_other_formats_keep_their_pixels(tmp_path):
    given_set = foreign()
    problems = label_studio.FORMAT.write(given_set, tmp_path)
    assert codes(problems) == ["as-mask"] and "2 times" in problems[0].message
    again = label_studio.read(reread(tmp_path, "tasks.json"))
    assert [r.kind for r in again.images[0].regions] == ["mask", "polygon", "box", "ellipse", "mask"]
    for before, after in zip(given_set.images[:2], again.images, strict=False):
        assert (after.image, after.size_hw) == (before.image, before.size_hw)
        for old, new in zip(before.regions, after.regions, strict=True):
            assert new.label == old.label
            np.testing.assert_array_equal(rasterize(new.shape, before.size_hw), rasterize(old.shape, before.size_hw))
    assert (
        len(again.images) == 3
        and len(
            {r["id"] for t in json.loads((tmp_path / "tasks.json").read_text()) for r in t["annotations"][0]["result"]}
        )
        == 6
    )


def test_changed_regions_are_written_and_the_rest_stays(tmp_path):
    found = read(task(result("polygon", SQUARE, "a", hidden=False), extra="kept"))
    changed = dataclasses.replace(found.images[0].regions[0], label="b", shape=Bitmap(3, 4, np.ones((2, 1), bool)))
    points = Region("p", Points(ring((1, 1), (5, 5))))
    label_studio.FORMAT.write(
        dataclasses.replace(found, images=(dataclasses.replace(found.images[0], regions=(changed, points)),)), tmp_path
    )
    (after,) = json.loads((tmp_path / "tasks.json").read_text())
    first, second, third = after["annotations"][0]["result"]
    assert after["extra"] == "kept" and first["hidden"] is False and first["type"] == "brushlabels"
    assert first["value"].keys() == {"brushlabels", "format", "rle"} and first["value"]["brushlabels"] == ["b"]
    assert second["type"] == third["type"] == "keypointlabels" and second["id"] != third["id"]


def test_what_cannot_be_written_is_refused_by_name(tmp_path):
    images = (
        Annotation("far.png", (Region("a", Box(0, 0, 1, 1)),)),
        Annotation(
            "a.png", (Region("a", Bitmap(90, 90, np.ones((1, 1), bool))), Region("", Box(0, 0, 1, 1))), size_hw=(5, 7)
        ),
    )
    problems = label_studio.FORMAT.write(AnnotationSet("via2", images), tmp_path)
    assert sorted(codes(problems)) == ["no-area", "no-size"] and any(
        "far.png" in problem.message for problem in problems
    )
    assert label_studio.read(reread(tmp_path, "tasks.json")).images[1].regions[0].label == ""
