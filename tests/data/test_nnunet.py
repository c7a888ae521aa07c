"""Folders of nnU-Net and of the Medical Segmentation Decathlon, in 2D."""

import json

import numpy as np
import PIL.Image
import pytest

from limner.core.errors import DataError
from limner.data.dataset import open_dataset
from limner.data.groups import groups_by
from limner.data.open_layout import open_layout

rng = np.random.default_rng(8)


def write(root, labels, *, channels=2, cases=("a", "b_1"), parts=("Tr",)):
    for part in parts:
        for kind in ("images", "labels"):
            (root / f"{kind}{part}").mkdir(parents=True, exist_ok=True)
        for case in cases:
            for channel in range(channels):
                picture = PIL.Image.fromarray(rng.integers(0, 256, (5, 7)).astype(np.uint8))
                picture.save(root / f"images{part}" / f"{part}{case}_{channel:04d}.png")
            mask = rng.integers(0, 2, (5, 7)).astype(np.uint8)
            mask[0, 0] = 1
            PIL.Image.fromarray(mask).save(root / f"labels{part}" / f"{part}{case}.png")
    (root / "dataset.json").write_text(json.dumps({"labels": labels, "file_ending": ".png"}))


def test_channels_in_files_of_their_own(tmp_path):
    write(tmp_path, {"background": 0, "axon": 1})
    dataset = open_dataset(tmp_path, allow=("FEW_SAMPLES",))
    assert dataset.format == "nnunet"
    assert dataset.label_space.names == ("background", "axon")
    assert [item.name for item in dataset.items] == ["imagesTr/Tra_0000.png", "imagesTr/Trb_1_0000.png"]
    sample = dataset.load(dataset.items[1])
    assert sample.image.shape == (5, 7, 2)
    second = np.array(PIL.Image.open(tmp_path / "imagesTr" / "Trb_1_0001.png"))
    np.testing.assert_array_equal(sample.image[..., 1], second)


def test_tables_of_groups_may_name_cases(tmp_path):
    write(tmp_path, {"background": 0, "axon": 1})
    (tmp_path / "cases.csv").write_text("image,patient\nTra,P1\nTrb_1,P2\n")
    (tmp_path / "limner.toml").write_text('group = {csv = "cases.csv", column = "patient"}\n')
    dataset = open_dataset(tmp_path, allow=("FEW_SAMPLES",))
    assert [item.group for item in dataset.items] == ["P1", "P2"]
    assert list(groups_by("csv:cases.csv:patient", dataset.items, root=tmp_path).values()) == ["P1", "P2"]


@pytest.mark.parametrize(
    "name", ["imagesTr/Tr{}_0000.png", "imagesTr/Tr{}_0001.png", "Tr{}_0000", "Tr{}", "imagesTr/Tr{}.png"]
)
def test_splits_csv_is_obeyed(tmp_path, name):
    cases = ("a", "b_1", "c", "d")
    write(tmp_path, {"background": 0, "axon": 1}, cases=cases)
    rows = [
        f"{name.format(case)},{part},P{i // 2}"
        for i, (case, part) in enumerate(zip(cases, ("train", "val", "test"), strict=False))
    ]
    (tmp_path / "splits.csv").write_text("\n".join(["image,split,group", *rows, ",,", f"{name.format('z')},test,"]))
    layout = open_layout(tmp_path)[1]
    assert [(item.name[11:-9], item.split, item.group) for item in layout.items] == [
        ("a", "train", "P0"), ("b_1", "val", "P0"), ("c", "test", "P1"),
    ]  # fmt: skip
    assert layout.split_rule == "given by splits.csv" and layout.unlisted == ("imagesTr/Trd_0000.png",)
    assert len(layout.lonely_masks) == 1 and "line 6: no such case" in layout.lonely_masks[0]


def test_a_list_of_groups_leaves_the_test_of_the_folders(tmp_path):
    write(tmp_path, {"0": "background", "1": "spleen"}, channels=1, parts=("Tr", "Ts"))
    (tmp_path / "splits.csv").write_text("image,group\nTra,P1\nTrb_1,P1\nTsa,P2\nTsb_1,P3\nTsa,P4\n")
    layout = open_layout(tmp_path)[1]
    assert layout.split_rule == "given by imagesTr and imagesTs"
    assert [(item.split, item.group) for item in layout.items] == [("train", "P1")] * 2 + [
        ("test", "P2"),
        ("test", "P3"),
    ]
    assert layout.ambiguous == (("imagesTs/Tsa_0000.png", "splits.csv lines 4, 6"),)


def test_the_decathlon_counts_labels_by_id_and_brings_a_test(tmp_path):
    write(tmp_path, {"0": "background", "1": "spleen"}, channels=1, parts=("Tr", "Ts"))
    _, layout = open_layout(tmp_path)
    assert layout.declared.classes == ("background", "spleen")
    assert {item.name[:8]: item.split for item in layout.items} == {"imagesTr": "train", "imagesTs": "test"}


def test_ignored_label(tmp_path):
    write(tmp_path, {"background": 0, "axon": 1, "ignore": 2})
    _, layout = open_layout(tmp_path)
    assert (layout.declared.classes, layout.declared.ignore) == (("background", "axon"), 2)


@pytest.mark.parametrize(
    "labels", [{}, [], {"background": 0, "whole": [1, 2]}, {"background": 0, "axon": 2}, {"background": 0}]
)
def test_labels_that_are_refused(tmp_path, labels):
    write(tmp_path, labels)
    with pytest.raises(DataError) as error:
        open_layout(tmp_path)
    assert "dataset.json" in str(error.value)


def test_cases_of_the_decathlon_may_be_numbered_with_four_digits(tmp_path):
    write(tmp_path, {"0": "background", "1": "spleen"}, channels=3, cases=("img",))  # Trimg_0000.png to Trimg_0002.png
    mask = tmp_path / "labelsTr" / "Trimg.png"
    for number in range(3):
        (mask.parent / f"Trimg_{number:04d}.png").write_bytes(mask.read_bytes())
    mask.unlink()
    _, layout = open_layout(tmp_path)
    assert [(item.image.name, item.mask.name, item.channels) for item in layout.items] == [
        (f"Trimg_{number:04d}.png", f"Trimg_{number:04d}.png", ()) for number in range(3)
    ]
    assert not layout.lonely_images
    assert not layout.lonely_masks


@pytest.mark.parametrize("labels", [{"background": 0, "whole": [1, 2]}, {"background": 0.0, "axon": 1.0}])
def test_the_fault_of_dataset_json_is_told_and_not_that_it_holds_no_regions(tmp_path, labels):
    write(tmp_path, labels)
    with pytest.raises(DataError) as error:
        open_layout(tmp_path)
    assert "no annotation file" not in str(error.value)
    assert "label" in error.value.found
