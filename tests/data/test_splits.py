"""Given splits to the letter; automatic ones keep groups and copies together and show every class everywhere."""

from collections import defaultdict

import pytest
from hypothesis import given as given_cases
from hypothesis import strategies as st

from limner.core.errors import DataError, RecipeError
from limner.core.recipe_parts import SplitPart
from limner.data.dataset import open_dataset
from limner.data.splits import make_split, read_split, split_checksum, write_split
from tests.data.imagined import imagined
from tests.make_data import SMALL, labels, make_folder, picture, save, write_csv

AUTOMATIC = SplitPart(val_share=0.15)
GIVEN = SplitPart(rule="given", val_share=0.15)


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
    split = make_split(given(tmp_path, rows), rule=GIVEN, seed=5)
    assert {i.image.stem: i.split for i in split.items} == {stem: part for stem, part, _ in rows}
    assert split.counts() == {"train": 3, "val": 3, "test": 3} and split.rule == "given by splits.csv"


def test_missing_validation_comes_from_train_by_group_and_never_from_test(tmp_path):
    rows = [(f"a{i:02d}", "test" if i >= 24 else "train", f"g{i // 4}") for i in range(30)]
    split = make_split(given(tmp_path, rows), rule=GIVEN, seed=0)
    assert {i.image.stem for i in split.part("test")} == {f"a{i:02d}" for i in range(24, 30)}
    inside = by_group(split)
    assert all(len(inside[f"g{g}"]) == 1 for g in range(6)) and split.counts()["val"] == 4
    assert "by group (1 of 6)" in split.rule


def test_few_groups_or_single_ones_validate_by_picture(tmp_path):
    four = make_split(
        given(tmp_path / "a", [(f"a{i:02d}", "train", f"g{i % 4}") for i in range(20)]), rule=GIVEN, seed=0
    )
    assert four.counts() == {"train": 17, "val": 3, "test": 0} and "by picture" in four.rule
    assert any("too good" in note for note in four.notes)
    single = make_split(given(tmp_path / "b", [(f"a{i:02d}", "train", f"g{i}") for i in range(20)]), rule=GIVEN, seed=0)
    assert "by picture" in single.rule and single.counts()["val"] == 3


