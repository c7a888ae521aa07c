"""What lies on top stays on top, whether the format says so by numbers, by the order of its records, or not at all."""

import json

import numpy as np
import pytest
from PIL import Image

from limner.api.convert import convert, writable
from limner.data.dataset import open_dataset
from tests.make_data import picture, save

SIZE = (30, 47)
ALLOW = ("FEW_SAMPLES", "EMPTY_MASKS")
ORDERED = ["masks", "cvat", "label-studio", "labelme", "labelme-xml", "via-csv", "via1", "via2", "via3"]
RECTS = {"cell": (5, 4, 30, 20), "nucleus": (12, 8, 9, 7), "dot": (14, 10, 3, 2)}


def corners(x, y, w, h):
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


@pytest.mark.parametrize("to", writable())
def test_numbers_of_order_are_obeyed(tmp_path, to):
    """CVAT lists the upper ones first and says by z_order that they are."""
    shapes = ""
    for z, name in reversed(list(enumerate(RECTS))):
        points = ";".join(f"{x},{y}" for x, y in corners(*RECTS[name]))
        shapes += f'<polygon label="{name}" points="{points}" z_order="{z}"/>'
    save(tmp_path / "in/p.png", picture(3, SIZE))
    image = f'<image id="0" name="p.png" width="{SIZE[1]}" height="{SIZE[0]}">{shapes}</image>'
    (tmp_path / "in/a.xml").write_text(f"<annotations><version>1.1</version>{image}</annotations>")
    expected = np.full(SIZE, "background", object)
    for name, (x, y, w, h) in RECTS.items():
        expected[y : y + h, x : x + w] = name
    convert(tmp_path / "in", tmp_path / "out", to=to)
    convert(tmp_path / "out", tmp_path / "masks")
    dataset = open_dataset(tmp_path / "masks", allow=ALLOW)
    names = np.array(dataset.label_space.names, object)
    assert (names[np.array(Image.open(tmp_path / "masks/masks/p.png"))] == expected).all()


@pytest.mark.parametrize("to", [*ORDERED, "coco", "yolo-seg", "coco-panoptic"])
def test_a_small_object_listed_before_a_large_one_stays(tmp_path, to):
    save(tmp_path / "in/p.png", picture(3, SIZE))
    rings = [[value for point in corners(*RECTS[name]) for value in point] for name in ("dot", "nucleus", "cell")]
    records = [
        {"id": i, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [r]} for i, r in enumerate(rings, 1)
    ]
    image = {"id": 1, "file_name": "p.png", "height": SIZE[0], "width": SIZE[1]}
    document = {"images": [image], "annotations": records, "categories": [{"id": 1, "name": "cell"}]}
    (tmp_path / "in/a.json").write_text(json.dumps(document))
    convert(tmp_path / "in", tmp_path / "out", to=to)
    (item,) = (dataset := open_dataset(tmp_path / "out", allow=ALLOW)).items
    areas = sorted(dataset.load(item).objects.areas().tolist())
    assert [area for area in areas if area] == [6, 63 - 6, 600 - 63]
