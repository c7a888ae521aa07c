"""Several annotation files together: damaged ones are named, pictures in two parts are leaks, regions are drawn once."""

import json

import numpy as np
import pytest

from limner.core.errors import DataError
from limner.data.dataset import open_dataset
from limner.data.layouts import Layout
from limner.data.open_layout import find_annotated, open_layout
from tests.data.coco_files import coco, codes, cut, edges, pictures


def test_regions_of_an_absent_picture_are_drawn_nowhere(tmp_path):
    pictures(tmp_path, "seqA/0.png", "seqA/1.png")
    coco(tmp_path / "a.json", {f"seq{one}/{i}.png": [3 if one == "A" else 20] for one in "BA" for i in (0, 1)})
    _, layout = open_layout(tmp_path)
    assert edges(layout) == {"seqA/0.png": [3], "seqA/1.png": [3]}
    missing = next(one for one in layout.findings if one.code == "UNPAIRED_MASK")
    assert (missing.level, missing.files) == ("error", ("seqB/0.png", "seqB/1.png"))


def test_yolo_parts_with_equal_names_find_their_own_pictures(tmp_path):
    for part, x in (("train", 0.25), ("valid", 0.5)):
        pictures(tmp_path, f"{part}/images/0.png", f"{part}/images/1.png")
        for number in range(2):
            label = tmp_path / part / "labels" / f"{number}.txt"
            label.parent.mkdir(exist_ok=True)
            label.write_text(f"0 {x} 0.1 0.75 0.1 0.75 0.5\n")
    (tmp_path / "data.yaml").write_text("names: [cell]\n")
    _, layout = open_layout(tmp_path)
    firsts = {item.name: item.drawing.annotation.regions[0].shape.rings[0][0, 0] / 30 for item in layout.items}
    assert firsts == {
        "train/images/0.png": 0.25, "train/images/1.png": 0.25, "valid/images/0.png": 0.5, "valid/images/1.png": 0.5,
    }  # fmt: skip
    assert [item.split for item in layout.items] == ["train", "train", "val", "val"]
    assert not layout.findings


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("train.json", None, "line 1, column"),
        ("empty.json", b"", "the file is empty"),
        ("latin.json", b'{"name": "\xe9"}', "UTF-8"),
        ("half.xml", b"<annotations><image>", "line 1"),
    ],
)
def test_a_damaged_file_among_good_ones_blocks_and_is_named(tmp_path, name, content, place):
    pictures(tmp_path, "0.png", "1.png", "2.png")
    coco(tmp_path / "val.json", {"2.png": [3]})
    damaged = coco(tmp_path / "sub" / name, {"0.png": [3], "1.png": [5]})
    if content is None:
        cut(damaged)
    else:
        damaged.write_bytes(content)
    _, layout = open_layout(tmp_path)
    finding = next(one for one in layout.findings if one.code == "UNREADABLE")
    assert (finding.level, finding.count, finding.files) == ("error", 1, (f"sub/{name}",))
    assert place in finding.message
    with pytest.raises(DataError, match="UNREADABLE"):
        open_dataset(tmp_path, allow=("FEW_SAMPLES", "SPLIT_LEAK"))
    refused = find_annotated(tmp_path).all_refused
    assert [(one.code, one.file) for one in refused] == [("unreadable-file", str(damaged))]


def test_what_was_never_an_annotation_file_is_passed_over(tmp_path):
    pictures(tmp_path, "0.png")
    coco(tmp_path / "a.json", {"0.png": [3]})
    (tmp_path / "package.json").write_text('{"name": "cells"}')
    (tmp_path / "version.json").write_text('"1.0"')
    (tmp_path / "notes.txt").write_bytes(b"caf\xe9")
    (tmp_path / "table.csv").write_bytes(b"a;b\xff")
    assert codes(open_layout(tmp_path)[1].findings) == []


