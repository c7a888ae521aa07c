"""Given splits to the letter; automatic ones keep groups and copies together and show every class everywhere."""

from collections import defaultdict
from pathlib import Path

import pytest

from limner.core.errors import DataError, RecipeError
from limner.core.recipe_parts import SplitPart
from limner.data.dataset import open_dataset
from limner.data.groups import guess_groups
from limner.data.layouts import Item
from limner.data.splits import make_split, read_split, split_checksum, write_split
from tests.make_data import SMALL, labels, make_folder, picture, save, write_csv

AUTOMATIC = SplitPart(val_share=0.15)


def fill(root, stems, classes=lambda i: 2):
    for i, stem in enumerate(stems):
        save(root / f"images/{stem}.png", picture(i, SMALL))
        save(root / f"masks/{stem}.png", labels(i, SMALL, classes(i)))
    return open_dataset(root)


def given(root, rows):
    for i, (stem, _, _) in enumerate(rows):
        save(root / f"images/{stem}.png", picture(i, SMALL))
        save(root / f"masks/{stem}.png", labels(i, SMALL))
    write_csv(root / "splits.csv", [[f"images/{s}.png", f"masks/{s}.png", split, group] for s, split, group in rows])
    return open_dataset(root, allow={"SPLIT_LEAK"})


def by_group(split, key=lambda item: item.group):
    where = defaultdict(set)
    for item in split.items:
        where[key(item)].add(item.split)
    return where


def test_a_given_split_is_obeyed_to_the_letter(tmp_path):
    rows = [(f"a{i:02d}", ("train", "val", "test")[i % 3], "") for i in range(9)]
    split = make_split(given(tmp_path, rows), rule=AUTOMATIC, seed=5)
    assert {i.image.stem: i.split for i in split.items} == {stem: part for stem, part, _ in rows}
    assert split.counts() == {"train": 3, "val": 3, "test": 3} and split.rule == "given by splits.csv"


def test_missing_validation_comes_from_train_by_group_and_never_from_test(tmp_path):
    rows = [(f"a{i:02d}", "test" if i >= 24 else "train", f"g{i // 4}") for i in range(30)]
    split = make_split(given(tmp_path, rows), rule=AUTOMATIC, seed=0)
    assert {i.image.stem for i in split.part("test")} == {f"a{i:02d}" for i in range(24, 30)}
    inside = by_group(split)
    assert all(len(inside[f"g{g}"]) == 1 for g in range(6)) and split.counts()["val"] == 4
    assert "by group (1 of 6)" in split.rule


def test_few_groups_or_single_ones_validate_by_picture(tmp_path):
    four = make_split(
        given(tmp_path / "a", [(f"a{i:02d}", "train", f"g{i % 4}") for i in range(20)]), rule=AUTOMATIC, seed=0
    )
    assert four.counts() == {"train": 17, "val": 3, "test": 0} and "by picture" in four.rule
    assert any("too good" in note for note in four.notes)
    single = make_split(
        given(tmp_path / "b", [(f"a{i:02d}", "train", f"g{i}") for i in range(20)]), rule=AUTOMATIC, seed=0
    )
    assert "by picture" in single.rule and single.counts()["val"] == 3


