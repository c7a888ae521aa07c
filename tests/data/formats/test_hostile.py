"""Spoilt files of every format are read or refused; the large version is `python -m benchmarks.fuzz_formats`."""

import json
import sys

import pytest

from limner.data.formats import FORMATS

XS, YS = [2, 20, 20, 2], [3, 3, 12.5, 12]
POLYGON = {"name": "polygon", "all_points_x": XS, "all_points_y": YS}
FLAT = [2, 3, 20, 3, 20, 12.5, 2, 12]
VIA_RECORD = {
    "filename": "a.jpg",
    "size": 1234,
    "file_attributes": {"quality": "good"},
    "regions": [
        {"shape_attributes": POLYGON, "region_attributes": {"type": "cell", "ok": {"yes": True}}},
        {
            "shape_attributes": {"name": "ellipse", "cx": 9, "cy": 8, "rx": 5, "ry": 3.5, "theta": 0.5},
            "region_attributes": {"type": "x"},
        },
        {
            "shape_attributes": {"name": "rect", "x": 1, "y": 2, "width": 7, "height": 6},
            "region_attributes": {"type": "cell"},
        },
    ],
}
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 30, "height": 20}],
    "categories": [{"id": 3, "name": "cell"}],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 3,
            "segmentation": [FLAT],
            "bbox": [2, 3, 18, 9.5],
            "area": 170,
            "iscrowd": 0,
        },
        {
            "id": 2,
            "image_id": 1,
            "category_id": 3,
            "iscrowd": 1,
            "segmentation": {"counts": [100, 50, 450], "size": [20, 30]},
        },
    ],
}
PANOPTIC = {
    "images": COCO["images"],
    "categories": [{"id": 3, "name": "cell", "isthing": 1}],
    "annotations": [
        {
            "image_id": 1,
            "file_name": "a.png",
            "segments_info": [{"id": 7, "category_id": 3, "area": 9, "bbox": [1, 2, 3, 3]}],
        }
    ],
}
LABELME = {
    "version": "5.2.1",
    "flags": {},
    "imagePath": "a.jpg",
    "imageData": None,
    "imageHeight": 20,
    "imageWidth": 30,
    "shapes": [
        {
            "label": "cell",
            "points": [[2, 3], [20, 3], [20, 12.5]],
            "group_id": None,
            "shape_type": "polygon",
            "flags": {},
        },
        {"label": "cell", "points": [[9, 8], [12, 8]], "group_id": 1, "shape_type": "circle", "flags": {}},
    ],
}
STUDIO = [
    {
        "id": 1,
        "data": {"image": "/data/upload/1/0a1b2c3d-a.jpg"},
        "annotations": [
            {
                "id": 1,
                "result": [
                    {
                        "id": "q",
                        "type": "polygonlabels",
                        "from_name": "label",
                        "to_name": "image",
                        "original_width": 30,
                        "original_height": 20,
                        "image_rotation": 0,
                        "value": {"points": [[10, 10], [60, 20], [30, 70]], "polygonlabels": ["cell"]},
                    }
                ],
            }
        ],
    }
]
VIA3 = {
    "project": {"pid": "__VIA_PROJECT_ID__", "data_format_version": "3.1.1", "vid_list": ["1"]},
    "config": {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}},
    "attribute": {
        "1": {
            "aname": "type",
            "anchor_id": "FILE1_Z0_XY1",
            "type": 4,
            "options": {"0": "cell"},
            "default_option_id": "",
        }
    },
    "file": {"1": {"fid": "1", "fname": "a.jpg", "type": 2, "loc": 1, "src": ""}},
    "metadata": {"1_q": {"vid": "1", "flg": 0, "z": [], "xy": [7, *FLAT], "av": {"1": "0"}}},
    "view": {"1": {"fid_list": ["1"]}},
}
CSV = """filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes
a.jpg,1234,"{}",2,0,"{""name"":""polygon"",""all_points_x"":[2,20,20],""all_points_y"":[3,3,12]}","{""type"":""cell""}"
a.jpg,1234,"{}",2,1,"{""name"":""rect"",""x"":1,""y"":2,""width"":7,""height"":6}","{""type"":""x""}"
b.jpg,99,"{}",0,0,"{}","{}"
"""
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>t</name><labels><label><name>cell</name></label></labels></task></meta>
<image id="0" name="a.jpg" width="30" height="20">
<polygon label="cell" occluded="0" points="2.00,3.00;20.00,3.00;20.00,12.50" z_order="0"><attribute name="q">1</attribute></polygon>
<mask label="cell" occluded="0" rle="3, 4, 5" left="2" top="3" width="4" height="3" z_order="1"></mask>
<box label="cell" occluded="0" xtl="1" ytl="2" xbr="7" ybr="9" z_order="0"></box>
</image></annotations>
"""
LABELME_XML = """<annotation><filename>a.jpg</filename><folder>f</folder>
<imagesize><nrows>20</nrows><ncols>30</ncols></imagesize>
<object><name>cell</name><deleted>0</deleted><verified>0</verified><id>0</id><parts><hasparts></hasparts><ispartof></ispartof></parts>
<polygon><username>x</username><pt><x>2</x><y>3</y></pt><pt><x>20</x><y>3</y></pt><pt><x>20</x><y>12</y></pt></polygon></object>
</annotation>
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and measures memory as Linux does")


@pytest.fixture
def corpus(tmp_path):
    """A small file of every format, and what belongs to it."""
    files = {
        "via1.json": {
            "a.jpg1234": VIA_RECORD
            | {"fileref": "", "base64_img_data": "", "regions": dict(enumerate(VIA_RECORD["regions"]))}
        },
        "via2.json": {
            "_via_settings": {},
            "_via_img_metadata": {"a.jpg1234": VIA_RECORD},
            "_via_attributes": {"region": {}, "file": {}},
        },
        "via3.json": VIA3,
        "coco.json": COCO,
        "panoptic.json": PANOPTIC,
        "labelme.json": LABELME,
        "studio.json": STUDIO,
        "results.json": [
            {
                "image_id": 1,
                "category_id": 3,
                "bbox": [1, 2, 3, 4],
                "score": 0.5,
                "segmentation": {"counts": "VaT11h0", "size": [20, 30]},
            }
        ],
        "predictions.json": [{"score": 0.5, "model_version": "1", "result": STUDIO[0]["annotations"][0]["result"]}],
        "via.csv": CSV,
        "cvat.xml": CVAT,
        "labelme.xml": LABELME_XML,
        "yolo/labels/a.txt": "0 0.1 0.1 0.6 0.2 0.3 0.7\n1 0.5 0.5 0.2 0.2 0.4 0.9 0.1 0.1\n",
        "yolo/data.yaml": "path: .\nnames:\n  0: cell\n  1: background\n",
    }
    for name, content in files.items():
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return tmp_path / "corpus"


def test_spoilt_files_of_every_format_are_read_or_refused(corpus):
    from benchmarks.fuzz_formats import fuzz  # its limits exist on Linux alone

    counts = fuzz(corpus, number=20, seed=3, with_bombs=False, show=False)
    assert set(counts) == set(FORMATS)
    assert not [offender for count in counts.values() for offender in count.offenders]
    assert all(count.total == 20 for count in counts.values())
    assert sum(count.outcomes["refused"] for count in counts.values()) > 20
    assert sum(count.outcomes["read"] for count in counts.values()) > 20
