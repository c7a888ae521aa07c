"""VIA 1 and 2: shapes by hand, dialects, broken records, and files that stay as they were."""

import base64
import json
import math
from collections import Counter

import numpy as np
import pytest

from limner.core.annotation import Box, Ellipse, Points, Polygon, Polyline
from limner.core.errors import DataError
from limner.data.formats.classes import choose_classes
from limner.data.formats.format import read_content
from limner.data.formats.via import VIA1, VIA2
from limner.data.rasterize import rasterize
from tests.data.formats import drawn
from tests.data.formats.drawn import content_of, corpus, needs_corpus, read_back

RECT = {"name": "rect", "x": 4, "y": 3, "width": 5, "height": 2}
L_SHAPE = {"name": "polygon", "all_points_x": [0, 4, 4, 2, 2, 0], "all_points_y": [0, 0, 2, 2, 5, 5]}


def region(shape, **answers):
    return {"shape_attributes": shape, "region_attributes": answers}


def export(*regions, name="a.png", size=10, **more):
    return {f"{name}{size}": {"filename": name, "size": size, "regions": list(regions), "file_attributes": {}, **more}}


def project(pictures, **more):
    attributes = {
        "region": {
            "type": {"type": "dropdown", "options": {"b": "Bird", "h": "", "unknown": "Unknown (object)"}},
            "quality": {"type": "checkbox", "options": {"good": "Good light", "blur": "Blurred"}},
            "name": {"type": "text", "default_value": "not_defined"},
        },
        "file": {},
    }
    return {"_via_settings": {"core": {"x": 1}}, "_via_img_metadata": pictures, "_via_attributes": attributes, **more}


def only(found):
    (image,) = found.images
    return image.regions


# -- shapes, worked out by hand


def test_every_shape_of_via():
    turned = {"name": "ellipse", "cx": 32, "cy": 24, "rx": 20, "ry": 6, "theta": math.pi / 4}
    shapes = [
        RECT, {"name": "circle", "cx": 7, "cy": 8, "r": 2.5}, turned, {"name": "ellipse", "cx": 1, "cy": 2, "rx": 3, "ry": 4},
        L_SHAPE, {"name": "polyline", "all_points_x": [1, 2, 5], "all_points_y": [6, 7, 9]}, {"name": "point", "cx": 3, "cy": 4},
    ]  # fmt: skip
    found = VIA2.read(content_of(export(*map(region, shapes))))
    box, circle, ellipse, upright, polygon, line, point = (r.shape for r in only(found))
    assert box == Box(4, 3, 5, 2) and circle == Ellipse(7, 8, 2.5, 2.5)
    assert (ellipse.rx, ellipse.ry, round(ellipse.angle, 9)) == (20, 6, 45)  # radians in the file, degrees inside
    assert upright == Ellipse(1, 2, 3, 4, 0)
    assert rasterize(polygon, (6, 7)).sum() == 4 * 2 + 2 * 3
    assert line == Polyline(np.array([(1, 6), (2, 7), (5, 9)], float)) and point == Points(np.array([(3.0, 4.0)]))
    assert not found.warnings and not found.refused


def test_a_turned_ellipse_runs_from_the_upper_left_to_the_lower_right():
    turned = {"name": "ellipse", "cx": 32, "cy": 24, "rx": 20, "ry": 6, "theta": math.pi / 4}
    (only_one,) = only(VIA2.read(content_of(export(region(turned)))))
    mask = rasterize(only_one.shape, (48, 64))
    assert abs(int(mask.sum()) - math.pi * 20 * 6) < 12
    assert mask[12, 20] and mask[36, 44] and not mask[36, 20] and not mask[12, 44]


