"""Annotation files as data sets: pictures found, classes chosen, every doubt a finding."""

import json

import numpy as np
import PIL.Image
import pytest

from limner.core.errors import DataError
from limner.data.annotated_set import Annotated
from limner.data.dataset import open_dataset
from limner.data.open_layout import find_annotated, open_layout

SIZE = (20, 30)  # height, width


def picture(path, *, seed=0, orientation=None):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = PIL.Image.fromarray(rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8))
    exif = image.getexif()
    if orientation:
        exif[0x0112] = orientation
    image.save(path, exif=exif)


def rect(x, y, width, height, **attributes):
    shape = {"name": "rect", "x": x, "y": y, "width": width, "height": height}
    return {"shape_attributes": shape, "region_attributes": attributes}


def via(path, images):
    document = {
        f"{name}-1": {"filename": name, "size": -1, "regions": regions, "file_attributes": {}}
        for name, regions in images.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        picture(tmp_path / name, seed=seed)
    regions = {"a.png": [rect(2, 3, 4, 5, kind="leaf")], "b.png": [rect(0, 0, 30, 20, kind="stem")], "c.png": []}
    via(tmp_path / "drawn.json", regions)
    return tmp_path


@pytest.mark.parametrize("data", ["", "drawn.json"])
def test_a_folder_and_its_file_are_the_same_data_set(folder, data):
    dataset = open_dataset(folder / data, allow=("FEW_SAMPLES",))
    assert dataset.format == "via2"
    assert dataset.label_space.names == ("background", "leaf", "stem")
    labels = {item.name: dataset.load(item).labels for item in dataset.items}
    expected = np.zeros(SIZE, int)
    expected[3:8, 2:6] = 1
    np.testing.assert_array_equal(labels["a.png"], expected)
    assert (labels["b.png"] == 2).all()
    assert not labels["c.png"].any()
    assert dataset.facts["a.png"].pixels == {0: 580, 1: 20}


def test_masks_go_before_annotation_files(folder):
    for name in ("a", "b", "c"):
        (folder / "images").mkdir(exist_ok=True)
        (folder / "masks").mkdir(exist_ok=True)
        (folder / f"{name}.png").rename(folder / "images" / f"{name}.png")
        PIL.Image.fromarray(np.eye(*SIZE, dtype=np.uint8)).save(folder / "masks" / f"{name}.png")
    assert open_layout(folder)[1].format == "folders"


def test_declared_classes_fix_the_ids_and_others_are_errors(folder):
    (folder / "limner.toml").write_text('classes = ["background", "stem", "leaf"]\n')
    dataset = open_dataset(folder, allow=("FEW_SAMPLES",))
    assert dataset.load(dataset.items[0]).labels[4, 4] == 2
    (folder / "limner.toml").write_text('classes = ["background", "stem"]\n')
    with pytest.raises(DataError, match=r"UNKNOWN_VALUE.*leaf"):
        open_dataset(folder)


def test_missing_and_unused_pictures_are_named(folder):
    (folder / "b.png").rename(folder / "other.png")
    _, layout = open_layout(folder)
    found = {finding.code: finding for finding in layout.findings}
    assert (found["UNPAIRED_MASK"].level, found["UNPAIRED_MASK"].files) == ("error", ("b.png",))
    assert (found["UNPAIRED_IMAGE"].level, found["UNPAIRED_IMAGE"].files) == ("warning", ("other.png",))


def test_two_formats_are_not_guessed(folder):
    (folder / "coco.json").write_text(
        json.dumps({"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []})
    )
    regions = [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5]], "bbox": [0, 0, 5, 5]}]
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 30, "height": 20}],
        "annotations": regions,
        "categories": [{"id": 1, "name": "leaf"}],
    }
    (folder / "coco.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"several formats: coco \(coco.json\), via2 \(drawn.json\)"):
        open_layout(folder)


def test_files_of_split_folders_give_the_split(tmp_path):
    for part in ("train", "test"):
        picture(tmp_path / part / "1.png", seed=len(part))
        via(tmp_path / part / "via.json", {"1.png": [rect(1, 1, 5, 5, kind=part)]})
    dataset = open_dataset(tmp_path, allow=("FEW_SAMPLES",))
    assert {item.name: item.split for item in dataset.items} == {"train/1.png": "train", "test/1.png": "test"}
    assert dataset.load(dataset.items[0]).labels[2, 2] == 1  # test/1.png with the class of its own file


def test_boxes_of_coco_are_not_known(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", seed=1)
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [], "bbox": [0, 0, 10, 10]},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [[2, 2, 6, 2, 6, 6, 2, 6]], "bbox": [2, 2, 4, 4]},
    ]
    images = [{"id": i, "file_name": f"{name}.png", "width": 30, "height": 20} for i, name in ((1, "a"), (2, "b"))]
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]}
    (tmp_path / "x.json").write_text(json.dumps(document))
    dataset = open_dataset(tmp_path, allow=("FEW_SAMPLES",))
    sample = dataset.load(dataset.items[0])
    assert sample.labels.sum() == 16
    assert (~sample.valid).sum() == 100 - 16
    assert any(f.code == "MASK_VALUES" and "no outline" in f.message for f in dataset.findings)


def test_another_size_and_a_turned_picture_are_errors(tmp_path):
    picture(tmp_path / "turned.jpg", orientation=6)
    document = {
        "images": [{"id": 1, "file_name": "turned.jpg", "width": 30, "height": 20}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5]], "bbox": [0, 0, 5, 5]}
        ],
    }
    (tmp_path / "x.json").write_text(json.dumps(document))
    assert ("ORIENTATION", "error") in {(f.code, f.level) for f in open_layout(tmp_path)[1].findings}
    document["images"][0]["width"] = 31
    (tmp_path / "x.json").write_text(json.dumps(document))
    assert ("SIZE_MISMATCH", "error") in {(f.code, f.level) for f in open_layout(tmp_path)[1].findings}


def test_a_picture_inside_its_annotation(tmp_path):
    import base64
    import io

    buffer = io.BytesIO()
    PIL.Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(buffer, "PNG")
    shapes = [{"label": "leaf", "points": [[0, 0], [10, 8]], "shape_type": "rectangle", "group_id": None, "flags": {}}]
    document = {
        "version": "5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": "gone.png",
        "imageHeight": 20,
        "imageWidth": 30,
        "imageData": base64.b64encode(buffer.getvalue()).decode(),
    }
    (tmp_path / "gone.json").write_text(json.dumps(document))
    _, layout = open_layout(tmp_path / "gone.json")
    dataset = open_dataset(tmp_path / "gone.json", allow=("FEW_SAMPLES", "CONSTANT_IMAGE"))
    assert [item.name for item in layout.items] == ["gone.png"]
    sample = dataset.load(dataset.items[0])
    assert (sample.image == 90).all()
    assert sample.labels.sum() == 80


def test_damaged_and_unknown_files(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "broken.json").write_text('{"a": ')
    (tmp_path / "other.json").write_text('{"name": "package"}')
    with pytest.raises(DataError, match=r"broken\.json"):
        find_annotated(tmp_path / "broken.json")
    with pytest.raises(DataError, match="no annotation file that is known"):
        find_annotated(tmp_path / "other.json")
    assert not isinstance(find_annotated(tmp_path), Annotated)  # pictures without masks, as before
