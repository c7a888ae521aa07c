"""Names under which pictures and masks are written differ on every file system and lead back to them."""

from pathlib import Path

import pytest

from limner.core.annotation import Annotation
from limner.core.errors import DataError
from limner.data.annotated_set import Annotated, Entry
from limner.data.items import Item
from limner.data.matching import Match
from limner.data.picture_names import annotated_names, entry_names, mask_names, plain_names, with_suffix


def item(name, image=None, **more):
    return Item(name, Path(image or name), None, **more)


def named(names, files, to="coco"):
    return annotated_names([Annotation(name) for name in names], [item(file) for file in files], to)


def test_plain_names():
    items = (item("train/images/a.b.jpg"), item("val/IMG/a.b.jpg"), item("c.nii.gz"))
    assert list(plain_names(items).values()) == ["train/a.b.jpg", "val/a.b.jpg", "c.nii.gz"]
    both = (item("images/a.png"), item("imgs/A.png"))
    assert list(plain_names(both).values()) == ["images/a.png", "imgs/A.png"]
    assert plain_names(()) == {}


@pytest.mark.parametrize("names", [("a.png", "A.PNG"), ("p.jpg", "p.jpg")])
def test_names_that_cannot_be_told_apart(names):
    with pytest.raises(DataError, match=", ".join(names[::-1] if names[0] == "A.PNG" else names)):
        plain_names(tuple(item(name) for name in names))


def test_suffixes_of_what_is_composed():
    channels = (Path("c_0001.png"),)
    assert with_suffix("c_0000.png", item("c_0000.png", channels=channels)) == "c_0000.tif"
    assert with_suffix("c_0000.tif", item("c_0000.png", channels=channels)) == "c_0000.tif"
    assert with_suffix("v.1/0002", item("v.1/0002", "v.1.npy", frame=2)) == "v.1/0002.tif"
    assert with_suffix("c.nii.gz", item("c.nii.gz", channels=channels)) == "c.tif"
    assert with_suffix("1.5", item("1.5.jpg")) == "1.5.jpg"
    assert with_suffix("x", item("x.nii.gz")) == "x.nii.gz"


def test_mask_names():
    names = ["s/a.v1.jpg", "b.jpg", "B.tif", "c.nii.gz"]
    assert list(mask_names(names).values()) == ["s/a.v1.png", "b.jpg.png", "B.tif.png", "c.png"]
    with pytest.raises(DataError, match=r"a.jpg.png"):
        mask_names(["a.jpg", "a.png", "a.jpg.bmp"])


def test_names_stay_where_they_lead_back():
    assert named(["http://host/x/a.png", "b"], ["in/a.png", "in/b.jpg"]) == ["a.png", "b.jpg"]
    assert named(["1.png", "1.png"], ["train/images/1.png", "images/val/1.png"]) == ["train/1.png", "val/1.png"]
    assert named(["1.png", "1.PNG"], ["a/1.png", "b/1.PNG"]) == ["a/1.png", "b/1.PNG"]
    assert named(["1.png", "a/1.png"], ["1.png", "a/1.png"]) == ["images/1.png", "images/a/1.png"]
    assert named(["1.png", "a/1.jpg"], ["1.png", "a/1.jpg"]) == ["1.png", "a/1.jpg"]
    assert named(["1", "a/1"], ["1.png", "a/1.jpg"], "yolo-seg") == ["images/1.png", "images/a/1.jpg"]
    assert named([], []) == []


def test_names_that_become_one_when_they_are_cleaned():
    assert named(["aa:b.png", "aa_b.png"], ["aa:b.png", "aa_b.png"]) == ["aa:b.png", "aa_b.png"]
    with pytest.raises(DataError, match=r"aa_b.png, aa_b.png"):
        named(["aa:b.png", "aa_b.png"], ["aa:b.png", "aa_b.png"], "yolo-seg")


def test_entries_without_a_picture_of_their_own():
    files = ("d/one/a.json", "d/two/a.json", "d/two/b.json", "elsewhere/c.json", "d/two/e.json")
    images = ("p.jpg", r"x\p.jpg", "p.jpg", "P.jpg", "q.jpg")
    entries = [Entry(Annotation(image), Match(""), Path(file)) for image, file in zip(images, files, strict=True)]
    entries.append(Entry(Annotation("q"), Match("s/p.jpg"), Path("d/f.json")))
    found = Annotated(Path("d"), (), (), tuple(entries))
    assert entry_names(found) == (
        "one/p.jpg", "two/a/p.jpg", "two/b/p.jpg", "elsewhere/P.jpg", "q.jpg", "s/p.jpg",
    )  # fmt: skip
