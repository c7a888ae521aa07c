from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.annotation import Annotation, AnnotationSet, Box, Points, Polygon, Region
from limner.data.formats import yolo_seg
from limner.data.formats.format import Content, read_content
from limner.data.formats.relative import shares, to_pixels
from limner.data.rasterize import rasterize
from tests.data.formats.contents import codes, corpus, foreign, ring


def label(tmp_path, text, names="names: [cell, dirt]", place="labels/train/a.txt"):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if names:
        (tmp_path / "data.yaml").write_text(names, encoding="utf-8")
    return read_content(path)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("tiny/labels/train/1.txt", {"label_2": 1, "label_4": 1}),
        ("nuclei/labels/train/nuclei_excerpt.txt", {"0 nucleus cells": 20}),
    ],
)
def test_corpus(name, labels):
    content = corpus(f"yolo_seg/{name}")
    assert yolo_seg.sniff(content)
    found = yolo_seg.read(content)
    counts = {}
    for region in found.images[0].regions:
        assert isinstance(region.shape, Polygon)
        counts[region.label] = counts.get(region.label, 0) + 1
    assert counts == labels and not found.refused and found.images[0].subset == "train"


def test_polygons_and_boxes_are_shares_until_the_picture_is_known(tmp_path):
    content = label(tmp_path, "1 0.25 0.5 0.75 0.5 0.5 1\n\n0 0.5 0.25 0.5 0.25\n")
    found = yolo_seg.read(content)
    (image,) = found.images
    assert (image.image, image.subset, image.size_hw, dict(image.attributes)) == (
        "train/a",
        "train",
        None,
        {"normalized": True},
    )
    assert found.classes == ("cell", "dirt") and [r.label for r in image.regions] == ["dirt", "cell"]
    assert [r.where for r in image.regions] == ["line 1", "line 3"]
    assert codes(found.warnings) == ["box"] and "1 lines are boxes" in found.warnings[0].message
    inside = to_pixels(image, (20, 40))  # 40 wide, 20 high
    np.testing.assert_array_equal(inside.regions[0].shape.rings[0], [[10, 10], [30, 10], [20, 20]])
    assert inside.regions[1].shape == Box(10, 2.5, 20, 5)
    assert inside.size_hw == (20, 40) and "normalized" not in inside.attributes
    assert to_pixels(inside, (1, 1)) == inside


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("0 0.1 0.1 0.5", "ragged"),
        ("0", "ragged"),
        ("0 0.1 0.1 0.5 0.5 0.9", "ragged"),
        ("0 .1 .1 .5 .1 .5 .5 .9", "ragged"),
        ("x 0.1 0.1 0.5 0.1 0.5 0.5", "bad-class"),
        ("-1 0.1 0.1 0.5 0.1 0.5 0.5", "bad-class"),
        ("0.5 0.1 0.1 0.5 0.1 0.5 0.5", "bad-class"),
        ("0 0.1 a 0.5 0.1 0.5 0.5", "not-a-number"),
        ("0 nan 0.1 0.5 0.1 0.5 0.5", "not-a-number"),
        ("0 1e400 0 0.5 0.1 0.5 0.5", "not-finite"),
        ("0 0.1 0.1 0.5 0.5 0.9 0.9", "no-area"),
        ("0 0.1 0.1 0.5 0.1 0.1 0.1", "too-few-points"),
        ("0 5 5 9 5 9 9", "too-few-points"),
        ("0 0.5 0.5 0 0.2", "no-area"),
        ("0 0.5 0.5 -0.1 0.2", "no-area"),
        ("0 3 3 0.1 0.1", "no-area"),
        ("0 1_0 .1 .5 .1 .5 .5", "not-a-number"),
    ],
)
def test_a_bad_line_is_refused_alone(tmp_path, line, code):
    good = "0 0.1 0.1 0.5 0.1 0.5 0.5"
    found = yolo_seg.read(label(tmp_path, f"{good}\n{line}\n{good}\n"))
    assert codes(found.refused) == [code] and found.refused[0].where == "line 2"
    assert found.num_regions == 2