def test_damaged_files_alone_are_named_beside_pictures_without_masks(tmp_path):
    pictures(tmp_path, "0.png", "1.png")
    for name in ("a.json", "b.json"):
        cut(coco(tmp_path / name, {"0.png": [3]}))
    found = find_annotated(tmp_path)
    assert isinstance(found, Layout)
    assert codes(found.findings) == [("UNREADABLE", "error", 2)]
    for name in ("0.png", "1.png"):
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"a\.json, line 1"):  # the pictures may be inside the file
        find_annotated(tmp_path)


def test_a_picture_in_two_parts_is_a_leak(tmp_path):
    pictures(tmp_path, *(f"images/{i}.png" for i in range(5)))
    coco(tmp_path / "annotations" / "instances_train2017.json", {f"{i}.png": [1, 10 + i] for i in range(4)})
    coco(tmp_path / "annotations" / "instances_val2017.json", {"3.png": [1, 25, 13], "4.png": [4]})
    _, layout = open_layout(tmp_path)
    leak = next(one for one in layout.findings if one.code == "SPLIT_LEAK")
    assert (leak.level, leak.files) == ("error", ("images/3.png",))
    assert "train in instances_train2017.json, val in instances_val2017.json" in leak.message
    assert edges(layout)["images/3.png"] == [1, 13, 25]  # 1 and 13 are in both files
    told = next(one for one in layout.findings if one.code == "MASK_VALUES")
    assert (told.level, told.count) == ("warning", 1)
    assert "2 regions given several times" in told.message
    with pytest.raises(DataError, match="SPLIT_LEAK"):
        open_dataset(tmp_path, allow=("FEW_SAMPLES",))
    assert len(open_dataset(tmp_path, allow=("FEW_SAMPLES", "SPLIT_LEAK")).items) == 5


def test_a_file_of_all_pictures_beside_those_of_the_parts_hides_no_split(tmp_path):
    pictures(tmp_path, *(f"{i}.png" for i in range(3)))
    coco(tmp_path / "all.json", {f"{i}.png": [i, 20] for i in range(3)})
    coco(tmp_path / "train.json", {"0.png": [0, 20], "1.png": [1, 20]})
    coco(tmp_path / "val.json", {"2.png": [2, 20]})
    _, layout = open_layout(tmp_path)
    assert {item.name: item.split for item in layout.items} == {"0.png": "train", "1.png": "train", "2.png": "val"}
    assert edges(layout) == {"0.png": [0, 20], "1.png": [1, 20], "2.png": [2, 20]}
    assert codes(layout.findings) == [("MASK_VALUES", "warning", 3)]


def test_regions_that_one_file_repeats_stay_and_other_labels_are_other_regions(tmp_path):
    pictures(tmp_path, "0.png", "1.png")
    coco(tmp_path / "a.json", {"0.png": [3, 3], "1.png": [5]})
    other = coco(tmp_path / "b.json", {"1.png": [5]})
    other.write_text(other.read_text().replace('"cell"', '"dirt"'))
    _, layout = open_layout(tmp_path)
    assert edges(layout) == {"0.png": [3, 3], "1.png": [5, 5]}
    assert codes(layout.findings) == []


def test_masks_and_bitmaps_are_compared_pixel_by_pixel(tmp_path):
    pictures(tmp_path, "0.png")
    for name, counts in (("a.json", [0, 40, 560]), ("b.json", [0, 40, 560]), ("c.json", [20, 40, 540])):
        path = coco(tmp_path / name, {"0.png": [3]})
        document = json.loads(path.read_text())
        document["annotations"][0]["segmentation"] = {"size": [20, 30], "counts": counts}
        path.write_text(json.dumps(document))
    _, layout = open_layout(tmp_path)
    masks = [region.shape for region in layout.items[0].drawing.annotation.regions]
    assert [(one.x, np.asarray(one.mask).sum()) for one in masks] == [(0, 40), (1, 40)]


def test_a_damaged_file_is_told_before_masks_that_a_list_does_not_name(tmp_path):
    pictures(tmp_path, "0.png")
    cut(coco(tmp_path / "a.json", {"0.png": [3]}))
    (tmp_path / "splits.csv").write_text("image,split\n0.png,train\n")
    with pytest.raises(DataError, match=r"a\.json, line 1"):
        open_layout(tmp_path)


