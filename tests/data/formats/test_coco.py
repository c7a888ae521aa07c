from __future__ import annotations

import json

import numpy as np
import pytest

from limner.core.annotation import Bitmap, Box, Polygon
from limner.core.errors import DataError
from limner.data.extents import extent
from limner.data.formats import coco, cvat, ledger
from limner.data.formats.format import read_content
from limner.data.rasterize import rasterize
from tests.data.formats.contents import SHARED, codes, corpus, expected, json_content

SETS = [
    "coco/coco_subset_crowd_rle.json",
    "coco/cvat_coco_mixed.json",
    "coco/tiny_poly_and_crowd.json",
    "coco/relaxed_minimal.json",
    "coco/terrain_polygons.json",
    "coco/roboflow_bbox_only.json",
    "coco/panoptic_as_detection.json",
    "coco/cvat_wrong_area.json",
    "via_coco/receipts_via2_coco.json",
]


def data_set(*annotations, images=None, categories=({"id": 1, "name": "cell"},), **more):
    images = images or [{"id": 1, "file_name": "a.png", "width": 8, "height": 6}]
    return {"images": images, "annotations": list(annotations), "categories": list(categories), **more}


def record(segmentation, **more):
    return {"id": 1, "image_id": 1, "category_id": 1, "segmentation": segmentation, **more}


def read(document):
    return coco.read(json_content(document))


@pytest.mark.parametrize("name", SETS)
def test_corpus(name):
    content, want = corpus(name), expected(name)
    assert coco.sniff(content) and not coco.sniff_results(content)
    found = coco.read(content)
    assert len(found.images) == want["expected"]["images"]
    assert found.num_regions + len(found.refused) == want["expected"]["annotations"]
    assert not found.refused
    counts = {}
    for region in (region for image in found.images for region in image.regions):
        counts[region.label] = counts.get(region.label, 0) + 1
    assert counts == want["expected"]["per_category"]
    polygons = [r.shape for image in found.images for r in image.regions if isinstance(r.shape, Polygon)]
    if "polygon_area_sum" in want:
        assert sum(map(coco.shoelace, polygons)) == pytest.approx(want["polygon_area_sum"], abs=0.5)


def test_corpus_results_are_predictions():
    content = corpus("coco/results_list.json")
    assert coco.sniff_results(content) and not coco.sniff(content)
    found = coco.read_results(content)
    assert found.is_prediction and found.num_regions == 89 and len(found.images) == 2
    assert all(
        region.score is not None and 0 <= region.score <= 1 for image in found.images for region in image.regions
    )
    assert {r.label for image in found.images for r in image.regions} == {"car", "person", "truck", "bus"}


def test_corpus_detection_masks_have_the_stated_areas():
    found = coco.read(corpus("coco/panoptic_as_detection.json"))
    for region in (region for image in found.images for region in image.regions):
        assert isinstance(region.shape, Bitmap)
        assert region.shape.mask.sum() == region.record["area"]
        x, y, width, height = region.record["bbox"]
        assert (region.shape.x, region.shape.y, *region.shape.mask.shape[::-1]) == (x, y, width, height)
    assert sum(r.is_crowd for image in found.images for r in image.regions) == 3


def test_polygons_of_several_rings_are_one_object():
    found = read(data_set(record([[0, 0, 2, 0, 0, 2], [4, 4, 6, 4, 6, 5, 4, 5]])))
    (region,) = found.images[0].regions
    assert isinstance(region.shape, Polygon) and [len(ring) for ring in region.shape.rings] == [3, 4]
    assert (found.images[0].size_hw, region.label, region.where) == ((6, 8), "cell", "annotations/0")
    assert found.classes == ("cell",) and not found.warnings and not found.refused


def test_a_flat_segmentation_is_one_ring_and_string_ids_are_numbers():
    found = read(data_set({**record([1, 1, 5, 1, 5, 4]), "image_id": "1", "category_id": "1"}))
    (region,) = found.images[0].regions
    np.testing.assert_array_equal(region.shape.rings[0], [[1, 1], [5, 1], [5, 4]])
    assert region.label == "cell"


def test_rings_that_cannot_be_used_are_left_out_and_an_object_without_any_is_refused_once():
    good, odd, pair = [0, 0, 4, 0, 0, 4], [0, 0, 4, 0, 0, 4, 9], [0, 0, 4, 4]
    found = read(data_set(record([odd, good]), record([pair]), record([odd, pair]), record([["x", 1, 2, 3, 4, 5]])))
    assert len(found.images[0].regions) == 1 and len(found.images[0].regions[0].shape.rings) == 1
    assert codes(found.warnings)[0] == "part-left-out" and found.warnings[0].where == "annotations/0"
    assert [problem.where for problem in found.refused] == ["annotations/1", "annotations/2", "annotations/3"]
    assert codes(found.refused) == ["too-few-points", "ragged", "not-a-number"]