def test_coordinates_outside_are_moved_to_the_edge(tmp_path):
    found = yolo_seg.read(label(tmp_path, "0 -0.5 0.1 1.5 0.1 0.5 0.5\n0 0 0 1.0000001 0 1 1\n0 0.9 0.5 0.4 0.5"))
    first, second, third = (region.shape for region in found.images[0].regions)
    np.testing.assert_array_equal(first.rings[0], [[0, 0.1], [1, 0.1], [0.5, 0.5]])
    assert second.rings[0].max() == 1
    assert (third.x, third.y, third.height) == pytest.approx((0.7, 0.25, 0.5)) and third.width == pytest.approx(0.3)
    (warning,) = [problem for problem in found.warnings if problem.code == "out-of-bounds"]
    assert "2 times: line 1, line 3" in warning.message


def test_without_names_the_indices_are_names(tmp_path):
    found = yolo_seg.read(label(tmp_path, "7 0.1 0.1 0.5 0.1 0.5 0.5", names=""))
    assert found.images[0].regions[0].label == "7" and found.classes == () and codes(found.warnings) == ["no-names"]
    found = yolo_seg.read(label(tmp_path, "7 0.1 0.1 0.5 0.1 0.5 0.5"))
    assert found.images[0].regions[0].label == "7" and codes(found.warnings) == ["unknown-class"]


def test_an_empty_file_is_a_picture_without_objects(tmp_path):
    content = label(tmp_path, " \n")
    assert yolo_seg.sniff(content)
    found = yolo_seg.read(content)
    assert len(found.images) == 1 and found.num_regions == 0 and not found.refused


@pytest.mark.parametrize(
    ("text", "name", "is_label"),
    [
        ("0 .1 .1 .5 .1 .5 .5\nbroken line\n1 .1 .1 .5 .1 .5 .5", "a.txt", True),
        ("cat\ndog\n", "classes.txt", False),
        ("1 2 3\n4 5 6\n", "a.txt", False),
        ("./images/a.jpg\n", "train.txt", False),
        ("", "classes.txt", False),
        ("", "a.csv", False),
        ("0 nan .1 .5 .1 .5 .5", "a.txt", False),
        ("0.5 .1 .1 .5 .1 .5 .5", "a.txt", False),
        ("2 a b c d e\n", "a.txt", False),
    ],
)
def test_what_is_taken_for_labels(tmp_path, text, name, is_label):
    assert yolo_seg.sniff(Content(tmp_path / name, text)) is is_label


@pytest.mark.parametrize(
    ("place", "image", "subset"),
    [
        ("labels/val/s/b.rf.1f.txt", "val/s/b.rf.1f", "val"), ("train/labels/b.txt", "b", "train"), ("b.txt", "b", ""),
        ("test/b.txt", "b", "test"), ("labels/b.txt", "b", ""), ("labels/old/labels/b.txt", "b", ""),
    ],
)  # fmt: skip
def test_folders_tell_picture_and_subset(tmp_path, place, image, subset):
    (found,) = yolo_seg.read(label(tmp_path, "0 .1 .1 .5 .1 .5 .5", place=place)).images
    assert (found.image, found.subset) == (image, subset)


def test_what_was_not_changed_is_written_as_it_was(tmp_path):
    text = "1 0.10 0.1000 .5 0.1 0.5 0.5\n0 0.5 0.25 0.5 0.25\n"
    found = yolo_seg.read(label(tmp_path / "in", text))
    for name, given_set in (
        ("shares", found),
        ("pixels", dataclasses.replace(found, images=(to_pixels(found.images[0], (7, 11)),))),
    ):
        out = tmp_path / name
        out.mkdir()
        assert not yolo_seg.FORMAT.write(given_set, out)
        assert (out / "labels" / "train" / "a.txt").read_text() == text
        assert (out / "data.yaml").read_text() == 'path: .\ntrain: train.txt\nnames:\n  0: "cell"\n  1: "dirt"\n'
        assert (out / "train.txt").read_text() == "./images/train/a.jpg\n"