def test_numbers_as_text_negative_sides_and_closed_rings_are_put_right():
    shapes = [
        {"name": "rect", "x": "4", "y": 3, "width": " 5", "height": 2}, {"name": "rect", "x": 9, "y": 5, "width": -5, "height": -2},
        {"name": "polygon", "all_points_x": [0, 4, 4, 4, 0], "all_points_y": [0, 0, 0, 5, 0]},
    ]  # fmt: skip
    found = VIA2.read(content_of(export(*map(region, shapes))))
    first, second, third = (r.shape for r in only(found))
    assert first == second == Box(4, 3, 5, 2)
    assert third.rings[0].tolist() == [[0, 0], [4, 0], [4, 5]]
    assert [p.where.rpartition("/")[2] for p in found.warnings] == ["0", "0", "1", "2"]


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ({"name": "polygon", "all_points_x": [1, 5], "all_points_y": [1, 5]}, "too-few-points"),
        ({"name": "polygon", "all_points_x": [1, 5, 9], "all_points_y": [1, 5, 9]}, "no-area"),
        ({"name": "polygon", "all_points_x": [1, 5, 9], "all_points_y": [1, 5]}, "ragged"),
        ({"name": "polygon"}, "not-a-list"),
        ({"name": "rect", "x": 1, "y": 1, "width": 0, "height": 5}, "no-area"),
        ({"name": "rect", "x": None, "y": 1, "width": 2, "height": 5}, "not-a-number"),
        ({"name": "rect", "x": 1e300, "y": 1, "width": 2, "height": 5}, "too-large"),
        ({"name": "circle", "cx": 1, "cy": 1, "r": "NaN"}, "not-a-number"),
        ({"name": "star", "cx": 1}, "unknown-shape"),
        ({"cx": 1}, "not-a-number"),
        ({}, "no-shape"),
        (None, "no-shape"),
        ([1, 2], "no-shape"),
    ],
)
def test_a_bad_region_is_refused_by_name_and_the_rest_is_kept(shape, code):
    found = VIA2.read(content_of(export(region(RECT), {"shape_attributes": shape}, region(L_SHAPE))))
    assert len(only(found)) == 2
    (problem,) = found.refused
    assert (problem.code, problem.where, problem.file) == (code, "a.png10/regions/1", "a.json")


def test_a_shape_without_a_name_is_known_by_its_keys():
    assert only(VIA2.read(content_of(export(region({"x": 4, "y": 3, "width": 5, "height": 2})))))[0].shape == Box(
        4, 3, 5, 2
    )


# -- the two versions and their dialects


def test_version_1_has_an_object_of_regions_and_version_2_a_list():
    first = export(region(RECT))
    first["a.png10"]["regions"] = {"0": region(RECT), "seven": region(L_SHAPE)}
    second = export(region(RECT), region(L_SHAPE))
    assert [VIA1.sniff(content_of(d)) for d in (first, second)] == [True, False]
    assert [VIA2.sniff(content_of(d)) for d in (first, second)] == [False, True]
    one, two = VIA1.read(content_of(first)), VIA2.read(content_of(second))
    assert (one.format, two.format) == ("via1", "via2")
    assert [r.shape for r in only(one)] == [r.shape for r in only(two)]
    assert only(one)[1].where == "a.png10/regions/seven"


@pytest.mark.parametrize(
    "document",
    [
        {}, [], [1, {"a": 2}], {"images": [], "annotations": [], "categories": []}, {"shapes": [], "imagePath": "a.png"},
        {"project": {}, "file": {"1": {"fname": "a", "size": 1, "regions": []}}, "view": {}, "metadata": {}},
        {"regions": {}, "labels": ["a"]}, {"region": {"type": {"type": "dropdown"}}, "file": {}}, 5, "text", None,
    ],
)  # fmt: skip
def test_other_documents_are_not_taken_for_via(document):
    content = content_of(document)
    assert not VIA1.sniff(content) and not VIA2.sniff(content)
    with pytest.raises(DataError, match="VIA"):
        VIA2.read(content)


def test_a_list_of_pictures_is_read_as_well():
    pictures = list(export(region(RECT)).values())
    assert VIA2.sniff(content_of(pictures)) and only(VIA2.read(content_of(pictures)))[0].shape == Box(4, 3, 5, 2)


@pytest.mark.parametrize(("size", "count"), [(10, 10), ("10", 10), (-1, None), ("-1", None), ("?", None), (None, None)])
def test_sizes_are_numbers_or_texts_and_minus_one_for_a_url(size, count):
    assert VIA2.read(content_of(export(region(RECT), size=size))).images[0].num_bytes == count


def test_pictures_in_the_order_of_the_project():
    pictures = export(name="a.png") | export(name="b.png") | export(name="c.png")
    found = VIA2.read(content_of(project(pictures, _via_image_id_list=["c.png10", "gone", "a.png10", "c.png10", 5])))
    assert [image.image for image in found.images] == ["c.png", "a.png", "b.png"]
    assert [p.code for p in found.warnings] == ["unknown-picture"]


