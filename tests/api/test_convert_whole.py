"""What is written is whole, or it is refused and gone: unknown labels, unknown pixels, folders that fail."""

import json

import numpy as np
import pytest

from limner.api import convert as convert_module
from limner.api.convert import convert, writable
from limner.core.errors import DataError, OutputError
from limner.data.dataset import open_dataset
from tests.data import coco_files
from tests.make_data import picture, save

SIZE = (22, 35)
ALLOW = ("FEW_SAMPLES", "EMPTY_MASKS")


def coco(folder, labels=("cell", "Nucleus")):
    """Each picture shows one object of each label."""
    images, records = [], []
    for index in range(3):
        save(folder / f"{index}.png", picture(index, SIZE))
        images.append({"id": index, "file_name": f"{index}.png", "height": SIZE[0], "width": SIZE[1]})
        for number in range(len(labels)):
            x = 2 + 15 * number
            ring = [x, 3, x + 9, 3, x + 9, 15 + index, x, 15 + index]
            records.append({"id": len(records) + 1, "image_id": index, "category_id": number + 1, "iscrowd": 0})
            records[-1]["segmentation"] = [ring]
    categories = [{"id": number, "name": name} for number, name in enumerate(labels, start=1)]
    (folder / "a.json").write_text(json.dumps({"images": images, "annotations": records, "categories": categories}))
    return folder


def masks(folder):
    """Two classes; a part of the pixels is not known."""
    for index in range(3):
        ids = np.zeros(SIZE, np.uint8)
        ids[3:12, 3:15] = 1
        ids[15:20, 15 : 30 + index] = 255
        ids[17:19, 18:20] = 2
        save(folder / f"images/{index}.png", picture(index, SIZE))
        save(folder / f"masks/{index}.png", ids)
    (folder / "limner.toml").write_text('classes = ["background", "a", "b"]\nignore = 255\n')
    return folder


def test_labels_that_are_not_declared_do_not_become_background(tmp_path):
    coco(tmp_path / "in")
    (tmp_path / "in/limner.toml").write_text('classes = ["background", "cell", "nucleus"]\n')
    with pytest.raises(DataError, match="'Nucleus'") as caught:
        convert(tmp_path / "in", tmp_path / "out")
    assert caught.value.details["findings"][0]["code"] == "UNKNOWN_VALUE"
    assert not (tmp_path / "out").exists()
    convert(tmp_path / "in", tmp_path / "coco", to="coco")  # formats that hold labels keep it
    (tmp_path / "in/limner.toml").write_text('classes = ["background", "cell", "Nucleus"]\n')
    convert(tmp_path / "in", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out", allow=ALLOW)
    assert np.bincount(dataset.load(dataset.items[1]).labels.ravel()).tolist()[1:] == [9 * 13, 9 * 13]


@pytest.mark.parametrize("to", ["coco-panoptic", "yolo-seg"])
def test_formats_that_cannot_say_unknown_tell_so(tmp_path, to):
    result = convert(masks(tmp_path / "in"), tmp_path / "out", to=to)
    assert "ignored" in {warning["code"] for warning in result["warnings"]}
    dataset = open_dataset(tmp_path / "out", allow=ALLOW)
    assert dataset.label_space.names == ("background", "a", "b")
    assert "ignore" not in "".join(path.read_text() for path in (tmp_path / "out").glob("*.*") if path.is_file())
    for item in dataset.items:
        names = np.array(dataset.label_space.names)[dataset.load(item).labels]
        assert {name: int((names == name).sum()) for name in ("a", "b")} == {"a": 9 * 12, "b": 4}


@pytest.mark.parametrize("to", [name for name in writable() if name not in ("coco-panoptic", "yolo-seg")])
def test_other_formats_say_unknown(tmp_path, to):
    convert(masks(tmp_path / "in"), tmp_path / "out", to=to)
    dataset = open_dataset(tmp_path / "out", allow=ALLOW)
    assert [int((~dataset.load(item).valid).sum()) for item in dataset.items] == [71, 76, 81]


def test_ignored_regions_do_not_excuse_lost_ones(tmp_path, monkeypatch):
    """The count is still compared after the warning about unknown pixels."""
    entry = convert_module.FORMATS["coco-panoptic"]

    def forgetful(annotations, folder):
        problems = entry.write(annotations, folder)
        document = json.loads((folder / "panoptic.json").read_text())
        del document["annotations"][1]["segments_info"][0]
        (folder / "panoptic.json").write_text(json.dumps(document))
        return problems

    forgetful_entry = type(entry)(entry.name, entry.words, entry.sniff, entry.read, forgetful)
    monkeypatch.setitem(convert_module.FORMATS, "coco-panoptic", forgetful_entry)
    with pytest.raises(DataError, match="6 regions were written and 5"):
        convert(masks(tmp_path / "in"), tmp_path / "out", to="coco-panoptic")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["masks", "coco"])