def test_regions_of_other_formats_keep_their_pixels_but_for_holes(tmp_path):
    given_set = foreign()
    problems = yolo_seg.FORMAT.write(given_set, tmp_path)
    assert sorted(set(codes(problems))) == ["as-polygon", "holes-filled", "parts-split"]
    for before, name in zip(given_set.images, ("a.txt", "b/c.txt", "d.txt"), strict=True):
        found = yolo_seg.read(read_content(tmp_path / "labels" / name))
        after = to_pixels(found.images[0], before.size_hw)
        for word in ("leaf", "stem"):
            ours = np.zeros(before.size_hw, bool)
            theirs = np.zeros(before.size_hw, bool)
            for region in before.regions:
                if region.label == word:
                    shape = region.shape
                    ours |= rasterize(Polygon(shape.rings) if isinstance(shape, Polygon) else shape, before.size_hw)
            for region in after.regions:
                assert isinstance(region.shape, Polygon), (
                    "boxes become polygons: mixing loses the outlines in other readers"
                )
                if region.label == word:
                    theirs |= rasterize(region.shape, before.size_hw)
            np.testing.assert_array_equal(theirs, ours)


@given(
    st.lists(st.tuples(st.integers(0, 4 * 463), st.integers(0, 4 * 1013)), min_size=3, max_size=8, unique=True),
    st.sampled_from([(1013, 463), (997, 631), (7, 11)]),
)
def test_vertices_come_back_as_they_were_or_just_below(points, size_hw):
    exact = np.array(points, np.float64) / 4 % [size_hw[1], size_hw[0]]
    for whole in (1, 100):
        again = shares(exact, size_hw, whole=whole) * np.array([size_hw[1], size_hw[0]], np.float64) / whole
        np.testing.assert_array_max_ulp(again, exact, 2)
        assert (again <= exact).all()


def test_what_lies_outside_is_cut_off_and_what_has_no_area_is_refused(tmp_path):
    regions = (
        Region("a", Polygon((ring((-3, 1), (4, 1), (4, 4), (-3, 4)),))), Region("a", Points(ring((1, 1)))),
        Region("", Box(0, 0, 1, 1)), Region("a", Box(0, 0, 1, 1), is_ignored=True), Region("a", Box(90, 90, 1, 1)),
    )  # fmt: skip
    images = (Annotation("a.png", regions, size_hw=(5, 7)), Annotation("x.png", regions))
    problems = yolo_seg.FORMAT.write(AnnotationSet("via2", images), tmp_path)
    assert sorted(codes(problems)) == ["ignored", "no-area", "no-area", "no-class", "no-size", "out-of-bounds"]
    (region,) = to_pixels(yolo_seg.read(read_content(tmp_path / "labels" / "a.txt")).images[0], (5, 7)).regions
    assert np.flatnonzero(rasterize(region.shape, (5, 7)).any(axis=0)).tolist() == [0, 1, 2, 3]
    assert not (tmp_path / "labels" / "x.txt").exists()


def test_no_name_leads_out_of_the_folder(tmp_path):
    box = (Region('c"lass\n', Box(0, 0, 1, 1)),)
    names = ["../../x.png", "/etc/y.png", "http://h/z.png", "CON.png", "a.png", "a.jpg"]
    images = tuple(Annotation(name, box, size_hw=(5, 7)) for name in names)
    yolo_seg.FORMAT.write(AnnotationSet("via2", images), tmp_path)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.txt"))
    assert len(files) == 6 and all(name.startswith("labels/") for name in files) and "labels/CON.txt" not in files
    assert yolo_seg.read(read_content(tmp_path / files[0])).classes == ('c"lass\n',)


def test_digits_that_stood_for_names_are_indices_again(tmp_path):
    text = "7 0.1 0.1 0.5 0.1 0.5 0.5\n"
    found = yolo_seg.read(label(tmp_path / "in", text, names=""))
    yolo_seg.FORMAT.write(found, tmp_path)
    assert (tmp_path / "labels" / "train" / "a.txt").read_text() == text
