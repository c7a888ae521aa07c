"""Pairs are found by name in every layout, and what cannot be paired is named."""

import numpy as np
import pytest

from limner.core.errors import DataError
from limner.data.dataset import open_dataset
from limner.data.declared import read_declared
from limner.data.layouts import find_layout
from tests.make_data import LAYOUTS, gray, labels, make_folder, picture, save, write_csv


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_pairs_image_and_mask(tmp_path, layout):
    truth = make_folder(tmp_path, layout=layout)
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 6
    for item in dataset.items:
        sample = dataset.load(item)
        assert np.array_equal(sample.labels, truth[item.image.stem])
        assert np.array_equal(sample.image, picture(int(item.image.stem[-2:])))
        assert item.name == item.image.relative_to(tmp_path).as_posix()
    assert bool(dataset.split_rule) == layout.startswith("parts")


def test_split_folders_name_the_split(tmp_path):
    make_folder(tmp_path, layout="parts")
    splits = {item.image.stem: item.split for item in find_layout(tmp_path).items}
    assert splits == {"p.00": "train", "p.01": "val", "p.02": "test", "p.03": "train", "p.04": "val", "p.05": "test"}


def test_other_folders_and_hidden_files_are_passed_over(tmp_path):
    make_folder(tmp_path)
    for name in (
        "original/images/x.png",
        "original/masks/x.png",
        ".cache/images/y.png",
        "masks_second/p.00.png",
        "images/.z.png",
    ):
        save(tmp_path / name, labels(0))
    (tmp_path / "DATASET.md").write_text("words")
    layout = find_layout(tmp_path)
    assert len(layout.items) == 6 and not layout.lonely_images and not layout.lonely_masks


def test_lonely_and_ambiguous_files_are_named(tmp_path):
    make_folder(tmp_path, count=3)
    (tmp_path / "masks" / "p.00.png").unlink()
    (tmp_path / "images" / "p.01.png").unlink()
    save(tmp_path / "masks" / "p.02_mask.png", labels(1))
    layout = find_layout(tmp_path)
    assert layout.lonely_images == ("images/p.00.png",) and layout.lonely_masks == ("masks/p.01.png",)
    assert layout.ambiguous == (("images/p.02.png", "masks/p.02.png", "masks/p.02_mask.png"),)
    assert layout.items == ()


def test_two_images_of_one_stem_are_ambiguous_unless_masks_keep_the_suffix(tmp_path):
    save(tmp_path / "images/a.png", picture(0))
    save(tmp_path / "images/a.bmp", picture(1))
    save(tmp_path / "masks/a.png", labels(0))
    assert find_layout(tmp_path).ambiguous == (("images/a.bmp", "images/a.png", "masks/a.png"),)
    (tmp_path / "masks/a.png").unlink()
    save(tmp_path / "masks/a.png.png", labels(0))
    save(tmp_path / "masks/a.bmp.png", labels(1))
    pairs = {item.name: item.mask.name for item in find_layout(tmp_path).items}
    assert pairs == {"images/a.bmp": "a.bmp.png", "images/a.png": "a.png.png"}


def test_an_image_called_mask_keeps_its_own_mask(tmp_path):
    for stem in ("a", "a_mask"):
        save(tmp_path / f"images/{stem}.png", picture(0))
        save(tmp_path / f"masks/{stem}.png", labels(0))
    assert [(i.image.stem, i.mask.stem) for i in find_layout(tmp_path).items] == [("a", "a"), ("a_mask", "a_mask")]


