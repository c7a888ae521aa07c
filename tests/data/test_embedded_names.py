"""Pictures that lie inside annotation files are told apart, whatever name each file gives them."""

import base64
import io
import json

import numpy as np
from PIL import Image

from limner.data.dataset import open_dataset

ALLOW = ("FEW_SAMPLES", "EMPTY_MASKS")


def test_pictures_of_one_name_inside_annotation_files_are_items_of_their_own(tmp_path):
    for index, folder in enumerate(("one", "two")):
        buffer = io.BytesIO()
        Image.fromarray(np.full((12, 19, 3), 90 * index + 5, np.uint8)).save(buffer, format="PNG")
        shape = {"label": "cell", "points": [[1 + index, 2], [9, 2], [6, 9]], "shape_type": "polygon"}
        document = {"shapes": [shape], "imagePath": "p.png", "imageHeight": 12, "imageWidth": 19}
        document["imageData"] = base64.b64encode(buffer.getvalue()).decode()
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.json").write_text(json.dumps(document))
    dataset = open_dataset(tmp_path, allow=ALLOW)
    assert [item.name for item in dataset.items] == ["one/p.png", "two/p.png"]
    assert [int(dataset.facts[item.name].highest) for item in dataset.items] == [5, 95]
    (tmp_path / "splits.csv").write_text("image,split\none/p.png,train\ntwo/p.png,val\n")
    assert [item.split for item in open_dataset(tmp_path, allow=ALLOW).items] == ["train", "val"]
