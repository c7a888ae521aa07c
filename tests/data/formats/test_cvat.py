from __future__ import annotations

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from limner.core.annotation import Annotation, AnnotationSet, Bitmap, Box, Ellipse, Points, Polygon, Polyline, Region
from limner.data.formats import cvat
from limner.data.formats.accounts import without_addresses
from limner.data.formats.cvat_shapes import decimal, element_parts, shape_of
from limner.data.formats.format import Content
from limner.data.formats.geometry import Refusal
from limner.data.formats.xml_records import plain_element
from limner.data.rasterize import rasterize
from tests.data.formats.contents import codes, corpus, expected, foreign, reread, ring

FILES = ["images_mixed.xml", "images_skeleton.xml", "masks_rle_a.xml", "video_tracks.xml"]


def content(text: str) -> Content:
    return Content(Path("a.xml"), text, xml=ElementTree.fromstring(text))


def one(*elements: str, **attributes: str):
    named = {"id": "0", "name": "a.png", "width": "11", "height": "7"} | attributes
    words = " ".join(f'{name}="{value}"' for name, value in named.items())
    return cvat.read(
        content(f"<annotations><version>1.1</version><image {words}>{''.join(elements)}</image></annotations>")
    )


@pytest.mark.parametrize("name", FILES)
def test_corpus(name):
    found_content, want = corpus(f"cvat_xml/{name}"), expected(f"cvat_xml/{name}")
    assert cvat.sniff(found_content)
    found = cvat.read(found_content)
    assert len(found.images) == want["expected"]["images"]
    assert found.num_regions + len(found.refused) == sum(want["expected"]["shapes"].values())
    kinds = {"points": "point"}
    read = [region.kind for image in found.images for region in image.regions]
    for shape, count in want["expected"]["shapes"].items():
        if "/" not in shape and shape not in ("tag", "skeleton"):
            assert read.count(kinds.get(shape, shape)) == count
    assert set(codes(found.refused)) <= {"tag", "skeleton", "video"}


@pytest.mark.parametrize("name", FILES)
def test_what_was_not_changed_is_written_as_it_was(name, tmp_path):
    found_content = corpus(f"cvat_xml/{name}")
    assert not cvat.FORMAT.write(cvat.read(found_content), tmp_path)
    written = plain_element(reread(tmp_path, "annotations.xml").xml)
    assert [written] == without_addresses([plain_element(found_content.xml)])


def test_every_shape():
    found = one(
        '<polygon label="a" points="1,1;9,1;9,6;1,6" z_order="2"/>', '<polyline label="a" points="0,0;5.5,2"/>',
        '<points label="b" points="1,2;3,4"/>', '<box label="a" xtl="1" ytl="2" xbr="4" ybr="2.5"/>',
        '<ellipse label="a" cx="5" cy="3" rx="2" ry="1" rotation="30"/>',
        '<mask label="c" rle="1, 2, 2, 1" left="4" top="3" width="3" height="2"/>',
    )  # fmt: skip
    polygon, line, points, box, ellipse, mask = (region.shape for region in found.images[0].regions)
    assert polygon == Polygon((ring((1, 1), (9, 1), (9, 6), (1, 6)),)) and line == Polyline(ring((0, 0), (5.5, 2)))
    assert points == Points(ring((1, 2), (3, 4))) and box == Box(1, 2, 3, 0.5) and ellipse == Ellipse(5, 3, 2, 1, 30)
    # rows of three: background 1, painted 2, background 2, painted 1
    assert mask == Bitmap(4, 3, np.array([[0, 1, 1], [0, 0, 1]], bool)) or mask == Bitmap(
        5, 3, np.array([[1, 1], [0, 1]], bool)
    )
    np.testing.assert_array_equal(np.argwhere(rasterize(mask, (7, 11))), [[3, 5], [3, 6], [4, 6]])
    assert found.images[0].size_hw == (7, 11) and [r.order for r in found.images[0].regions] == [2, 0, 0, 0, 0, 0]
    assert found.images[0].regions[3].where == "image/0/box/3"


