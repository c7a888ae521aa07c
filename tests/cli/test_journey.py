"""From a folder to predictions on the command line, and that its documents are those of the Python interface."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import limner as package
from tests.api import tiny
from tests.cli.call import limner, refused
from tests.make_data import picture, save


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Data and a finished run of the command line."""
    folder = tmp_path_factory.mktemp("journey")
    tiny.make_data(folder / "data")
    before = {path: path.read_bytes() for path in (folder / "data").rglob("*") if path.is_file()}
    done = limner("train", folder / "data", "--out", folder / "run", "--json", *tiny.words())
    assert done.code == 0, done.err
    assert before == {path: path.read_bytes() for path in (folder / "data").rglob("*") if path.is_file()}
    (folder / "train.json").write_text(done.out)
    return folder


def without_seconds(tree):
    if isinstance(tree, dict):
        return {key: without_seconds(value) for key, value in tree.items() if key != "seconds"}
    return [without_seconds(value) for value in tree] if isinstance(tree, list) else tree


def test_check_says_what_the_interface_says(home):
    found = limner("check", home / "data", "--json")
    assert found.code == 0 and found.document == package.check(home / "data").as_dict()
    assert found.document["samples"] == 12 and not found.document["blocking"]
    text = limner("check", home / "data").out
    assert "12 pictures, 3 channels" in text and "ready to train" in text


def test_plan_says_what_the_interface_says(home, tmp_path):
    found = limner("plan", home / "data", "--set", "schedule.epochs=3", "-o", tmp_path / "recipe.toml", "--json")
    recipe = package.plan(home / "data", settings={"schedule.epochs": 3})
    assert found.code == 0 and found.document["reasons"] == dict(recipe.reasons)
    assert found.document["recipe"] == json.loads(json.dumps(dict(recipe.items())))
    assert package.Recipe.read(tmp_path / "recipe.toml") == recipe
    printed = limner("plan", home / "data", "--set", "schedule.epochs=3").out
    assert package.Recipe.from_toml(printed) == recipe and "epochs = 3  # set by hand" in printed


def test_the_run_folder_holds_what_is_agreed(home):
    run = home / "run"
    for name in (
        "recipe.toml", "split.csv", "history.csv", "log.jsonl", "report.html", "model/bundle.json",
        "model/weights.safetensors", "checkpoints/last.safetensors", "checkpoints/best.safetensors",
        "evaluation/summary.json", "evaluation/per_image.csv", "figures/loss.png",
    ):  # fmt: skip
        assert (run / name).stat().st_size > 0, name
    assert not list(run.rglob("*.tmp")) and not (run / "cache").exists()
    rows = list(csv.DictReader((run / "split.csv").read_text().splitlines()))
    assert len(rows) == 12 and {row["split"] for row in rows} == {"train", "val", "test"}
    assert all((home / "data" / row["image"]).is_file() and (home / "data" / row["mask"]).is_file() for row in rows)


def test_train_prints_the_agreed_document(home):
    document = json.loads((home / "train.json").read_text())
    assert set(document) == {"run", "model", "epochs", "steps", "seconds", "stopped", "best", "test"}
    assert (
        document["stopped"] == "epochs"
        and document["epochs"] == 20.0
        and set(document["best"]) >= {"epoch", "metric", "value"}
    )
    assert document["test"] == json.loads((home / "run/evaluation/summary.json").read_text())
    assert document["test"]["split"] == "test" and document["test"]["samples"] == 2


def test_the_interface_trains_the_same_bytes(home, tmp_path):
    package.train(home / "data", settings=tiny.SETTINGS, out=tmp_path / "run")
    assert (tmp_path / "run/model/weights.safetensors").read_bytes() == (
        home / "run/model/weights.safetensors"
    ).read_bytes()


def test_the_written_recipe_trains_the_same_bytes(home, tmp_path):
    done = limner("train", home / "data", "--recipe", home / "run/recipe.toml", "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    assert (tmp_path / "run/model/weights.safetensors").read_bytes() == (
        home / "run/model/weights.safetensors"
    ).read_bytes()
    assert (
        without_seconds(done.document)["test"]["scores"]
        == json.loads((home / "train.json").read_text())["test"]["scores"]
    )


def test_a_finished_run_is_returned_and_an_existing_one_refused(home):
    again = limner("train", home / "data", "--out", home / "run", "--resume", "--json")
    assert (
        again.code == 0 and again.document == json.loads((home / "train.json").read_text()) and "finished" in again.err
    )
    text = refused(limner("train", home / "data", "--out", home / "run", *tiny.words()))
    assert "exists already" in text and "--overwrite" in text
    assert (home / "run/train.json").is_file()


