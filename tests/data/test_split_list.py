"""``splits.csv`` beside annotation files is obeyed to the letter."""

import pytest

from limner.core.errors import DataError
from limner.data.dataset import open_dataset
from limner.data.open_layout import find_annotated, open_layout
from tests.data.coco_files import coco, codes, cut, edges, pictures


@pytest.fixture
def folder(tmp_path):
    pictures(tmp_path, *(f"images/{i}.png" for i in range(6)))
    coco(tmp_path / "ann.json", {f"{i}.png": [i] for i in range(6)})
    return tmp_path


def write(folder, *rows, columns="image,split,group"):
    (folder / "splits.csv").write_text("\n".join([columns, *rows]) + "\n")


def parts(layout):
    return [(item.name, item.split, item.group) for item in layout.items]


ROWS = [f"images/{i}.png,{'train' if i < 4 else 'test'},P{i // 2}" for i in range(6)]
EXPECTED = [(f"images/{i}.png", "train" if i < 4 else "test", f"P{i // 2}") for i in range(6)]


@pytest.mark.parametrize("data", ["", "ann.json"])
@pytest.mark.parametrize("columns", ["image,split,group", "image,mask,split,group", "Image, Split ,GROUP"])
def test_parts_and_groups_of_annotated_pictures(folder, data, columns):
    rows = [row.replace(",", ",,", 1) for row in ROWS] if "mask" in columns else ROWS
    write(folder, *rows, columns=columns)
    dataset = open_dataset(folder / data, allow=("FEW_SAMPLES",))
    assert [(item.name, item.split, item.group) for item in dataset.items] == EXPECTED
    assert dataset.split_rule == "given by splits.csv"
    assert edges(open_layout(folder / data)[1])["images/5.png"] == [5]


def test_the_list_goes_before_folders_and_names_of_files(tmp_path):
    pictures(tmp_path, "train/0.png", "val/1.png", "val/2.png")
    coco(tmp_path / "train.json", {"train/0.png": [3], "val/2.png": [5]})
    coco(tmp_path / "val.json", {"val/1.png": [4], "val/2.png": [5]})
    assert "SPLIT_LEAK" not in {one.code for one in open_layout(tmp_path)[1].findings}  # the folder decides
    write(tmp_path, "train/0.png,val,", "val/1.png,train,", "val/2.png,test,")
    _, layout = open_layout(tmp_path)
    assert [split for _, split, _ in parts(layout)] == ["val", "train", "test"]
    assert [entry.annotation.subset for entry in find_annotated(tmp_path).entries] == ["val", "test", "train"]


def test_a_list_of_one_part_or_of_groups_alone(folder):
    write(folder, *(f"images/{i}.png,test," for i in range(6)))
    _, layout = open_layout(folder)
    assert {split for _, split, _ in parts(layout)} == {"test"}
    write(folder, *(f"images/{i}.png,P{i % 2}" for i in range(6)), columns="image,group")
    _, layout = open_layout(folder)
    assert layout.split_rule == ""
    assert [group for _, _, group in parts(layout)] == ["P0", "P1"] * 3


def test_a_declared_group_rule_wins_as_with_masks(folder):
    (folder / "limner.toml").write_text('group = "(.)"\n')
    write(folder, *ROWS)
    assert [group for _, _, group in parts(open_layout(folder)[1])] == list("012345")


def test_pictures_that_are_not_listed_are_not_used_and_named(folder):
    write(folder, *ROWS[:5])
    _, layout = open_layout(folder)
    assert len(layout.items) == 5
    assert layout.unlisted == ("images/5.png",)


