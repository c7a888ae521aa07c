"""What `check` says about single objects, from files of ids and from drawn regions."""

import json

import numpy as np
from PIL import Image

from limner.core.labels import LabelSpace
from limner.core.protocols import Silent
from limner.data.checks import check_dataset, examine
from limner.data.dataset import open_dataset
from limner.data.fingerprint import take_fingerprint
from tests.make_data import picture

SIZE = (40, 57)
CODES = ("TOUCHING_OBJECTS", "FRAGMENTED_OBJECTS", "OVERLAPPING_OBJECTS", "BORDER_OBJECTS", "OBJECT_SIZES")


def of(report):
    return {f.code: f for f in report.findings if f.code in (*CODES, "TINY_OBJECTS")}


def numbered(seed):
    """Ids: two that touch, one in two pieces, one at the border, one of three pixels."""
    ids = np.zeros(SIZE, np.uint16)
    ids[5:15, 5 + seed : 15], ids[5:15, 15:25] = 11, 7
    ids[20:26, 5:11], ids[30:36, 5:11] = 3, 3
    ids[33:40, 30:39] = 500
    ids[2, 40:43] = 9
    return ids


def with_ids(root, count=3):
    for seed in range(count):
        ids = numbered(seed)
        for kind, array in (
            ("images", picture(seed, SIZE)), ("masks", (ids > 0).astype(np.uint8)), ("instances", ids)
        ):  # fmt: skip
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / kind / f"p{seed}.png")


def square(label, x, y, side, **more):
    return {
        "category_id": label, "iscrowd": 0, "bbox": [x, y, side, side], "area": side * side,
        "segmentation": [[x, y, x + side, y, x + side, y + side, x, y + side]], **more,
    }  # fmt: skip


def coco(root, shapes_of_picture, categories=({"id": 1, "name": "cell"}, {"id": 2, "name": "soil"})):
    """A COCO set; the shapes of each picture in a list."""
    images, annotations = [], []
    for seed, shapes in enumerate(shapes_of_picture):
        (root / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed, SIZE)).save(root / "images" / f"p{seed}.png")
        images.append({"id": seed, "file_name": f"images/p{seed}.png", "height": SIZE[0], "width": SIZE[1]})
        annotations += [{**shape, "image_id": seed} for shape in shapes]
    annotations = [{**record, "id": number} for number, record in enumerate(annotations, 1)]
    document = {"images": images, "annotations": annotations, "categories": list(categories)}
    (root / "a.json").write_text(json.dumps(document))


def test_ids_in_files_are_looked_at_one_by_one(tmp_path):
    with_ids(tmp_path)
    report = check_dataset(tmp_path)
    found = of(report)
    assert found["TOUCHING_OBJECTS"].count == 6 and "6 of 15 objects (40.0%)" in found["TOUCHING_OBJECTS"].message
    assert (found["FRAGMENTED_OBJECTS"].level, found["FRAGMENTED_OBJECTS"].count) == ("warning", 3)
    assert found["BORDER_OBJECTS"].count == 3 and "OVERLAPPING_OBJECTS" not in found
    assert found["TINY_OBJECTS"].count == 3 and "3 of 15 objects" in found["TINY_OBJECTS"].message
    assert found["OBJECT_SIZES"].count == 15 and "3 of 1 to 2" in found["OBJECT_SIZES"].message
    assert not report.blocking
    [objects] = json.loads(json.dumps(report.as_dict(), allow_nan=False))["objects"]
    assert (objects["objects"], objects["images"], objects["per_image"][3]) == (15, 3, 5)
    assert sum(bin_["count"] for bin_ in objects["sizes"]) == 15
    assert all(one["to"] == other["from"] for one, other in zip(objects["sizes"], objects["sizes"][1:], strict=False))


def test_the_fingerprint_has_the_same_facts(tmp_path):
    with_ids(tmp_path)
    dataset = open_dataset(tmp_path, allow=("FEW_SAMPLES",))
    [facts] = take_fingerprint(dataset, Silent()).objects
    assert facts == examine(tmp_path).objects[0] and facts.side[1] == 16


