"""Every picture is held out once; groups and copies stay together; classes are everywhere; a test is untouched."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import DataError, RecipeError
from limner.core.recipe_parts import SplitPart
from limner.data.dealing import deal
from limner.data.folds import deal_folds, make_folds, read_fold_numbers, split_of, write_folds
from limner.data.splits import make_split
from tests.data.imagined import imagined

ALL = SplitPart(test_share=0.0)
RARE = {"q02", "q09", "q17", "q25", "q28"}


def names(items):
    return {item.name for item in items}


def sizes_of(folds):
    return sorted(len(split.part("val")) for split in folds)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=6, max_size=24),
    st.lists(st.sets(st.integers(0, 23), min_size=2, max_size=3), max_size=3), st.integers(2, 4), st.integers(0, 2),
)  # fmt: skip
def test_each_picture_is_held_out_once_and_nothing_is_torn_apart(pictures, alike, count, seed):
    near = tuple(tuple(f"images/{i}.png" for i in sorted(one) if i < len(pictures)) for one in alike)
    dataset = imagined(
        [str(i) for i in range(len(pictures))], groups=[f"g{group}" if group else "" for group, _ in pictures],
        pixels=lambda stem: {0: 9, pictures[int(stem)][1]: 5}, alike=tuple(one for one in near if len(one) > 1),
    )  # fmt: skip
    try:
        folds = make_folds(dataset, rule=ALL, seed=seed, folds=count)
    except DataError as error:
        assert f"for {count} folds" in error.found
        return
    held = Counter(item.name for split in folds for item in split.part("val"))
    assert len(folds) == count and held == dict.fromkeys(names(dataset.items), 1)
    place = {item.name: fold for fold, split in enumerate(folds) for item in split.part("val")}
    together = [{i.name for i in dataset.items if i.group == f"g{group}"} for group in range(1, 7)] + [
        set(one) for one in near
    ]
    assert all(len({place[name] for name in one}) <= 1 for one in together)
    for split in folds:
        assert split.part("train") and split.part("val") and not split.part("test")
        assert names(split.part("train")) == names(dataset.items) - names(split.part("val"))


@pytest.mark.parametrize(
    ("count", "folds", "sizes"), [(10, 3, [3, 3, 4]), (11, 4, [2, 3, 3, 3]), (7, 7, [1] * 7), (30, 5, [6] * 5)]
)
def test_single_pictures_are_shared_evenly(count, folds, sizes):
    for seed in range(3):
        dataset = imagined([f"q{i:02d}" for i in range(count)], pixels=lambda name: {0: 9, 1 + int(name[1:]) % 3: 2})
        assert sizes_of(make_folds(dataset, rule=ALL, seed=seed, folds=folds)) == sizes


def test_groups_of_unequal_size_are_shared_as_evenly_as_they_can_be():
    sizes = {
        "p1": 12,
        "p2": 9,
        "p3": 8,
        "p4": 7,
        "p5": 5,
        "p6": 4,
        "p7": 3,
    }  # 48: 16 each, as 12 + 4, 9 + 7 and 8 + 5 + 3
    dataset = imagined([f"{group}_z{z:02d}" for group, count in sizes.items() for z in range(count)])
    folds = make_folds(dataset, rule=ALL, seed=0, folds=3)
    assert sizes_of(folds) == [16, 16, 16] and "7 groups seen in file names" in folds[0].rule
    assert {item.group for item in folds[0].part("val")}.isdisjoint(item.group for item in folds[0].part("train"))


@pytest.mark.parametrize("seed", range(4))
def test_a_rare_class_is_in_every_fold(seed):
    dataset = imagined(
        [f"q{i:02d}" for i in range(30)], pixels=lambda name: {0: 9, 1: 4} | ({2: 3} if name in RARE else {})
    )
    folds = make_folds(dataset, rule=ALL, seed=seed, folds=5)
    assert [len(RARE & {item.image.stem for item in split.part("val")}) for split in folds] == [1] * 5
    assert sizes_of(folds) == [6] * 5 and not any(split.notes for split in folds)
    seven = make_folds(dataset, rule=ALL, seed=seed, folds=7)
    assert any(
        "class rare is in 5 of the units" in note and "2 of 7 folds cannot score it" in note for note in seven[0].notes
    )
    assert sum("class rare does not occur in val" in split.notes for split in seven) == 2


def test_a_rare_class_in_groups_is_in_every_fold():
    where = {"p2_z1", "p5_z0", "p7_z3"}
    stems = [f"p{p}_z{z}" for p in range(9) for z in range(4)]
    dataset = imagined(stems, pixels=lambda name: {0: 9, 1: 4} | ({3: 1} if name in where else {}))
    for seed in range(3):
        folds = make_folds(dataset, rule=ALL, seed=seed, folds=3)
        assert [len(where & {item.image.stem for item in split.part("val")}) for split in folds] == [1, 1, 1]
        assert sizes_of(folds) == [12, 12, 12]


def test_the_automatic_test_is_that_of_a_single_run_and_in_no_fold():
    dataset = imagined([f"q{i:02d}" for i in range(30)])
    for seed in (0, 4):
        single = make_split(dataset, rule=SplitPart(), seed=seed)
        folds = make_folds(dataset, rule=SplitPart(), seed=seed, folds=4)
        assert all(names(split.part("test")) == names(single.part("test")) for split in folds)
        assert set.union(*(names(split.part("val")) for split in folds)) == names(dataset.items) - names(
            single.part("test")
        )


def test_a_given_test_is_untouched_and_the_others_are_dealt_anew():
    parts = ["test" if i % 5 == 0 else "val" if i % 5 == 1 else "train" for i in range(25)]
    groups = ["known" if part == "test" else f"g{i % 6}" for i, part in enumerate(parts)]
    dataset = imagined([f"q{i:02d}" for i in range(25)], splits=parts, groups=groups)
    folds = make_folds(dataset, rule=SplitPart(rule="given"), seed=0, folds=3)
    tested = {item.name for item, part in zip(dataset.items, parts, strict=True) if part == "test"}
    assert all(names(split.part("test")) == tested for split in folds)
    assert set.union(*(names(split.part("val")) for split in folds)) == names(dataset.items) - tested
    assert "test given by splits.csv, the others dealt anew" in folds[0].rule
    for group in {f"g{i}" for i in range(6)}:
        assert len({k for k, split in enumerate(folds) for item in split.part("val") if item.group == group}) == 1


def test_a_given_test_that_shares_the_groups_is_mirrored_by_the_folds():
    parts = ["test" if i // 6 % 4 == 3 else "train" for i in range(48)]
    dataset = imagined([f"q{i:02d}" for i in range(48)], splits=parts, groups=[f"kind{i % 6}" for i in range(48)])
    folds = make_folds(dataset, rule=SplitPart(rule="given"), seed=0, folds=3)
    assert "shares its groups" in folds[0].rule and sizes_of(folds) == [12, 12, 12]
    assert all(
        Counter(item.group for item in split.part("val")) == {f"kind{k}": 2 for k in range(6)} for split in folds
    )


def test_an_inner_validation_chooses_among_the_others():
    stems = [f"p{p}_z{z}" for p in range(10) for z in range(3)]
    rule = SplitPart(test_share=0.0, inner_val_share=0.25)
    dealt = deal_folds(imagined(stems), rule=rule, seed=0, folds=3)
    folds = make_folds(imagined(stems), rule=rule, seed=0, folds=3)
    for number, split in enumerate(folds, 1):
        held = names(dealt.held_out(number))
        assert held.isdisjoint(names(split.items)) and len(held) + len(split.items) == 30
        groups = {part: {item.group for item in split.part(part)} for part in ("train", "val")}
        assert groups["train"].isdisjoint(groups["val"]) and 3 <= len(split.part("val")) <= 6
        assert f"{len(held)} are held out" in split.rule


def test_fewer_groups_or_pictures_than_folds_are_refused():
    dataset = imagined([f"p{p}_z{z}" for p in range(4) for z in range(5)])
    with pytest.raises(DataError, match="4 groups for 5 folds; expected at least 5 groups") as caught:
        make_folds(dataset, rule=ALL, seed=0, folds=5)
    assert caught.value.fix.startswith("--folds 4; or --set split.group_by=none")
    with pytest.raises(DataError, match="3 groups beside the 1 that test for 4 folds") as caught:
        make_folds(dataset, rule=SplitPart(), seed=0, folds=4)
    assert "--set split.test_share=0" in caught.value.fix
    assert sizes_of(make_folds(dataset, rule=SplitPart(test_share=0.0, group_by="none"), seed=0, folds=5)) == [4] * 5
    with pytest.raises(DataError, match="3 pictures for 4 folds"):
        make_folds(imagined(["a", "b", "c"]), rule=ALL, seed=0, folds=4)
    copies = imagined(["a", "b", "c"], alike=(("images/a.png", "images/b.png"), ("images/b.png", "images/c.png")))
    with pytest.raises(DataError, match="1 pictures for 2 folds"):
        make_folds(copies, rule=ALL, seed=0, folds=2)


@pytest.mark.parametrize(
    "changes", [{"folds": 1}, {"folds": 0}, {"folds": -3}, {"inner_val_share": 1.0}, {"inner_val_share": -0.1}]
)
def test_numbers_that_are_none(changes):
    rule = SplitPart(**{"test_share": 0.0, **{k: v for k, v in changes.items() if k != "folds"}})
    with pytest.raises(RecipeError, match=r"folds|inner_val_share"):
        make_folds(imagined(list("abcdefgh")), rule=rule, seed=0, folds=changes.get("folds", 2))


def test_seed_and_order_of_files():
    dataset = imagined([f"p{p}_z{z}" for p in range(8) for z in range(3)])
    folds = make_folds(dataset, rule=ALL, seed=1, folds=3)
    assert folds == make_folds(dataset.with_items(dataset.items[::-1]), rule=ALL, seed=1, folds=3)
    assert [s.checksum for s in folds] != [s.checksum for s in make_folds(dataset, rule=ALL, seed=2, folds=3)]
    assert len({split.checksum for split in folds}) == 3


def test_one_fold_alone_is_the_split_of_a_run():
    dataset = imagined([f"q{i:02d}" for i in range(12)])
    whole = make_folds(dataset, rule=SplitPart(folds=3), seed=5, folds=3)
    assert split_of(dataset, rule=SplitPart(folds=3, fold=2), seed=5) == whole[1]
    assert split_of(dataset, rule=SplitPart(), seed=5) == make_split(dataset, rule=SplitPart(), seed=5)
    for rule in (SplitPart(folds=3, fold=4), SplitPart(fold=1), SplitPart(folds=3, fold=-1)):
        with pytest.raises(RecipeError, match=r"split\.fold = "):
            split_of(dataset, rule=rule, seed=5)


def test_folds_are_written_and_read(tmp_path):
    dataset = imagined([f"p{p}_z{z}" for p in range(5) for z in range(2)])
    dealt = deal_folds(dataset, rule=SplitPart(), seed=0, folds=2)
    write_folds(tmp_path / "folds.csv", dealt, Path("data"))
    rows = list(csv.DictReader((tmp_path / "folds.csv").read_text().splitlines()))
    assert rows[0] == {
        "image": "images/p0_z0.png", "mask": "masks/p0_z0.png", "group": "p0",
        "split": "train" if "images/p0_z0.png" in dealt.fold_of else "test", "fold": str(dealt.fold_of.get("images/p0_z0.png", "")),
    }  # fmt: skip
    assert Counter(row["split"] for row in rows) == {"train": 8, "test": 2}
    read = read_fold_numbers(tmp_path / "folds.csv")
    assert read == {item.name: dealt.fold_of.get(item.name, 0) for item in dealt.items}
    (tmp_path / "folds.csv").write_text("image,fold\na,x\n")
    with pytest.raises(DataError, match=r"folds\.csv cannot be read"):
        read_fold_numbers(tmp_path / "folds.csv")
    assert dealt.pool().counts() == {"train": 8, "val": 0, "test": 2}


def test_dealing_reaches_what_an_exhaustive_search_finds():
    sizes = np.array([5, 3, 3, 2, 1])
    table = np.stack([np.array([1, 0, 1, 0, 0]), sizes], axis=1)
    places = deal(table, sizes, folds=2, rng=np.random.default_rng(0))
    # both folds have one unit of the class, and 7 pictures each: 5 + 2 and 3 + 3 + 1
    assert sorted(sizes[np.array(places) == fold].sum() for fold in (0, 1)) == [7, 7]
    assert places[0] != places[2] and places[0] == places[3]
    assert sorted(deal(table, sizes, folds=5, rng=np.random.default_rng(0))) == [0, 1, 2, 3, 4]