def test_rows_that_cannot_be_matched_block(folder):
    pictures(folder, "images/extra.png")
    write(folder, *ROWS, "images/gone.png,train,", "images/extra.png,test,", r"images\0.png,test,")
    found = find_annotated(folder)
    assert codes(found.findings) == [
        ("UNPAIRED_MASK", "error", 1), ("UNPAIRED_IMAGE", "error", 1), ("SPLIT_LEAK", "error", 1),
    ]  # fmt: skip
    assert [one.files for one in found.findings] == [("images/gone.png",), ("images/extra.png",), ("images/0.png",)]
    assert "images/gone.png in line 8" in found.findings[0].message
    assert "train in line 2, test in line 10" in found.findings[2].message
    with pytest.raises(DataError, match=r"UNPAIRED_IMAGE.*1 more kinds"):
        open_dataset(folder, allow=("FEW_SAMPLES", "SPLIT_LEAK"))
    write(folder, *ROWS, ROWS[0])
    assert codes(find_annotated(folder).findings) == [("AMBIGUOUS_PAIR", "error", 1)]


def test_rows_of_the_files_that_cannot_be_read_are_no_mystery(folder):
    """The damaged file is named first; the rows of its pictures follow."""
    coco(folder / "ann.json", {f"{i}.png": [i] for i in range(4)})
    cut(coco(folder / "more.json", {"4.png": [4], "5.png": [5]}))
    write(folder, *ROWS)
    found = [one for one in codes(open_layout(folder)[1].findings) if one[1] == "error"]
    assert found == [("UNREADABLE", "error", 1), ("UNPAIRED_IMAGE", "error", 2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,split\nimages/0.png,trian\n", "split 'trian'"),
        ("image,split\nimages/0.png,train\nimages/1.png,\n", "1 rows without a split, 1 with one"),
        ("image,split\n", "rows missing"),
        ("picture,split\nimages/0.png,train\n", "columns picture, split"),
        ("image,split\n../0.png,train\n", r"the path '\.\./0\.png'"),
        ("image,split\n,train\n", "the path ''"),
    ],
)
@pytest.mark.parametrize("data", ["", "ann.json"])
def test_a_list_that_cannot_be_obeyed_is_an_error(folder, text, said, data):
    (folder / "splits.csv").write_text(text)
    with pytest.raises(DataError, match=said) as error:
        open_layout(folder / data)
    assert "splits.csv" in error.value.where


def test_a_list_that_no_encoding_fits(folder):
    (folder / "splits.csv").write_bytes(b"image,split\nimages/\x81.png,train\n")
    with pytest.raises(DataError, match=r"splits\.csv cannot be read: neither UTF-8 nor Windows-1252"):
        open_layout(folder)


def test_a_list_above_the_folder_of_the_annotation_file(tmp_path):
    pictures(tmp_path, "images/0.png", "images/1.png")
    path = coco(tmp_path / "annotations" / "all.json", {"0.png": [3], "1.png": [4]})
    write(tmp_path, "images/0.png,train,a", "images/1.png,val,b")
    assert parts(open_layout(path)[1]) == [("images/0.png", "train", "a"), ("images/1.png", "val", "b")]
    write(path.parent, "../images/0.png,train,a")
    with pytest.raises(DataError, match="inside the data folder"):
        open_layout(path)


def test_paths_relative_to_the_list_are_found_where_the_pictures_lie_elsewhere(folder):
    write(folder, *ROWS)
    found = find_annotated(folder, images=folder / "images")
    assert found.listed.parts["4.png"] == ("test", "P2")
    assert not found.findings


def test_masks_that_the_list_names_go_before_annotation_files(folder):
    write(folder, "images/0.png,masks/0.png,train,", columns="image,mask,split,group")
    _, layout = open_layout(folder)
    assert (layout.format, layout.lonely_images) == ("folders", ("images/0.png",))


def test_one_file_of_several_leaves_rows_to_the_others(tmp_path):
    pictures(tmp_path, *(f"images/{i}.png" for i in range(6)))
    coco(tmp_path / "annotations/train.json", {f"{i}.png": [i] for i in range(4)})
    coco(tmp_path / "annotations/test.json", {f"{i}.png": [i] for i in range(4, 6)})
    write(tmp_path, *ROWS)
    _, layout = open_layout(tmp_path / "annotations/test.json")
    assert [name for name, _, _ in parts(layout)] == ["images/4.png", "images/5.png"]
    assert not any(one.level == "error" for one in layout.findings)
    assert any(one.level == "note" and "passed over" in one.message for one in layout.findings)