def test_csv_wins_over_folders_and_names_what_it_leaves_out(tmp_path):
    make_folder(tmp_path, count=4)
    rows = [
        [f"images/p.0{i}.png", f"masks/p.0{3 - i}.png", split, f"g{i}"]
        for i, split in enumerate(("train", "Valid", "test"))
    ]
    write_csv(tmp_path / "splits.csv", rows)
    layout = find_layout(tmp_path)
    assert [(i.split, i.group, i.mask.name) for i in layout.items] == [
        ("train", "g0", "p.03.png"), ("val", "g1", "p.02.png"), ("test", "g2", "p.01.png"),
    ]  # fmt: skip
    assert layout.unlisted == ("images/p.03.png",)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["../a.png", "masks/p.00.png", "train", ""]], "inside the data folder"),
        ([["images/p.00.png", "masks/p.00.png", "trian", ""]], "did you mean 'train'"),
        (
            [["images/p.00.png", "masks/p.00.png", "train", ""], ["images/p.01.png", "masks/p.01.png", "", ""]],
            "1 rows without",
        ),
        ([], "columns"),
    ],
)
def test_csv_mistakes_are_refused_with_their_place(tmp_path, rows, words):
    make_folder(tmp_path, count=2)
    write_csv(tmp_path / "splits.csv", rows)
    with pytest.raises(DataError, match=r"splits\.csv") as caught:
        find_layout(tmp_path)
    assert words in str(caught.value)


def test_a_row_without_a_file_and_a_picture_listed_twice(tmp_path):
    make_folder(tmp_path, count=2)
    row = ["images/p.00.png", "masks/p.00.png", "train", ""]
    write_csv(
        tmp_path / "splits.csv",
        [row, ["images/none.png", "masks/p.01.png", "train", ""], row, ["images/p.01.png", "", "train", ""]],
    )
    layout = find_layout(tmp_path)
    assert "line 3" in layout.lonely_masks[0] and layout.lonely_images == ("images/p.01.png",)
    assert layout.ambiguous == (("images/p.00.png", "splits.csv lines 2, 4"),)


def test_nothing_to_read_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        find_layout(tmp_path / "none")
    with pytest.raises(DataError, match=r"no pictures(.|\n)*fix: put the pictures into images/"):
        find_layout(tmp_path)
    save(tmp_path / "masks/a.png", labels(0))
    with pytest.raises(DataError, match="only 1 masks"):
        find_layout(tmp_path)


def test_declared_folders_pairs_classes_group_and_spacing(tmp_path):
    save(tmp_path / "raw/s1_a.png", picture(0))
    save(tmp_path / "drawn/s1_a.png", gray(labels(0)))
    text = 'images = "raw"\nmasks = "drawn"\nclasses = ["background", "cell"]\n'
    text += 'group = "^(s[0-9])"\nspacing = [0.5, 0.25]\n'
    (tmp_path / "limner.toml").write_text(text)
    layout = find_layout(tmp_path)
    assert [(i.name, i.group) for i in layout.items] == [("raw/s1_a.png", "s1")]
    assert layout.declared.spacing == (0.5, 0.25) and layout.declared.classes == ("background", "cell")
    (tmp_path / "limner.toml").write_text(
        '[pairs]\n"raw/s1_a.png" = "drawn/s1_a.png"\n"raw/no.png" = "drawn/s1_a.png"\n'
    )
    assert [i.name for i in find_layout(tmp_path).items] == ["raw/s1_a.png"]


def test_declared_group_from_a_table(tmp_path):
    make_folder(tmp_path, count=2)
    write_csv(tmp_path / "who.csv", [["p.00", "anna"], ["images/p.01.png", "ben"]], ("image", "patient"))
    (tmp_path / "limner.toml").write_text('group = {csv = "who.csv", column = "patient"}')
    assert [item.group for item in find_layout(tmp_path).items] == ["anna", "ben"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clases = []", "did you mean 'classes'"),
        ('classes = ["a"]', "at least two"),
        ('group = "("', "regular expression"),
        ('group = {csv = "no.csv", column = "x"}', "readable file"),
        ('classes = ["a", "b"]\ncolors = [[0, 0, 0]]', "each of the 2"),
        ("ignore = -1", "whole number"),
        ("spacing = 0", "mm per pixel"),
        ("= 3", "not valid TOML"),
    ],
)
def test_mistakes_in_limner_toml_are_named(tmp_path, text, words):
    (tmp_path / "limner.toml").write_text(text)
    with pytest.raises(DataError, match=r"limner\.toml") as caught:
        read_declared(tmp_path)
    assert words in str(caught.value)