def test_an_empty_segmentation_is_a_box_and_the_file_says_so_once():
    boxes = [{**record([]), "bbox": [1, 2, 3, 2.5]}, {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 8, 6]}]
    found = read(data_set(*boxes))
    assert [region.shape for region in found.images[0].regions] == [Box(1, 2, 3, 2.5), Box(0, 0, 8, 6)]
    (warning,) = [problem for problem in found.warnings if problem.code == "box"]
    assert "2 times" in warning.message and "annotations/1" in warning.message


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        ({**record([]), "bbox": [1, 2, 0, 4]}, "no-area"),
        ({**record([]), "bbox": [1, 2, 3]}, "no-outline"),
        (record([]), "no-outline"),
        (record("[[0,0,4,0,0,4]]"), "bad-outline"),
        (record([[0, 0, 4, 0, 0, float("inf")]]), "not-finite"),
        (record([[0, 0, 4, 0, 0, 1e300]]), "too-large"),
        (record([[[[[[0]]]]]]), "ragged"),
        ({**record([[0, 0, 4, 0, 0, 4]]), "image_id": 7}, "unknown-image"),
        ({**record([[0, 0, 4, 0, 0, 4]]), "image_id": None}, "unknown-image"),
        ([1, 2], "bad-record"),
        (None, "bad-record"),
        (record({"counts": [0, 48], "size": [8, 6]}), "size-mismatch"),
        (record({"counts": [0, 99], "size": [6, 8]}), "bad-runs"),
        (record({}), "bad-runs"),
    ],
)
def test_a_bad_record_is_refused_alone(annotation, code):
    found = read(data_set(record([[0, 0, 4, 0, 0, 4]]), annotation, record([[1, 1, 4, 1, 1, 4]])))
    assert codes(found.refused) == [code] and found.refused[0].where == "annotations/1"
    assert found.num_regions == 2


def test_categories_may_have_gaps_begin_at_0_or_be_missing():
    square = [[0, 0, 4, 0, 4, 4, 0, 4]]
    gaps = [{"id": 0, "name": "a"}, {"id": 7, "name": "b"}, {"id": 90, "name": "c"}]
    found = read(data_set({**record(square), "category_id": 90}, {**record(square), "category_id": 0}, categories=gaps))
    assert [r.label for r in found.images[0].regions] == ["c", "a"] and found.classes == ("a", "b", "c")
    found = read({key: value for key, value in data_set(record(square)).items() if key != "categories"})
    assert found.images[0].regions[0].label == "1" and found.classes == () and "no-categories" in codes(found.warnings)
    found = read(data_set({**record(square), "category_id": 5}, {**record(square), "category_id": None}))
    assert [r.label for r in found.images[0].regions] == ["", ""] and codes(found.warnings).count(
        "unknown-category"
    ) == 2


def test_the_phantom_of_roboflow_is_no_class_unless_an_object_has_it():
    categories = [
        {"id": 0, "name": "cells", "supercategory": "none"},
        {"id": 1, "name": "red", "supercategory": "cells"},
    ]
    square = record([[0, 0, 4, 0, 4, 4, 0, 4]])
    found = read(data_set(square, categories=categories))
    assert found.classes == ("red",) and "phantom-category" in codes(found.warnings)
    found = read(data_set({**square, "category_id": 0}, categories=categories))
    assert found.classes == ("cells", "red") and "phantom-category" not in codes(found.warnings)
    plain = [{"id": 0, "name": "cells"}, {"id": 1, "name": "red"}]
    assert read(data_set(square, categories=plain)).classes == ("cells", "red")


def test_names_that_mean_harm_are_names():
    names = ["__proto__", "<b>", "=1+1", "\u202eabc"]
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    found = read(data_set(categories=categories))
    assert found.classes == tuple(names)


def test_crowds_stay_crowds_unless_nearly_all_objects_are_marked():
    square = [[0, 0, 4, 0, 4, 4, 0, 4]]
    marked = [{**record(square), "iscrowd": 1}]
    found = read(data_set(*marked * 2, record(square)))
    assert [r.is_crowd for r in found.images[0].regions] == [True, True, False]
    found = read(data_set(*marked * 9, record(square)))
    assert not any(r.is_crowd for r in found.images[0].regions)
    (warning,) = [problem for problem in found.warnings if problem.code == "crowd"]
    assert "9 of 10" in warning.message and "taken as objects" in warning.message


def test_an_area_that_is_that_of_the_box_is_pointed_out():
    triangle = [[0, 0, 4, 0, 0, 4]]  # its area is 8, its box 16
    assert "area" in codes(read(data_set({**record(triangle), "area": 16})).warnings)
    assert "area" not in codes(read(data_set({**record(triangle), "area": 8})).warnings)
    assert "area" not in codes(read(data_set({**record(triangle), "area": [16]})).warnings)
    assert "area" not in codes(read(data_set({**record([[0, 0, 4, 0, 4, 4, 0, 4]]), "area": 16})).warnings)


