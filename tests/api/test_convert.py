"""From masks to every format and back; dry runs; what is refused."""

import csv
import json

import numpy as np
import PIL.Image
import pytest

from limner.api.convert import convert, writable
from limner.core.errors import DataError, OutputError, UsageError

FILLS_HOLES = {"yolo-seg"}
SIZE = (24, 33)


def labels(seed):
    """Two classes that touch, one of them with a hole, a patch at the border, and single pixels at a corner."""
    ids = np.zeros(SIZE, np.uint8)
    ids[3:12, 4:15] = 1
    ids[6:9, 7:10] = 0
    ids[12:16, 10 + seed : 20] = 2
    ids[0, 30:] = 2
    ids[20, 5] = ids[21, 6] = 1
    return ids


@pytest.fixture
def masks(tmp_path):
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        for kind, array in (("images", rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)), ("masks", labels(seed))):
            path = tmp_path / "data" / kind / f"p{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(array).save(path)
    (tmp_path / "data" / "limner.toml").write_text('classes = ["background", "leaf", "stem"]\n')
    return tmp_path / "data"


def read(folder):
    return {path.stem: np.array(PIL.Image.open(path)) for path in (folder / "masks").rglob("*.png")}


@pytest.mark.parametrize("to", [name for name in writable() if name != "masks"])
def test_masks_to_a_format_and_back(masks, tmp_path, to):
    written = convert(masks, tmp_path / "out", to=to)
    assert (tmp_path / "out" / "images" / "p0.png").read_bytes() == (masks / "images" / "p0.png").read_bytes()
    (tmp_path / "out" / "limner.toml").write_text('classes = ["background", "leaf", "stem"]\n')
    back = convert(tmp_path / "out", tmp_path / "back")
    assert back["format"] == to
    for seed in (0, 1):
        expected = labels(seed)
        if to in FILLS_HOLES:
            expected[6:9, 7:10] = 1
            assert any("hole" in warning["message"] for warning in written["warnings"])
        np.testing.assert_array_equal(read(tmp_path / "back")[f"p{seed}"], expected)


def test_dry_run_of_a_file_without_pictures(tmp_path):
    shapes = [
        {"name": "polygon", "all_points_x": [0, 5, 5], "all_points_y": [0, 0, 5]},
        {"name": "point", "cx": 1, "cy": 2},
        {"name": "polygon", "all_points_x": [1, 1], "all_points_y": [1, 2]},
    ]
    regions = [{"shape_attributes": shape, "region_attributes": {"kind": "leaf"}} for shape in shapes]
    document = {"gone.png5": {"filename": "gone.png", "size": 5, "regions": regions, "file_attributes": {}},
                "bare.png5": {"filename": "bare.png", "size": 5, "regions": [], "file_attributes": {}}}  # fmt: skip
    (tmp_path / "via.json").write_text(json.dumps(document))
    found = convert(tmp_path / "via.json", tmp_path / "unused", dry_run=True)
    assert (found["format"], found["images"], found["images_without_objects"], found["objects"]) == ("via2", 2, 1, 2)
    assert (found["classes"], found["shapes"]) == ({"leaf": 2}, {"polygon": 1, "point": 1})
    assert found["missing_images"] == ["gone.png", "bare.png"]
    assert len(found["refused"]) == 1
    assert not (tmp_path / "unused").exists()
    with pytest.raises(DataError, match="none of the 2 pictures"):
        convert(tmp_path / "via.json", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_good_rest_is_written_and_the_class_must_be_decided(tmp_path):
    PIL.Image.new("L", (9, 7), 50).save(tmp_path / "here.png")
    shape = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}
    region = {"shape_attributes": shape, "region_attributes": {}}
    document = {name: {"filename": name, "size": -1, "regions": {"0": region}} for name in ("here.png", "gone.png")}
    (tmp_path / "via.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="--default-class"):
        convert(tmp_path / "via.json", tmp_path / "out")
    found = convert(tmp_path / "via.json", tmp_path / "out", default_class="cell")
    assert found["missing_images"] == ["gone.png"]
    expected = np.zeros((7, 9), np.uint8)
    expected[2:6, 1:4] = 1
    np.testing.assert_array_equal(read(tmp_path / "out")["here"], expected)
    assert '"cell"' in (tmp_path / "out" / "limner.toml").read_text()


def test_pictures_elsewhere_and_folders_that_overlap(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "drawn").mkdir()
    PIL.Image.new("L", (9, 7), 50).save(tmp_path / "pictures" / "a.png")
    region = {
        "shape_attributes": {"name": "rect", "x": 0, "y": 0, "width": 9, "height": 7},
        "region_attributes": {"kind": "x"},
    }
    (tmp_path / "drawn" / "v.json").write_text(
        json.dumps({"a.png": {"filename": "a.png", "size": 1, "regions": [region]}})
    )
    convert(tmp_path / "drawn" / "v.json", tmp_path / "out", images=tmp_path / "pictures")
    assert read(tmp_path / "out")["a"].all()
    with pytest.raises(OutputError):
        convert(tmp_path / "drawn", tmp_path / "drawn" / "inside")
    with pytest.raises(UsageError, match="did you mean 'masks'"):
        convert(tmp_path / "drawn", tmp_path / "x", to="mask")


def test_a_split_and_stacks_are_carried_over(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "all_x.npy", rng.random((3, 5, 7)))
    ids = rng.integers(0, 2, (3, 5, 7)).astype(np.uint8)
    np.save(tmp_path / "all_y.npy", ids)
    convert(tmp_path, tmp_path.parent / f"{tmp_path.name}_out")
    out = tmp_path.parent / f"{tmp_path.name}_out"
    assert sorted(path.relative_to(out).as_posix() for path in (out / "images").rglob("*.*")) == [
        f"images/all_x/000{i}.tif" for i in range(3)
    ]
    np.testing.assert_array_equal(read(out)["0002"], ids[2])
    with (out / "limner.toml").open() as file:
        assert "classes" in file.read()
    assert not (out / "splits.csv").exists() or list(csv.DictReader((out / "splits.csv").open()))
