from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.data.formats.json_text import to_json
from limner.data.formats.yolo_names import find_names, names_of_yaml


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [a, b]", {0: "a", 1: "b"}),
        ("nc: 2\nnames: ['a: b', \"c, d\", e]\n", {0: "a: b", 1: "c, d", 2: "e"}),
        ("names: ['it''s', \"tab\\t\\u732b\", it's]", {0: "it's", 1: "tab\t猫", 2: "it's"}),
        ("names:\n  - a # first\n  - 'b # no comment'\nnc: 2", {0: "a", 1: "b # no comment"}),
        ("names:\n- a\n- b\ntrain: x", {0: "a", 1: "b"}),
        ("names:\n  0: a\n  7: 'b'\n\n  # note\n  8:\nval: x", {0: "a", 7: "b", 8: ""}),
        ('names: {0: a, 3: "b"}', {0: "a", 3: "b"}),
        ('names: {"0": "a"}', {0: "a"}),
        ("names: [ # classes\n  a, # the first\n  b,\n]\nnc: 2", {0: "a", 1: "b"}),
        ("train: x\nnames:   # below\n  0: a b c", {0: "a b c"}),
        ("names: []", {}),
        ("names:", {}),
        ("names: cat", {}),
        ("names: [a, [b]]", {}),
        ("names: [a", {}),
        ("sub:\n  names: [a]", {}),
        ("names: !!python/object:os.system [a]", {}),
        ("names: *anchor", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_names_of_the_forms_that_tools_write(text, names):
    assert names_of_yaml(text) == names


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), min_size=1, max_size=5))
def test_names_that_we_write_are_read(names):
    text = "path: .\nnames:\n" + "".join(f"  {i}: {to_json(name).strip()}\n" for i, name in enumerate(names))
    if len(text.splitlines()) == len(names) + 2:  # some signs end a line in Python and none in YAML
        assert names_of_yaml(text) == dict(enumerate(names))


@given(st.text(st.sampled_from("names:[]{},'\"\\#-0 1a\n")))
def test_no_text_is_too_strange(text):
    names_of_yaml("names: " + text)


def test_the_nearest_file_counts_and_the_way_up_ends(tmp_path):
    label = tmp_path / "set" / "labels" / "train" / "a.txt"
    label.parent.mkdir(parents=True)
    (tmp_path / "set" / "data.yaml").write_text("names: [far]")
    assert find_names(label).classes == ("far",)
    (label.parent / "classes.txt").write_text("near\r\nsecond one\n\n")
    assert find_names(label).names == {0: "near", 1: "second one"}
    deep = tmp_path / "classes" / "a" / "b" / "c" / "d" / "a.txt"
    deep.parent.mkdir(parents=True)
    (tmp_path / "classes" / "classes.txt").write_text("too far")
    assert find_names(deep).file is None


def test_files_that_cannot_be_used_are_named(tmp_path):
    (tmp_path / "data.yaml").write_bytes(b"\xff\xfe\x00")
    found = find_names(tmp_path / "a.txt")
    assert found.file == tmp_path / "data.yaml" and found.names == {} and found.problem
    (tmp_path / "data.yaml").write_text("nc: 3")
    assert "names" in find_names(tmp_path / "a.txt").problem
