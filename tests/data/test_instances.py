"""Samples carry their objects: from ``instances/``, from numbers in masks, or as connected areas; bad files are findings."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import DataError
from limner.core.objects import number_objects
from limner.data.dataset import open_dataset
from limner.data.instances import connected_objects, objects_over
from tests.data.scenes import SCENE, in_rows, make_scenes, same_objects, scene
from tests.make_data import picture, save

SHARED = Path(__file__).parents[3] / "shared" / "data"


def codes(dataset):
    return {finding.code for finding in dataset.findings}


def found(dataset, code):
    return next(finding for finding in dataset.findings if finding.code == code)


@pytest.mark.parametrize("seed", range(6))
def test_objects_agree_with_the_plain_count(seed):
    """`number_objects` of the core votes pixel by pixel; here runs vote."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (7, 11)).astype(np.uint8)
    ids = rng.integers(0, 6, (7, 11)).astype(np.int32)
    plain = number_objects(ids, labels)
    classes = np.r_[0, plain.classes]
    kept = np.where(classes[plain.ids] == labels, plain.ids, 0)
    mine = objects_over(ids, labels, (1, 2, 3))
    again = number_objects(kept, labels)
    assert np.array_equal(mine.ids, again.ids) and mine.classes.tolist() == again.classes.tolist()


def test_objects_of_stuff_and_on_background_are_left_out():
    ids = np.array([[5, 5, 0, 9, 9, 2, 2]], np.int32)
    labels = np.array([[1, 2, 1, 2, 2, 0, 0]], np.uint8)
    assert objects_over(ids, labels, (1,)).ids.tolist() == [[1, 0, 0, 0, 0, 0, 0]]  # a tie goes to the lower class
    assert objects_over(ids, labels, (2,)).ids.tolist() == [[0, 0, 0, 1, 1, 0, 0]]
    assert len(objects_over(ids * 0, labels, (1, 2))) == 0


def test_connected_areas_join_at_corners_and_keep_classes_apart():
    labels = np.array([[1, 0, 2, 2], [0, 1, 1, 0], [3, 0, 0, 1]], np.uint8)
    objects = connected_objects(labels, (1, 2))
    assert objects.ids.tolist() == [[1, 0, 2, 2], [0, 1, 1, 0], [0, 0, 0, 1]] and objects.classes.tolist() == [1, 2]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_a_folder_of_numbers_beside_the_masks_tells_objects_apart(tmp_path, suffix):
    truth = make_scenes(tmp_path, encode=None)
    for name, ids in truth.items():
        path = tmp_path / f"instances/{name}{suffix}"
        path.parent.mkdir(exist_ok=True)
        np.save(path, ids) if suffix == ".npy" else save(path, ids.astype(np.uint16))
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.kind == "instance" and dataset.label_space.things == ("foreground",)
    assert "each number in the files of object numbers is an object" in dataset.reading.words
    for item in dataset.items:
        sample = dataset.load(item)
        assert np.array_equal(sample.objects.ids, in_rows(truth[item.image.stem])) and sample.valid is None
        assert np.array_equal(sample.labels, truth[item.image.stem] > 0)


def test_classes_come_from_the_masks_and_a_class_without_numbers_is_stuff(tmp_path):
    truth = make_scenes(tmp_path)
    for name, ids in truth.items():
        labels = np.where(ids > 0, 1 + ids % 2, 0).astype(np.uint8)
        labels[-1] = 3
        save(tmp_path / f"masks/{name}.png", labels)
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.kind == "panoptic" and dataset.label_space.things == ("class_1", "class_2")
    assert "things: class_1, class_2" in dataset.reading.words
    sample = dataset.load(dataset.items[1])
    ids = truth["p1"]
    odd = {int(sample.objects.classes[n - 1]) for n in np.unique(sample.objects.ids[ids % 2 == 1]) if n}
    assert odd == {2} and sample.labels[-1].tolist() == [3] * SCENE[1]


def test_one_object_in_every_picture_stays_semantic(tmp_path):
    make_scenes(tmp_path, counts=(1, 1, 1))
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.kind == "semantic" and dataset.load(dataset.items[0]).objects is None
    assert "OBJECTS_NOT_APART" in codes(dataset)
    (tmp_path / "limner.toml").write_text('task = "instance"')
    declared = open_dataset(tmp_path)
    assert len(declared.load(declared.items[0]).objects) == 1