def test_boxes_turn_about_their_centre():
    # 4 wide, 2 high, centre (5, 3); turned by 90 degrees clockwise it spans x 4 to 6 and y 1 to 5, first corner upper right
    found = one(
        '<box label="a" xtl="3" ytl="2" xbr="7" ybr="4" rotation="90"/>',
        '<box label="a" xtl="3" ytl="2" xbr="7" ybr="4" rotation="37"/>',
    )
    quarter, other = (region.shape for region in found.images[0].regions)
    assert quarter == Box(6, 1, 4, 2, 90)
    np.testing.assert_array_equal(rasterize(quarter, (7, 11)), rasterize(Box(4, 1, 2, 4), (7, 11)))
    turn = np.exp(1j * np.radians(37))
    corner = 5 + 3j + (-2 - 1j) * turn
    assert (other.x, other.y) == pytest.approx((corner.real, corner.imag))
    tag, attributes = element_parts(other, None)
    again = shape_of(tag, attributes, [])
    assert dataclasses.astuple(again) == pytest.approx(dataclasses.astuple(other))


def test_answers_groups_and_subsets():
    text = """<annotations><meta><task><subset>Train</subset><labels>
      <label><name>car</name></label><label><name>night</name><type>tag</type></label>
      <label><name>body</name><type>skeleton</type></label><label><name>arm</name><parent>body</parent></label>
      <label><name>road</name><type>mask</type></label></labels></task></meta>
      <image id="0" name="a.png" width="9" height="5"><box label="car" xtl="0" ytl="0" xbr="2" ybr="2" occluded="1" group_id="3">
        <attribute name="colour">red</attribute><attribute name="__proto__"/></box>
        <tag label="night"/></image>
      <image id="0" name="a.png" subset="Val" width="9" height="5"/>
      <image id="0" name="a.png" subset="Val" width="9" height="5"/></annotations>"""
    found = cvat.read(content(text))
    first, second, third = found.images
    assert (first.subset, second.subset, third.subset) == ("Train", "Val", "Val")
    assert codes(found.warnings) == ["duplicate-image"] and found.warnings[0].where == "image/2"
    assert dict(first.regions[0].attributes) == {"occluded": True, "colour": "red", "__proto__": ""}
    assert first.regions[0].group == "3" and dict(first.attributes) == {"tags": ["night"]}
    assert found.classes == ("car", "road") and codes(found.refused) == ["tag"]


@pytest.mark.parametrize(
    ("element", "code"),
    [
        ('<tag label="x"/>', "tag"),
        ("<skeleton/>", "skeleton"),
        ('<cuboid xtl1="1"/>', "cuboid"),
        ("<blob/>", "unknown-shape"),
        ('<polygon points="1,1;2,2"/>', "too-few-points"),
        ('<polygon points="1,1;2;3,3"/>', "ragged"),
        ("<polygon/>", "too-few-points"),
        ('<polygon points="1,1;2,2;nan,3"/>', "not-a-number"),
        ('<polygon points="1,1;2,2;1e999,3"/>', "not-finite"),
        ('<points points=""/>', "no-points"),
        ('<points points="1e9,1"/>', "too-large"),
        ('<polyline points="1,1"/>', "too-few-points"),
        ('<box xtl="0" ytl="0" xbr="0" ybr="3"/>', "no-area"),
        ('<box xtl="0" ytl="0" xbr="1"/>', "not-a-number"),
        ('<ellipse cx="1" cy="1" rx="0" ry="1"/>', "no-area"),
        ('<mask rle="1,2" left="0" top="0" width="2" height="2"/>', "bad-runs"),
        ('<mask rle="4,-4,4" left="0" top="0" width="2" height="2"/>', "bad-runs"),
        ('<mask rle="4" left="0" top="0" width="2" height="2"/>', "empty-mask"),
        ('<mask rle="0,4" left="x" top="0" width="2" height="2"/>', "bad-runs"),
        ('<mask rle="" left="0" top="0" width="2" height="2"/>', "bad-runs"),
        ('<mask rle="0,4" left="99999999999" top="0" width="2" height="2"/>', "bad-runs"),
        ('<mask rle="0,281474976710656" left="0" top="0" width="16777216" height="16777216"/>', "too-many-pixels"),
    ],
)
def test_a_bad_element_is_refused_alone(element, code):
    box = '<box label="a" xtl="1" ytl="2" xbr="4" ybr="2.5"/>'
    found = one(box, element, box)
    assert codes(found.refused) == [code] and found.refused[0].where.endswith("/1") and found.num_regions == 2


