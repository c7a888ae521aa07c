from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Box, Points, Region
from limner.data.formats import coco, coco_panoptic
from limner.data.formats.format import read_content
from limner.data.rasterize import rasterize
from tests.data.formats.contents import SHARED, codes, corpus, foreign, reread, ring

IDS = np.array(
    [[0, 300, 300, 0], [7, 7, 300, 70000], [7, 0, 0, 70000]]
)  # 300 = 44 + 256, 70000 = 112 + 17 * 256 + 65536


def png(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    planes = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    PIL.Image.fromarray(planes).save(path)


def document(**changes):
    segments = [
        {"id": 300, "category_id": 2, "area": 3, "bbox": [1, 0, 2, 2], "iscrowd": 0, "more": "x"},
        {"id": 7, "category_id": 1, "area": 3, "bbox": [0, 1, 2, 2], "iscrowd": 1},
        {"id": 70000, "category_id": 5, "area": 2, "bbox": [3, 1, 1, 2], "iscrowd": 0},
    ]
    return {
        "info": {"year": 1}, "images": [{"id": 3, "file_name": "a.jpg", "width": 4, "height": 3}],
        "annotations": [{"image_id": 3, "file_name": "a.png", "segments_info": segments, "by": "me"}],
        "categories": [
            {"id": 1, "name": "cat", "isthing": 1, "color": [1, 2, 3]}, {"id": 2, "name": "sky", "isthing": 0},
            {"id": 5, "name": "sea", "isthing": 0},
        ],
    } | changes  # fmt: skip


def save(folder: Path, content, name="pan.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def read(path: Path) -> AnnotationSet:
    content = read_content(path)
    assert coco_panoptic.sniff(content) and not coco.sniff(content)
    return coco_panoptic.read(content)


def pasted(shape: Bitmap, size_hw=(3, 4)):
    return rasterize(shape, size_hw)


@pytest.mark.parametrize("place", ["pan/a.png", "a.png", "deep/panoptic_x/a.png"])
def test_segments_are_the_pixels_of_their_colour(tmp_path, place):
    png(tmp_path / place, IDS)
    found = read(save(tmp_path, document()))
    (image,) = found.images
    assert (image.image, image.size_hw, found.classes) == ("a.jpg", (3, 4), ("cat", "sky", "sea"))
    assert [r.label for r in image.regions] == ["sky", "cat", "sea"] and [r.is_crowd for r in image.regions] == [
        False,
        True,
        False,
    ]
    for region, number in zip(image.regions, (300, 7, 70000), strict=True):
        np.testing.assert_array_equal(pasted(region.shape), number == IDS)
    assert image.regions[1].where == "annotations/0/segments_info/1"
    assert not found.refused and not found.warnings


def test_of_two_folders_the_one_called_panoptic_is_taken_and_of_two_such_none(tmp_path):
    png(tmp_path / "masks" / "a.png", IDS * 0)
    png(tmp_path / "panoptic_a" / "a.png", IDS)
    path = save(tmp_path, document())
    assert read(path).num_regions == 3
    png(tmp_path / "panoptic_b" / "a.png", IDS)
    found = read(path)
    assert found.num_regions == 0 and codes(found.refused) == ["missing-file"] * 3


@pytest.mark.parametrize("name", ["../out.png", "/tmp/out.png", "C:\\out.png", "", "link.png", "a\x00.png", "x" * 3000])
def test_no_name_leads_outside_the_folder(tmp_path, name):
    png(tmp_path / "out.png", IDS)
    inner = tmp_path / "data"
    (inner / "pan").mkdir(parents=True)
    (inner / "pan" / "link.png").symlink_to(tmp_path / "out.png")
    content = document()
    content["annotations"][0]["file_name"] = name
    found = read(save(inner, content))
    assert found.num_regions == 0 and codes(found.refused) == ["missing-file"] * 3


def test_missing_pictures_are_refused_by_name_one_by_one():
    content = corpus("coco/panoptic_json.json")
    found = coco_panoptic.read(content)
    assert len(found.images) == 2 and len(found.refused) == 50
    assert "000000142238.png" in found.refused[0].message and found.refused[0].where == "annotations/0/segments_info/0"


def test_what_does_not_fit_is_refused_segment_by_segment(tmp_path):
    png(tmp_path / "pan" / "a.png", IDS)
    content = document()
    segments = content["annotations"][0]["segments_info"]
    segments += [{"id": 8, "category_id": 1}, {"id": 7, "category_id": 1}, {"id": 0}, 5, {"id": -1}, {"category_id": 1}]
    segments[2]["category_id"] = 77
    content["annotations"] += [{"image_id": 99, "segments_info": [{"id": 1}, {"id": 2}]}, "x", {"image_id": 3}]
    found = read(save(tmp_path, content))
    assert [r.label for r in found.images[0].regions] == ["sky", "cat", ""]
    expected = ["empty-mask", "duplicate-id", *["bad-record"] * 4, "unknown-image", "unknown-image", "bad-record"]
    assert codes(found.refused) == expected and "unknown-category" in codes(found.warnings)


def test_colours_without_a_segment_are_told(tmp_path):
    png(tmp_path / "pan" / "a.png", IDS)
    content = document()
    del content["annotations"][0]["segments_info"][1]
    found = read(save(tmp_path, content))
    assert codes(found.warnings) == ["unlisted-segments"] and "such as 7" in found.warnings[0].message


def test_a_picture_of_another_size_or_damaged_is_refused(tmp_path):
    png(tmp_path / "pan" / "a.png", IDS.T)
    path = save(tmp_path, document())
    assert codes(read(path).refused) == ["size-mismatch"] * 3
    (tmp_path / "pan" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    assert codes(read(path).refused) == ["unreadable"] * 3


def test_gray_pictures_hold_the_ids_themselves(tmp_path):
    (tmp_path / "pan").mkdir()
    PIL.Image.fromarray((IDS == 7).astype(np.uint8) * 7).save(tmp_path / "pan" / "a.png")
    found = read(save(tmp_path, document()))
    np.testing.assert_array_equal(pasted(found.images[0].regions[0].shape), IDS == 7)


def test_what_was_not_changed_is_written_as_it_was(tmp_path):
    png(tmp_path / "pan" / "a.png", IDS)
    content = document()
    content["images"].append({"id": 4, "file_name": "empty.jpg", "width": 2, "height": 5})
    out = tmp_path / "out"
    out.mkdir()
    assert not coco_panoptic.FORMAT.write(read(save(tmp_path, content)), out)
    assert json.loads((out / "panoptic.json").read_text()) == content
    again = np.array(PIL.Image.open(out / "panoptic" / "a.png")).astype(int)
    np.testing.assert_array_equal(again[..., 0] + 256 * again[..., 1] + 65536 * again[..., 2], IDS)


def test_the_public_sample_comes_back_as_it_was(tmp_path):
    source = SHARED / "data" / "coco_panoptic_sample" / "panoptic_examples.json"
    if not source.is_file():
        pytest.skip("the sample is not here")
    found = read(source)
    assert (len(found.images), found.num_regions, len(found.refused)) == (2, 50, 0)
    assert all(r.shape.mask.sum() == r.record["area"] for image in found.images for r in image.regions)
    assert not coco_panoptic.FORMAT.write(found, tmp_path)
    before = json.loads(source.read_text())
    for record in before["annotations"]:
        theirs = source.with_suffix("") / record["file_name"]
        np.testing.assert_array_equal(
            PIL.Image.open(theirs), PIL.Image.open(tmp_path / "panoptic" / record["file_name"])
        )
    assert json.loads((tmp_path / "panoptic.json").read_text()) == before


def test_the_sample_says_the_same_as_its_detection_form():
    source = SHARED / "data" / "coco_panoptic_sample"
    if not source.is_dir():
        pytest.skip("the sample is not here")
    panoptic = read(source / "panoptic_examples.json")
    detection = coco.read(read_content(source / "panoptic_coco_detection_format.json"))
    by_name = {image.image: image for image in detection.images}
    for image in panoptic.images:
        ours = sorted((r.label, r.shape.x, r.shape.y, r.shape.mask.tobytes()) for r in image.regions)
        theirs = sorted((r.label, r.shape.x, r.shape.y, r.shape.mask.tobytes()) for r in by_name[image.image].regions)
        assert ours == theirs


def test_regions_of_other_formats_are_painted_over_one_another(tmp_path):
    given_set = foreign()
    problems = coco_panoptic.FORMAT.write(given_set, tmp_path)
    assert "overlap" in codes(problems)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")) == [
        "panoptic/a_panoptic.png", "panoptic/b/c.png", "panoptic/d.png",
    ]  # fmt: skip
    again = coco_panoptic.read(reread(tmp_path, "panoptic.json"))
    assert again.classes == ("leaf", "stem")
    for before, after in zip(given_set.images, again.images, strict=True):
        expected = np.zeros(before.size_hw, int)
        shown = np.zeros(before.size_hw, int)
        for region in before.regions:
            expected[rasterize(region.shape, before.size_hw)] = 1 + given_set.classes.index(region.label)
        for region in after.regions:
            shown[rasterize(region.shape, before.size_hw)] = 1 + given_set.classes.index(region.label)
        np.testing.assert_array_equal(shown, expected)


def test_ignored_pixels_belong_to_nothing_and_hidden_or_open_regions_are_refused(tmp_path):
    regions = (
        Region("a", Box(0, 0, 2, 2)), Region("a", Box(0, 0, 4, 3)), Region("", Box(2, 0, 1, 1), is_ignored=True),
        Region("a", Points(ring((1, 1)))), Region("", Box(0, 0, 1, 1)), Region("b", Box(3, 2, 1, 1), order=-1),
    )  # fmt: skip
    images = (Annotation("a.jpg", regions, size_hw=(3, 4)), Annotation("no_size.jpg", regions))
    problems = coco_panoptic.FORMAT.write(AnnotationSet("labelme", images), tmp_path)
    refused = [problem.code for problem in problems if problem.code != "overlap"]
    assert sorted(refused) == ["hidden", "hidden", "ignored", "no-area", "no-class", "no-size"]
    again = coco_panoptic.read(reread(tmp_path, "panoptic.json"))
    (region,) = again.images[0].regions
    expected = np.ones((3, 4), bool)
    expected[0, 2] = False
    np.testing.assert_array_equal(pasted(region.shape), expected)
