"""Pictures that nobody has annotated are not pictures without objects, whatever file names them."""

import json

import pytest

from limner.api.convert import convert
from limner.data.open_layout import open_layout
from tests.data.coco_files import SIZE, coco, pictures
from tests.data.formats.contents import codes

NAMES = ("a", "b", "empty", "open", "skipped")


def drawn(label="cell"):
    value = {"points": [[10, 10], [50, 10], [50, 90], [10, 90]], "polygonlabels": [label]}
    size = {"original_width": SIZE[1], "original_height": SIZE[0]}
    return {"id": "r", "type": "polygonlabels", "from_name": "x", "to_name": "image", "value": value, **size}


@pytest.fixture
def tasks(tmp_path):
    data = tmp_path / "data"
    pictures(data, *(f"{name}.png" for name in NAMES))
    answers = {
        "a": [{"result": [drawn()]}], "b": [{"was_cancelled": True, "result": []}, {"result": [drawn()]}],
        "empty": [{"result": []}], "open": [], "skipped": [{"was_cancelled": True, "result": [drawn()]}],
    }  # fmt: skip
    document = [
        {"id": number, "data": {"image": f"{name}.png"}, "annotations": answers[name]}
        for number, name in enumerate(NAMES)
    ]
    (data / "tasks.json").write_text(json.dumps(document))
    return data


def test_open_and_skipped_tasks_are_left_out_and_named(tasks):
    layout = open_layout(tasks)[1]
    assert [item.name for item in layout.items] == ["a.png", "b.png", "empty.png"]
    (told,) = [one for one in layout.findings if one.code == "UNPAIRED_IMAGE"]
    assert (told.level, told.count, told.files) == ("warning", 2, ("open.png", "skipped.png"))


@pytest.mark.parametrize("to", ["coco", "masks", "label-studio"])
def test_no_format_makes_background_of_them(tasks, tmp_path, to):
    told = convert(tasks / "tasks.json", tmp_path / "out", to=to)
    assert (told["images"], told["images_without_objects"], told["objects"]) == (5, 1, 2)
    assert any(one["code"] == "not-annotated" and "open.png" in one["message"] for one in told["warnings"])
    again = open_layout(tmp_path / "out")[1]
    assert sorted(item.image.stem for item in again.items) == ["a", "b", "empty"]


def test_an_answer_in_one_file_is_an_answer(tasks):
    document = [{"id": 9, "data": {"image": "open.png"}, "annotations": [{"result": [drawn()]}]}]
    (tasks / "more.json").write_text(json.dumps(document))
    layout = open_layout(tasks)[1]
    assert [item.name for item in layout.items] == ["a.png", "b.png", "empty.png", "open.png"]


def test_pictures_in_a_folder_called_like_the_file_are_missed(tmp_path):
    pictures(tmp_path, *(f"train/{i}.png" for i in range(6)))
    coco(tmp_path / "train.json", {f"{i}.png": [i] for i in range(4)})
    layout = open_layout(tmp_path)[1]
    assert len(layout.items) == 4
    (told,) = [one for one in layout.findings if one.code == "UNPAIRED_IMAGE"]
    assert told.files == ("train/4.png", "train/5.png")


def test_two_files_about_the_same_pictures_count_them_once(tmp_path):
    data = tmp_path / "data"
    pictures(data, "0.png", "1.png")
    coco(data / "one.json", {"0.png": [1], "1.png": []})
    coco(data / "two.json", {"0.png": [9], "1.png": [3]})
    told = convert(data, tmp_path / "out", to="coco")
    assert (told["images"], told["images_without_objects"], told["objects"]) == (2, 0, 3) and not codes(told["refused"])
