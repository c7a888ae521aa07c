"""LabelMe XML: polygons, masks beside the file, deleted objects, parts, and files that stay as they were."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from limner.core.annotation import AnnotationSet, Bitmap, Box, Ellipse, Points, Polygon, Polyline, Region
from limner.core.errors import DataError
from limner.data.formats.classes import choose_classes
from limner.data.formats.format import read_content
from limner.data.formats.labelme_xml import FORMAT
from limner.data.formats.labelme_xml_records import attributes_text, parse_attributes
from tests.data.formats import drawn
from tests.data.formats.drawn import corpus, needs_corpus, read_back, set_of, square

TRIANGLE = ((1, 2), (9, 2), (1, 8))


def points(*corners):
    return "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in corners)


def polygon(corners=TRIANGLE, name="leaf", number=0, more=""):
    return f"<object><name>{name}</name><deleted>0</deleted><id>{number}</id>{more}<polygon>{points(*corners)}</polygon></object>"


def segment(mask, box=(0, 0, 1, 1), name="leaf"):
    limits = "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name><id>7</id><segm><mask>{mask}</mask><box>{limits}</box></segm></object>"


def write_xml(folder, *objects, size=(37, 53), head="<filename>a.png</filename><folder></folder>"):
    rows = f"<imagesize><nrows>{size[0]}</nrows><ncols>{size[1]}</ncols></imagesize>" if size else ""
    path = folder / "a.xml"
    path.write_text(f"<annotation>{head}{rows}{''.join(objects)}</annotation>", encoding="utf-8")
    return path


def read(folder, *objects, **more):
    content = read_content(write_xml(folder, *objects, **more))
    assert FORMAT.sniff(content)
    return FORMAT.read(content)


def png(path, mask, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).convert(mode).save(path, format="PNG")


def whole(rows=(6, 9), columns=(5, 9)):
    mask = np.zeros((37, 53), bool)
    mask[slice(*rows), slice(*columns)] = True
    mask[rows[0], columns[0]] = False
    return mask


# -- reading


def test_polygons_boxes_and_names(tmp_path):
    box = polygon(((13, 19.5), (23, 19.5), (23, 30), (13, 30)), "b ", more="<type>bounding_box</type>")
    turned = polygon(((1, 0), (2, 1), (1, 2), (0, 1)), "c", more="<type>bounding_box</type>")
    found = read(tmp_path, polygon(name="\n leaf\n"), box, turned)
    image = found.images[0]
    assert [r.shape for r in image.regions[:2]] == [Polygon((np.array(TRIANGLE, float),)), Box(13, 19.5, 10, 10.5)]
    assert isinstance(image.regions[2].shape, Polygon)
    assert (
        [r.label for r in image.regions] == ["leaf", "b ", "c"] and image.size_hw == (37, 53) and image.image == "a.png"
    )
    assert not found.warnings and not found.refused and choose_classes(found).classes == ("leaf", "b ", "c")


def test_the_folder_is_part_of_the_name(tmp_path):
    head = "<filename>\na.jpg\n</filename><folder>users/me</folder>"
    assert read(tmp_path, polygon(), head=head).images[0].image == "users/me/a.jpg"
    found = read(tmp_path, polygon(), head="<filename/>", size=None)
    assert found.images[0].image == "a" and found.images[0].size_hw is None
    assert [p.code for p in found.warnings] == ["no-file-name"]


def test_deleted_objects_are_left_out_and_told(tmp_path):
    found = read(tmp_path, polygon(), polygon(name="gone").replace("<deleted>0", "<deleted>1"), polygon(name="b"))
    assert [r.label for r in found.images[0].regions] == ["leaf", "b"]
    assert [(p.code, p.where) for p in found.refused] == [("deleted", "object/1")]


def test_parts_are_one_group_unless_they_were_deleted(tmp_path):
    objects = (
        polygon(number=10, more="<parts><hasparts>11,13</hasparts><ispartof></ispartof></parts>"),
        polygon(number=11, more="<parts/>"),
        polygon(number=12), polygon(number=13, more="<parts><ispartof>10</ispartof></parts>"),
        polygon(number=14, more="<parts><ispartof>15</ispartof></parts>"), polygon(number=15).replace("<deleted>0", "<deleted>1"),
        polygon(number=16, more="<parts><ispartof>16,99,x</ispartof></parts>"),
    )  # fmt: skip
    assert [r.group for r in read(tmp_path, *objects).images[0].regions] == ["10", "10", "", "10", "", ""]


def test_answers_and_what_is_not_known(tmp_path):
    more = "<occluded>yes</occluded><attributes>red, size=3, note=a\\, b</attributes>"
    found = read(tmp_path, polygon(more=more), polygon(name="__ignore__"))
    first, second = found.images[0].regions
    assert dict(first.attributes) == {"red": True, "size": "3", "note": "a, b", "occluded": True} and second.is_ignored


@pytest.mark.parametrize("answers", [{}, {"a=b": 'x,"y"\\', "n": "1"}, {"t": True, "f": False}, {'"q"': "é, ü"}])
def test_answers_as_text_and_back(answers):
    assert parse_attributes(attributes_text(answers)) == answers


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P"])
def test_a_mask_of_the_size_of_its_picture(tmp_path, mode):
    png(tmp_path / "Masks/m.png", whole(), mode)
    (region,) = read(tmp_path, segment("m.png")).images[0].regions
    assert region.shape == Bitmap(5, 6, whole()[6:9, 5:9])


def test_a_mask_of_the_size_of_its_box_in_the_folder_of_its_picture(tmp_path):
    png(tmp_path / "Masks/sub/m.png", whole()[6:9, 5:9])
    head = "<filename>a.png</filename><folder>sub</folder>"
    (region,) = read(tmp_path, segment("m.png", (5, 6, 9, 9)), head=head).images[0].regions
    assert region.shape == Bitmap(5, 6, whole()[6:9, 5:9])
    (region,) = (
        read(tmp_path, segment("m.png", (5, 6, 8, 8)), head=head).images[0].regions
    )  # the last pixels counted in
    assert region.shape == Bitmap(5, 6, whole()[6:9, 5:9])
    assert [p.code for p in read(tmp_path, segment("m.png", (5, 6, 9, 8)), head=head).refused] == ["mask-size"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("gone.png", "mask-missing"), ("../secret.png", "mask-outside"), ("a/../../secret.png", "mask-outside"),
        ("/etc/passwd", "mask-outside"), ("C:\\x.png", "mask-outside"), ("http://127.0.0.1:9/x.png", "mask-outside"),
        ("", "mask-outside"), (".", "mask-outside"), ("x" * 5000, "mask-missing"), ("link.png", "mask-missing"),
        ("text.png", "bad-mask"), ("empty.png", "empty-mask"), ("folder.png", "mask-missing"),
    ],
)  # fmt: skip
def test_masks_come_from_below_masks_alone(tmp_path, name, code):
    png(tmp_path / "secret.png", whole())
    folder = tmp_path / "xml"
    png(folder / "Masks/empty.png", whole() & False)
    (folder / "Masks/text.png").write_text("no picture")
    (folder / "Masks/folder.png").mkdir()
    (folder / "Masks/link.png").symlink_to(tmp_path / "secret.png")
    found = read(folder, polygon(), segment(name))
    assert [p.code for p in found.refused] == [code] and found.num_regions == 1


def test_masks_that_is_a_link_to_elsewhere_is_not_followed(tmp_path):
    png(tmp_path / "other/m.png", whole())
    folder = tmp_path / "xml"
    folder.mkdir()
    (folder / "Masks").symlink_to(tmp_path / "other")
    assert [p.code for p in read(folder, segment("m.png")).refused] == ["mask-missing"]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (polygon(((1, 2), (3, 4))), "too-few-points"), (polygon(((1, 2), (3, "x"), (5, 5))), "not-a-number"),
        (polygon(((1, 2), (3, ""), (5, 5))), "not-a-number"), (polygon(((1, 2), (3, "NaN"), (5, 5))), "not-a-number"),
        (polygon(((1, 2), (1e300, 5), (5, 5))), "too-large"), ("<object><name>x</name></object>", "no-shape"),
        ("<object/>", "no-shape"),
        (polygon(()), "too-few-points"),
    ],
)  # fmt: skip
def test_a_bad_object_is_refused_by_name_and_the_rest_is_kept(tmp_path, broken, code):
    found = read(tmp_path, polygon(), broken, polygon(name="b"))
    assert found.num_regions == 2 and [(p.code, p.where) for p in found.refused] == [(code, "object/1")]


def test_copies_are_kept_and_told(tmp_path):
    found = read(tmp_path, polygon(number=1), polygon(number=2), polygon(name="b"))
    assert found.num_regions == 3 and [(p.code, p.where) for p in found.warnings] == [("duplicate-object", "object/1")]


@pytest.mark.parametrize(
    "text",
    [
        "<annotation><filename>a</filename><size/><object><name>x</name><bndbox/></object></annotation>",  # Pascal VOC
        "<annotation><filename>a</filename><size/></annotation>", "<annotations><image/></annotations>", "<annotation/>",
    ],
)  # fmt: skip
def test_other_xml_is_not_taken_for_labelme(tmp_path, text):
    (tmp_path / "x.xml").write_text(text)
    assert not FORMAT.sniff(read_content(tmp_path / "x.xml"))


def test_json_is_refused():
    with pytest.raises(DataError, match="LabelMe"):
        FORMAT.read(drawn.content_of({}))


# -- writing


@settings(max_examples=30)
@given(drawn.sets(drawn.polygons, drawn.boxes, groups=True))
def test_round_trip(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("x")
    assert not FORMAT.write(found, folder)
    for image in found.images:
        again = FORMAT.read(read_content((folder / image.image).with_suffix(".xml"))).images[0]
        assert [(r.label, r.shape) for r in again.regions] == [(r.label, r.shape) for r in image.regions]
        assert (again.image, again.size_hw) == (image.image, drawn.SIZE)
        sizes = [sum(r.group == other.group for other in image.regions) if r.group else 1 for r in image.regions]
        found_sizes = [sum(r.group == other.group for other in again.regions) if r.group else 1 for r in again.regions]
        assert sizes == found_sizes  # a group of one is none


@settings(max_examples=30)
@given(drawn.sets(drawn.bitmaps, drawn.boxes))
def test_masks_keep_their_pixels(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("x")
    assert not FORMAT.write(found, folder)
    again = [FORMAT.read(read_content((folder / image.image).with_suffix(".xml"))) for image in found.images]
    drawn.assert_same_pixels(AnnotationSet("x", tuple(image for one in again for image in one.images)), found)
    assert [r.shape for one in again for r in one.images[0].regions] == [
        r.shape for i in found.images for r in i.regions
    ]


def test_what_it_cannot_hold_is_written_otherwise_or_left_out_and_said(tmp_path):
    frame = Polygon(square(2, 3, 9).shape.rings, (square(4, 5, 3).shape.rings[0],))
    line = Polyline(np.array([(1.0, 2), (30, 4)]))
    closed = Polyline(np.array([(20.0, 1), (30, 1), (30, 9), (20, 9), (20, 1.2)]))
    regions = (
        Region("a", frame), Region("b", Ellipse(30, 20, 9, 4, 30)), Region("c", line), Region("d", closed),
        Region("e", Points(np.array([(1.0, 2)])), score=0.5), Region("f", Bitmap(-2, 30, np.ones((3, 4), bool)), is_crowd=True),
        Region("g", Bitmap(60, 60, np.ones((3, 4), bool))),
    )  # fmt: skip
    again, problems = read_back(FORMAT, set_of(*regions, subset="train", pixels=b"\x89PNG"), tmp_path, "a.xml")
    assert {p.code for p in problems} == {
        "holes-as-mask", "ellipse-as-polygon", "no-area", "line-as-polygon", "score-lost", "crowd-lost", "subset-lost",
        "pixels-lost", "outside",
    }  # fmt: skip
    assert [(r.label, r.kind) for r in again.images[0].regions] == [
        ("a", "mask"),
        ("b", "polygon"),
        ("d", "polygon"),
        ("f", "mask"),
    ]
    expected = set_of(regions[0], regions[3], regions[5])
    drawn.assert_same_pixels(set_of(*(r for r in again.images[0].regions if r.label != "b")), expected)


def test_a_mask_without_the_size_of_its_picture(tmp_path):
    region = Region("a", Bitmap(3, 4, np.array([[1, 0], [1, 1]], bool)))
    again, problems = read_back(FORMAT, set_of(region, size_hw=None), tmp_path, "a.xml")
    assert again.images[0].regions[0].shape == region.shape and not problems
    again, problems = read_back(FORMAT, set_of(region, size_hw=(10**6, 10**6), image="b.png"), tmp_path, "b.xml")
    assert [p.code for p in problems] == ["too-large"]
    drawn.assert_same_pixels(set_of(*again.images[0].regions), set_of(region))


def test_what_was_read_stays(tmp_path):
    png(tmp_path / "Masks/m.png", whole())
    more = "<date>1</date><odd x='1'>y</odd><parts><hasparts>5</hasparts></parts><attributes>q=\\,</attributes>"
    head = "<filename>a.png</filename><folder></folder><source><by>me &amp; you</by></source>"
    found = read(
        tmp_path,
        polygon(((1.12345, 2), (9, 2), (1, 8)), number=4, more=more),
        segment("m.png"),
        polygon(number=5, name="b"),
        head=head,
    )
    out = tmp_path / "out"
    out.mkdir()
    again, problems = read_back(FORMAT, found, out, "a.xml")
    assert again.images[0].regions[0].shape == found.images[0].regions[0].shape and not problems
    root = ET.parse(out / "a.xml").getroot()
    first, second, _ = root.findall("object")
    assert (
        first.find("odd").attrib == {"x": "1"}
        and first.findtext("polygon/pt/x") == "1.12345"
        and first.findtext("id") == "4"
    )
    assert root.findtext("source/by") == "me & you" and root.findtext("imagesize/nrows") == "37"
    assert second.findtext("id") == "7" and (out / "Masks" / second.findtext("segm/mask")).is_file()
    assert [(r.label, r.shape, r.group) for r in again.images[0].regions] == [
        (r.label, r.shape, r.group) for r in found.images[0].regions
    ]
    moved = replace(found.images[0].regions[2], shape=Box(1, 2, 3, 4), label="new")
    image = replace(found.images[0], regions=(moved,), image="sub/b.png")
    again, _ = read_back(FORMAT, replace(found, images=(image,)), out, "sub/b.xml")
    assert [(r.label, r.shape) for r in again.images[0].regions] == [("new", Box(1, 2, 3, 4))] and again.images[
        0
    ].image == "sub/b.png"
    assert ET.parse(out / "sub/b.xml").getroot().findtext("object/id") == "5"


def test_text_that_xml_cannot_hold(tmp_path):
    labels = ["a\x00b", "<b>&amp;", "]]>", "\ufffe", "Right ", "=1", "猫\u202e"]
    found = set_of(*(square(3 * i, 0, 2, label) for i, label in enumerate(labels)))
    again, problems = read_back(FORMAT, found, tmp_path, "a.xml")
    assert [r.label for r in again.images[0].regions] == [
        "a\ufffdb",
        "<b>&amp;",
        "]]>",
        "\ufffd",
        "Right ",
        "=1",
        "猫\u202e",
    ]
    assert [p.code for p in problems] == ["text-changed"]


def test_no_name_leads_out_of_the_folder(tmp_path):
    names = ["../x.png", "/etc/y.png", "d/e.png", "CON.png"]
    images = tuple(set_of(Region("a", Bitmap(0, 0, np.ones((2, 2), bool))), image=name).images[0] for name in names)
    folder = tmp_path / "out"
    folder.mkdir()
    FORMAT.write(AnnotationSet("drawn", images), folder)
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*.xml")}
    assert written == {"x.xml", "y.xml", "d/e.xml", "_CON.xml"} and [path.name for path in tmp_path.iterdir()] == [
        "out"
    ]
    assert len(list(folder.rglob("Masks/*.png"))) == 4


# -- corpus


@needs_corpus
@pytest.mark.parametrize(("name", "entry"), corpus("labelme_xml"))
def test_corpus(name, entry, tmp_path):
    found, want = FORMAT.read(read_content(drawn.CORPUS / name)), entry["expected"]
    assert FORMAT.sniff(read_content(drawn.CORPUS / name))
    assert len(found.images) == 1 and found.images[0].image.rpartition("/")[2] == want["image"]
    assert found.num_regions + len(found.refused) == want["objects"]
    assert {p.code for p in found.refused} <= {"mask-missing"} and len(found.refused) == want["kinds"].get(
        "segm(mask)", 0
    )
    again, problems = read_back(FORMAT, found, tmp_path, found.images[0].image.rpartition(".")[0] + ".xml")
    assert drawn.drawn_regions(again) == drawn.drawn_regions(found) and not problems
    assert again.images[0].size_hw == found.images[0].size_hw