def test_doubles_are_kept_and_told():
    images = [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}, {"id": 2}, 5, {"file_name": "c.png"}]
    found = read(data_set(record([[0, 0, 4, 0, 0, 4]]), record([[0, 0, 4, 0, 0, 4]]), images=images))
    assert [image.image for image in found.images] == ["a.png", "b.png", "2", "c.png"]
    assert [len(image.regions) for image in found.images] == [2, 0, 0, 0]
    assert codes(found.warnings).count("duplicate-id") == 2 and codes(found.warnings).count("bad-image") == 3


def test_keys_that_occur_twice_are_told():
    found = coco.read(json_content(data_set(), duplicates=("annotations/3/id",)))
    assert [(p.code, p.where, p.file) for p in found.warnings] == [("duplicate-key", "annotations/3/id", "a.json")]


def test_results_with_masks_and_bad_entries():
    mask = {"size": [2, 3], "counts": "12"}
    results = [
        {"image_id": 9, "category_id": 3, "segmentation": {"size": [2, 3], "counts": [1, 2, 3]}, "score": 0.25},
        {"image_id": "9", "category_id": 4, "segmentation": mask, "score": 0.5},
        {"image_id": 8, "category_id": 4, "bbox": [0, 0, 1, 1], "score": "high"},
        {"category_id": 4, "bbox": [0, 0, 1, 1], "score": 1},
        17,
    ]
    found = coco.read_results(json_content(results))
    (image,) = found.images
    assert (image.image, image.regions[0].label, image.regions[0].score) == ("9", "3", 0.25)
    assert codes(found.refused) == ["bad-runs", "not-a-number", "unknown-image", "bad-record"]


@pytest.mark.parametrize(
    "document", [[], {}, [1], {"images": []}, {"images": {}, "annotations": []}, "x", None, 3, [{"result": []}]]
)
def test_other_documents_are_not_coco(document):
    content = json_content(document)
    assert not coco.sniff(content) and not coco.sniff_results(content)
    with pytest.raises(DataError):
        coco.read(content)


def test_a_small_file_of_huge_masks_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(ledger, "FREE_PIXELS", 120_000)
    images = [{"id": 1, "file_name": "a.png", "width": 300, "height": 200}]
    masks = [record({"size": [200, 300], "counts": [0, 60_000]}) for _ in range(20)]
    document = data_set(*masks, images=images)
    found = coco.read(json_content(document))
    allowed = (120_000 + ledger.PIXELS_PER_CHARACTER * len(json.dumps(document))) // 60_000
    assert 2 < found.num_regions == allowed < 20
    assert codes(found.refused) == ["too-many-pixels"] * (20 - allowed)


def test_the_coco_of_via_has_the_rectangles_of_its_via_file():
    found = coco.read(corpus("via_coco/receipts_via2_coco.json"))
    theirs = {}
    for entry in corpus("via2_export/receipts_via2.json").json.values():
        for region in entry["regions"]:
            x, y, width, height = (region["shape_attributes"][key] for key in ("x", "y", "width", "height"))
            label = region["region_attributes"]["Info"]
            theirs.setdefault(entry["filename"], set()).add((label, x, y, x + width, y + height))
    ours = {
        image.image: {(r.label, *r.shape.rings[0].min(axis=0), *r.shape.rings[0].max(axis=0)) for r in image.regions}
        for image in found.images
    }
    assert ours == theirs and sum(map(len, ours.values())) == 18


def test_one_project_exported_as_coco_and_as_cvat_says_the_same():
    ours = {image.image: image for image in coco.read(corpus("coco/cvat_coco_mixed.json")).images}
    theirs = {image.image: image for image in cvat.read(corpus("cvat_xml/images_mixed.xml")).images}
    assert ours.keys() == theirs.keys()
    for name, image in theirs.items():
        assert ours[name].size_hw == image.size_hw
        areas = sorted((r for r in image.regions if r.kind != "polyline"), key=key_of)  # COCO lost the lines
        for one, two in zip(sorted(ours[name].regions, key=key_of), areas, strict=True):
            assert one.label == two.label
            first, second = rasterize(one.shape, image.size_hw), rasterize(two.shape, image.size_hw)
            assert (first & second).sum() / (first | second).sum() > 0.98


def key_of(region):
    x0, y0, x1, _ = extent(region.shape)
    return region.label, round(x0 / 4), round(y0 / 4), round(x1 / 4)


def test_a_real_roboflow_export():
    folder = SHARED / "data" / "nanoshapes_coco" / "original"
    if not folder.is_dir():
        pytest.skip("the data set is not here")
    found = coco.read(read_content(folder / "test_annotations.coco.json"))
    assert (len(found.images), found.num_regions, found.refused) == (4, 230, ())
    assert found.classes == ("Cube", "Octahedron", "Sphere") and codes(found.warnings) == ["phantom-category", "area"]