def test_answers_become_readable_through_the_questions():
    answers = {
        "type": "b",
        "quality": {"good": "true", "blur": False, "odd": True},
        "name": "  x ",
        "extra": 3,
        "none": None,
    }
    others = {"type": "h", "quality": {}, "name": "y"}
    found = VIA2.read(content_of(project(export(region(RECT, **answers), region(L_SHAPE, **others)))))
    first, second = only(found)
    assert dict(first.attributes) == {
        "type": "Bird", "quality": ["Good light", "odd"], "name": "  x ", "extra": "3", "none": "",
    }  # fmt: skip
    assert dict(second.attributes) == {
        "type": "h",
        "quality": [],
        "name": "y",
    }  # an option without name is called by its id
    assert found.attributes["type"] == {"Bird": 1, "h": 1} and found.attributes["quality"] == {"Good light, odd": 1}
    assert "none" not in found.attributes


def test_the_id_unknown_stays_so_that_it_is_no_class():
    found = VIA2.read(content_of(project(export(region(RECT, type="unknown")))))
    assert found.attributes["type"] == {"unknown": 1}


def test_makesense_writes_version_1_by_the_bare_name():
    document = {"a.png": {"fileref": "", "size": 5, "filename": "a.png", "base64_img_data": "", "file_attributes": {},
                          "regions": {"0": region({**L_SHAPE, "all_points_x": [0.5, 4, 4, 2, 2, 0.5]}, label="leaf")}}}  # fmt: skip
    found = VIA1.read(content_of(document))
    assert VIA1.sniff(content_of(document)) and found.images[0].image == "a.png"
    chosen = choose_classes(found)
    assert chosen.classes == ("leaf",) and only(chosen.annotations)[0].label == "leaf"


def test_copies_are_kept_and_told():
    found = VIA2.read(
        content_of(export(region(RECT, c="x"), region(L_SHAPE), region(RECT, c="x"), region(RECT, c="y")))
    )
    assert len(only(found)) == 4
    (warning,) = found.warnings
    assert warning.code == "duplicate-object" and warning.where == "a.png10/regions/2" and "1 of 4" in warning.message


def test_keys_that_occur_twice_are_told(tmp_path):
    path = tmp_path / "x.json"
    entry = json.dumps(export(region(RECT))["a.png10"])
    path.write_text(f'{{"k": {entry}, "k": {entry}}}')
    found = VIA2.read(read_content(path))
    assert [p.code for p in found.warnings] == ["duplicate-key"] and len(found.images) == 1


def test_pictures_that_are_no_objects_are_left_out_and_told():
    document = project({"a.png10": None, "b": [1], **export(region(RECT), name="c.png")})
    found = VIA2.read(content_of(document))
    assert [image.image for image in found.images] == ["c.png"] and not found.refused
    assert {p.where for p in found.warnings} == {"_via_img_metadata/a.png10", "_via_img_metadata/b"}


def test_a_picture_without_name_is_called_by_its_key_and_one_name_twice_is_told():
    document = {"x.png7": {"size": 7, "regions": [region(RECT)], "file_attributes": {}},
                "q": {"filename": "x.png", "size": 7, "regions": [], "file_attributes": {}}}  # fmt: skip
    found = VIA2.read(content_of(document))
    assert [image.image for image in found.images] == ["x.png", "x.png"]
    assert [p.code for p in found.warnings] == ["no-file-name", "same-file-name"]


def test_a_picture_inside_version_1():
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()
    document = export(base64_img_data=f"data:image/png;base64,{png}", fileref="")
    document |= export(name="b.png", base64_img_data="????", fileref="")
    found = VIA1.read(content_of(document))
    assert found.images[0].pixels == b"\x89PNG\r\n\x1a\n rest" and found.images[1].pixels is None
    assert [p.code for p in found.warnings] == ["not-a-picture"]


def test_no_mutation_of_a_file_raises_and_each_lost_region_is_refused():
    document = project(
        export(region(RECT, type="b", quality={"good": True}), region(L_SHAPE, name="x")),
        _via_image_id_list=["a.png10"],
    )
    for path, mutated in drawn.mutations(document):
        content = content_of(mutated)
        if not VIA2.sniff(content):
            continue
        found = VIA2.read(content)
        if path[:1] == ("_via_img_metadata",) and len(path) > 4:
            assert found.num_regions + len(found.refused) == 2, path
        choose_classes(found)


# -- corpus