def test_a_test_that_shares_the_groups_is_mirrored_by_validation(tmp_path):
    rows = [(f"a{i:02d}", "test" if i // 6 % 4 == 3 else "train", f"kind{i % 6}") for i in range(48)]
    split = make_split(given(tmp_path, rows), rule=AUTOMATIC, seed=0)
    kinds = {item.group for item in split.part("val")}
    assert "by picture" in split.rule and "shares its groups" in split.rule and split.counts()["val"] == 5
    assert len(kinds) >= 4 and {item.group for item in split.part("train")} == {f"kind{k}" for k in range(6)}


def test_automatic_shares_and_seed(tmp_path):
    dataset = fill(tmp_path, [f"img{i:03d}" for i in range(40)])
    split = make_split(dataset, rule=AUTOMATIC, seed=0)
    assert split.counts() == {"test": 8, "val": 5, "train": 27}  # 20 % of 40, 15 % of the other 32 = 4.8
    assert all(item.group == "" for item in split.items)
    assert split == make_split(dataset, rule=AUTOMATIC, seed=0)
    assert split.checksum != make_split(dataset, rule=AUTOMATIC, seed=1).checksum
    assert split.checksum == split_checksum(reversed(split.items))


def test_patients_in_names_stay_together_and_can_be_switched_off(tmp_path):
    dataset = fill(tmp_path, [f"patient{p:02d}_slice{z}" for p in range(12) for z in range(5)])
    split = make_split(dataset, rule=AUTOMATIC, seed=0)
    where = by_group(split, lambda item: item.image.stem.split("_")[0])
    assert len(where) == 12 and all(len(parts) == 1 for parts in where.values())
    assert set.union(*where.values()) == {"train", "val", "test"}
    assert "12 groups" in split.rule and split.items[0].group == "patient00"
    off = make_split(dataset, rule=SplitPart(group_by="none"), seed=0)
    assert any(len(parts) > 1 for parts in by_group(off, lambda item: item.image.stem.split("_")[0]).values())
    other = make_split(dataset, rule=SplitPart(group_by="slice([0-9])"), seed=0)
    assert set(by_group(other)) == set("01234") and all(len(parts) == 1 for parts in by_group(other).values())
    with pytest.raises(RecipeError, match="does not match"):
        make_split(dataset, rule=SplitPart(group_by="patient0([0-9])"), seed=0)


def test_a_rare_class_is_in_all_three_parts_for_any_seed(tmp_path):
    rare = {2, 9, 17, 25, 28}
    dataset = fill(tmp_path, [f"q{i:02d}" for i in range(30)], classes=lambda i: 3 if i in rare else 2)
    for seed in range(8):
        split = make_split(dataset, rule=AUTOMATIC, seed=seed)
        assert {i.split for i in split.items if int(i.image.stem[1:]) in rare} == {"train", "val", "test"}
        assert not split.notes


def test_a_class_in_one_picture_trains(tmp_path):
    dataset = fill(tmp_path, [f"q{i:02d}" for i in range(12)], classes=lambda i: 3 if i == 4 else 2)
    for seed in range(5):
        split = make_split(dataset, rule=AUTOMATIC, seed=seed)
        assert next(i.split for i in split.items if i.image.stem == "q04") == "train"
        assert "class class_2 does not occur in test" in split.notes


def test_a_class_in_two_pictures_trains_and_tests(tmp_path):
    dataset = fill(tmp_path, [f"q{i:02d}" for i in range(12)], classes=lambda i: 3 if i in (4, 7) else 2)
    for seed in range(8):
        split = make_split(dataset, rule=AUTOMATIC, seed=seed)
        assert {i.split for i in split.items if i.image.stem in ("q04", "q07")} == {"train", "test"}


def test_exact_copies_stay_together(tmp_path):
    make_folder(tmp_path, count=12)
    for i in range(12):
        save(tmp_path / f"images/copy{i:02d}.png", picture(i))
        save(tmp_path / f"masks/copy{i:02d}.png", labels(i))
    dataset = open_dataset(tmp_path)
    for seed in range(4):
        split = make_split(dataset, rule=AUTOMATIC, seed=seed)
        assert all(len(parts) == 1 for parts in by_group(split, lambda item: item.image.stem[-2:]).values())


@pytest.mark.parametrize(("count", "expected"), [(2, (1, 1, 0)), (3, (1, 1, 1)), (4, (2, 1, 1))])
def test_very_few_pictures(tmp_path, count, expected):
    split = make_split(fill(tmp_path, [f"q{i}" for i in range(count)]), rule=AUTOMATIC, seed=0)
    assert tuple(split.counts().values()) == expected


def test_one_picture_or_a_missing_split_is_refused(tmp_path):
    dataset = fill(tmp_path, ["a0", "a1"])
    with pytest.raises(DataError, match="at least two"):
        make_split(dataset.with_items(dataset.items[:1]), rule=AUTOMATIC, seed=0)
    with pytest.raises(RecipeError, match="bring a split"):
        make_split(dataset, rule=SplitPart(rule="given"), seed=0)


def test_written_splits_are_read_back(tmp_path):
    dataset = fill(tmp_path / "data", [f"s{p}-{z}" for p in range(6) for z in range(3)])
    split = make_split(dataset, rule=AUTOMATIC, seed=0)
    write_split(tmp_path / "split.csv", split, dataset.root)
    first = (tmp_path / "split.csv").read_text().splitlines()[:2]
    assert first == ["image,mask,split,group", f"images/s0-0.png,masks/s0-0.png,{split.items[0].split},s0"]
    again = read_split(tmp_path / "split.csv", dataset)
    assert again.items == split.items and again.checksum == split.checksum
    with pytest.raises(DataError, match="which is not in"):
        read_split(tmp_path / "split.csv", dataset.with_items(dataset.items[1:]))


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([f"patient{p:02d}_slice{z}" for p in (1, 7, 9) for z in (3, 4)], {"patient01", "patient07", "patient09"}),
        ([f"sub-{p:02d}_ses-{z}_T1w" for p in (1, 2, 3) for z in (1, 2)], {"sub-01", "sub-02", "sub-03"}),
        ([f"s{p}-00{z}" for p in (12, 13, 14) for z in (3, 4)], {"s12", "s13", "s14"}),
        ([f"case_{p}_t{z}" for p in (5, 6, 7) for z in (1, 2)], {"case_5", "case_6", "case_7"}),
        ([f"Image_{p:02d}{side}" for p in (1, 2, 3) for side in "LR"], {"Image_01", "Image_02", "Image_03"}),
        ([f"eye{p}_png.rf.174376ba9b69af7{z}" for p in "abc" for z in (1, 2)], {"eyea", "eyeb", "eyec"}),
    ],
)
def test_groups_are_seen_in_names(names, groups):
    found, seen = guess_groups([Item(f"images/{name}.png", Path(name), None) for name in names])
    assert seen and set(found.values()) == groups
    assert all(name.startswith(found[f"images/{name}.png"]) for name in names)


@pytest.mark.parametrize(
    "names",
    [
        [f"img{i:03d}" for i in range(9)], [f"p{i:02d}" for i in range(9)], [f"img_{i}" for i in range(9)],
        [f"case_{i:03d}" for i in range(9)], ["d1dbc6ee7c44a702", "98c5ead89cd06663", "0532c64c2fd0c4d3"],
        [f"{i}" for i in range(9)], ["a_1", "a_2", "b_1", "b_2"],
    ],
)  # fmt: skip
def test_counters_are_no_groups(names):
    assert guess_groups([Item(f"images/{name}.png", Path(name), None) for name in names]) == ({}, "")


def test_folders_are_groups():
    names = [f"images/{who}/{z}.png" for who in ("anna", "ben", "eva") for z in range(2)]
    groups, seen = guess_groups([Item(name, Path(name), None) for name in names])
    assert seen == "folder names" and groups["images/ben/1.png"] == "ben"
