"""VIA CSV: quoting, commas in names, cells that are no JSON, spreadsheets, twins in JSON."""

import json

import pytest
from hypothesis import given, settings

from limner.core.annotation import AnnotationSet, Box, Region
from limner.core.errors import DataError
from limner.data.formats.classes import choose_classes
from limner.data.formats.format import Content, read_content
from limner.data.formats.via import VIA1, VIA2
from limner.data.formats.via_csv import FORMAT, split_row
from tests.data.formats import drawn
from tests.data.formats.drawn import corpus, needs_corpus, read_back, set_of, square

HEADER = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"


def cell(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return '"' + text.replace('"', '""') + '"'


RECT = cell({"name": "rect", "x": 4, "y": 3, "width": 5, "height": 2})


def row(name="a.png", size="10", count=1, number=0, shape=RECT, answers="{}", files="{}"):
    return ",".join([name, size, cell(files), str(count), str(number), shape, cell(answers)])


def read(*rows, header=HEADER, ends="\n"):
    content = Content(drawn.Path("a.csv"), ends.join([header, *rows]) + ends)
    assert FORMAT.sniff(content)
    return FORMAT.read(content)


def test_one_row_a_region_and_one_for_a_picture_without():
    found = read(
        row(count=2, answers={"c": "x"}, files={"cap": "t"}), row(count=2, number=1), 'b.png,7,"{}",0,0,"{}","{}"',
        header="#" + HEADER,
    )  # fmt: skip
    first, second = found.images
    assert (first.image, first.num_bytes, dict(first.attributes)) == ("a.png", 10, {"cap": "t"})
    assert [r.shape for r in first.regions] == [Box(4, 3, 5, 2)] * 2 and [r.where for r in first.regions] == [
        "line 2",
        "line 3",
    ]
    assert (second.image, second.num_bytes, second.regions) == ("b.png", 7, ()) and found.attributes == {"c": {"x": 1}}
    assert not found.warnings and not found.refused


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems(ends):
    assert read(row(), row(name="b.png"), ends=ends).num_regions == 2


def test_a_bare_name_may_hold_commas_and_a_quoted_one_too():
    found = read(row(name="a, b,c.png"), row(name='"d, ""e"".png"'))
    assert [image.image for image in found.images] == ["a, b,c.png", 'd, "e".png'] and found.num_regions == 2
    assert [p.code for p in found.warnings] == ["separator-in-name"] and found.warnings[0].where == "line 2"


def test_the_word_undefined_is_no_answer_and_stays_inside_strings():
    undefined = '"{""Label"":undefined,""note"":""say \\""undefined\\"" twice""}"'
    line = ",".join(["a.png", "1", '"{}"', "1", "0", RECT, undefined])
    (region,) = read(line).images[0].regions
    assert dict(region.attributes) == {"Label": "", "note": 'say "undefined" twice'}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (row(shape='"{""name"": ""rect"", "'), "bad-cell"),
        (row(shape='"{""name"": ""rect"", ""x"": NaN}"'), "bad-cell"),
        (row(shape='"' + "[" * 5000 + '"'), "bad-cell"),
        (row(shape=cell({"name": "rect", "x": 1})), "not-a-number"),
        (row(shape=cell([1, 2])), "no-shape"),
        (row(shape='"{}"', answers={"c": "x"}), "no-shape"),
        ("a.png,10", "bad-row"),
        (row(shape='"{""name"": ""rect'), "bad-row"),
    ],
)
def test_a_bad_row_is_refused_and_the_rest_is_kept(line, code):
    found = read(row(), line, row())
    assert found.num_regions == 2
    (problem,) = found.refused
    assert (problem.code, problem.where, problem.file) == (code, "line 3", "a.csv")


def test_answers_that_are_no_json_cost_the_answers_alone():
    found = read(",".join(["a.png", "1", '"{}"', "1", "0", RECT, '"{""c"": "']))
    assert found.num_regions == 1 and [p.code for p in found.warnings] == ["bad-cell"]


def test_too_few_rows_and_keys_twice_are_told():
    found = read(row(count=3, answers='{"a": "x", "a": "y"}'))
    assert [p.code for p in found.warnings] == ["duplicate-key", "region-count"]
    assert found.images[0].regions[0].attributes["a"] == "y"


def test_a_file_that_a_spreadsheet_saved_with_semicolons_and_columns_in_another_order():
    names = ["region_attributes", "filename", "checked by", "region_shape_attributes", "file_size"]
    line = ";".join([cell({"c": "x"}), "a.png", "me", RECT, "10"])
    found = read(line, header=";".join(names))
    assert found.images[0].regions[0].shape == Box(4, 3, 5, 2) and found.attributes == {"c": {"x": 1}}


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "filename,size\nx,1\n", "image,mask,split,group\n", "\n" + HEADER])
def test_other_tables_are_not_taken_for_via(text):
    assert not FORMAT.sniff(Content(drawn.Path("a.csv"), text))
    with pytest.raises(DataError, match="VIA"):
        FORMAT.read(Content(drawn.Path("a.csv"), text))


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("", [""]),
        ("a,b", ["a", "b"]),
        (',"",', ["", "", ""]),
        ('"a""b",c', ['a"b', "c"]),
        ('"a,b', ["a,b"]),
        ('"a"x,y', ["ax", "y"]),
    ],
)
def test_rows_are_split_at_separators_outside_quotes(line, cells):
    assert split_row(line, ",") == cells


