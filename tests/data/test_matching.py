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


def folder_of(root, *names):
    """Pictures of one byte more each, in the order of their names."""
    for number, name in enumerate(names, start=1):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * number)
    return Pictures(root)


def found(pictures, *asked):
    """What the images mean; each is a name, or a name with the size in bytes or the folder of its file."""
    asked = [(one,) if isinstance(one, str) else one for one in asked]
    annotations = [
        (
            Annotation(one[0], num_bytes=next((part for part in one[1:] if isinstance(part, int)), None)),
            next((part for part in one[1:] if isinstance(part, str)), ""),
        )
        for one in asked
    ]
    return [match.picture for match in pictures.find_all(annotations)]


def test_a_picture_that_is_not_there_is_not_another_one_of_its_name(tmp_path):
    pictures = folder_of(tmp_path, "seqA/0.png", "seqA/1.png")
    assert found(pictures, "seqB/0.png", "seqA/0.png", "seqA/1.png", "seqB/1.png") == [
        "", "seqA/0.png", "seqA/1.png", "",
    ]  # fmt: skip
    assert found(pictures, "seqB/0.png", "seqB/1.png") == ["seqA/0.png", "seqA/1.png"]  # a folder with another name


def test_two_names_never_mean_one_picture(tmp_path):
    pictures = folder_of(tmp_path, "images/0.png", "images/only.png")
    assert found(pictures, "left/0.png", "right/0.png", "only.png") == ["", "", "images/only.png"]
    assert found(pictures, "http://host/1/0.png", "http://host/2/0.png") == ["", ""]
    assert found(pictures, "0.png", "0.png") == ["images/0.png", "images/0.png"]  # two records of one picture
    assert found(pictures, "0.PNG", "images/0.png") == ["", "images/0.png"]


def test_files_of_other_folders_do_not_share_a_picture(tmp_path):
    pictures = folder_of(tmp_path, "photos/a/0.png")
    assert found(pictures, ("0.png", "drawn/a"), ("0.png", "drawn/b")) == ["photos/a/0.png", ""]
    assert found(pictures, ("0.png", "anna"), ("0.png", "ben"), "0.png") == ["photos/a/0.png"] * 3


def test_the_size_in_bytes_tells_pictures_of_one_name_apart(tmp_path):
    pictures = folder_of(tmp_path, "0.png", "sub/1.png")  # of 1 and 2 bytes
    assert found(pictures, ("0.png", 9), ("0.png", 1)) == ["", "0.png"]
    # saved anew since: there is nothing to compare with
    assert found(pictures, ("0.png", 9), ("0.png", -1)) == ["0.png", "0.png"]
    assert found(pictures, ("a/1.png", 2), ("b/1.png", 5)) == ["sub/1.png", ""]


def test_images_lie_beside_labels(tmp_path):
    pictures = folder_of(tmp_path, "train/images/0.png", "valid/images/0.png", "images/test/0.jpg", "7.png")
    assert found(pictures, ("0", "train/labels"), ("0", "valid/labels"), ("test/0", "labels/test")) == [
        "train/images/0.png", "valid/images/0.png", "images/test/0.jpg",
    ]  # fmt: skip
    assert found(pictures, ("7", "train/labels")) == ["7.png"]
    assert found(pictures, ("0", "other/labels")) == [""]  # three would do


def test_paths_that_lead_up_are_followed_inside_the_folder_alone(tmp_path):
    pictures = folder_of(tmp_path, "images/train/0.png", "images/val/0.png")
    assert found(
        pictures, ("../images/val/0.png", "json"), ("..\\images\\train\\0.png", "json"), ("../../0.png", "json")
    ) == ["images/val/0.png", "images/train/0.png", ""]
