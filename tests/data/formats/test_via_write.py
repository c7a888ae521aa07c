"""VIA 1 and 2 written: round trips, projects that stay as they were, labels in their attribute, what cannot be held."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from limner.core.annotation import AnnotationSet, Bitmap, Box, Ellipse, Points, Polygon, Region
from limner.data.formats import via3, via_csv
from limner.data.formats.classes import choose_classes
from limner.data.formats.via import VIA1, VIA2
from limner.data.rasterize import rasterize
from tests.data.formats import drawn
from tests.data.formats.drawn import content_of, read_back, set_of, square
from tests.data.formats.test_via import L_SHAPE, RECT, export, only, project, region


@settings(max_examples=30)
@given(drawn.sets(drawn.polygons, drawn.boxes, drawn.upright_ellipses, drawn.circles, drawn.lines, drawn.single_points))
def test_round_trip_through_version_2(tmp_path_factory, found):
    again, problems = read_back(VIA2, found, tmp_path_factory.mktemp("v"), "via_region_data.json")
    assert drawn.drawn_regions(choose_classes(again).annotations) == drawn.drawn_regions(found)
    assert (
        not again.refused and not problems and [image.num_bytes for image in again.images] == [123] * len(found.images)
    )


@settings(max_examples=30)
@given(drawn.sets(drawn.polygons, drawn.boxes, drawn.upright_ellipses, drawn.circles, drawn.single_points, groups=True))
def test_round_trip_through_version_1(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("v")
    again, _ = read_back(VIA1, found, folder, "via_region_data.json")
    assert drawn.drawn_regions(choose_classes(again).annotations) == drawn.drawn_regions(found)
    assert [r.group for image in again.images for r in image.regions] == [
        r.group for i in found.images for r in i.regions
    ]
    for entry in json.loads((folder / "via_region_data.json").read_text(encoding="utf-8")).values():
        for record in entry["regions"].values():
            xs = record["shape_attributes"].get("all_points_x", [0, 0])
            assert xs[0] == xs[-1]


@settings(max_examples=30)
@given(drawn.sets(drawn.bitmaps, drawn.polygons))
def test_masks_keep_their_pixels(tmp_path_factory, found):
    again, _ = read_back(VIA2, found, tmp_path_factory.mktemp("v"), "via_region_data.json")
    drawn.assert_same_pixels(choose_classes(again).annotations, found)


def test_what_version_2_cannot_hold_is_written_otherwise_and_said(tmp_path):
    frame = Polygon(square(2, 3, 9).shape.rings, (square(4, 5, 3).shape.rings[0],))
    two = Polygon((square(0, 0, 2).shape.rings[0], square(20, 0, 3).shape.rings[0]))
    corner = Bitmap(30, 30, np.array([[1, 0], [0, 1]], bool))
    regions = (
        Region("a", frame), Region("a", two), Region("b", Box(20, 20, 6, 4, 30)), Region("b", Points(np.array([(1.0, 2), (3, 4)]))),
        Region("c", corner, is_crowd=True, score=0.5), Region("a", Box(0, 30, 3, 3), is_ignored=True),
    )  # fmt: skip
    found = set_of(*regions, subset="train", pixels=b"\x89PNG")
    again, problems = read_back(VIA2, found, tmp_path, "via_region_data.json")
    again = choose_classes(again).annotations
    codes = [p.code for p in problems]
    assert set(codes) == {
        "holes-joined", "parts-split", "turned-box", "mask-as-polygon", "crowd-lost", "score-lost", "ignored-as-class",
        "subset-lost", "pixels-lost",
    }  # fmt: skip
    masks = drawn.pixels_by_label(again)
    assert np.array_equal(masks["a.png", "a"], rasterize(frame, drawn.SIZE) | rasterize(two, drawn.SIZE))
    groups = Counter(r.group for r in again.images[0].regions)
    assert sorted(groups.values()) == [2, 2, 2, 3] and groups[""] == 3
    (ignored,) = [r for r in again.images[0].regions if r.is_ignored]
    assert ignored.shape == Box(0, 30, 3, 3) and "__ignore__" not in choose_classes(again).classes


def test_a_project_stays_a_project_with_all_that_is_unknown_to_us(tmp_path):
    odd = {**region({**RECT, "x": 4.50, "mood": "blue"}, type="b", quality={"good": "true"}), "more": [1, {"z": None}]}
    pictures = export(odd, region(L_SHAPE, name="not_defined"), extra={"k": 1}) | export(name="b.png", size="7")
    document = project(pictures, _via_image_id_list=["b.png7", "a.png10"], _via_data_format_version="2.0.10", strange=5)
    again, problems = read_back(VIA2, VIA2.read(content_of(document)), tmp_path, "via_project.json")
    written = json.loads((tmp_path / "via_project.json").read_text(encoding="utf-8"))
    assert written == document and not problems
    assert (
        list(written["_via_img_metadata"]) == ["b.png7", "a.png10"] == [image.record["key"] for image in again.images]
    )


def test_a_renamed_class_is_written_into_its_attribute_and_nothing_else_changes(tmp_path):
    document = project(export(region(RECT, type="b", name="x"), region(L_SHAPE, type="h", name="x")))
    chosen = choose_classes(VIA2.read(content_of(document)), class_attribute="type").annotations
    first, second = chosen.images[0].regions
    renamed = replace(chosen, images=(replace(chosen.images[0], regions=(first, replace(second, label="Human"))),))
    again, _ = read_back(VIA2, renamed, tmp_path, "via_project.json")
    expected = project(export(region(RECT, type="b", name="x"), region(L_SHAPE, type="Human", name="x")))
    expected["_via_attributes"]["region"]["type"]["options"]["Human"] = "Human"
    assert json.loads((tmp_path / "via_project.json").read_text()) == expected
    assert choose_classes(again, class_attribute="type").classes == ("Bird", "h", "Human")


def test_a_label_that_is_the_id_of_another_option_stays_itself(tmp_path):
    document = project(export(region(RECT, type="b"), region(L_SHAPE, type="h"), region(RECT, type="h")))
    chosen = choose_classes(VIA2.read(content_of(document)), class_attribute="type").annotations
    first, second, third = chosen.images[0].regions
    odd = replace(chosen.images[0], regions=(first, second, replace(third, label="b")))
    again, _ = read_back(VIA2, replace(chosen, images=(odd,)), tmp_path, "via_project.json")
    assert [r.label for r in only(choose_classes(again, class_attribute="type").annotations)] == ["Bird", "h", "b"]


def test_a_project_becomes_an_export_with_readable_names(tmp_path):
    document = project(export(region(RECT, type="b", quality={"good": True}), region(L_SHAPE, type="h")))
    chosen = choose_classes(VIA2.read(content_of(document)), class_attribute="type").annotations
    for entry, name in (
        (VIA1, "via_region_data.json"),
        (via_csv.FORMAT, "via_region_data.csv"),
        (via3.FORMAT, "via_project.json"),
    ):
        again, _ = read_back(entry, chosen, tmp_path, name)
        assert [r.label for r in only(choose_classes(again, class_attribute="type").annotations)] == ["Bird", "h"]
        assert again.attributes["quality"] == {"Good light": 1}


def test_a_default_class_is_written_and_the_moved_region_alone_is_written_anew(tmp_path):
    document = export(region({**RECT, "x": 4.1234567}), region({**RECT, "y": 1.1234567}))
    chosen = choose_classes(VIA2.read(content_of(document)), default_class="balloon").annotations
    first, second = chosen.images[0].regions
    moved = replace(
        chosen, images=(replace(chosen.images[0], regions=(first, replace(second, shape=Box(1, 2, 3, 4)))),)
    )
    again, _ = read_back(VIA2, moved, tmp_path, "via_region_data.json")
    written = json.loads((tmp_path / "via_region_data.json").read_text())["a.png10"]["regions"]
    assert written == [
        region({**RECT, "x": 4.1234567}, **{"class": "balloon"}),
        region({"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}, **{"class": "balloon"}),
    ]
    assert choose_classes(again).classes == ("balloon",)


def test_from_version_1_to_2_rings_are_opened_and_answers_stay(tmp_path):
    closed = {"name": "polygon", "all_points_x": [0, 4, 4, 0], "all_points_y": [0, 0, 5, 0]}
    document = {"k": {"fileref": "", "size": 9, "filename": "a.png", "base64_img_data": "", "file_attributes": {"cap": "x"},
                      "regions": {"0": region(closed, kind="b", note="n")}}}  # fmt: skip
    read_back(VIA2, VIA1.read(content_of(document)), tmp_path, "via_region_data.json")
    assert json.loads((tmp_path / "via_region_data.json").read_text()) == {
        "a.png9": {"filename": "a.png", "size": 9, "file_attributes": {"cap": "x"}, "regions": [
            region({"name": "polygon", "all_points_x": [0, 4, 4], "all_points_y": [0, 0, 5]}, kind="b", note="n")]}
    }  # fmt: skip


def test_a_turned_ellipse_is_a_polygon_in_version_1(tmp_path):
    found = set_of(Region("a", Ellipse(20, 15, 12, 5, 30)))
    again, problems = read_back(VIA1, found, tmp_path, "via_region_data.json")
    assert [p.code for p in problems] == ["ellipse-as-polygon"]
    mask, truth = (rasterize(r.shape, drawn.SIZE) for r in (*only(again), *only(found)))
    assert (mask ^ truth).sum() <= 4 < truth.sum()


def test_pictures_with_one_key_are_joined(tmp_path):
    image = set_of(square(0, 0, 4)).images[0]
    again, problems = read_back(VIA2, AnnotationSet("drawn", (image, image)), tmp_path, "via_region_data.json")
    assert len(again.images) == 1 and len(only(again)) == 2 and [p.code for p in problems] == ["same-picture"]


def test_names_of_classes_are_data(tmp_path):
    labels = ["__proto__", "<b>x</b>", "=1+1", "a\u202eb", 'say "x"', "Right ", "猫", "a,b;c"]
    found = set_of(*(square(3 * i, 0, 2, label) for i, label in enumerate(labels)))
    for entry, name in ((VIA1, "via_region_data.json"), (VIA2, "via_region_data.json"), (via_csv.FORMAT, "via_region_data.csv"),
                        (via3.FORMAT, "via_project.json")):  # fmt: skip
        folder = tmp_path / entry.name
        folder.mkdir()
        again, _ = read_back(entry, found, folder, name)
        assert [r.label for r in only(choose_classes(again).annotations)] == labels