def test_a_long_row_takes_no_long_time():
    points = list(range(40000))
    shape = cell({"name": "polygon", "all_points_x": points, "all_points_y": [n * n % 977 for n in points]})
    found = read(row(shape=shape), row(answers='{"a":undefined, "b": "' + '\\"' * 50000))
    assert len(found.images[0].regions[0].shape.rings[0]) == 40000 and found.num_regions == 2


# -- writing


@settings(max_examples=30)
@given(drawn.sets(drawn.polygons, drawn.boxes, drawn.upright_ellipses, drawn.lines, drawn.single_points, groups=True))
def test_round_trip(tmp_path_factory, found):
    again, _ = read_back(FORMAT, found, tmp_path_factory.mktemp("c"), "via_region_data.csv")
    assert drawn.drawn_regions(choose_classes(again).annotations) == drawn.drawn_regions(found)
    assert [r.group for image in again.images for r in image.regions] == [
        r.group for i in found.images for r in i.regions
    ]


def test_no_cell_is_a_formula(tmp_path):
    names = ["=cmd|' /C calc'!A0.png", "+1.png", "-2.png", "@x.png", "\t3.png", "plain.png"]
    images = tuple(set_of(square(0, 0, 4, "=1+1"), image=name).images[0] for name in names)
    again, problems = read_back(FORMAT, AnnotationSet("drawn", images), tmp_path, "via_region_data.csv")
    lines = (tmp_path / "via_region_data.csv").read_text(encoding="utf-8").splitlines()[1:]
    for line in lines:
        assert not any(text.startswith(("=", "+", "@", "\t")) for text in split_row(line, ","))
        assert not split_row(line, ",")[0].startswith("-")
    assert [image.image for image in again.images] == names
    assert [p.code for p in problems] == ["name-guarded", "name-quoted"]


def test_what_was_read_stays(tmp_path):
    lines = [
        "#" + HEADER + ",mood", row(count=1, answers={"c": "é", "t": {"a": True}}, files={"f": "1"}) + ',"a,b"',
        'b.png,-1,"{}",0,0,"{}","{}",',
    ]  # fmt: skip
    found = FORMAT.read(Content(drawn.Path("a.csv"), "\n".join(lines)))
    again, problems = read_back(FORMAT, found, tmp_path, "via_region_data.csv")
    assert [(i.record, [r.record for r in i.regions]) for i in again.images] == [
        (i.record, [r.record for r in i.regions]) for i in found.images
    ]
    assert found.images[0].regions[0].record["more_columns"] == {"mood": "a,b"} and not problems


def test_from_json_to_csv_and_back(tmp_path):
    found = set_of(Region("leaf", Box(1, 2, 3, 4), attributes={"ticks": ["a", "b"], "text": "x", "truth": True}))
    again, _ = read_back(FORMAT, found, tmp_path, "via_region_data.csv")
    assert dict(again.images[0].regions[0].attributes) == {
        "ticks": ["a", "b"], "text": "x", "truth": "true", "class": "leaf",
    }  # fmt: skip
    read_back(VIA2, again, tmp_path, "via_region_data.json")
    (entry,) = json.loads((tmp_path / "via_region_data.json").read_text()).values()
    assert entry["size"] == -1 and entry["regions"][0]["region_attributes"]["ticks"] == {"a": True, "b": True}


# -- corpus


@needs_corpus
@pytest.mark.parametrize(("name", "entry"), corpus("via_csv"))
def test_corpus(name, entry, tmp_path):
    found = FORMAT.read(read_content(drawn.CORPUS / name))
    want = entry["expected"]
    assert (len(found.images), found.num_regions) == (want["images"], want["regions"])
    assert found.attributes == want["attributes"] and not found.refused
    assert {p.code for p in found.warnings} <= {"repeated-points"}
    again, problems = read_back(FORMAT, found, tmp_path, "via_region_data.csv")
    assert drawn.drawn_regions(again) == drawn.drawn_regions(found) and not problems


TWINS = [
    ("via1_export/via1_unit_all_shapes.json", "via_csv/via1_unit_hash_header.csv", 12),
    ("via1_export/rice_val_via1.json", "via_csv/rice_val_via1.csv", 149),
    ("via2_export/receipts_via2.json", "via_csv/receipts_via2.csv", 18),
    ("via2_export/mixed_shapes_via2.json", "via_csv/mixed_shapes_via2.csv", 25),
]


@needs_corpus
@pytest.mark.parametrize(("one", "other", "count"), TWINS)
def test_twins_are_equal(one, other, count):
    def regions(entry, name):
        found = entry.read(read_content(drawn.CORPUS / name))
        seen = [(i.image, i.num_bytes, json.dumps(r.record, sort_keys=True)) for i in found.images for r in i.regions]
        return list(dict.fromkeys(seen)), len(seen)

    first, total = regions(VIA1 if one.startswith("via1") else VIA2, one)
    second, total_second = regions(FORMAT, other)
    assert sorted(first) == sorted(second) and len(second) == total_second == count
    assert total - count == (17 if "mixed" in one else 0)  # each strawberry is there twice
