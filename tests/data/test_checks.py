"""Each mistake in a data set has its code, its level and its files."""

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import DataError
from limner.data.checks import check_dataset
from limner.data.dataset import open_dataset
from tests.make_data import gray, labels, make_folder, palette, picture, save, write_csv


def codes(root):
    return {(f.code, f.level): f for f in check_dataset(root).findings}


def without_speck(ids):
    """False in the lower right corner, where `labels` puts two pixels of the last class."""
    keep = np.ones(ids.shape, bool)
    keep[-1, -2:] = False
    return keep


def test_a_clean_set_has_no_findings_and_the_agreed_shape(tmp_path):
    make_folder(tmp_path, count=12, encode=lambda ids: gray(ids * without_speck(ids)))
    report = check_dataset(tmp_path).as_dict()
    assert report == {
        "format": "folders", "samples": 12, "channels": 3,
        "classes": [{"id": 0, "name": "background"}, {"id": 1, "name": "foreground"}],
        "mask_reading": "0 and 1: 0 is background, 1 is foreground", "splits": {}, "findings": [], "blocking": False,
        "objects": [],
    }  # fmt: skip


def test_damaged_unpaired_and_wrong_sizes_block_and_are_named(tmp_path):
    make_folder(tmp_path, count=12)
    (tmp_path / "masks/p.00.png").unlink()
    save(tmp_path / "masks/p.01.png", gray(labels(1).T))
    path = tmp_path / "images/p.02.png"
    path.write_bytes(path.read_bytes()[:200])
    (tmp_path / "masks/p.03.png").write_bytes(b"")
    (tmp_path / "images/p.04.png").unlink()
    found = codes(tmp_path)
    assert found["UNPAIRED_IMAGE", "error"].files == ("images/p.00.png",)
    assert found["UNPAIRED_MASK", "error"].files == ("masks/p.04.png",)
    assert found["UNREADABLE", "error"].files == ("images/p.02.png", "masks/p.03.png")
    mismatch = found["SIZE_MISMATCH", "error"]
    assert mismatch.files == ("images/p.01.png", "masks/p.01.png") and mismatch.count == 1
    assert "40 x 56" in mismatch.message and "56 x 40" in mismatch.message and "90 degrees" in mismatch.message
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    assert {f["code"] for f in caught.value.details["findings"]} >= {"UNREADABLE", "SIZE_MISMATCH"}
    assert check_dataset(tmp_path).blocking


def test_orientation_is_applied_and_told(tmp_path):
    make_folder(tmp_path, count=12)
    file = Image.fromarray(picture(0, (56, 40)))
    exif = file.getexif()
    exif[0x0112] = 6
    file.save(tmp_path / "images/p.00.png", exif=exif)
    assert codes(tmp_path)["ORIENTATION", "fixed"].files == ("images/p.00.png",)
    file.save(tmp_path / "images/p.00.png")
    save(tmp_path / "masks/p.01.png", gray(labels(1, (56, 40))))
    assert codes(tmp_path)["SIZE_MISMATCH", "error"].count == 2


def test_copies_are_a_warning_and_a_leak_across_given_splits(tmp_path):
    make_folder(tmp_path, count=12)
    save(tmp_path / "images/again.bmp", picture(3))  # the same pixels in another format
    save(tmp_path / "masks/again.png", labels(3))
    found = codes(tmp_path)
    assert found["DUPLICATE_IMAGE", "warning"].files == ("images/again.bmp", "images/p.03.png")
    rows = [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", "train", f"{i}"] for i in range(12)]
    write_csv(tmp_path / "splits.csv", [*rows, ["images/again.bmp", "masks/again.png", "test", "x"]])
    found = codes(tmp_path)
    assert found["SPLIT_LEAK", "error"].files == ("images/again.bmp", "images/p.03.png")
    assert ("DUPLICATE_IMAGE", "warning") not in found
    with pytest.raises(DataError, match="SPLIT_LEAK"):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path, allow={"SPLIT_LEAK"})) == 13