@pytest.mark.parametrize("note", ["notes.txt", "notes.json"])
def test_the_fault_of_splits_csv_is_told_whatever_lies_beside_it(tmp_path, note):
    pictures(tmp_path, "images/0.png", "masks/0.png")
    (tmp_path / note).write_text('{"by": "me"}')
    (tmp_path / "splits.csv").write_text("image,mask,split,group\nimages/0.png,masks/0.png,trian,\n")
    with pytest.raises(DataError) as error:
        open_layout(tmp_path)
    assert error.value.found == "split 'trian'"
    assert "splits.csv, line 2" in error.value.where
    (tmp_path / "splits.csv").write_text("image,split\nimages/0.png,train\n")
    with pytest.raises(DataError, match="expected image,mask,split,group"):
        open_layout(tmp_path)


def test_a_fault_of_limner_toml_is_not_hidden_by_annotation_files(tmp_path):
    pictures(tmp_path, "0.png")
    coco(tmp_path / "a.json", {"0.png": [3]})
    (tmp_path / "limner.toml").write_text('[pairs]\n"../0.png" = "1.png"\n')
    with pytest.raises(DataError, match="inside the data folder"):
        open_layout(tmp_path)


def test_a_picture_in_two_parts_that_are_no_split_leaks_nothing(tmp_path):
    """Without a part to train on the names of the files are no split."""
    pictures(tmp_path, "images/0.png", "images/1.png")
    coco(tmp_path / "val.json", {"0.png": [3]})
    coco(tmp_path / "test.json", {"0.png": [9], "1.png": [4]})
    _, layout = open_layout(tmp_path)
    assert not any(one.code == "SPLIT_LEAK" for one in layout.findings) and not any(item.split for item in layout.items)
    assert sorted(edges(layout)["images/0.png"]) == [3, 9]


def test_two_people_with_other_computers_mean_one_picture(tmp_path):
    pictures(tmp_path, "images/0.png", "images/1.png")
    coco(tmp_path / "anna.json", {"C:\\pics\\0.png": [3], "C:\\pics\\1.png": [4]})
    coco(tmp_path / "bob.json", {"/home/bob/0.png": [9]})
    assert edges(open_layout(tmp_path)[1]) == {"images/0.png": [3, 9], "images/1.png": [4]}
    coco(tmp_path / "anna.json", {"images/0.png": [3], "images/1.png": [4]})
    assert edges(open_layout(tmp_path)[1])["images/0.png"] == [3]  # bob's folder is none of anna's
    coco(tmp_path / "bob.json", {"/home/bob/images/0.png": [9]})
    assert edges(open_layout(tmp_path)[1])["images/0.png"] == [3, 9]


@pytest.mark.parametrize("names", [("/x/a/0.png", "/x/b/0.png"), ("images/0.png", "/x/b/0.png")])
def test_folders_of_one_computer_hold_different_pictures(tmp_path, names):
    pictures(tmp_path, "images/0.png")
    coco(tmp_path / "one.json", {names[0]: [3]})
    coco(tmp_path / "two.json", {names[1]: [9]})
    assert edges(open_layout(tmp_path)[1]).get("images/0.png", []) in ([], [3])


def test_tables_and_notes_beside_text_annotations_are_no_damaged_labels(tmp_path):
    pictures(tmp_path, "images/a.png", "images/b.png")
    (tmp_path / "labels").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"labels/{name}.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.6\n")
    (tmp_path / "notes.txt").write_bytes("gr\xf6\xdfer".encode("cp1252"))
    (tmp_path / "export_log.txt").write_text("[INFO] exported\n")
    assert not any(one.code == "UNREADABLE" for one in open_layout(tmp_path)[1].findings)
    (tmp_path / "labels/b.txt").write_bytes(b"\xff\xfe\x00 0.1")
    assert ("UNREADABLE", "error", 1) in codes(open_layout(tmp_path)[1].findings)