def test_drawn_objects_that_overlap_are_counted(tmp_path):
    hidden = [square(1, 5, 5, 6), square(2, 3, 3, 12)]  # another class on top
    coco(tmp_path, [[square(1, 4, 4, 20), square(1, 8, 8, 3)], hidden, []])
    found = of(check_dataset(tmp_path))
    overlap = found["OVERLAPPING_OBJECTS"]
    assert (overlap.level, overlap.count) == ("note", 4) and "1 not at all" in overlap.message and overlap.fix
    assert set(overlap.files) == {"images/p0.png", "images/p1.png"}
    dataset = open_dataset(tmp_path, allow=("FEW_SAMPLES",))
    assert dataset.label_space.things == ("cell", "soil")
    assert [len(dataset.load(item).objects) for item in dataset.items] == [2, 1, 0]


def test_one_object_of_a_class_a_picture_is_semantic_unless_declared(tmp_path):
    coco(tmp_path, [[square(1, 4, 4, 9), square(2, 20, 8, 3)], [square(1, 5, 5, 6)]])
    report = check_dataset(tmp_path)
    assert not set(CODES) & set(of(report)) and report.as_dict()["objects"] == []
    (tmp_path / "limner.toml").write_text('stuff = ["soil"]\n')
    space = open_dataset(tmp_path, allow=("FEW_SAMPLES",)).label_space
    assert (space.kind, space.things) == ("panoptic", ("cell",))
    report = check_dataset(tmp_path)
    assert [facts.name for facts in report.objects] == [
        "cell"
    ] and "each region of cell is an object" in report.mask_reading
    assert "TINY_OBJECTS" not in of(report)  # the soil of 9 pixels is no object


def test_the_declaration_goes_before_what_was_drawn(tmp_path):
    coco(tmp_path, [[square(1, 4, 4, 9), square(1, 20, 8, 3)], [square(2, 5, 5, 6)]])
    assert open_dataset(tmp_path, allow=("FEW_SAMPLES",)).label_space.things == ("cell", "soil")
    (tmp_path / "limner.toml").write_text('task = "semantic"\n')
    dataset = open_dataset(tmp_path, allow=("FEW_SAMPLES",))
    assert dataset.label_space.things == () and dataset.load(dataset.items[0]).objects is None
    (tmp_path / "limner.toml").write_text('things = ["soil"]\n')
    assert open_dataset(tmp_path, allow=("FEW_SAMPLES",)).label_space.things == ("soil",)


def test_what_coco_says_of_things_goes_before_what_was_drawn(tmp_path):
    categories = ({"id": 1, "name": "cell", "isthing": 1}, {"id": 2, "name": "soil", "isthing": 0})
    coco(tmp_path, [[square(1, 4, 4, 9)], [square(2, 5, 5, 6), square(2, 20, 5, 6)]], categories)
    assert open_dataset(tmp_path, allow=("FEW_SAMPLES",)).label_space.things == ("cell",)


def test_the_things_of_a_model_are_told_apart_however_few_there_are(tmp_path):
    coco(tmp_path, [[square(1, 4, 4, 9)], [square(2, 5, 5, 6)]])
    model = LabelSpace(("background", "soil", "cell"), things=("cell",))
    dataset = open_dataset(tmp_path, label_space=model, allow=("FEW_SAMPLES",))
    assert dataset.label_space == model
    assert [dataset.load(item).objects.classes.tolist() for item in dataset.items] == [[2], []]
    (tmp_path / "limner.toml").write_text('task = "semantic"\n')
    assert open_dataset(tmp_path, label_space=model, allow=("FEW_SAMPLES",)).label_space.things == ()


def test_a_model_without_things_meets_the_objects_of_the_data(tmp_path):
    coco(tmp_path, [[square(1, 4, 4, 9), square(1, 20, 4, 9)], [square(2, 5, 5, 6)]])
    model = LabelSpace(("background", "soil", "cell"))
    dataset = open_dataset(tmp_path, label_space=model, allow=("FEW_SAMPLES",))
    assert dataset.label_space.names == model.names and set(dataset.label_space.things) == {"cell", "soil"}
    assert dataset.load(dataset.items[0]).objects.classes.tolist() == [2, 2]
