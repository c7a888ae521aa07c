"""Objects are written in every format that holds them, and read back as they were."""

import json

import numpy as np
import pytest
from PIL import Image

from limner.api.convert import convert
from limner.data.dataset import open_dataset
from tests.make_data import picture

SIZE = (41, 59)
ALLOW = ("FEW_SAMPLES", "EMPTY_MASKS")


def scene(seed):
    """Class ids and object ids: a ring with an object in it, two that touch, one in two pieces, stuff in two pieces."""
    labels, ids = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint16)
    for number, index, place in (
        (9, 1, np.s_[3:17, 3 : 19 + seed]), (0, 0, np.s_[6:14, 6:15]), (4, 1, np.s_[8:11, 8:12]),
        (7, 2, np.s_[20:30, 5:15]), (5, 2, np.s_[20:30, 15:22]), (300, 1, np.s_[33:37, 4:9]),
        (300, 1, np.s_[33:37, 12:18]), (0, 3, np.s_[2:39, 30:40]), (0, 3, np.s_[2:20, 45:56]),
    ):  # fmt: skip
        labels[place], ids[place] = index, number
    return labels, ids


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    for seed in (0, 2, 5):
        labels, ids = scene(seed)
        for kind, array in (("images", picture(seed, SIZE)), ("masks", labels), ("instances", ids)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / kind / f"p{seed}.png")
    (root / "limner.toml").write_text('classes = ["background", "cell", "fibre", "gel"]\nthings = ["cell", "fibre"]\n')
    return root


def assert_same(one, two):
    """The same classes, things, labels and objects, by name."""
    first, second = open_dataset(one, allow=ALLOW), open_dataset(two, allow=ALLOW)
    names, others = np.array(first.label_space.names), np.array(second.label_space.names)
    assert set(first.label_space.things) == set(second.label_space.things)
    assert len(first) == len(second)
    for item, again in zip(first.items, second.items, strict=True):
        a, b = first.load(item), second.load(again)
        assert (names[a.labels] == others[b.labels]).all() and (a.valid is None) == (b.valid is None)
        assert (a.objects.ids == b.objects.ids).all()
        assert (names[a.objects.classes] == others[b.objects.classes]).all()


@pytest.mark.parametrize("to", ["masks", "coco", "coco-panoptic"])
def test_things_and_stuff_come_back_as_they_were(data, tmp_path, to):
    result = convert(data, tmp_path / "out", to=to)
    assert result["objects"] == 15 and result["classes"] == {"cell": 9, "fibre": 6, "gel": 3}
    assert_same(data, tmp_path / "out")
    convert(tmp_path / "out", tmp_path / "masks")
    assert_same(data, tmp_path / "masks")


def test_what_is_written(data, tmp_path):
    convert(data, tmp_path / "masks")
    ids = np.array(Image.open(tmp_path / "masks/instances/p2.png"))
    assert ids.dtype == np.uint16 and ids.max() == 5 and ((ids > 0) == (scene(2)[1] > 0)).all()
    assert 'things = ["cell", "fibre"]' in (tmp_path / "masks/limner.toml").read_text()
    convert(data, tmp_path / "coco", to="coco")
    document = json.loads((tmp_path / "coco/annotations.json").read_text())
    kinds = {category["name"]: category["isthing"] for category in document["categories"]}
    assert kinds == {"cell": 1, "fibre": 1, "gel": 0}
    first = [record for record in document["annotations"] if record["image_id"] == document["images"][0]["id"]]
    assert len(first) == 7  # five objects, two patches of stuff
    assert sum(isinstance(record["segmentation"], dict) for record in first) == 1  # the ring, which has a hole
    rings = [len(record["segmentation"]) for record in first if isinstance(record["segmentation"], list)]
    assert sorted(rings) == [1, 1, 1, 1, 1, 2]
    convert(data, tmp_path / "panoptic", to="coco-panoptic")
    document = json.loads((tmp_path / "panoptic/panoptic.json").read_text())
    segments = document["annotations"][0]["segments_info"]
    gel = next(category["id"] for category in document["categories"] if category["name"] == "gel")
    assert len(segments) == 6 and [s["area"] for s in segments if s["category_id"] == gel] == [37 * 10 + 18 * 11]


def test_sets_without_stuff_say_nothing_of_it(data, tmp_path):
    (data / "limner.toml").write_text('classes = ["background", "cell", "fibre", "gel"]\ntask = "instance"\n')
    convert(data, tmp_path / "coco", to="coco")
    document = json.loads((tmp_path / "coco/annotations.json").read_text())
    assert all("isthing" not in category for category in document["categories"])


@pytest.mark.parametrize("to", ["labelme", "via3", "cvat", "label-studio"])
def test_objects_in_formats_of_polygons(data, tmp_path, to):
    (data / "limner.toml").write_text('classes = ["background", "cell", "fibre", "gel"]\ntask = "instance"\n')
    for seed in (0, 2, 5):
        labels, ids = scene(seed)
        ids[labels == 3] = 77
        Image.fromarray(ids).save(data / f"instances/p{seed}.png")
    convert(data, tmp_path / "out", to=to)
    (tmp_path / "out/limner.toml").write_text('classes = ["background", "cell", "fibre", "gel"]\n')
    assert_same(data, tmp_path / "out")


def test_a_pixel_has_one_segment_by_the_rule_that_reads_it(tmp_path):
    """COCO has no order: of one class the smaller is on top, in the panoptic file as when it is read."""
    root = tmp_path / "coco"
    root.mkdir()
    Image.fromarray(picture(1, SIZE)).save(root / "p.png")
    rings = [(5, 5, 6, 6), (2, 2, 30, 20), (25, 10, 12, 9)]
    shapes = [[x, y, x + w, y, x + w, y + h, x, y + h] for x, y, w, h in rings]
    records = [
        {"id": i, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [s]} for i, s in enumerate(shapes, 1)
    ]
    image = {"id": 1, "file_name": "p.png", "height": SIZE[0], "width": SIZE[1]}
    document = {"images": [image], "annotations": records, "categories": [{"id": 1, "name": "cell"}]}
    (root / "a.json").write_text(json.dumps(document))
    convert(root, tmp_path / "out", to="coco-panoptic")
    assert_same(root, tmp_path / "out")


def test_parts_of_a_group_become_one_object(tmp_path):
    root = tmp_path / "labelme"
    root.mkdir()
    Image.fromarray(picture(1, SIZE)).save(root / "p.png")
    corners = [(2, 3, 9, 8), (15, 3, 20, 12), (30, 20, 41, 33)]
    shapes = [
        {"label": "cell", "shape_type": "rectangle", "points": [[a, b], [c, d]], "group_id": group, "flags": {}}
        for (a, b, c, d), group in zip(corners, (4, 4, None), strict=True)
    ]
    size = {"imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    document = {"version": "5.0.1", "flags": {}, "shapes": shapes, "imagePath": "p.png", "imageData": None, **size}
    (root / "p.json").write_text(json.dumps(document))
    dataset = open_dataset(root, allow=ALLOW)
    assert len(dataset.load(dataset.items[0]).objects) == 2
    for to in ("coco", "coco-panoptic"):
        convert(root, tmp_path / to, to=to)
        assert_same(root, tmp_path / to)