def test_a_test_that_shares_the_groups_is_mirrored_by_validation(tmp_path):
    rows = [(f"a{i:02d}", "test" if i // 6 % 4 == 3 else "train", f"kind{i % 6}") for i in range(48)]
    split = make_split(given(tmp_path, rows), rule=GIVEN, seed=0)
    kinds = {item.group for item in split.part("val")}
    assert "by picture" in split.rule and "shares its groups" in split.rule and split.counts()["val"] == 5
    assert len(kinds) >= 4 and {item.group for item in split.part("train")} == {f"kind{k}" for k in range(6)}


def test_one_picture_without_a_group_does_not_end_the_grouping(tmp_path):
    rows = [(f"a{i:02d}", "test" if i >= 40 else "train", "" if i == 7 else f"g{i // 4}") for i in range(48)]
    split = make_split(given(tmp_path, rows), rule=GIVEN, seed=0)
    assert "by group" in split.rule and any("1 of 40 pictures have no group" in note for note in split.notes)
    assert all(len(parts) == 1 for group, parts in by_group(split).items() if group)


def test_patients_in_names_are_known_in_a_given_split(tmp_path):
    """Their own, or shared with the test: as declared groups would be."""
    own = [(f"patient{i // 4:02d}_{i % 4}", "test" if i >= 40 else "train", "") for i in range(48)]
    split = make_split(given(tmp_path / "own", own), rule=GIVEN, seed=0)
    assert "by group" in split.rule and len(by_group(split)) == 12
    assert all(len(parts) == 1 for parts in by_group(split).values())
    shared = [(f"patient{i // 4:02d}_{i % 4}", "test" if i % 4 == 3 else "train", "") for i in range(48)]
    split = make_split(given(tmp_path / "shared", shared), rule=GIVEN, seed=0)
    assert "by picture, since the given test shares its groups" in split.rule
    assert {item.group for item in split.items} == {f"patient{p:02d}" for p in range(12)}


def test_frames_stay_together_where_parts_count_their_videos_anew(tmp_path):
    rows = [
        (f"{part}/seq_{n}_f{z}", part, "")
        for part, videos in (("train", 12), ("test", 9))
        for n in range(videos)
        for z in range(3)
    ]
    split = make_split(given(tmp_path, rows), rule=GIVEN, seed=0)
    assert "by group" in split.rule
    assert all(len(parts) == 1 for group, parts in by_group(split).items()) and len(by_group(split)) == 21


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
    with pytest.raises(RecipeError, match="does not match images/patient10_slice0"):
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


def test_automatic_switches_off_a_split_that_the_data_bring(tmp_path):
    rows = [(f"a{i:02d}", ("train", "val", "test")[i % 3], "") for i in range(12)]
    dataset = given(tmp_path, rows)
    split = make_split(dataset, rule=SplitPart(rule="automatic"), seed=0)
    assert {i.image.stem: i.split for i in split.items} != {stem: part for stem, part, _ in rows}
    assert split.counts() == {"train": 9, "val": 1, "test": 2} and split.rule.startswith(
        "automatic, by picture, seed 0"
    )
    assert "the split given by splits.csv is not used" in split.notes[0]
    assert make_split(dataset, rule=SplitPart(rule="data"), seed=0).rule == "given by splits.csv"


def test_the_order_of_the_files_means_nothing(tmp_path):
    dataset = fill(tmp_path, [f"s{p}-{z}" for p in range(6) for z in range(3)])
    turned = dataset.with_items(dataset.items[::-1])
    assert make_split(dataset, rule=AUTOMATIC, seed=3) == make_split(turned, rule=AUTOMATIC, seed=3)


def test_groups_of_unequal_size_come_close_to_the_wish_and_a_rare_class_is_everywhere():
    sizes = {"p1": 31, "p2": 2, "p3": 11, "p4": 7, "p5": 3, "p6": 13, "p7": 5, "p8": 8}
    names = [f"{group}_z{z:02d}" for group, count in sizes.items() for z in range(count)]
    rare = {"p3_z01": {2: 4}, "p5_z00": {2: 9}, "p8_z07": {2: 2}, "p4_z02": {2: 1}}
    dataset = imagined(names, pixels=lambda name: {0: 30, 1: 5} | rare.get(name, {}))
    for seed in range(5):
        split = make_split(dataset, rule=SplitPart(), seed=seed)
        assert abs(split.counts()["test"] - 16) <= 1 and 5 <= split.counts()["val"] <= 11
        assert all(len(parts) == 1 for parts in by_group(split).values()) and set(by_group(split)) == set(sizes)
        assert {i.split for i in split.items if i.name.split("/")[1][:-4] in rare} == {"train", "val", "test"}


def test_a_test_of_one_large_group_is_told():
    names = [f"p{p}_z{z:02d}" for p in (1, 2, 3) for z in range(20)]
    notes = " ".join(make_split(imagined(names), rule=SplitPart(), seed=0).notes)
    assert "33% of the pictures in place of 20%" in notes and "the test is one group only (p" in notes


@given_cases(
    st.lists(st.integers(0, 5), min_size=4, max_size=14), st.lists(st.sets(st.integers(0, 13), max_size=3), max_size=4),
    st.lists(st.integers(0, 8), min_size=14, max_size=14), st.integers(0, 3),
)  # fmt: skip
def test_no_group_and_no_copy_is_ever_in_two_parts(groups, alike, digests, seed):
    """The units are worked out here by merging sets until nothing changes."""
    names = [f"images/{i}.png" for i in range(len(groups))]
    near = [tuple(names[i] for i in sorted(one) if i < len(names)) for one in alike]
    dataset = imagined(
        [str(i) for i in range(len(groups))], groups=[f"g{group}" if group else "" for group in groups],
        digests=[f"d{d}" if d else f"own{i}" for i, d in enumerate(digests)], alike=tuple(one for one in near if len(one) > 1),
    )  # fmt: skip
    sets = [{name} for name in names] + [set(one) for one in near if one]
    for values in (groups, digests):
        sets += [{n for n, v in zip(names, values, strict=False) if v == value} for value in set(values) if value]
    units = merged(sets)
    split = make_split(dataset, rule=SplitPart(), seed=seed)
    part = {item.name: item.split for item in split.items}
    assert len(part) == len(names) and split.part("train") and split.part("val")
    if len(units) > 1:
        assert all(len({part[name] for name in unit}) == 1 for unit in units)
        assert bool(split.part("test")) == (len(units) > 2)
    else:
        assert "says nothing about new groups" in " ".join(split.notes)


def merged(sets):
    done = []
    for one in (set(each) for each in sets if each):
        touching = [other for other in done if other & one]
        done = [other for other in done if not other & one] + [one.union(*touching)]
    return done


def test_near_copies_stay_together_when_validation_is_drawn_from_a_given_split():
    dataset = imagined(
        [f"a{i:02d}" for i in range(20)], splits=["train"] * 20, alike=(("images/a03.png", "images/a11.png"),)
    )
    for seed in range(12):
        split = make_split(dataset, rule=SplitPart(rule="given", val_share=0.5), seed=seed)
        part = {item.name: item.split for item in split.items}
        assert part["images/a03.png"] == part["images/a11.png"]