def test_negative_sides_are_turned_round_and_sizes_may_be_missing():
    found = one('<box label="a" xtl="4" ytl="2.5" xbr="1" ybr="2"/>', width="x")
    assert found.images[0].regions[0].shape == Box(1, 2, 3, 0.5) and found.images[0].size_hw is None
    assert codes(found.warnings) == ["negative-size"]


def test_tracks_are_refused_entry_by_entry_with_the_reason():
    text = """<annotations><meta/><track id="0" label="car"><box frame="1" outside="0" xtl="0"/><box frame="2" outside="1"/>
      <track id="1"><points frame="1"/></track></track><track id="1" label="bus"/></annotations>"""
    found = cvat.read(content(text))
    assert found.images == () and codes(found.refused) == ["video"] * 4
    assert (
        "'car'" in found.refused[0].message
        and "frame '1'" in found.refused[0].message
        and "pictures" in found.refused[0].message
    )
    assert [problem.where for problem in found.refused] == [
        "track/0/box/0",
        "track/0/box/1",
        "track/0/track/2",
        "track/1",
    ]


@pytest.mark.parametrize(
    "text", ["<annotation><object/></annotation>", "<annotations/>", "<annotations><x/></annotations>", "<image/>"]
)
def test_other_documents_are_not_cvat(text):
    assert not cvat.sniff(content(text))
    assert not cvat.sniff(Content(Path("a.json"), "{}", json={}))


def test_regions_of_other_formats_keep_their_pixels(tmp_path):
    given_set = foreign()
    problems = cvat.FORMAT.write(given_set, tmp_path)
    assert codes(problems) == ["as-mask"] and "2 times" in problems[0].message
    again = cvat.read(reread(tmp_path, "annotations.xml"))
    assert again.classes == ("leaf", "stem") and not again.refused
    assert [r.kind for r in again.images[0].regions] == ["mask", "polygon", "box", "ellipse", "mask"]
    for before, after in zip(given_set.images, again.images, strict=True):
        assert (after.image, after.subset, after.size_hw) == (before.image, before.subset, before.size_hw)
        for old, new in zip(before.regions, after.regions, strict=True):
            assert new.label == old.label
            np.testing.assert_array_equal(rasterize(new.shape, before.size_hw), rasterize(old.shape, before.size_hw))
    assert dict(again.images[0].regions[1].attributes) == {"sure": "yes"}


def test_changed_regions_are_written_and_the_rest_stays(tmp_path):
    found = one(
        '<tag label="t"/>',
        '<box label="a" xtl="1" ytl="2" xbr="4" ybr="2.5" z_order="1" new="x"><attribute name="q">1</attribute></box>',
    )
    region = dataclasses.replace(found.images[0].regions[0], label="b", shape=Ellipse(5, 3, 2, 1), order=4)
    extra = Region("c\x01", Points(ring((1, 1))))
    image = dataclasses.replace(found.images[0], regions=(region, extra))
    cvat.FORMAT.write(dataclasses.replace(found, images=(image,)), tmp_path)
    tag, ellipse, points = reread(tmp_path, "annotations.xml").xml.find("image")
    assert tag.tag == "tag" and ellipse.tag == "ellipse" and points.get("label") == "c\ufffd"
    assert ellipse.attrib == {"label": "b", "z_order": "4", "new": "x", "cx": "5", "cy": "3", "rx": "2", "ry": "1"}
    assert ellipse.find("attribute").text == "1"


def test_what_cannot_be_written_is_refused_by_name(tmp_path):
    split = Polygon((ring((0, 0), (2, 0), (0, 2)), ring((90, 90), (95, 90), (90, 95))))
    far = Region("a", Bitmap(90, 90, np.ones((1, 1), bool)))
    images = (Annotation("a.png", (Region("a", split), far), size_hw=(5, 7)), Annotation("far.png", (far,)))
    problems = cvat.FORMAT.write(AnnotationSet("via2", images), tmp_path)
    assert (
        sorted(codes(problems)) == ["as-mask", "no-area", "no-size"]
        and "far.png" in problems[-1].message + problems[-2].message
    )
    with pytest.raises(Refusal):
        element_parts(split, None)


def test_decimals_are_the_shortest():
    assert [decimal(value) for value in (3.0, 0.1, 1 / 3, 1e-5, 123456789.25, -0.0)] == [
        "3", "0.1", "0.3333333333333333", "0.00001", "123456789.25", "-0",
    ]  # fmt: skip
