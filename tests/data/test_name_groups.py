"""What people call their files, and which pictures that makes belong together; above all what it does not."""

from pathlib import Path

import pytest

from limner.data.layouts import Item
from limner.data.name_groups import guess_groups, names_show
from limner.data.name_marks import base_of, common_ending, pieces_of, series_of


def items(names, suffix=".png"):
    return [Item(f"images/{name}{suffix}", Path(f"{name}{suffix}"), None) for name in names]


def partition(names):
    """Sets of names that are put together; single ones are left out."""
    groups, _ = guess_groups(items(names))
    found = {}
    for name in names:
        if groups:
            found.setdefault(groups[f"images/{name}.png"], []).append(name)
    return {tuple(found[group]) for group in found if len(found[group]) > 1}


def whole(prefixes, endings):
    """Names, and the partition by what stands in front."""
    names = [f"{prefix}{ending}" for prefix in prefixes for ending in endings]
    return names, {tuple(f"{prefix}{ending}" for ending in endings) for prefix in prefixes}


HASHES = ("174376ba9b69af76c7f73cfaf5b25173", "8e873646f0f78d0b2ddc66e23a3f0453", "e2989469f7e061de346e30d25e354aba")
UUIDS = (
    "550e8400-e29b-41d4-a716-446655440000",
    "6fa459ea-ee8a-3ca4-894e-db77e160355e",
    "16fd2706-8baf-433b-82eb-8c7fada847da",
)
TOGETHER = {
    "patients": whole(["patient01", "patient07", "patient12"], ["_slice3", "_slice4"]),
    "letters": whole(["P01", "P02", "P17"], ["_z05", "_z06"]),
    "no separator": whole(["P01", "P02", "P17"], ["z05", "z06"]),
    "names with slices": whole(["anna", "ben", "eva"], ["_z05", "_z06"]),
    "sequences": whole(["0001TP", "0006R0", "Seq05VD"], ["_006690", "_f00930"]),
    "bids": whole(["sub-01", "sub-02", "sub-03"], ["_ses-1_T1w", "_ses-2_T1w"]),
    "patient before session": whole(["study1_patient1", "study1_patient2", "study2_patient3"], ["_s1", "_s2"]),
    "slice of a scan": whole(["P01", "P02", "P03"], ["_t1_z05", "_t1_z06", "_t2_z05"]),
    "uuids with slices": whole(UUIDS, ["_1", "_2"]),
    "dates": whole(["2023-01-05_cam1", "2023-01-05_cam2", "2023-02-11_cam1"], ["_001", "_002"]),
    "days": whole(["2023-01-05", "2023-01-06", "2023-02-11"], ["_001", "_002"]),
    "eyes": whole(["Image_01", "Image_02", "Image_11"], ["L", "R"]),
    "eyes in words": whole(["10", "13", "15"], ["_left", "_right"]),
    "roboflow": whole(["eyea", "eyeb", "eyec"], [f"_png.rf.{h}" for h in HASHES]),
    "roboflow of videos": whole(["a_mp4-", "b_mp4-", "c_mp4-"], [f"{n}_jpg.rf.{h}" for n, h in enumerate(HASHES)]),
    "tiles": whole(["slide3", "slide4", "slide5"], ["_x0_y512", "_x512_y0", "_x512_y512"]),
    "tiles of anything": whole(["ab3", "ab4", "cd5"], ["_r0_c1", "_r1_c0"]),
    "tiles by pixels": whole(["roomA", "roomB", "roomC"], ["_0_512", "_512_0", "_512_512"]),
    "tiles by place": whole(["q7", "q8", "q9"], ["_0_0", "_0_1", "_1_0", "_1_1"]),
    "numbered tiles": whole(["img5", "img6", "img7"], ["_tile_3", "_tile_12"]),
    "qupath": whole(["S1", "S2", "S3"], [" [x=0,y=512,w=512,h=512]", " [x=512,y=512,w=512,h=512]"]),
    "nnunet": whole(["case_00012", "case_00013", "case_00014"], ["_z01_0000", "_z02_0000"]),
    "a channel": whole(["liver_001", "liver_002", "liver_003"], ["_0045", "_0046"]),
    "changed copies": whole(["a", "b"], ["", "_flip", "_rot90", " - Copy", "_aug_2"]),
    "copies by a prefix": (["a", "aug_3_a", "flipped_a", "b", "copy of b"], {("a", "aug_3_a", "flipped_a"), ("b", "copy of b")}),
    "copies of numbers": (["12", "13", "14", "aug_1_12", "aug_2_12"], {("12", "aug_1_12", "aug_2_12")}),
    "second downloads": (["a", "a (1)", "b", "c"], {("a", "a (1)")}),
    "copies of slices": whole(["P01", "P02", "P03"], ["_z05", "_z05_flip", "_z06", "_z06_rot90"]),
    "one rat with several": (
        ["sub-rat1_sample-data1_SEM", "sub-rat3_sample-data10_SEM", "sub-rat3_sample-data9_SEM", "sub-rat4_sample-d2_SEM"],
        {("sub-rat3_sample-data10_SEM", "sub-rat3_sample-data9_SEM")},
    ),
    "persons in folders": whole(["anna/", "ben/", "eva/"], ["0", "1"]),
    "persons in folders of days": whole(["patient1/", "patient2/", "patient3/"], ["day1/0", "day1/1", "day2/0"]),
    "outer folders": whole(["anna/", "ben/", "eva/"], ["before/0", "after/0"]),
    "copies in folders": (
        [f"{kind}/{n}" for kind in ("orig", "flip", "rot") for n in ("a7", "b8")],
        {("orig/a7", "flip/a7", "rot/a7"), ("orig/b8", "flip/b8", "rot/b8")},
    ),
    "modalities in folders": (
        [f"{kind}/p{n}" for kind in ("t1", "t2", "flair") for n in (1, 2)],
        {("t1/p1", "t2/p1", "flair/p1"), ("t1/p2", "t2/p2", "flair/p2")},
    ),
    "five or more words": whole(["bear", "camel", "dog-agility", "swan", "tuna"], ["_00000", "_00001"]),
}  # fmt: skip
APART = {
    "a counter": [f"IMG_{i:04d}" for i in range(9)],
    "a counter without a sign": [f"img{i:03d}" for i in range(9)],
    "windows": [f"img ({i})" for i in range(1, 9)],
    "letter and number": [f"p{i:02d}" for i in range(9)],
    "numbers": [f"{i}" for i in range(12)],
    "cases": [f"case_{i:03d}" for i in range(9)],
    "nnunet, one picture each": [f"case_{i:05d}_0000" for i in range(9)],
    "two cameras and a phone": ["IMG_0001", "IMG_0002", "DSC_0001", "DSC_0002", "PXL_0001", "PXL_0002"],
    "kinds": [f"{kind} ({i})" for kind in ("benign", "malignant", "normal") for i in (1, 2, 3)],
    "kinds with an underscore": [f"{kind}_{i}" for kind in ("cat", "dog", "horse") for i in (1, 2, 3)],
    "years": [f"{year}_{i:06d}" for year in (2007, 2008, 2011) for i in (3, 6, 25)],
    "uuids": list(UUIDS) * 1,
    "hashes": ["d1dbc6ee7c44a702", "98c5ead89cd06663", "0532c64c2fd0c4d3", "1023509cf8d4c155"],
    "coco": ["000000142238", "000000439180", "000000439715"],
    "one satellite tile each": [f"{i}_sat" for i in (104, 119, 606, 1023)],
    "tiles alone": [f"tile_{i}" for i in range(9)],
    "pieces of a single picture": [f"scan_x{x}_y{y}" for x in (0, 512) for y in (0, 512)],
    "two prefixes": ["a_1", "a_2", "b_1", "b_2"],
    "dark cells": [f"cells_{look}_{i}" for look in ("dark", "bright") for i in range(4)],
    "crops in fields": [f"crop_{i}" for i in range(6)],
    "a table of one": ["scan1"],
    "nothing": [],
}


