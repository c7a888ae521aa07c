"""Files of object numbers are found beside masks, and no layout that could be read without them is changed."""

import numpy as np
import pytest

from limner.core.errors import DataError
from limner.data.dataset import open_dataset
from limner.data.layouts import find_layout
from tests.data.scenes import SCENE, make_scenes, scene
from tests.make_data import LAYOUTS, make_folder, picture, save, write_csv

NUMBERS = scene(1).astype(np.uint16)


def instances_of(root):
    found = find_layout(root)
    return {item.name: item.instances and item.instances.relative_to(root).as_posix() for item in found.items}


@pytest.mark.parametrize(
    ("image", "mask", "numbers"),
    [
        ("images/a.png", "masks/a.png", "instances/a.tif"),
        ("images/a.jpg", "labels/a_mask.png", "Instance/a.png"),
        ("images/a.jpg", "masks/a.jpg.png", "ids/a.jpg.png"),
        ("images/a.png", "masks/a_seg.png", "inst_maps/a_seg.png"),
        ("train/images/a.png", "train/masks/a.png", "train/instances/a.png"),
        ("images/train/a.png", "masks/train/a.png", "instances/train/a.png"),
        ("images/a.png", "masks/a.png", "masks/a_instances.png"),
        ("images/a.png", "masks/a.png", "instances/a_instances.npy"),
        ("a.png", "a_mask.png", "a_instances.png"),
        ("case1/images/a.png", "case1/masks/a.png", "case1/instances/a.png"),
    ],
)
def test_numbers_beside_a_mask_are_found(tmp_path, image, mask, numbers):
    save(tmp_path / image, picture(0, SCENE))
    save(tmp_path / mask, np.ones(SCENE, np.uint8))
    (tmp_path / numbers).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / numbers).write_bytes(b"not opened")
    layout = find_layout(tmp_path)
    assert instances_of(tmp_path) == {image: numbers} and not layout.lonely_images and not layout.ambiguous


def test_only_numbers_beside_pictures(tmp_path):
    for name in "ab":
        save(tmp_path / f"{name}.png", picture(ord(name), SCENE))
        save(tmp_path / f"{name}_instances.png", NUMBERS)
    dataset = open_dataset(tmp_path)
    assert [item.mask == item.instances for item in dataset.items] == [True, True]
    assert dataset.label_space.kind == "instance"


def test_splits_csv_may_leave_the_mask_out(tmp_path):
    make_scenes(tmp_path, masks=False)
    write_csv(tmp_path / "splits.csv", [(f"images/p{i}.png", "", "train" if i else "test", "") for i in range(4)])
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 4 and all(len(dataset.load(item).objects) > 5 for item in dataset.items)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_strange_folder_of_numbers_changes_no_pair(tmp_path, layout):
    make_folder(tmp_path, layout=layout)
    before = find_layout(tmp_path).items
    save(tmp_path / "instances/none_of_these.png", NUMBERS)
    (tmp_path / "ids").mkdir()
    (tmp_path / "ids/p.00.png").write_bytes(b"no picture")
    after = find_layout(tmp_path).items
    assert [(item.image, item.mask, item.split) for item in after] == [(i.image, i.mask, i.split) for i in before]
    assert len(open_dataset(tmp_path).label_space) == 2


def test_pictures_whose_own_names_end_so_stay_pictures(tmp_path):
    for name in ("a", "a_ids", "b", "b_instances"):
        save(tmp_path / f"images/{name}.png", picture(len(name), SCENE))
        save(tmp_path / f"masks/{name}_mask.png", np.ones(SCENE, np.uint8))
    layout = find_layout(tmp_path)
    assert [item.image.stem for item in layout.items] == ["a", "a_ids", "b", "b_instances"] and not layout.lonely_masks


def test_a_data_set_below_a_folder_called_instances_is_read(tmp_path):
    make_folder(tmp_path / "instances")
    assert len(find_layout(tmp_path).items) == 6
    assert set(instances_of(tmp_path).values()) == {None}


def test_two_files_that_would_do_are_not_chosen_from(tmp_path):
    make_scenes(tmp_path)
    save(tmp_path / "instances/p0.tif", NUMBERS)
    dataset = open_dataset(tmp_path)
    assert [finding.files for finding in dataset.findings if finding.code == "INSTANCES_MISSING"] == [("masks/p0.png",)]


def test_the_folder_is_declared(tmp_path):
    make_scenes(tmp_path)
    (tmp_path / "instances").rename(tmp_path / "cells")
    assert open_dataset(tmp_path).label_space.kind == "semantic"
    (tmp_path / "limner.toml").write_text('instances = "cells"')
    assert open_dataset(tmp_path).label_space.kind == "instance"
    (tmp_path / "limner.toml").write_text('instances = "cels"')
    with pytest.raises(DataError, match="no folder cels"):
        find_layout(tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('task = "instances"', "task"),
        ("things = 'cell'", "things"),
        ('things = ["a"]\nstuff = ["a"]', "stuff"),
        ('task = "semantic"\nthings = ["a"]', "things"),
        ('task = "instance"\nstuff = ["a"]', "stuff"),
        ('masks_are = "ids"', "masks_are"),
        ("things = ['a', 'a']", "things"),
    ],
)
def test_keys_that_cannot_be_obeyed_are_refused(tmp_path, text, found):
    make_folder(tmp_path, count=2)
    (tmp_path / "limner.toml").write_text(text)
    with pytest.raises(DataError, match=found) as caught:
        find_layout(tmp_path)
    assert caught.value.where.endswith("limner.toml")
