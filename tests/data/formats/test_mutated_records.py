"""Small files in which one or several values are replaced by what nobody expects: read or refused, never an exception."""

from __future__ import annotations

import copy
import json
import math
import random
from pathlib import Path
from xml.etree import ElementTree

import pytest

from limner.core.annotation import AnnotationSet
from limner.data.formats import coco, coco_panoptic, cvat, label_studio, yolo_seg
from limner.data.formats.format import Content
from tests.data.formats.contents import json_content

NASTY = [
    None, True, "", "x", "../x", "__proto__", -1, 0, 1e300, -1e9, 10**18, 2**24, 2**31, [], {}, [[]], [None], {"a": 1}, "1e400",
    "nan", "0", [1, 2, 3], [[1, 2, 3]], [[0, 0, 1, 1]], "a" * 3000, 3.7, [[[0, 0], [1, 1]]], "\u0669", "-0", [True, 1],
]  # fmt: skip
COCO = {
    "images": [
        {"id": 1, "file_name": "a.png", "width": 8, "height": 6},
        {"id": 2, "file_name": "b.png", "width": 3, "height": 2},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "segmentation": [[0, 0, 4, 0, 0, 4]],
            "area": 8,
            "bbox": [0, 0, 4, 4],
            "iscrowd": 0,
        },
        {"id": 2, "image_id": 2, "category_id": 0, "segmentation": {"size": [2, 3], "counts": [1, 2, 3]}, "iscrowd": 1},
        {
            "id": 3,
            "image_id": 2,
            "category_id": 2,
            "segmentation": {"size": [2, 3], "counts": "123"},
            "attributes": {"a": 1},
        },
        {"id": 4, "image_id": 1, "category_id": 2, "segmentation": [], "bbox": [1, 1, 2, 2]},
    ],
    "categories": [{"id": 0, "name": "all"}, {"id": 1, "name": "a", "supercategory": "all"}, {"id": 2, "name": "b"}],
}
PANOPTIC = {
    "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 6}],
    "annotations": [
        {
            "image_id": 1,
            "file_name": "a.png",
            "segments_info": [{"id": 5, "category_id": 1}, {"id": 6, "category_id": 2}],
        }
    ],
    "categories": [{"id": 1, "name": "a", "isthing": 1}],
}
RESULTS = [
    {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2], "score": 0.5},
    {"image_id": 2, "category_id": 1, "segmentation": [[0, 0, 4, 0, 0, 4]]},
]
SIZED = {"original_width": 10, "original_height": 5}
TASKS = [
    {
        "id": 1,
        "data": {"image": "/data/upload/1/0a1b2c3d-a.png"},
        "predictions": [],
        "annotations": [
            {
                "was_cancelled": False,
                "result": [
                    {
                        "id": "a",
                        "type": "polygonlabels",
                        **SIZED,
                        "value": {"points": [[0, 0], [50, 0], [0, 50]], "polygonlabels": ["x"]},
                    },
                    {
                        "id": "b",
                        "type": "rectanglelabels",
                        **SIZED,
                        "value": {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 5, "rectanglelabels": ["y"]},
                    },
                    {
                        "id": "c",
                        "type": "ellipselabels",
                        "value": {"x": 1, "y": 2, "radiusX": 3, "radiusY": 4, "ellipselabels": ["y"]},
                    },
                    {
                        "id": "d",
                        "type": "brushlabels",
                        **SIZED,
                        "value": {"format": "rle", "rle": [0, 0, 0, 200, 57, 27, 255, 200], "brushlabels": ["y"]},
                    },
                    {"id": "e", "type": "choices", "from_name": "q", "value": {"choices": ["yes"]}},
                ],
            }
        ],
    },
    {"id": 2, "image": "b.png", "label": [{"x": 1, "y": 2, "width": 3, "keypointlabels": ["z"], **SIZED}]},
]
CVAT = """<annotations><version>1.1</version><meta><task><labels><label><name>a</name></label></labels></task></meta>
<image id="0" name="a.png" width="9" height="5"><polygon label="a" points="0,0;4,0;0,4" z_order="1"/>
<box label="a" xtl="0" ytl="0" xbr="2" ybr="2" rotation="30" occluded="1" group_id="2"><attribute name="q">1</attribute></box>
<mask label="a" rle="1, 2, 3" left="1" top="1" width="3" height="2"/><ellipse label="a" cx="2" cy="2" rx="1" ry="1"/>
<points label="a" points="1,1;2,2"/><polyline label="a" points="1,1;2,2"/><tag label="t"/></image></annotations>"""


def places(node, path=()):
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def mutated(document, draw: random.Random):
    document = copy.deepcopy(document)
    for _ in range(draw.choice([1, 1, 2, 4])):
        paths = [place for place in places(document) if place]
        if not paths:
            break
        path = draw.choice(paths)
        node = document
        for key in path[:-1]:
            node = node[key]
        if draw.random() < 0.2:
            del node[path[-1]]
        else:
            node[path[-1]] = copy.deepcopy(draw.choice(NASTY))
    return document


def read_and_write(entry, content: Content, folder: Path, number: int) -> AnnotationSet:
    """Writing waits for the disk, so only some are written; and no picture of a hundred million pixels."""
    found = entry.read(content)
    assert all(problem.code and problem.message and problem.file for problem in (*found.warnings, *found.refused))
    if number % 5 == 0 and all(image.size_hw is None or math.prod(image.size_hw) < 10**6 for image in found.images):
        entry.write(found, folder)
    return found


@pytest.mark.parametrize(
    ("entries", "document"),
    [
        ((coco.FORMAT,), COCO), ((coco.RESULTS,), RESULTS), ((coco_panoptic.FORMAT,), PANOPTIC),
        ((label_studio.FORMAT, label_studio.PREDICTIONS), TASKS),
    ],
)  # fmt: skip
def test_json(entries, document, tmp_path):
    assert entries[0].read(json_content(document)).images
    draw = random.Random(7)
    read = 0
    for number in range(300):
        content = json_content(mutated(document, draw))
        entry = next((entry for entry in entries if entry.sniff(content)), None)
        if entry is not None:
            read_and_write(entry, content, tmp_path, number)
            read += 1
    assert read > 200


def test_xml(tmp_path):
    draw = random.Random(8)
    for number in range(300):
        root = ElementTree.fromstring(CVAT)
        for _ in range(draw.choice([1, 1, 2, 4])):
            element = draw.choice(list(root.iter()))
            if element.attrib and draw.random() < 0.8:
                value = draw.choice(NASTY)
                element.set(draw.choice(list(element.attrib)), value if isinstance(value, str) else json.dumps(value))
            else:
                element.tag = draw.choice(["x", "mask", "box", "polygon", "points", "image", "labels", "meta", "name"])
        content = Content(Path("a.xml"), "", xml=root)
        if cvat.sniff(content):
            read_and_write(cvat.FORMAT, content, tmp_path, number)


def test_text(tmp_path):
    draw = random.Random(9)
    base = "0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.5 0.5 0.2 0.2\n0 0 0 1 0 1 1 0.5 0.2\n"
    for number in range(300):
        words = base.split(" ")
        for _ in range(draw.choice([1, 1, 2, 4])):
            value = draw.choice(NASTY)
            words[draw.randrange(len(words))] = value if isinstance(value, str) else json.dumps(value)
        read_and_write(yolo_seg.FORMAT, Content(tmp_path / "a.txt", " ".join(words)), tmp_path / "out", number)
