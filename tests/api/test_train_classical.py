"""Tuning a method writes a run like any other, which predict and evaluate open without torch, and which can be repeated."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

import limner
from limner.api.classical_recipe import OBEYED, classical_recipe, recipe_toml
from limner.api.evaluate import evaluate
from limner.api.open import open_segmenter
from limner.api.predict import predict
from limner.api.train_classical import train_classical
from limner.classical import METHODS
from limner.core.bundle import read_bundle
from limner.core.errors import BundleError, DataError, OutputError, RecipeError, UsageError
from limner.core.recipe import Recipe
from limner.core.sample import Sample
from tests.make_data import make_folder, save, write_csv

RUN = ("recipe.toml", "split.csv", "history.csv", "log.jsonl", "report.html", "train.json", "model/bundle.json")
RUN += ("evaluation/summary.json", "evaluation/per_image.csv", "figures/dice_per_image.png")


OTHER_OPTION = {"model.options": {"smoothing": 7.5}}


def pictures(root, count=10, size=(41, 57)):
    """A dark object around a bright hole: it holds the border, so that methods by themselves take the hole for the object."""
    for number in range(count):
        rng = np.random.default_rng(number)
        truth = np.ones(size, np.uint8)
        truth[8 : 20 + number % 15, 10 : 35 + number % 15] = 0
        image = np.where(truth[..., None] > 0, 80, 150) + rng.normal(0, 9, (*size, 1))
        save(root / "images" / f"p{number}.png", np.clip(image, 0, 255).astype(np.uint8))
        save(root / "masks" / f"p{number}.png", truth * 255)
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("data") / "boxes")


@pytest.fixture(scope="module")
def result(data):
    return train_classical(data, method="otsu", out=data.parent / "run", seed=3)


def test_the_run_has_all_that_a_run_has(data, result):
    for name in RUN:
        assert (result.run / name).is_file(), name
    assert not list(result.run.rglob("*.tmp")) and not (result.run / "model" / "weights.safetensors").exists()
    assert result.stopped == "patience" and result.best["metric"] == "train_dice" and result.best["value"] > 0.9
    assert result.test["split"] == "test" and result.test["threshold"] is None
    assert result.test["scores"]["dice"]["foreground"]["mean"] > 0.9
    assert result.test == json.loads((result.run / "evaluation" / "summary.json").read_text())
    rows = list(csv.DictReader((result.run / "history.csv").read_text().splitlines()))
    assert len(rows) == result.steps and json.loads(rows[0]["options"]) == METHODS["otsu"].all_options()
    best = rows[result.best["step"] - 1]
    assert float(best["train_dice"]) == result.best["value"]
    assert json.loads(best["options"]) == read_bundle(result.run).arguments
    counts = [row["split"] for row in csv.DictReader((result.run / "split.csv").read_text().splitlines())]
    assert {row["pictures"] for row in rows} == {str(counts.count("train"))}
    page = (result.run / "report.html").read_text()
    assert (
        "classical/otsu" in page
        and "dark" in page
        and "settings on 7 training pictures" in page
        and f"--recipe {result.run / 'recipe.toml'}" in page
    )


def test_the_recipe_repeats_the_run(data, result, tmp_path):
    recipe = Recipe.read(result.run / "recipe.toml")
    assert recipe.model.architecture == "classical/otsu" and recipe.model.options["polarity"] == "dark"
    assert recipe.seed == 3 and "settings on" in recipe.reasons["model.options"] and recipe.reasons["split.rule"]
    assert Recipe.from_toml(recipe_toml(recipe)) == recipe
    keys = [line.partition(" = ")[0] for line in recipe_toml(recipe).splitlines() if " = " in line]
    assert keys == [key.rpartition(".")[2] for key in OBEYED]
    again = train_classical(data, method=result.run / "recipe.toml", out=tmp_path / "again")
    assert again.steps == 1 and again.test["scores"] == result.test["scores"]
    assert read_bundle(again.run).arguments == read_bundle(result.run).arguments
    assert (again.run / "recipe.toml").read_bytes() == (result.run / "recipe.toml").read_bytes()
    assert (again.run / "split.csv").read_bytes() == (result.run / "split.csv").read_bytes()


def test_the_bundle_segments_evaluates_and_predicts(data, result, tmp_path):
    segmenter, bundle = open_segmenter(result.run)
    assert bundle.method == "otsu" and bundle.threshold is None and segmenter.options == bundle.arguments
    assert (
        evaluate(result.run, data).scores["dice"]["foreground"].mean
        == result.test["scores"]["dice"]["foreground"]["mean"]
    )
    assert evaluate(result.model, data, split="train").samples == 7
    manifest = predict(result.run, [data / "images"], out=tmp_path / "out", overlay=True)
    assert manifest["failed"] == 0 and len(manifest["images"]) == 10
    truth = np.array(PIL.Image.open(data / "masks" / "p4.png")) > 0
    assert ((np.array(PIL.Image.open(tmp_path / "out" / "p4.png")) > 0) != truth).mean() < 0.02
    with pytest.raises(UsageError, match="--tile"):
        open_segmenter(result.run, tile=64)
    with pytest.raises(UsageError, match="--tile"):
        predict(result.run, [data / "images"], out=tmp_path / "tiles", tile=64)
    assert not (tmp_path / "tiles").exists()
    assert (
        open_segmenter(result.run, keep_scores=True)[0].segment(Sample("a", np.zeros((5, 7, 1), np.uint8))).scores
        is None
    )


def test_everything_works_where_torch_is_not_installed(data, tmp_path):
    code = f"""