def test_evaluate_agrees_with_the_interface_and_with_the_run(home, tmp_path):
    found = limner("evaluate", home / "run", home / "data", "--out", tmp_path / "scores", "--json")
    assert found.code == 0, found.err
    assert without_seconds(found.document) == without_seconds(package.evaluate(home / "run", home / "data").summary())
    assert found.document["scores"] == json.loads((home / "train.json").read_text())["test"]["scores"]
    assert found.document["scores"]["dice"]["foreground"]["mean"] > 0.05  # the model predicts something
    names = {path.name for path in (tmp_path / "scores").iterdir()}
    assert {"summary.json", "per_image.csv", "report.html"} <= names
    assert json.loads((tmp_path / "scores/summary.json").read_text())["scores"] == found.document["scores"]
    assert limner("evaluate", home / "run", home / "data", "--split", "all", "--json").document["samples"] == 12


def test_predicted_masks_score_as_the_model_does(home, tmp_path):
    done = limner(
        "predict", home / "run", home / "data/images", "--out", tmp_path / "masks", "--overlay", "--scores", "--json"
    )
    assert done.code == 0 and done.document["failed"] == 0 and len(done.document["images"]) == 12
    assert without_seconds(done.document) == without_seconds(
        json.loads((tmp_path / "masks/predictions.json").read_text())
    )
    of_model = limner("evaluate", home / "run", home / "data", "--split", "all", "--json").document
    of_masks = limner("evaluate", tmp_path / "masks", home / "data", "--json").document
    needs_scores = {"ece", "brier"}  # masks say what, not how sure
    assert of_model["scores"].keys() - of_masks["scores"].keys() == needs_scores
    assert of_masks["scores"] == {k: v for k, v in of_model["scores"].items() if k not in needs_scores}
    assert of_masks["missing"] == []
    (tmp_path / "masks/p.03.png").unlink()
    short = limner("evaluate", tmp_path / "masks", home / "data", "--json").document
    assert short["missing"] == ["images/p.03.png"] and short["samples"] == 12
    assert short["scores"]["recall"]["foreground"]["mean"] < of_model["scores"]["recall"]["foreground"]["mean"]
    assert (
        "no prediction for images/p.03.png; counted as empty"
        in limner("evaluate", tmp_path / "masks", home / "data").out
    )


def test_predict_writes_native_sizes_palettes_overlays_and_scores(home, tmp_path):
    save(tmp_path / "in/wide.png", picture(30, (33, 91)))
    done = limner(
        "predict", home / "run", tmp_path / "in", "--out", tmp_path / "out", "--overlay", "--scores", "--json"
    )
    row = done.document["images"][0]
    with Image.open(tmp_path / "out/wide.png") as file:
        ids = np.array(file)
        assert file.mode == "P" and ids.shape == (33, 91)
        assert file.getpalette()[3:6] == list(package.LabelSpace(("background", "foreground")).colors[1])
    assert row["output"] == "wide.png" and row["size_hw"] == [33, 91]
    assert row["classes"] == {"background": int((ids == 0).sum()), "foreground": int((ids == 1).sum())}
    scores = np.load(tmp_path / "out/scores/wide.npy")
    assert scores.dtype == np.float16 and scores.shape == (1, 33, 91)
    assert np.array_equal(scores[0].astype(float) > 0.4, ids == 1) or (np.abs(scores[0] - 0.4) < 1e-3).any()
    with Image.open(tmp_path / "out/overlays/wide.png") as file:
        assert file.size == (91, 33)
    assert (
        package.predict(home / "run", [tmp_path / "in"], out=tmp_path / "api")["images"][0]["classes"] == row["classes"]
    )


def test_a_bundle_stands_alone(home, tmp_path):
    shutil.copytree(home / "run/model", tmp_path / "bundle")
    done = limner("predict", tmp_path / "bundle", home / "data/images/p.00.png", "--out", tmp_path / "out", "--json")
    assert done.code == 0 and done.document["images"][0]["output"] == "p.00.png"


def test_overwrite_replaces_a_run_of_limner(home, tmp_path):
    shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "run/evaluation/summary.json").write_text("old")
    done = limner("train", home / "data", "--out", tmp_path / "run", "--overwrite", *tiny.words(schedule__epochs=1))
    assert done.code == 0 and "stopped by epochs" in done.out
    assert json.loads((tmp_path / "run/evaluation/summary.json").read_text())["samples"] == 2


def test_three_classes_and_gray_pictures(tmp_path):
    tiny.make_data(tmp_path / "data", classes=3, channels=1)
    done = limner("train", tmp_path / "data", "--out", tmp_path / "run", "--json", *tiny.words(schedule__epochs=1))
    assert done.code == 0, done.err
    assert set(done.document["test"]["scores"]["dice"]) == {"background", "class_1", "class_2", "foreground", "macro"}
    bundle = json.loads((tmp_path / "run/model/bundle.json").read_text())
    assert bundle["arguments"]["channels"] == bundle["input"]["channels"] == 1 and bundle["arguments"]["maps"] == 3
    out = limner("predict", tmp_path / "run", tmp_path / "data/images/p.01.png", "--out", tmp_path / "out")
    assert out.code == 0 and "1 label maps in" in out.out