@pytest.mark.parametrize(("names", "expected"), TOGETHER.values(), ids=TOGETHER)
def test_names_that_belong_together(names, expected):
    assert partition(names) == expected
    assert partition(names[::-1]) == {tuple(reversed(group)) for group in expected}


@pytest.mark.parametrize("names", APART.values(), ids=APART)
def test_names_that_do_not(names):
    assert guess_groups(items(names)) == ({}, "")


@pytest.mark.parametrize(
    ("names", "group", "seen"),
    [
        ([f"s{p}-00{z}" for p in (12, 13, 14) for z in (3, 4)], "s12", "file names before the last counter"),
        ([f"sub-{p:02d}_ses-{z}_T1w" for p in (1, 2, 3) for z in (1, 2)], "sub-01", "file names"),
        ([f"{who}/{z}" for who in ("anna", "ben", "eva") for z in (1, 2)], "anna", "folder names"),
        ([f"patient{p}/{z}" for p in (1, 2, 3) for z in (1, 2)], "patient1", "folder and file names"),
        ([f"2023.01.0{d}_{z}" for d in (5, 6, 7) for z in (1, 2)], "2023-01-05", "file names before the last counter"),
        (["a", "a_flip", "b"], "a", "names of copies and pieces of one picture"),
    ],
)  # fmt: skip
def test_a_group_has_a_name_that_can_be_read(names, group, seen):
    groups, where = guess_groups(items(names))
    assert (groups[f"images/{names[0]}.png"], where) == (group, seen)


