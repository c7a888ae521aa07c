"""From a folder with object ids to objects: train, choose, predict, evaluate, export; the same verbs as for masks."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from limner.core.bundle import read_bundle
from tests.api.tiny import words
from tests.cli.call import limner
from tests.make_objects import make_cells

HEADS = ("flow", "both")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_cells(tmp_path_factory.mktemp("cells") / "data")


@pytest.fixture(scope="module", params=HEADS)
def run(request, data, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param) / "run"
    settings = words(
        objects__head=request.param, schedule__epochs=60, data__patch_hw=[64, 64], model__decoder_widths=[16, 16, 16]
    )
    limner("train", data, "--out", out, *settings)
    return out


def test_the_bundle_says_how_objects_are_told_apart(run):
    bundle = read_bundle(run)
    assert bundle.label_space.kind == "instance" and bundle.contract.objects is not None
    assert bundle.contract.objects.decoder in ("components", "watershed", "centres", "flow")
    assert bundle.arguments["maps"] == bundle.contract.num_maps(bundle.label_space)
    summary = json.loads((run / "evaluation" / "summary.json").read_text())
    assert {"f1_at_iou", "pq", "ap", "ap50"} <= set(summary["scores"])


def test_predictions_are_objects_and_masks_that_agree(run, data, tmp_path):
    limner("predict", run, data / "images", "--out", tmp_path / "out", "--overlay")
    rows = list(csv.DictReader((tmp_path / "out" / "objects.csv").read_text(encoding="utf-8").splitlines()))
    manifest = json.loads((tmp_path / "out" / "predictions.json").read_text())
    found = 0
    for row in manifest["images"]:
        labels = np.asarray(Image.open(tmp_path / "out" / row["output"]))
        ids = np.asarray(Image.open(tmp_path / "out" / row["instances"]))
        assert not ids[labels == 0].any()
        assert sorted(np.unique(ids[ids > 0])) == list(range(1, int(ids.max()) + 1))
        found += int(ids.max())
    assert found == len(rows) > 0
    annotations = json.loads((tmp_path / "out" / "coco.json").read_text())["annotations"]
    assert len(annotations) == found


def test_an_export_gives_the_same_objects(run, data, tmp_path):
    pytest.importorskip("onnxruntime")
    limner("export", run, "--to", "onnx", "-o", tmp_path / "bundle")
    for name, runtime in (("a", "torch"), ("b", "onnx")):
        limner("predict", tmp_path / "bundle", data / "images", "--out", tmp_path / name, "--runtime", runtime)
    for file in sorted((tmp_path / "a" / "instances").glob("*.png")):
        first, second = (np.asarray(Image.open(tmp_path / name / "instances" / file.name)) for name in "ab")
        assert (first != second).mean() < 0.01


def test_predicted_objects_are_scored_from_their_folder(run, data, tmp_path):
    limner("predict", run, data / "images", "--out", tmp_path / "out")
    own = limner("evaluate", run, data, "--split", "all", "--json").document
    folder = limner("evaluate", tmp_path / "out", data, "--split", "all", "--json").document
    for metric in ("f1_at_iou", "pq"):
        assert folder["scores"][metric] == own["scores"][metric]