def test_the_task_is_declared(tmp_path):
    make_scenes(tmp_path)
    (tmp_path / "limner.toml").write_text('task = "semantic"')
    assert open_dataset(tmp_path).label_space.things == ()
    (tmp_path / "limner.toml").write_text('classes = ["background", "cell"]\nthings = ["cel"]')
    with pytest.raises(DataError, match="cel"):
        open_dataset(tmp_path)
    (tmp_path / "limner.toml").write_text('classes = ["background", "cell"]\nstuff = ["cell"]')
    assert open_dataset(tmp_path).label_space.kind == "semantic"


def test_plain_masks_become_instances_where_that_is_declared(tmp_path):
    truth = make_scenes(tmp_path, encode=None)
    (tmp_path / "limner.toml").write_text('task = "instance"')
    dataset = open_dataset(tmp_path)
    assert "each connected area of a class is an object" in dataset.reading.words
    touching = truth["p0"]
    assert len(dataset.load(dataset.items[0]).objects) == len(np.unique(touching)) - 2  # two of them touch


def test_missing_and_damaged_files_are_findings_and_nothing_gets_unreadable(tmp_path):
    truth = make_scenes(tmp_path)
    (tmp_path / "instances/p0.png").unlink()
    (tmp_path / "instances/p1.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    save(tmp_path / "instances/p2.png", truth["p2"][:-1].astype(np.uint16))
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.kind == "instance"
    missing, broken = found(dataset, "INSTANCES_MISSING"), found(dataset, "INSTANCES_UNREADABLE")
    assert (missing.level, missing.files) == ("warning", ("masks/p0.png",))
    assert broken.count == 2 and "60 x 83" in broken.message and "connected areas" in broken.message
    for item in dataset.items:
        objects = dataset.load(item).objects
        expected = len(np.unique(truth[item.image.stem])) - 1
        assert len(objects) == expected - (item.image.stem != "p3")  # the touching two are one area


def test_objects_on_background_and_pixels_without_object_are_counted(tmp_path):
    truth = make_scenes(tmp_path)
    labels = (truth["p0"] > 0).astype(np.uint8)
    labels[truth["p0"] == 4] = 0
    labels[-2:, 3:6] = 1
    save(tmp_path / "masks/p0.png", labels)
    dataset = open_dataset(tmp_path)
    assert found(dataset, "INSTANCES_ON_BACKGROUND").files == ("masks/p0.png",)
    assert found(dataset, "PIXELS_WITHOUT_OBJECT").message.startswith("6 pixels")
    sample = dataset.load(dataset.items[0])
    assert len(sample.objects) == 11 and np.array_equal(sample.labels, labels) and not sample.objects.ids[-1, 4]


def test_boundaries_and_eight_bits_are_told(tmp_path):
    truth = make_scenes(tmp_path, encode=None)
    for name, ids in truth.items():
        values = ids.astype(np.uint8)
        values[:, 1:][(ids[:, 1:] != ids[:, :-1])] = 255
        save(tmp_path / f"instances/{name}.png", values)
    dataset = open_dataset(tmp_path)
    assert "the number 255 lies around the objects of 4 files" in found(dataset, "INSTANCE_BOUNDARY").message
    sample = dataset.load(dataset.items[0])
    assert not sample.valid.all() and not sample.objects.ids[~sample.valid].any()


def test_jpeg_numbers_are_refused_and_the_masks_stay_readable(tmp_path):
    make_scenes(tmp_path, encode=lambda ids: (ids * 20).astype(np.uint8), suffix=".jpg")
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.kind == "semantic" and "JPEG" in found(dataset, "INSTANCES_UNREADABLE").message


def test_only_numbers_and_no_masks(tmp_path):
    truth = make_scenes(tmp_path, masks=False)
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.names == ("background", "object") and dataset.label_space.kind == "instance"
    for item in dataset.items:
        sample = dataset.load(item)
        assert np.array_equal(sample.labels, truth[item.image.stem] > 0)
        assert same_objects(sample.objects.ids, truth[item.image.stem])


def test_stacks_of_pictures_masks_and_numbers(tmp_path):
    truth = np.stack([scene(i, count=n) for i, n in enumerate((12, 9, 5))])
    for folder, values in (("images", truth % 251), ("masks", truth > 0), ("instances", truth * 1000)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "s.npy", values.astype(np.uint8 if folder != "instances" else np.int32))
    dataset = open_dataset(tmp_path)
    assert [len(dataset.load(item).objects) for item in dataset.items] == [12, 9, 5]
    assert all(same_objects(dataset.load(item).objects.ids, truth[item.frame]) for item in dataset.items)
    np.save(tmp_path / "instances/s.npy", (truth[:2] * 1000).astype(np.int32))
    assert found(open_dataset(tmp_path), "INSTANCES_UNREADABLE").count == 1


def test_a_picture_without_objects_has_none(tmp_path):
    make_scenes(tmp_path, counts=(12, 0, 5))
    (tmp_path / "instances/p1.png").unlink()  # an empty mask needs no numbers
    dataset = open_dataset(tmp_path)
    assert "INSTANCES_MISSING" not in codes(dataset)
    sample = dataset.load(dataset.items[1])
    assert len(sample.objects) == 0 and sample.objects.ids.shape == SCENE


def test_pixels_that_are_not_known_belong_to_no_object(tmp_path):
    truth = make_scenes(tmp_path)
    for name, ids in truth.items():
        labels = (ids > 0).astype(np.uint8)
        labels[ids == 3] = 9
        save(tmp_path / f"masks/{name}.png", labels)
    (tmp_path / "limner.toml").write_text('classes = ["background", "cell"]\nignore = 9')
    dataset = open_dataset(tmp_path)
    assert "INSTANCES_ON_BACKGROUND" not in codes(dataset)
    sample = dataset.load(dataset.items[0])
    assert len(sample.objects) == 11 and not sample.objects.ids[~sample.valid].any()


def test_objects_without_masks_are_of_the_first_of_several_declared_classes(tmp_path):
    make_scenes(tmp_path, masks=False)
    (tmp_path / "limner.toml").write_text('classes = ["background", "cell", "dust"]\nthings = ["cell"]')
    dataset = open_dataset(tmp_path)
    assert "all are read as cell" in found(dataset, "MASK_VALUES").message and dataset.label_space.kind == "panoptic"


def test_masks_that_number_objects(tmp_path):
    truth = {}
    for seed, count in enumerate((25, 31, 22)):
        ids = scene(seed, count=count, size_hw=(95, 107), cell_hw=(15, 17))
        truth[f"p{seed}"] = ids
        save(tmp_path / f"images/p{seed}.png", picture(seed, ids.shape))
        save(tmp_path / f"masks/p{seed}.tif", ids.astype(np.uint16))
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.kind == "instance" and "each number is an object" in dataset.reading.words
    for item in dataset.items:
        assert np.array_equal(dataset.load(item).objects.ids, in_rows(truth[item.image.stem]))
    (tmp_path / "limner.toml").write_text('masks_are = "classes"')
    assert open_dataset(tmp_path).label_space.kind == "semantic"


def test_masks_of_few_numbers_where_that_is_declared(tmp_path):
    truth = make_scenes(tmp_path, counts=(3, 2, 4), encode=None)
    for name, ids in truth.items():
        Image.fromarray(ids.astype(np.uint8)).save(tmp_path / f"masks/{name}.png")
    assert open_dataset(tmp_path).label_space.names[-1] == "class_4"
    (tmp_path / "limner.toml").write_text('masks_are = "instances"\nclasses = ["background", "cell"]')
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.things == ("cell",) and len(dataset.load(dataset.items[2]).objects) == 4


@pytest.mark.skipif(not (SHARED / "dental_ufba425").is_dir(), reason="the shared data are not there")
def test_tooth_numbers_of_eight_bits_are_objects():
    dataset = open_dataset(SHARED / "dental_ufba425", allow=("SPLIT_LEAK",))
    assert len(dataset.label_space) == 2 and dataset.label_space.kind == "instance"
    sample = dataset.load(dataset.items[0])
    stored = np.array(Image.open(SHARED / "dental_ufba425/instances" / f"{dataset.items[0].image.stem}.png"))
    assert same_objects(sample.objects.ids, np.where(sample.labels > 0, stored, 0))