def test_a_folder_that_fails_is_gone_and_what_was_there_before_stays(tmp_path, monkeypatch, to):
    source = coco(tmp_path / "in")

    def fails(folder, *_, **__):
        (folder / "images").mkdir()
        (folder / "images/0.png").touch()
        raise DataError("half", expected="whole")

    monkeypatch.setattr(convert_module, "write_mask_folder", fails)
    monkeypatch.setattr(convert_module, "write_annotation_folder", fails)
    with pytest.raises(DataError, match="half"):
        convert(source, tmp_path / "out", to=to)
    assert not (tmp_path / "out").exists()
    (tmp_path / "empty").mkdir()
    for _ in range(2):  # the folder may be a mount point: it stays, and can be written to again
        with pytest.raises(DataError, match="half"):
            convert(source, tmp_path / "empty", to=to)
        assert [path.name for path in (tmp_path / "empty").iterdir()] == [".limner-output"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("kept")
    with pytest.raises(Exception, match=r"not made by Limner|exists already"):
        convert(source, tmp_path / "mine", to=to, overwrite=True)
    assert (tmp_path / "mine/notes.txt").read_text() == "kept"


def test_regions_without_area_leave_no_folder(tmp_path):
    save(tmp_path / "in/p.png", picture(0, SIZE))
    shape = {"label": "x", "points": [[3, 4]], "shape_type": "point"}
    document = {"shapes": [shape], "imagePath": "p.png", "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    (tmp_path / "in/p.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="no region has an area"):
        convert(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["masks", "cvat"])
def test_damaged_annotation_files_are_named_and_the_rest_is_written(tmp_path, to):
    for index in range(2):
        save(tmp_path / f"in/{index}.png", picture(index, SIZE))
        shape = {"label": "x", "points": [[3, 4], [12, 5], [7, 15]], "shape_type": "polygon"}
        document = {"shapes": [shape], "imagePath": f"{index}.png", "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
        (tmp_path / f"in/{index}.json").write_text(json.dumps(document))
    (tmp_path / "in/1.json").write_text('{"shapes": [{"label": ')
    for options in ({"dry_run": True}, {}):
        result = convert(tmp_path / "in", tmp_path / "out", to=to, **options)
        assert [(refused["file"].rpartition("/")[2], result["images"]) for refused in result["refused"]] == [
            ("1.json", 1)
        ]
    assert [path.name for path in (tmp_path / "out/images").iterdir()] == ["0.png"]


def test_the_pictures_are_not_overwritten(tmp_path):
    """An output of an earlier call that holds the pictures of this one is no place to write to."""
    source = coco(tmp_path / "in")
    convert(source, tmp_path / "out", to="cvat")
    before = (tmp_path / "out/images/0.png").read_bytes()
    for images in ("out", "out/images"):
        with pytest.raises(OutputError, match=r"which this call reads|is what this call reads"):
            convert(source / "a.json", tmp_path / "out", images=tmp_path / images, overwrite=True)
    assert (tmp_path / "out/images/0.png").read_bytes() == before


def test_pictures_that_a_list_leaves_out_are_converted_with_the_others(tmp_path):
    coco_files.pictures(tmp_path / "src", *(f"images/{i}.png" for i in range(6)))
    coco_files.coco(tmp_path / "src/ann.json", {f"{i}.png": [i] for i in range(6)})
    (tmp_path / "src/splits.csv").write_text("image,split\nimages/0.png,train\nimages/1.png,test\n")
    convert(tmp_path / "src", tmp_path / "dst", to="masks")
    assert sorted(path.name for path in (tmp_path / "dst/masks").rglob("*.png")) == [f"{i}.png" for i in range(6)]
    found = open_dataset(tmp_path / "dst", allow=ALLOW)  # which leaves them out again
    assert [item.split for item in found.items] == ["train", "test"]
