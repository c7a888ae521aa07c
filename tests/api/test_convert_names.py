"""No picture and no mask takes the place of another: names that repeat are told apart, or nothing is written."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from limner.api.convert import convert, writable
from limner.core.errors import DataError
from limner.data.dataset import open_dataset
from tests.make_data import picture, save

SIZE = (20, 31)
ALLOW = ("FEW_SAMPLES", "EMPTY_MASKS")
FORMATS = [name for name in writable() if name != "masks"]


def block(index):
    """A rectangle whose place says which picture it belongs to: x, y, width, height."""
    return 1 + 6 * index, 2 + index, 4, 7


def ring(index):
    x, y, w, h = block(index)
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def drawn(index, size_hw=SIZE):
    x, y, w, h = block(index)
    ids = np.zeros(size_hw, np.uint8)
    ids[y : y + h, x : x + w] = 1
    return ids


def coco(path, names, first=0):
    images = [{"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]} for i, name in enumerate(names)]
    records = [
        {"id": i + 1, "image_id": i, "category_id": 1, "iscrowd": 0, "segmentation": [ring(first + i)]}
        for i in range(len(names))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": records, "categories": [{"id": 1, "name": "cell"}]}))


def via(path, pictures):
    """One file that tells pictures of one name apart by their size in bytes."""
    document = {}
    for index, file in enumerate(pictures):
        x, y, w, h = block(index)
        size = file.stat().st_size
        region = {"shape_attributes": {"name": "rect", "x": x, "y": y, "width": w, "height": h}}
        region["region_attributes"] = {"class": "cell"}
        document[f"{file.name}{size}"] = {
            "filename": file.name,
            "size": size,
            "regions": [region],
            "file_attributes": {},
        }
    path.write_text(json.dumps(document))


def masks_by_pixels(folder):
    """The mask that each picture is read with, by the bytes of its pixels: names do not matter."""
    dataset = open_dataset(folder, allow=ALLOW)
    samples = [dataset.load(item) for item in dataset.items]
    found = {sample.image.tobytes(): (sample.labels > 0).astype(np.uint8) for sample in samples}
    assert len(found) == len(samples)
    return found


def assert_own(folder, seeds):
    found = masks_by_pixels(folder)
    assert len(found) == len(seeds)
    for index, seed in enumerate(seeds):
        np.testing.assert_array_equal(found[picture(seed, SIZE).tobytes()], drawn(index))


@pytest.mark.parametrize("to", ["masks", *FORMATS])
def test_one_name_in_two_folders(tmp_path, to):
    for index, part in enumerate(("train", "val")):
        save(tmp_path / f"in/{part}/001.png", picture(index, SIZE))
        coco(tmp_path / f"in/{part}/annotations.json", ["001.png"], first=index)
    result = convert(tmp_path / "in", tmp_path / "out", to=to)
    assert_own(tmp_path / "out", (0, 1))
    assert {path.relative_to(tmp_path / "out/images").as_posix() for path in (tmp_path / "out/images").rglob("*.png")} == {
        "train/001.png", "val/001.png",
    }  # fmt: skip
    told = [warning["message"] for warning in result["warnings"] if warning["code"] == "name-changed"]
    assert to == "masks" or "001.png as val/001.png" in told[0]


@pytest.mark.parametrize("to", ["masks", "coco", "yolo-seg", "via2", "via-csv", "labelme"])
def test_one_name_told_apart_by_size_in_bytes(tmp_path, to):
    save(tmp_path / "in/a/001.png", picture(0, SIZE))
    (tmp_path / "in/b").mkdir()
    Image.fromarray(picture(1, SIZE)).save(tmp_path / "in/b/001.png", compress_level=0)
    via(tmp_path / "in/via.json", [tmp_path / "in/a/001.png", tmp_path / "in/b/001.png"])
    convert(tmp_path / "in", tmp_path / "out", to=to)
    assert_own(tmp_path / "out", (0, 1))


@pytest.mark.parametrize("to", ["masks", *FORMATS])
def test_suffixes_alone_differ(tmp_path, to):
    for index, name in enumerate(("a.bmp", "A.png", "b.png")):
        save(tmp_path / "in" / name, picture(index, SIZE))
    coco(tmp_path / "in/ann.json", ["a.bmp", "A.png", "b.png"])
    convert(tmp_path / "in", tmp_path / "out", to=to)
    assert_own(tmp_path / "out", (0, 1, 2))
    if to == "masks":
        names = {path.name for path in (tmp_path / "out/masks").iterdir()}
        assert names == {"a.bmp.png", "A.png.png", "b.png"}
        assert "images/a.bmp,masks/a.bmp.png,," in (tmp_path / "out/splits.csv").read_text()


def test_objects_of_pictures_whose_suffixes_alone_differ(tmp_path):
    names = ["a.bmp", "a.png"]
    for index, name in enumerate(names):
        save(tmp_path / "in" / name, picture(index, SIZE))
    coco(tmp_path / "in/ann.json", names)
    (tmp_path / "in/limner.toml").write_text('classes = ["background", "cell"]\nthings = ["cell"]\n')
    convert(tmp_path / "in", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out/instances").iterdir()} == {"a.bmp.png", "a.png.png"}
    dataset = open_dataset(tmp_path / "out", allow=ALLOW)
    for index, item in enumerate(dataset.items):
        np.testing.assert_array_equal(dataset.load(item).objects.ids, drawn(index))


@pytest.mark.parametrize("to", ["masks", "coco", "yolo-seg", "labelme"])
def test_pictures_inside_annotation_files_of_one_name(tmp_path, to):
    for index in range(3):
        buffer = io.BytesIO()
        Image.fromarray(picture(index, SIZE)).save(buffer, format="PNG")
        shape = {"label": "cell", "points": np.reshape(ring(index), (4, 2)).tolist(), "shape_type": "polygon"}
        document = {"shapes": [shape], "imagePath": "p.png", "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
        document["imageData"] = base64.b64encode(buffer.getvalue()).decode()
        path = tmp_path / ("in/one/a.json", "in/two/a.json", "in/two/b.json")[index]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    convert(tmp_path / "in", tmp_path / "out", to=to)
    assert_own(tmp_path / "out", (0, 1, 2))


@pytest.mark.parametrize("to", FORMATS)
def test_a_name_that_is_the_end_of_another(tmp_path, to):
    for index, name in enumerate(("a.png", "deep/a.png")):
        save(tmp_path / "in/images" / name, picture(index, SIZE))
        save(tmp_path / "in/masks" / name, drawn(index) * 255)
    convert(tmp_path / "in", tmp_path / "out", to=to)
    assert_own(tmp_path / "out", (0, 1))


@pytest.mark.parametrize("to", ["masks", "coco", "labelme"])
def test_names_that_differ_in_case_alone_are_refused(tmp_path, to):
    save(tmp_path / "in/Cell.png", picture(0, SIZE))
    save(tmp_path / "in/cell.png", picture(1, SIZE))
    if len(list((tmp_path / "in").iterdir())) < 2:
        pytest.skip("this file system does not tell them apart")
    coco(tmp_path / "in/ann.json", ["Cell.png", "cell.png"])
    with pytest.raises(DataError, match=r"Cell.png, cell.png"):
        convert(tmp_path / "in", tmp_path / "out", to=to)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", FORMATS)
def test_names_that_not_every_file_system_takes(tmp_path, to):
    names = ["t10:30:00.png", "CON.png", "x:1/b.png", "x:2/b.png", "trail .png", "c.jpg.png", "dots...png"]
    for index, name in enumerate(names):
        save(tmp_path / "in/images" / name, picture(index, SIZE))
        save(tmp_path / "in/masks" / name, drawn(index % 4) * 255)
    result = convert(tmp_path / "in", tmp_path / "out", to=to)
    found = masks_by_pixels(tmp_path / "out")
    for index in range(len(names)):
        np.testing.assert_array_equal(found[picture(index, SIZE).tobytes()], drawn(index % 4))
    is_renamed = any(warning["code"] == "name-changed" for warning in result["warnings"])
    assert is_renamed == (to in ("labelme", "labelme-xml", "yolo-seg", "label-studio"))


@pytest.mark.parametrize("to", ["masks", *FORMATS])
def test_channels_in_files_of_their_own(tmp_path, to):
    for index in range(2):
        for channel in range(2):
            plane = picture(2 * index + channel, SIZE)[..., :1]
            save(tmp_path / f"in/imagesTr/case{index}_{channel:04d}.png", plane[..., 0])
        save(tmp_path / f"in/labelsTr/case{index}.png", drawn(index))
    document = {"channel_names": {"0": "a", "1": "b"}, "labels": {"background": 0, "cell": 1}, "file_ending": ".png"}
    (tmp_path / "in/dataset.json").write_text(json.dumps(document))
    convert(tmp_path / "in", tmp_path / "out", to=to)
    assert (tmp_path / "out/images/imagesTr/case1_0000.tif").is_file()
    found = masks_by_pixels(tmp_path / "out")
    for index in range(2):
        pixels = np.stack([picture(2 * index + channel, SIZE)[..., 0] for channel in range(2)], axis=2)
        np.testing.assert_array_equal(found[pixels.tobytes()], drawn(index))


def test_regions_of_a_missing_picture_do_not_go_to_one_of_its_name(tmp_path):
    save(tmp_path / "in/x/a.png", picture(0, SIZE))
    save(tmp_path / "in/y/a.png", picture(1, SIZE))
    coco(tmp_path / "in/ann.json", ["x/a.png", "y/a.png", "a.png"])
    result = convert(tmp_path / "in", tmp_path / "out", to="cvat")
    assert result["missing_images"] == ["a.png"]
    assert "missing-picture" in {warning["code"] for warning in result["warnings"]}
    assert_own(tmp_path / "out", (0, 1))


def test_label_studio_keeps_addresses_until_names_change(tmp_path):
    tasks = []
    for index, part in enumerate(("train", "val")):
        save(tmp_path / f"in/{part}/1.png", picture(index, SIZE))
        x, y, w, h = block(index)
        value = {
            "x": 100 * x / SIZE[1],
            "y": 100 * y / SIZE[0],
            "width": 100 * w / SIZE[1],
            "height": 100 * h / SIZE[0],
        }
        result = {"id": "r", "type": "rectanglelabels", "from_name": "l", "to_name": "i", "original_width": SIZE[1]}
        result |= {"original_height": SIZE[0], "value": {**value, "rectanglelabels": ["cell"]}}
        address = f"/data/local-files/?d={part}/1.png"
        tasks.append({"id": index, "data": {"image": address}, "annotations": [{"result": [result]}]})
    (tmp_path / "in/tasks.json").write_text(json.dumps(tasks))
    convert(tmp_path / "in", tmp_path / "out", to="label-studio")
    assert_own(tmp_path / "out", (0, 1))
    written = json.loads((tmp_path / "out/tasks.json").read_text())
    assert [task["data"]["image"] for task in written] == [task["data"]["image"] for task in tasks]
