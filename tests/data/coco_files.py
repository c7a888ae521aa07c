"""COCO files and their pictures, tiny and asymmetric, for tests of what several files say together."""

import json

import numpy as np
import PIL.Image

SIZE = (20, 30)  # height, width


def pictures(root, *names):
    """Different noise in each."""
    for seed, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3))
        PIL.Image.fromarray(noise.astype(np.uint8)).save(path)


def coco(path, regions):
    """`regions` has for each picture the left edges of its rectangles, 4 wide and 5 high."""
    document = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cell"}]}
    for number, (name, edges) in enumerate(regions.items(), start=1):
        document["images"].append({"id": number, "file_name": name, "width": SIZE[1], "height": SIZE[0]})
        for x in edges:
            ring = [x, 2, x + 4, 2, x + 4, 7, x, 7]
            box = {"bbox": [x, 2, 4, 5], "area": 20, "iscrowd": 0}
            record = {"id": len(document["annotations"]) + 1, "image_id": number, "category_id": 1}
            document["annotations"].append({**record, **box, "segmentation": [ring]})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def cut(path, num_bytes=9):
    """The file without its end, as after a full disk."""
    path.write_bytes(path.read_bytes()[:-num_bytes])


def edges(layout):
    """Left edges of the regions of each picture, in the order in which they are drawn."""
    return {
        item.name: [int(region.shape.rings[0][:, 0].min()) for region in item.drawing.annotation.regions]
        for item in layout.items
    }


def codes(findings):
    """Code, level and count of each finding."""
    return [(one.code, one.level, one.count) for one in findings]