@needs_corpus
@pytest.mark.parametrize(("name", "entry"), corpus("via1_export", "via2_export", "via2_project"))
def test_corpus(name, entry, tmp_path):
    content = read_content(drawn.CORPUS / name)
    kind = VIA1 if name.startswith("via1") else VIA2
    assert kind.sniff(content) and not (VIA2 if kind is VIA1 else VIA1).sniff(content)
    found, want = kind.read(content), entry["expected"]
    assert len(found.images) == want["images"] and found.num_regions + len(found.refused) == want["regions"]
    assert sum(not image.regions for image in found.images) == want["images_without_regions"]
    shapes = Counter(r.record["shape_attributes"]["name"] for image in found.images for r in image.regions)
    assert shapes == Counter(want["shapes"]) and not found.refused
    rings = [r.shape.rings[0] for image in found.images for r in image.regions if isinstance(r.shape, Polygon)]
    areas = sum(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2 for x, y in (ring.T for ring in rings))
    assert areas == pytest.approx(entry.get("polygon_area_sum", 0), abs=0.1)
    if want["format"] == "VIA export JSON":  # a project shows the readable names instead of the ids
        for attribute, counts in want["attributes"].items():
            if not any(text.startswith("{") for text in counts):
                assert found.attributes[attribute] == counts
    written = "via_project.json" if found.record.is_project else "via_region_data.json"
    again, problems = read_back(kind, found, tmp_path, written)
    assert json.loads((tmp_path / written).read_text(encoding="utf-8")) == content.json and not problems
    assert drawn.drawn_regions(again) == drawn.drawn_regions(found)


@needs_corpus
def test_the_corpus_has_its_classes():
    def classes(name, **options):
        content = read_content(drawn.CORPUS / name)
        return choose_classes((VIA1 if VIA1.sniff(content) else VIA2).read(content), **options)

    assert classes("via1_export/damage_train_via1.json").classes == ("damage",)
    assert set(classes("via1_export/rice_val_via1.json").classes) == {"brown_spot", "leaf_smut", "bacteria"}
    kudzu = classes("via2_export/kudzu_train_via2.json")
    assert kudzu.classes == ("kudzu",) and "'insect' says the same" in kudzu.words and not kudzu.problems
    assert classes("via2_export/export_named_project.json").attributes == ("name",)
    assert classes("via2_export/attr_with_space_via2.json").attributes == ("Object Class",)
    (problem,) = classes("via2_export/checkbox_attributes_via2.json").problems
    assert problem.code == "class-attribute" and "'label'" in problem.message and "'object'" in problem.message
    assert classes("via2_export/checkbox_attributes_via2.json", class_attribute="object").annotations.num_regions == 10
    (problem,) = classes("via2_export/checkbox_attributes_via2.json", class_attribute="qualities").problems
    assert problem.code == "several-ticks"
    demo = classes("via2_project/demo_project_mixed.json")
    assert demo.attributes == ("type",) and demo.classes == ("Bird", "Human", "Cup (object)")
    assert [p.code for p in demo.problems] == ["unlabelled"] and "1 of 5" in demo.problems[0].message
    (problem,) = classes("via1_export/balloon_train_via1.json").problems
    assert problem.code == "no-class" and "--default-class" in problem.message
    balloons = classes("via1_export/balloon_train_via1.json", default_class="balloon")
    assert balloons.classes == ("balloon",) and not balloons.problems
    assert {r.label for image in balloons.annotations.images for r in image.regions} == {"balloon"}


@needs_corpus
def test_the_synthetic_corpus():
    def read(name):
        content = read_content(drawn.CORPUS / "synthetic" / name)
        return choose_classes((VIA1 if VIA1.sniff(content) else VIA2).read(content)).annotations

    (dense,) = only(read("makesense_dialect.json"))
    assert dense.label == "leaf" and dense.shape.rings[0].tolist() == [[10.5, 5.5], [20.25, 5.5], [20.25, 15.75]]
    assert [r.label for r in only(read("via2_utf8_bom.json"))] == ["猫"]
    mask = rasterize(only(read("via2_rotated_ellipse.json"))[0].shape, (48, 64))
    assert abs(int(mask.sum()) - 377) <= 6 and mask[14, 22] and mask[33, 41] and not mask[33, 22]
    for name in ("exif_1", "exif_3", "exif_6"):
        rows, columns = np.nonzero(rasterize(only(read(f"{name}.via.json"))[0].shape, (48, 64)))
        assert (rows.min(), rows.max(), columns.min(), columns.max(), len(rows)) == (8, 19, 40, 59, 240)
