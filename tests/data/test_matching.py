"""Pictures are found by what annotation files call them, and nothing outside the folder is ever touched."""

import pytest

from limner.core.annotation import Annotation
from limner.data.matching import Match, Pictures, plain_name


@pytest.fixture
def pictures(tmp_path):
    for name, size in (
        ("a.png", 3),
        ("left/b.JPG", 5),
        ("right/b.JPG", 7),
        ("deep/er/c d.png", 2),
        ("right/only.tif", 1),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    (tmp_path / "notes.txt").write_text("no picture")
    return Pictures(tmp_path)


@pytest.mark.parametrize(
    ("image", "num_bytes", "folder", "picture"),
    [
        ("a.png", None, "", "a.png"),
        ("left/b.JPG", None, "", "left/b.JPG"),
        ("b.JPG", 7, "", "right/b.JPG"),
        ("b.JPG", None, "left", "left/b.JPG"),
        ("http://host/x/c%20d.png?size=2", None, "", "deep/er/c d.png"),
        ("C:\\photos\\only.tif", None, "", "right/only.tif"),
        ("/home/someone/only.tif", -1, "", "right/only.tif"),
        ("only", None, "", "right/only.tif"),
        ("ONLY.TIF", None, "", "right/only.tif"),
        ("er/c d.png", None, "", "deep/er/c d.png"),
        ("../../etc/a.png", None, "", "a.png"),
    ],
)
def test_found(pictures, image, num_bytes, folder, picture):
    assert pictures.find(Annotation(image, num_bytes=num_bytes), folder) == Match(picture)


def test_one_of_several_is_not_guessed(pictures):
    assert pictures.find(Annotation("b.JPG", num_bytes=6)) == Match("", ("left/b.JPG", "right/b.JPG"))


@pytest.mark.parametrize("image", ["", "..", "missing.png", "notes.txt", "http://host/", "a.png/x"])
def test_not_found(pictures, image):
    assert pictures.find(Annotation(image)).picture == ""


@pytest.mark.parametrize(
    "image", ["../x.png", "a/../../x.png", "/x.png", "file:///etc/x.png", "..\\x.png", "x.png\x00"]
)
def test_plain_names_lead_nowhere(image):
    assert plain_name(image) == "x.png"