def test_frames_of_one_file_belong_together():
    frames = [Item(f"{file}.tif#{n}", Path(f"{file}.tif"), None, frame=n) for file in "xyz" for n in range(2)]
    groups, seen = guess_groups(frames)
    assert seen == "the files that hold several pictures" and groups["y.tif#1"] == "y.tif"


def test_what_is_seen_and_not_acted_on_is_told():
    kinds = names_show(items(f"{kind}_{i}" for kind in ("cat", "dog", "horse") for i in (1, 2, 3)))
    assert (
        kinds.aside == "names begin with 3 words such as cat, taken for kinds and not for groups" and not kinds.too_few
    )
    stack = names_show(items(f"spleen2_z{z:02d}" for z in range(9)))
    assert "one group (spleen2) only" in stack.too_few
    two = names_show(items(f"patient{p}_{z}" for p in (1, 2) for z in range(5)))
    assert "two groups (patient1, patient2) only" in two.too_few and not two.groups
    assert names_show(items(f"IMG_{z}" for z in range(9))) == names_show([])


@pytest.mark.parametrize(
    ("stem", "base"),
    [
        ("a_flip_rot90", "a"), ("a_rotated_180", "a"), ("a-hflip", "a"), ("a_flip_horizontal", "a"), ("a (copy)", "a"),
        ("a - Copy (2)", "a"), ("x7_noise_0", "x7"), ("cells_dark_2", "cells_dark_2"), ("tile_5", "tile_5"),
        ("plate1_r03_c05", "plate1"), ("s_x0_y512_w256_h256", "s"), ("augsburg_1", "augsburg_1"), ("flip", "flip"),
        ("images_original_a.png_4a6b8f00-1234-4abc-9def-0123456789ab", "a"), ("aug_3_12", "aug_3_12"),
    ],
)  # fmt: skip
def test_marks_of_copies_and_pieces(stem, base):
    assert base_of(stem) == base


def test_numbers_in_brackets_and_behind_marks_need_the_original():
    assert base_of("a (1)") == "a (1)" and base_of("a (1)", {"a"}) == "a"
    assert base_of("aug_3_12", {"12"}) == "12"


def test_series_pieces_and_endings():
    assert series_of("P01_s2_z05") == "P01" and series_of("img001") == "" and series_of("benign (3)") == "benign"
    assert pieces_of(["a_3_7", "b_1_2"]) == {} and pieces_of(["a_0_0", "a_1"]) == {}
    assert common_ending(["rat1_SEM", "rat2_SEM"]) == "_SEM" and common_ending(["same"]) == ""


def test_a_long_name_takes_no_time():
    names = [f"{'a_1' * 80}_{i}_{'-' * 40}x" for i in range(50)]
    assert guess_groups(items(names))[0] == {}


PATIENTS = [f"patient{p:02d}_slice{z}" for p in range(8) for z in range(4)]


@pytest.mark.parametrize("odd", [["control"], ["control", "calibration_1", "calibration_2"]])
def test_a_few_odd_names_do_not_part_the_patients(odd):
    shown = names_show(items([*PATIENTS, *odd]))
    assert {name: shown.groups[f"images/{name}.png"] for name in PATIENTS} == {name: name[:9] for name in PATIENTS}
    others = {shown.groups[f"images/{name}.png"] for name in odd}
    assert others == {name.partition("_")[0] for name in odd} and shown.seen == "file names"
    whose = "is a group of its own" if len(odd) == 1 else "are groups of their own"
    assert f"32 of {32 + len(odd)} names show 8 groups such as patient00" in shown.odd and shown.odd.endswith(whose)


def test_many_odd_names_are_told_and_a_complete_rule_is_quiet():
    many = names_show(items([*PATIENTS, *(f"x{i}" for i in range(7))]))
    assert not many.groups and "32 of 39 names show 8 groups" in many.odd and "not used" in many.odd
    assert names_show(items(PATIENTS)).odd == "" and names_show(items(["a", "b", "patient1_2"])).odd == ""


def test_groups_that_keep_the_known_ones_together_are_not_said_to_be_unused():
    names = [f"patient{p}_s{s}" for p in range(10) for s in range(4)] + [f"control_{i}" for i in range(12)]
    shown = names_show(items(names))
    assert len(set(shown.groups.values())) == 11 and shown.odd == ""