def test_a_group_in_two_splits_and_a_class_missing_in_one(tmp_path):
    make_folder(tmp_path, count=12, classes=3)
    save(tmp_path / "masks/p.11.png", labels(11))
    rows = [
        [f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", "test" if i == 11 else "train", f"g{i // 2}"]
        for i in range(12)
    ]
    write_csv(tmp_path / "splits.csv", rows)
    found = codes(tmp_path)
    leak = found["SPLIT_LEAK", "warning"]
    assert leak.files == ("images/p.10.png", "images/p.11.png") and "g5" in leak.message
    assert "class_2 does not occur in test" in found["CLASS_MISSING_IN_SPLIT", "warning"].message
    assert not check_dataset(tmp_path).blocking and check_dataset(tmp_path).splits == {"train": 11, "test": 1}


def test_extents(tmp_path):
    make_folder(tmp_path, count=12)
    save(tmp_path / "masks/p.00.png", labels(0) * 0)
    save(tmp_path / "masks/p.01.png", labels(0) * 0 + 1)
    tiny = labels(0) * 0
    tiny[3, 5:9] = 1
    save(tmp_path / "masks/p.02.png", tiny)
    found = codes(tmp_path)
    assert found["EMPTY_MASKS", "note"].files == ("images/p.00.png",)
    assert found["FULL_MASKS", "warning"].files == ("images/p.01.png",)
    assert found["TINY_OBJECTS", "note"].files[0] == "images/p.02.png"  # nothing else is there; in the others a speck
    for path in (tmp_path / "masks").iterdir():
        save(path, labels(0) * 0)
    assert found.keys() != codes(tmp_path).keys() and ("EMPTY_MASKS", "error") in codes(tmp_path)


def test_channels_depth_contrast_and_number(tmp_path):
    make_folder(tmp_path, count=3)
    save(tmp_path / "images/p.00.png", picture(0, channels=1))
    Image.fromarray(np.full((40, 56), 700, np.uint16)).save(tmp_path / "images/p.01.png")
    found = codes(tmp_path)
    assert "2 gray and 1 colour" in found["CHANNELS_MIXED", "fixed"].message
    assert found["BIT_DEPTH", "warning"].files == ("images/p.01.png",)
    assert found["CONSTANT_IMAGE", "warning"].files == ("images/p.01.png",)
    assert ("FEW_SAMPLES", "warning") in found
    dataset = open_dataset(tmp_path)
    gray_one = dataset.load(dataset.items[0]).image
    assert dataset.num_channels == 3 and np.array_equal(gray_one, np.repeat(picture(0, channels=1), 3, axis=2))


def test_one_picture_blocks_and_transparent_images_count_as_colour(tmp_path):
    make_folder(tmp_path, count=1)
    assert ("FEW_SAMPLES", "error") in codes(tmp_path)
    save(tmp_path / "images/q.png", np.dstack([picture(5), np.full((40, 56), 9, np.uint8)]))
    save(tmp_path / "masks/q.png", palette(labels(5)))
    assert not check_dataset(tmp_path).blocking and check_dataset(tmp_path).channels == 3


def test_sizes_are_checked_again_on_loading(tmp_path):
    make_folder(tmp_path, count=2)
    dataset = open_dataset(tmp_path)
    save(tmp_path / "masks/p.00.png", labels(0, (40, 55)))
    with pytest.raises(DataError, match=r"p\.00\.png is 40 x 56, its mask p\.00\.png is 40 x 55"):
        dataset.load(dataset.items[0])


def test_ignored_pixels_are_not_valid(tmp_path):
    make_folder(tmp_path, count=2)
    ids = labels(0)
    ids[0, :3] = 255
    save(tmp_path / "masks/p.00.png", ids)
    dataset = open_dataset(tmp_path)
    valid = dataset.load(dataset.items[0]).valid
    assert valid is not None and int((~valid).sum()) == 3 and not valid[0, 2] and valid[0, 3]
    assert dataset.load(dataset.items[1]).valid is None


def test_masks_may_be_read_with_the_classes_of_a_model(tmp_path):
    make_folder(tmp_path / "three", count=2, classes=3)
    make_folder(tmp_path / "two", count=2, classes=2)
    space = open_dataset(tmp_path / "three").label_space
    dataset = open_dataset(tmp_path / "two", label_space=space)
    assert dataset.label_space.names == space.names == ("background", "class_1", "class_2")
    assert dataset.load(dataset.items[0]).labels.max() == 1
