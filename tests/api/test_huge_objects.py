"""Objects of huge pictures through the verb: equal to those of the label map as a whole, in all files; continued after a kill."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from limner.api import huge_objects, predict_huge, predict_one
from limner.api.object_cells import lines
from limner.api.predict import predict
from limner.core.labels import LabelSpace
from limner.core.object_head import ObjectHead
from limner.core.objects import number_objects
from limner.core.postprocess import Rules
from limner.data.images import read_image
from limner.data.object_records import coco_annotations
from limner.inference import object_bands, object_columns, segmenter
from limner.inference.object_runs import measure, runs_of
from limner.inference.object_table import measure_objects
from tests.api import test_predict_huge as huge

SPACE = LabelSpace(("background", "cell"), things=("cell",))
HEAD = ObjectHead("components", "components", diameter=9.0, reach=6)


def fake(monkeypatch, folder, *, setattr_=None, head=HEAD, rules=None):
    """`huge.fake` with a network that tells objects apart, in low bands and narrow windows."""
    put = setattr_ or monkeypatch.setattr
    put(huge, "SPACE", SPACE)
    put(object_bands, "BAND_ROWS", 90)
    put(object_columns, "COLUMNS", 70)
    put(huge_objects, "LARGE_PIXELS", 30_000)
    put(huge_objects, "WINDOW_ROWS", 50)
    put(huge_objects, "TALL", 60)
    return huge.fake(monkeypatch, folder, rules=rules, setattr_=setattr_, objects=head)


def written(out):
    """Labels and ids of the one picture."""
    ids = tifffile.imread(out / "instances/big.tif")
    return huge.labels_of(out / "big.tif"), ids


def whole(labels):
    """The objects of the label map at once."""
    found = cv2.connectedComponents(labels.astype(np.uint8), connectivity=8)[1]
    return number_objects(found, labels)


def test_ids_table_and_coco_are_those_of_the_whole_picture(monkeypatch, tmp_path):
    path = huge.tiff(tmp_path / "in/big.tif")
    run = fake(monkeypatch, tmp_path)
    row = predict(run, [path], out=tmp_path / "out", spacing=0.25)["images"][0]
    labels, ids = written(tmp_path / "out")
    expected = whole(labels)
    assert ids.dtype == np.uint32 and np.array_equal(ids, expected.ids) and len(expected) > 100
    assert (
        row["instances"] == "instances/big.tif" and row["objects"] == {"cell": len(expected)} and "warnings" not in row
    )
    with tifffile.TiffFile(tmp_path / "out/instances/big.tif") as file:
        assert file.pages[0].is_tiled
    with (tmp_path / "out/objects.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    table = measure_objects(expected, read_image(path), spacing=(0.25, 0.25))
    assert [name for name in header if name != "score"] == ["image", *table.columns]
    place = header.index("score")
    assert all(0.5 <= float(row.pop(place)) <= 1 for row in rows)
    rows.sort(key=lambda row: int(row[1]))  # tall objects come behind the others of their window
    told = [text.split(",") for text in lines("big.tif", table, SPACE)]
    for row, other in zip(rows, told, strict=True):
        assert row[:3] == other[:3]
        assert [float(cell) for cell in row[3:]] == pytest.approx([float(cell) for cell in other[3:]], abs=1.01e-4)
    boxes = np.stack([table["left"], table["top"], table["left"] + table["width"], table["top"] + table["height"]], 1)
    found = json.loads((tmp_path / "out/coco.json").read_text())["annotations"]
    found = sorted(({k: v for k, v in one.items() if k not in ("id", "image_id", "score")} for one in found),
                   key=lambda one: one["instance_id"])  # fmt: skip
    assert found == list(coco_annotations(expected, boxes))
    assert any(isinstance(one["segmentation"], dict) for one in found) and any(box[3] - box[1] > 60 for box in boxes)


def test_what_was_summed_agrees_with_the_measured_table(monkeypatch, tmp_path):
    labels = np.array(Image.fromarray(huge.picture(3, (97, 61))).convert("L")) > 120
    objects = whole(labels.astype(np.uint8))
    table, summed = measure_objects(objects), measure(runs_of(objects.ids))
    summed["class_id"] = 1
    told = huge_objects.table_of(summed, (97, 61)).columns
    assert len(summed) > 5 and set(told) < set(table.columns)
    for name, values in told.items():
        assert values.tolist() == pytest.approx(table[name].tolist()), name


def test_objects_too_large_for_a_window_are_listed_by_what_was_summed(monkeypatch, tmp_path):
    path = huge.tiff(tmp_path / "in/big.tif")
    run = fake(monkeypatch, tmp_path)
    monkeypatch.setattr(huge_objects, "LARGEST_WINDOW", 400)
    row = predict(run, [path], out=tmp_path / "out")["images"][0]
    _, ids = written(tmp_path / "out")
    expected = measure(runs_of(ids.astype(np.int32)))
    tall = expected[(expected["bottom"] - expected["top"]) > 60]
    tall = tall[(tall["bottom"] - tall["top"]).astype(int) * (tall["right"] - tall["left"]) > 400]
    assert len(tall) and f"{len(tall)} objects are larger" in row["warnings"][0]
    with (tmp_path / "out/objects.csv").open(newline="") as file:
        rows = {int(one["id"]): one for one in csv.DictReader(file)}
    assert len(rows) == len(expected) and {one for one, cells in rows.items() if not cells["perimeter_px"]} == set(
        tall["id"]
    )
    for one in expected:
        cells = rows[int(one["id"])]
        assert int(cells["area_px"]) == one["area"] and cells["class"] == "cell" and int(cells["left"]) == one["left"]
        assert float(cells["centroid_y"]) == pytest.approx(one["sum_y"] / one["area"] + 0.5, abs=1e-4)
    found = json.loads((tmp_path / "out/coco.json").read_text())["annotations"]
    assert {one["instance_id"] for one in found} == set(rows) - set(tall["id"].tolist())
    name = 'wall, "thick"'  # signs that CSV quotes
    monkeypatch.setattr(huge, "SPACE", LabelSpace(("background", name), things=(name,)))
    predict(run, [path], out=tmp_path / "quoted")
    with (tmp_path / "quoted/objects.csv").open(newline="") as file:
        quoted = {int(one["id"]): one for one in csv.DictReader(file)}
    assert quoted == {number: {**cells, "class": name} for number, cells in rows.items()}


def test_objects_obey_rules_as_those_of_a_picture_in_memory(monkeypatch, tmp_path):
    path = huge.tiff(tmp_path / "in/big.tif", (300, 200))
    rules = Rules(smallest=(0, 30), holes=(0, 4), largest=(False, False))
    plain = fake(monkeypatch, tmp_path / "plain")
    for module in (huge_objects, predict_huge, predict_one):
        monkeypatch.setattr(module, "LARGE_PIXELS", 10**8)
    monkeypatch.setattr(segmenter, "PREPARED_PIXELS", 20_000)
    before = predict(plain, [path], out=tmp_path / "before")["images"][0]
    run = fake(monkeypatch, tmp_path, rules=rules)
    for module in (huge_objects, predict_huge, predict_one):
        monkeypatch.setattr(module, "LARGE_PIXELS", 10**8)
    row = predict(run, [path], out=tmp_path / "bands")["images"][0]
    other = predict(run, [path], out=tmp_path / "whole", scores=True)["images"][0]
    assert {**row, "seconds": 0} == {**other, "seconds": 0} and "warnings" not in row
    assert 0 < row["objects"]["cell"] < before["objects"]["cell"]
    for name in ("big.png", "instances/big.png"):
        assert np.array_equal(huge.labels_of(tmp_path / "bands" / name), huge.labels_of(tmp_path / "whole" / name)), (
            name
        )
    tables = []
    for folder in ("bands", "whole"):
        with (tmp_path / folder / "objects.csv").open(newline="") as file:
            tables.append({int(one["id"]): one for one in csv.DictReader(file)})
    assert tables[0].keys() == tables[1].keys() and min(int(one["area_px"]) for one in tables[0].values()) >= 30
    for number, cells in tables[0].items():
        assert cells["class"] == "cell" and cells["left"] == tables[1][number]["left"]
        for name in ("score", "area_px", "centroid_x", "perimeter_px"):
            assert float(cells[name]) == pytest.approx(float(tables[1][number][name]), abs=2e-4), name


def test_few_objects_of_a_picture_of_less_than_100_megapixels_are_png(monkeypatch, tmp_path):
    path = huge.tiff(tmp_path / "in/big.tif", (300, 200))
    run = fake(monkeypatch, tmp_path)
    for limit, suffix in ((10**6, "png"), (1, "tif")):
        monkeypatch.setattr(huge_objects, "LARGE_PIXELS", 10**8)
        monkeypatch.setattr(huge_objects, "LARGEST_PNG_ID", limit)
        row = predict(run, [path], out=tmp_path / suffix)["images"][0]
        assert row["instances"] == f"instances/big.{suffix}"
    with Image.open(tmp_path / "png/instances/big.png") as file:
        assert file.mode == "I;16" and np.array_equal(
            np.array(file), tifffile.imread(tmp_path / "tif/instances/big.tif")
        )


KILLED = """
    import sys
    from pathlib import Path
    from tests.api import test_huge_objects as t
    from limner.api.predict import predict
    folder, t.huge.Net.last = Path(sys.argv[1]), int(sys.argv[2])
    predict(t.fake(None, folder, setattr_=setattr), [folder / "in"], out=folder / "out")
"""


def test_a_killed_call_goes_on_and_ends_alike(monkeypatch, tmp_path):
    run = fake(monkeypatch, tmp_path)
    huge.tiff(tmp_path / "in/big.tif")
    monkeypatch.setattr(huge.Net, "calls", 0)
    expected = predict(run, [tmp_path / "in"], out=tmp_path / "whole")
    calls = huge.Net.calls
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(calls - 1)]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.run(words, capture_output=True, text=True, check=False, env=path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    out = tmp_path / "out"
    assert len(list(out.rglob("state-*.npz"))) == 1 and not (out / "instances").exists()
    huge.Net.calls = 0
    found = predict(run, [tmp_path / "in"], out=out, resume=True)
    assert huge.Net.calls < calls * 2 // 3  # the upper part was not done again
    names = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    assert names == {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert {Path("instances/big.tif"), Path("objects.csv"), Path("coco.json")} < names
    for name in names - {Path("predictions.json")}:
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert {**found["images"][0], "seconds": 0} == {**expected["images"][0], "seconds": 0}
