"""VIA 3: nine shapes by hand, answers by id, order, videos, and projects that stay as they were."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Box, Ellipse, Points, Polygon, Polyline, Region
from limner.core.errors import DataError
from limner.data.formats.classes import choose_classes
from limner.data.formats.format import read_content
from limner.data.formats.via3 import FORMAT
from limner.data.formats.via3_records import circle_through, read_xy
from tests.data.formats import drawn
from tests.data.formats.drawn import content_of, corpus, needs_corpus, read_back, set_of

ATTRIBUTES = {
    "1": {
        "aname": "class",
        "anchor_id": "FILE1_Z0_XY1",
        "type": 4,
        "options": {"0": "leaf", "1": "", "unknown": "?"},
        "x": 1,
    },
    "2": {"aname": "flags", "type": 2, "options": {"0": "occluded", "1": "blurred"}},
    "3": {"aname": "caption", "anchor_id": "FILE1_Z0_XY0", "type": 1, "options": {}},
}


def entry(vid, *xy, **more):
    return {"vid": vid, "flg": 0, "z": [], "xy": list(xy), "av": {}, **more}


def project(metadata, files=("a.png", "b.png"), **more):
    numbers = [str(i) for i in range(1, len(files) + 1)]
    return {
        "project": {"pname": "p", "vid_list": numbers, "own": 3}, "config": {"file": {"loc_prefix": {"2": "http://127.0.0.1:9/"}}},
        "attribute": ATTRIBUTES, "metadata": metadata, "view": {n: {"fid_list": [n]} for n in numbers},
        "file": {n: {"fid": n, "fname": name, "type": 2, "loc": 1, "src": ""} for n, name in zip(numbers, files, strict=True)},
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("xy", "shape"),
    [
        ([1, 5, 6], Points(np.array([(5.0, 6.0)]))),
        ([2, 10, 11, 20, 12], Box(10, 11, 20, 12)),
        ([3, 30, 31, 8], Ellipse(30, 31, 8, 8)),
        ([4, 40, 20, 10, 5], Ellipse(40, 20, 10, 5)),
        ([5, 0, 1, 63, 47], Polyline(np.array([(0.0, 1.0), (63, 47)]))),
        ([6, 1, 1, 10, 2, 20, 9], Polyline(np.array([(1.0, 1.0), (10, 2), (20, 9)]))),
        (
            [7, 10, 30, 20, 30, 20, 40, 10, 40, 10, 30],
            Polygon((np.array([(10.0, 30.0), (20, 30), (20, 40), (10, 40)]),)),
        ),
        ([8, 30, 5, 45, 10, 38, 20, 25, 12], Box(25, 5, 20, 15)),  # the box around four points on its sides
        ([9, 50, 30, 58, 38, 50, 46], Ellipse(50, 38, 8, 8)),  # the circle through three points
        (["2", "10", 11, 20, "12.0"], Box(10, 11, 20, 12)),
    ],
)
def test_the_nine_shapes(xy, shape):
    assert read_xy(xy, []) == shape


def test_the_circle_through_three_points_is_as_far_from_each():
    points = np.array([(3.0, 1.0), (10.5, -2.0), (4.0, 9.25)])
    cx, cy, r = circle_through(points)
    assert np.hypot(points[:, 0] - cx, points[:, 1] - cy) == pytest.approx([r] * 3)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (entry("1", 2, 1, 2, 3), "ragged"),
        (entry("1", 7, 1, 2, 3), "ragged"),
        (entry("1", 7, 1, 2, 3, 4), "too-few-points"),
        (entry("1", 9, 0, 0, 1, 1, 2, 2), "no-area"),
        (entry("1", 0, 1, 1), "unknown-shape"),
        (entry("1", 10, 1, 1), "unknown-shape"),
        (entry("1", "x", 1), "unknown-shape"),
        (entry("1", 1, None, 2), "not-a-number"),
        (entry("1", 1, 1e300, 2), "too-large"),
        (entry("1", 2, [1, 2], [3, 4], 5, 6), "ragged"),
        (entry("9", 1, 1, 2), "unknown-picture"),
        (entry(None, 1, 1, 2), "unknown-picture"),
        ({**entry("1"), "xy": "2,3"}, "no-shape"),
        (7, "not-a-region"),
        ({**entry("1", 1, 1, 2), "z": [2.5]}, "video"),
        ({**entry("1"), "z": [1, 4]}, "video"),
    ],
)
def test_a_bad_entry_is_refused_by_name_and_the_rest_is_kept(raw, code):
    found = FORMAT.read(content_of(project({"a": entry("1", 1, 5, 6), "b": raw, "c": entry("2", 1, 7, 8)})))
    assert [len(image.regions) for image in found.images] == [1, 1]
    (problem,) = found.refused
    assert (problem.code, problem.where) == (code, "metadata/b")


def test_answers_are_read_through_the_attributes():
    av = {"1": "0", "2": "0,1", "3": "free, text", "9": "odd"}
    others = {"1": "1", "2": "", "3": ""}
    found = FORMAT.read(content_of(project({"m": entry("1", 1, 5, 6, av=av), "n": entry("1", 1, 7, 8, av=others)})))
    first, second = found.images[0].regions
    assert dict(first.attributes) == {
        "class": "leaf",
        "flags": ["occluded", "blurred"],
        "caption": "free, text",
        "9": "odd",
    }
    assert dict(second.attributes) == {"class": "1", "flags": [], "caption": ""}
    chosen = choose_classes(found)
    assert chosen.classes == ("leaf", "1") and [r.label for r in chosen.annotations.images[0].regions] == ["leaf", "1"]


def test_an_answer_about_a_file_is_no_object():
    found = FORMAT.read(content_of(project({"m": entry("2", av={"3": "hello"}), "n": entry("7", av={"3": "lost"})})))
    assert dict(found.images[1].attributes) == {"caption": "hello"} and found.num_regions == 0 and not found.refused


def test_order_ids_and_files_in_no_view():
    document = project({"m": entry(1, 1, 5, 6)}, files=("a.png", "b.png", "c.png"))
    document["project"]["vid_list"] = [3, "1", "gone"]
    document["file"]["x"] = {"fname": "d.png", "type": 2}
    document["view"]["3"]["fid_list"] = [3]
    found = FORMAT.read(content_of(document))
    assert [image.image for image in found.images] == ["c.png", "a.png", "b.png", "d.png"]
    assert [len(image.regions) for image in found.images] == [0, 1, 0, 0]


def test_videos_and_views_of_several_files_are_told():
    document = project({"m": entry("1", 1, 5, 6)})
    document["file"]["2"]["type"] = 4
    document["view"] = {"1": {"fid_list": ["2", "1"]}}
    found = FORMAT.read(content_of(document))
    assert [p.code for p in found.warnings] == ["several-files", "not-a-picture"]


def test_nothing_is_looked_up_where_the_project_says(monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("a file was opened")

    monkeypatch.setattr(Path, "open", forbidden)
    document = project({}, files=("http://127.0.0.1:9/x.png", "/etc/passwd"))
    document["file"]["2"]["src"] = "file:///etc/passwd"
    assert [image.image for image in FORMAT.read(content_of(document)).images] == [
        "http://127.0.0.1:9/x.png",
        "/etc/passwd",
    ]


@pytest.mark.parametrize(
    "document", [{}, [], {"project": {}, "view": {}}, {"file": {}, "view": {}}, {"_via_img_metadata": {}}]
)
def test_other_documents_are_not_taken_for_via3(document):
    assert not FORMAT.sniff(content_of(document))
    with pytest.raises(DataError, match="VIA 3"):
        FORMAT.read(content_of(document))


def test_no_mutation_of_a_file_raises_and_each_lost_region_is_refused():
    metadata = {
        "m": entry("1", 2, 1, 2, 3, 4, av={"1": "0"}),
        "n": entry("2", 7, 1, 2, 9, 9, 3, 8),
        "f": entry("1", av={"3": "x"}),
    }
    for path, mutated in drawn.mutations(project(metadata)):
        content = content_of(mutated)
        if not FORMAT.sniff(content):
            continue
        found = FORMAT.read(content)
        if path[0] == "metadata" and len(path) > 2 and path[1] != "f" and path[2] not in ("xy", "z"):
            assert found.num_regions + len(found.refused) == 2, path
        choose_classes(found)


# -- writing


@settings(max_examples=30)
@given(
    drawn.sets(
        drawn.polygons,
        drawn.boxes,
        drawn.upright_ellipses,
        drawn.circles,
        drawn.lines,
        drawn.single_points,
        groups=True,
    )
)
def test_round_trip(tmp_path_factory, found):
    again, problems = read_back(FORMAT, found, tmp_path_factory.mktemp("v"), "via_project.json")
    assert drawn.drawn_regions(choose_classes(again).annotations) == drawn.drawn_regions(found) and not problems
    assert [r.group for image in again.images for r in image.regions] == [
        r.group for i in found.images for r in i.regions
    ]


def test_a_project_stays_with_all_that_is_unknown_to_us(tmp_path):
    metadata = {
        "m": entry("1", 2, 1.23456, 2, 3, 4, av={"1": "0", "2": "0,1"}, score=[0.9]), "n": entry("2", 9, 50, 30, 58, 38, 50, 46),
        "f": entry("1", av={"3": "x"}),
    }  # fmt: skip
    document = project(metadata, more={"z": [None]})
    document["project"]["vid_list"] = ["2", "1"]
    found = FORMAT.read(content_of(document))
    read_back(FORMAT, found, tmp_path, "via_project.json")
    assert json.loads((tmp_path / "via_project.json").read_text()) == document


def test_a_label_becomes_an_option(tmp_path):
    found = FORMAT.read(content_of(project({"m": entry("1", 1, 5, 6, av={"1": "0"}), "n": entry("1", 1, 7, 8)})))
    chosen = choose_classes(found, class_attribute="class", default_class="stem").annotations
    again, _ = read_back(FORMAT, chosen, tmp_path, "via_project.json")
    written = json.loads((tmp_path / "via_project.json").read_text())
    assert written["attribute"]["1"] == {**ATTRIBUTES["1"], "options": {**ATTRIBUTES["1"]["options"], "2": "stem"}}
    assert written["metadata"]["m"]["av"] == {"1": "0"} and written["metadata"]["n"]["av"] == {"1": "2"}
    assert [r.label for r in choose_classes(again).annotations.images[0].regions] == ["leaf", "stem"]


def test_labels_that_look_like_ids_of_options(tmp_path):
    dots = [Region(label, Points(np.array([(float(i), 1.0)]))) for i, label in enumerate(("1", "0", "00", "x"))]
    again, _ = read_back(FORMAT, set_of(*dots), tmp_path, "via_project.json")
    assert [r.label for r in choose_classes(again).annotations.images[0].regions] == ["1", "0", "00", "x"]


def test_from_other_formats_labels_are_options_and_parts_share_a_group(tmp_path):
    turned = Region("b", Ellipse(20, 20, 9, 4, 30), attributes={"note": "n", "ticks": ["x", "y"]})
    pixels = Region("a", Bitmap(3, 4, np.array([[1, 0, 0], [0, 1, 1]], bool)))
    found = AnnotationSet(
        "drawn", (*set_of(turned, pixels).images, Annotation("__proto__.png", (Region("b", Box(0, 0, 2, 2)),)))
    )
    again, problems = read_back(FORMAT, found, tmp_path, "via_project.json")
    chosen = choose_classes(again).annotations
    drawn.assert_same_pixels(
        chosen, AnnotationSet("drawn", (set_of(chosen.images[0].regions[0], pixels).images[0], found.images[1]))
    )
    assert [p.code for p in problems] == ["ellipse-as-polygon", "mask-as-polygon", "parts-split"]
    assert [r.group for r in again.images[0].regions] == ["", "object 1", "object 1"]
    assert dict(again.images[0].regions[0].attributes) == {"class": "b", "note": "n", "ticks": "x,y"}
    definition = json.loads((tmp_path / "via_project.json").read_text())["attribute"]["1"]
    assert (definition["aname"], definition["type"], definition["options"]) == ("class", 4, {"0": "b", "1": "a"})


# -- corpus


@needs_corpus
@pytest.mark.parametrize(("name", "entry"), corpus("via3_project"))
def test_corpus(name, entry, tmp_path):
    content = read_content(drawn.CORPUS / name)
    assert FORMAT.sniff(content)
    found, want = FORMAT.read(content), entry["expected"]
    assert len(found.images) == want["files"] and found.num_regions == sum(want["shapes"].values())
    assert not found.refused
    read_back(FORMAT, found, tmp_path, "via_project.json")
    written = json.loads((tmp_path / "via_project.json").read_text(encoding="utf-8"))
    assert written == content.json


@needs_corpus
def test_the_synthetic_corpus():
    chosen = choose_classes(FORMAT.read(read_content(drawn.CORPUS / "synthetic/via3_all_nine_shapes.json")))
    found = chosen.annotations
    assert [(image.image, len(image.regions)) for image in found.images] == [("b.png", 0), ("a.png", 9)]
    assert [r.label for r in found.images[1].regions] == ["leaf", "stem"] * 4 + ["leaf"]
    assert dict(found.images[1].attributes) == {"caption": "a caption"} and chosen.classes == ("leaf", "stem")
    ava = choose_classes(FORMAT.read(read_content(drawn.CORPUS / "via3_project/rects_checkbox_via3.json")))
    assert {r.label for image in ava.annotations.images for r in image.regions} == {"sit"} and not ava.problems