import sys
sys.modules.update(dict.fromkeys(["torch", "timm", "torchvision", "lightning_fabric", "safetensors", "scipy", "skimage"]))
from limner.api.train_classical import train_classical
from limner.api.evaluate import evaluate
from limner.api.predict import predict
run = train_classical({str(data)!r}, method="threshold", out={str(tmp_path / "run")!r})
assert evaluate(run.run, {str(data)!r}).scores["dice"]["foreground"].mean > 0.9
assert not predict(run.run, [{str(data / "images")!r}], out={str(tmp_path / "out")!r})["failed"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def unjudged(monkeypatch):
    """Runs without scores and report, which take most of the time."""
    monkeypatch.setattr("limner.api.train_classical.judge_and_report", lambda *arguments, **named: {})


def test_options_that_are_named_are_obeyed(data, tmp_path, unjudged):
    settings = {"model.options": {"polarity": "bright", "smoothing": 0}}
    run = train_classical(data, method="otsu", settings=settings, out=tmp_path / "run", budget="none")
    options = read_bundle(run.run).arguments
    assert (
        options["polarity"] == "bright" and options["smoothing"] == 0.0 and set(options) == set(METHODS["otsu"].known)
    )
    assert Recipe.read(run.run / "recipe.toml").schedule.budget == "none"


def test_a_budget_ends_the_search(data, tmp_path, unjudged):
    run = train_classical(data, method="watershed", budget="0.01s", out=tmp_path / "run")
    assert run.stopped == "budget" and "the budget ended" in (run.run / "recipe.toml").read_text()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"loss.dice": 2.0}, "loss.dice in a run without a network"),
        ({"model.options": {"polarty": "dark"}}, "unknown option 'polarty'"),
        ({"model.options": {"polarity": "brightest"}}, "polarity = 'brightest'"),
        ({"model.options": {"smoothing": -1}}, "smoothing = -1"),
        ({"model.options": {"smoothing": float("nan")}}, "smoothing = nan"),
        ({"model.options": {"levels": True}}, "levels = True"),
        ({"model.options": {"levels": 10**400}}, "levels = 1000"),
        ({"model.architecture": "classical/otsus"}, "unknown classical method 'otsus'"),
        ({"schedule.budget": "soon"}, "soon"),
        ({"split.folds": 5}, "split.folds in a run without a network"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_before_anything_is_written(data, tmp_path, settings, words):
    with pytest.raises((RecipeError, UsageError)) as caught:
        train_classical(data, method="otsu", settings=settings, out=tmp_path / "run")
    assert words in caught.value.found and caught.value.fix and not (tmp_path / "run").exists()


def test_unknown_methods_and_recipes_of_networks(data, tmp_path):
    with pytest.raises(RecipeError, match="unknown classical method 'otzu'"):
        train_classical(data, method="otzu", out=tmp_path / "run")
    network = tmp_path / "network.toml"
    network.write_text(Recipe().to_toml())
    assert classical_recipe(network) is None and classical_recipe(Recipe()) is None and classical_recipe(None) is None
    assert classical_recipe("unet") is None and classical_recipe(tmp_path / "nowhere.toml") is None
    (tmp_path / "bytes.toml").write_bytes(b"\xff classical/otsu")
    assert classical_recipe(tmp_path / "bytes.toml") is None
    with pytest.raises(RecipeError):
        train_classical(data, method=network, out=tmp_path / "run")


def test_more_than_two_classes_are_refused(tmp_path):
    make_folder(tmp_path / "data", classes=3)
    with pytest.raises(DataError, match="3 classes") as caught:
        train_classical(tmp_path / "data", method="otsu", out=tmp_path / "run")
    assert "otsu" in caught.value.expected and not (tmp_path / "run").exists()


def test_resume(data, result, tmp_path):
    first = train_classical(data, method="otsu", out=tmp_path / "run", resume=True, seed=3)
    assert (first.model / "bundle.json").read_bytes() == (result.model / "bundle.json").read_bytes()
    for method in ("otsu", tmp_path / "run/recipe.toml"):
        assert train_classical(data, method=method, out=tmp_path / "run", resume=True, seed=3) == first
    assert train_classical(tmp_path / "moved", method="otsu", out=tmp_path / "run", resume=True) == first
    with pytest.raises(RecipeError, match="other values of seed"):
        train_classical(data, method="otsu", out=tmp_path / "run", resume=True, seed=4)
    with pytest.raises(RecipeError, match=r"other values of model\.options"):
        train_classical(data, method="otsu", out=tmp_path / "run", resume=True, settings=OTHER_OPTION)
    with pytest.raises(RecipeError, match=r"other values of model\.architecture"):
        train_classical(data, method="sobel", out=tmp_path / "run", resume=True)
    with pytest.raises(OutputError):
        train_classical(data, method="otsu", out=tmp_path / "run")
    model = (first.model / "bundle.json").read_bytes()
    # killed while it judged: the model and the tuned recipe are there, the mark of the end is not
    (first.run / "train.json").unlink()
    recipe = (first.run / "recipe.toml").read_bytes()
    with pytest.raises(RecipeError, match="other values of seed"):
        train_classical(data, method="otsu", out=tmp_path / "run", resume=True, seed=4)
    with pytest.raises(RecipeError, match=r"other values of model\.architecture"):
        train_classical(data, method="sobel", out=tmp_path / "run", resume=True)
    again = train_classical(data, method="otsu", out=tmp_path / "run", resume=True)
    assert (again.model / "bundle.json").read_bytes() == model and again.test["scores"] == first.test["scores"]
    assert (again.steps, again.best, again.stopped, again.seconds) == (
        first.steps,
        first.best,
        first.stopped,
        first.seconds,
    )
    assert (first.run / "recipe.toml").read_bytes() == recipe


def test_a_leak_in_a_split_that_is_not_used_and_a_resume_of_it(data, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(data, root)
    shutil.copy(root / "images/p3.png", root / "images/p9.png")
    rows = [[f"images/p{i}.png", f"masks/p{i}.png", "test" if i > 7 else "train", ""] for i in range(10)]
    write_csv(root / "splits.csv", rows)
    with pytest.raises(DataError, match="SPLIT_LEAK"):
        train_classical(root, method="otsu", out=tmp_path / "run")
    settings = {"split.rule": "automatic"}
    run = train_classical(root, method="otsu", out=tmp_path / "run", settings=settings).run
    for words in (settings, {}):
        (run / "train.json").unlink()
        train_classical(root, method="otsu", out=run, settings=words, resume=True)
    (run / "train.json").unlink()
    save(root / "masks/p0.png", np.asarray(PIL.Image.open(root / "masks/p1.png")))
    with pytest.raises(DataError, match="of 1 of the 8 pictures that train"):
        train_classical(root, method="otsu", out=run, resume=True)


def test_a_run_goes_on_without_being_told_its_method(data, tmp_path):
    run = limner.train(data, recipe="otsu", out=tmp_path / "run").run
    with pytest.raises(RecipeError, match="with another recipe"):
        limner.train(data, recipe="auto", out=run, resume=True)
    (run / "train.json").unlink()
    again = limner.train(data, out=run, resume=True)
    assert again.run == run and read_bundle(run).method is not None


def test_a_run_in_the_usual_folder_is_known_again(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = limner.train(data, recipe="otsu")
    assert limner.train(data, resume=True) == first
    with pytest.raises(RecipeError, match="other values of seed"):
        limner.train(data, resume=True, seed=4)


def test_a_split_rule_that_was_decided_is_asked_for_again(data, tmp_path):
    run = train_classical(data, method="otsu", out=tmp_path / "run", settings={"split.rule": "data"}).run
    assert Recipe.read(run / "recipe.toml").split.rule == "automatic"
    (run / "train.json").unlink()
    train_classical(data, method="otsu", out=run, settings={"split.rule": "data"}, resume=True)
    (run / "train.json").unlink()
    with pytest.raises(RecipeError, match=r"other values of split\.rule"):
        train_classical(data, method="otsu", out=run, settings={"split.rule": "given"}, resume=True)


def test_resume_while_settings_were_compared(data, result, tmp_path, unjudged):
    first = train_classical(data, method="otsu", out=tmp_path / "run", seed=3)
    (first.run / "train.json").unlink()
    (first.run / "model" / "bundle.json").unlink()
    (first.run / "recipe.toml").write_text(
        classical_recipe("otsu").override({"seed": 3, "split.rule": "automatic"}).to_toml()
    )
    again = train_classical(data, method="otsu", out=tmp_path / "run", resume=True)
    assert read_bundle(again.run).arguments == read_bundle(result.run).arguments
    assert (first.run / "recipe.toml").read_text().replace("  # set by hand", "") == (
        (result.run / "recipe.toml").read_text().replace("  # set by hand", "")
    )


@pytest.mark.parametrize(
    "values",
    [
        {"architecture": "classical/otsus"},
        {"architecture": "classical/"},
        {"architecture": 3},
        {"arguments": {"polarity": "up"}},
        {"arguments": {"smoothing": 1e9}},
        {"arguments": {"nothing": 1}},
        {"arguments": [1]},
        {"arguments": {"polarity": ["dark"]}},
    ],
)
def test_a_changed_bundle_is_refused(data, result, tmp_path, values):
    (tmp_path / "model").mkdir()
    tree = json.loads((result.model / "bundle.json").read_text()) | values
    (tmp_path / "model" / "bundle.json").write_text(json.dumps(tree))
    with pytest.raises(BundleError) as caught:
        open_segmenter(tmp_path)
    assert caught.value.where and caught.value.fix
