"""Names of files for pictures: inside the folder, free, and possible on every system."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.data.formats.file_names import MAX_BYTES, annotation_paths, base_name, inner_path

PIECES = [*"ab.A/\\: \0\n?*<>|", "..", "CON", "nul", "com1", "é", "猫", "\ud800", "http://"]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b/c.png", "a/b/c.png"),
        ("a\\b.png", "a/b.png"),
        ("./a//b.png", "a/b.png"),
        ("../../a.png", "a.png"),
        ("x/../../a.png", "a.png"),
        ("/root/a.png", "a.png"),
        ("\\\\server\\share\\a.png", "a.png"),
        ("D:a.png", "a.png"),
        ("https://host/x/a%20b.png", "a%20b.png"),
        ("con", "_con"),
        ("x/Aux.tar.png", "x/_Aux.tar.png"),
        ("a.png. .", "a.png"),
        ("a\nb?.png", "a_b_.png"),
        ("..", "picture"),
        ("/", "picture"),
        ("~/a.png", "~/a.png"),
        ("1/" * 40 + "a.png", "a.png"),
    ],
)
def test_paths_by_hand(name, path):
    assert str(inner_path(name)) == path


@given(HOSTILE)
def test_no_path_leads_out(name):
    path = inner_path(name)
    assert path.parts and not path.is_absolute() and not {"..", ".", ""} & set(path.parts)
    text = str(path)
    assert not set(text) & set('\\:*?"<>|\0\n') and text.encode("utf-8")
    assert all(len(part.encode()) <= MAX_BYTES and part[-1] not in ". " for part in path.parts)


def test_long_names_stay_different_and_keep_their_suffix():
    one, other = (inner_path("é" * 300 + end) for end in ("a.png", "b.png"))
    assert one != other and one.suffix == ".png" and len(one.name.encode()) <= MAX_BYTES


@given(st.lists(HOSTILE, max_size=6))
def test_all_files_are_different_on_every_system(names):
    paths = annotation_paths(names, ".json")
    assert len(paths) == len(names) == len({str(path).casefold() for path in paths})
    assert all(path.suffix == ".json" and not path.is_absolute() and ".." not in path.parts for path in paths)


def test_pictures_of_one_stem_keep_their_suffix():
    names = ["x/a.png", "x/A.jpg", "x/b.png", "y/a.png", "x/b.png"]
    assert annotation_paths(names, ".xml") == [
        PurePosixPath(path) for path in ("x/a.png.xml", "x/A.jpg.xml", "x/b.png.xml", "y/a.xml", "x/b.png (2).xml")
    ]


def test_base_names():
    assert [base_name(n) for n in ("a/b.png", "a\\b.png", "b.png", "http://h/b.png", "a/")] == ["b.png"] * 4 + ["a"]
