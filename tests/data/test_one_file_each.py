"""One mask file for each object, in the layouts that are known; overlaps by rule, empty files counted."""

import numpy as np
import pytest

from limner.core.errors import DataError
from limner.data.checks.examination import check_dataset
from limner.data.dataset import open_dataset
from limner.data.layouts import find_layout
from limner.data.one_file_each import read_one_file_each
from tests.data.scenes import SCENE, same_objects, scene
from tests.make_data import picture, save, write_csv

PLACES = {
    "Data Science Bowl": lambda name: (f"{name}/images/{name}.png", f"{name}/masks"),
    "a folder of splits": lambda name: (
        f"{'train' if name < 'p2' else 'test'}/{name}/images/{name}.png",
        f"{'train' if name < 'p2' else 'test'}/{name}/masks",
    ),
    "one folder of masks": lambda name: (f"images/{name}.png", f"masks/{name}"),
    "split inside": lambda name: (f"images/train/{name}.png", f"masks/train/{name}"),
}


def make(root, place, counts=(12, 9, 1)):
    """Write the objects of each scene as 0/255 masks; the true numbers by stem."""
    truth = {}
    for seed, count in enumerate(counts):
        name = f"p{seed}"
        truth[name] = scene(seed, count=count)
        image, folder = PLACES[place](name)
        save(root / image, picture(seed, SCENE))
        for number in range(1, count + 1):
            save(root / folder / f"{number:02x}f{seed}.png", np.uint8(255) * (truth[name] == number))
    return truth


@pytest.mark.parametrize("place", PLACES)
def test_every_layout_gives_the_objects(tmp_path, place):
    truth = make(tmp_path, place)
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 3 and dataset.label_space.names == ("background", "object")
    assert "each mask file is an object" in dataset.reading.words and dataset.label_space.kind == "instance"
    for item in dataset.items:
        sample = dataset.load(item)
        assert same_objects(sample.objects.ids, truth[item.image.stem])
        assert np.array_equal(sample.labels, truth[item.image.stem] > 0)
    splits = {"a folder of splits": {"train", "test"}, "split inside": {"train"}}
    assert {item.split for item in dataset.items} == splits.get(place, {""})


def test_splits_csv_may_name_the_folder_of_masks(tmp_path):
    truth = make(tmp_path, "one folder of masks")
    write_csv(tmp_path / "splits.csv", [(f"images/{n}.png", f"masks/{n}", "train", "") for n in truth])
    dataset = open_dataset(tmp_path)
    assert [len(dataset.load(item).objects) for item in dataset.items] == [12, 9, 1]


def test_a_picture_whose_folder_is_empty_has_no_objects(tmp_path):
    make(tmp_path, "Data Science Bowl")
    save(tmp_path / "q/images/q.png", picture(9, SCENE))
    (tmp_path / "q/masks").mkdir()
    dataset = open_dataset(tmp_path)
    sample = dataset.load(dataset.items[-1])
    assert dataset.items[-1].name == "q/images/q.png" and len(sample.objects) == 0 and not sample.labels.any()


def test_pairs_of_one_mask_each_stay_pairs(tmp_path):
    for name in "ab":
        save(tmp_path / f"{name}/images/{name}.png", picture(ord(name), SCENE))
        save(tmp_path / f"{name}/masks/{name}.png", scene(2).astype(np.uint8) > 0)
    layout = find_layout(tmp_path)
    assert [item.instances for item in layout.items] == [None, None] and not layout.lonely_masks


def test_lonely_masks_are_still_named(tmp_path):
    save(tmp_path / "images/a.png", picture(0, SCENE))
    save(tmp_path / "masks/b.png", np.ones(SCENE, np.uint8))
    layout = find_layout(tmp_path)
    assert layout.lonely_images == ("images/a.png",) and layout.lonely_masks == ("masks/b.png",)


def test_of_overlapping_objects_the_smallest_is_on_top(tmp_path):
    shapes = [np.zeros(SCENE, np.uint8) for _ in range(4)]
    shapes[0][10:20, 10:40] = 1  # 300 pixels
    shapes[1][5:40, 5:50] = 1  # around the first
    shapes[2][15:25, 35:40] = 1  # 50 pixels, half of them in the first
    paths = [save(tmp_path / f"{i}.png", shape) for i, shape in enumerate(shapes)]  # the last is empty
    found = read_one_file_each(paths, SCENE)
    assert (found.remarks.overlap, found.remarks.hidden) == (300 + 25, 1) and found.ids.max() == 3
    assert [int((found.ids == i).sum()) for i in (1, 2, 3)] == [35 * 45 - 325, 275, 50]
    assert np.array_equal(read_one_file_each(paths[::-1], SCENE).ids, found.ids)
    covered = read_one_file_each([paths[2], paths[2]], SCENE)
    assert covered.ids.max() == 1 and covered.remarks.hidden == 1


def test_soft_edges_are_cut_at_half_and_sizes_must_agree(tmp_path):
    soft = np.zeros(SCENE, np.uint8)
    soft[3:9, 3:9], soft[4:8, 4:8] = 100, 255
    assert int((read_one_file_each([save(tmp_path / "a.png", soft)], SCENE).ids > 0).sum()) == 16
    with pytest.raises(DataError, match=r"61 x 83, its picture 83 x 61"):
        read_one_file_each([tmp_path / "a.png"], (83, 61))


def test_overlaps_and_damage_are_findings(tmp_path):
    make(tmp_path, "Data Science Bowl")
    box = np.zeros(SCENE, np.uint8)
    box[:40, :60] = 255
    save(tmp_path / "p0/masks/zz.png", box)
    (tmp_path / "p1/masks/01f1.png").write_bytes(b"no picture")
    report = check_dataset(tmp_path).as_dict()
    findings = {one["code"]: one for one in report["findings"]}
    assert "the smaller object is on top" in findings["OVERLAPPING_OBJECTS"]["message"]
    assert findings["UNREADABLE"]["files"] == ["p1/masks"] and "01f1.png" in findings["UNREADABLE"]["message"]
