"""A run goes on with the call and the data that it began with, whatever it made of them, and with no others."""

import json

import numpy as np
import pytest

from limner.api import train
from limner.api.beginning import recipe_digest, stored_recipe
from limner.api.classical_recipe import classical_recipe
from limner.api.train_classical import NO_NETWORK
from limner.core.bundle import Bundle
from limner.core.errors import DataError, RecipeError
from limner.core.labels import LabelSpace
from limner.core.named_recipes import named_recipe
from limner.core.recipe import Recipe
from limner.training.checkpoint import Progress
from tests.api import tiny
from tests.make_data import labels, picture, save, write_csv
from tests.training.runs_light import Heard

SIZE = (24, 33)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.make_data(tmp_path_factory.mktemp("began") / "data", count=8, size_hw=SIZE)


def begin(data, out, recipe=None, settings=None, *, resume=False, budget=None, seed=None, folds=None, preset=None):
    planned = recipe is None or recipe == "auto"
    changes = train._changes(settings, budget, seed, folds, planned=planned)
    call = train.Call(train.RunFolder(out), data, recipe, preset, changes, resume, (), False, False)
    return train._begin(call, train.Place(), Heard())


def older(out):
    """Make the folder that of a version which kept nothing of the beginning."""
    facts = json.loads((out / "origin.json").read_text())
    del facts["began"]
    (out / "origin.json").write_text(json.dumps(facts))


def stopped(job):
    folder = job.folder
    progress = Progress(step=80, plan=[(0, 80)], validations=7, stopped="budget")
    folder.write_recipe(Recipe.read(folder.recipe), progress)


@pytest.mark.parametrize(
    ("settings", "then"),
    [
        ({"schedule.validations": 20, "schedule.budget": "1m"}, stopped),
        ({"optimizer.accumulate": 1}, lambda job: job.folder.write_parts(2, "memory ran out")),
        ({"objects.head": "flow"}, None),
        ({"split.rule": "data"}, None),
        ({"model.architecture": "query/eomt", "encoder.pretrained": True, "inference.flips": "x"}, None),
        ({"model.options": {"encoder_widths": [4, 8]}, "data.patch_hw": [32, 64]}, None),
    ],
)
def test_the_same_call_goes_on_whatever_the_run_made_of_it(data, tmp_path, settings, then):
    settings = {"schedule.epochs": 3} | settings
    job = begin(data, tmp_path / "run", Recipe(), settings, seed=3, preset="photo", resume=True)
    if then:
        then(job)
    stored = Recipe.read(job.folder.recipe)
    again = begin(data, tmp_path / "run", Recipe(), settings, seed=3, preset="photo", resume=True)
    assert again.recipe == stored == begin(data, tmp_path / "run", resume=True).recipe
    for key, value in (("seed", 4), ("sampling.batch", 3), ("objects.weight", 2.0)):
        with pytest.raises(RecipeError, match=f"other values of {key}"):
            begin(data, tmp_path / "run", Recipe(), settings | {key: value}, resume=True)


def test_a_value_that_neither_was_asked_for_nor_holds_is_another(data, tmp_path):
    job = begin(data, tmp_path / "run", Recipe(), {"optimizer.accumulate": 1})
    job.folder.write_parts(2, "memory ran out")
    for value, fits in ((1, True), (2, True), (4, False)):
        if fits:
            assert begin(data, tmp_path / "run", None, {"optimizer.accumulate": value}, resume=True)
        else:
            with pytest.raises(RecipeError, match=r"other values of optimizer\.accumulate"):
                begin(data, tmp_path / "run", None, {"optimizer.accumulate": value}, resume=True)


@pytest.mark.parametrize("kept", [True, False], ids=["now", "earlier version"])
def test_another_recipe_is_refused(data, tmp_path, kept):
    out = tmp_path / "run"
    job = begin(data, out, "workshop-unet", budget="1m")
    if not kept:
        older(out)
    for recipe in ("workshop-unet", None, named_recipe("workshop-unet"), out / "recipe.toml"):
        assert begin(data, out, recipe, budget="1m", resume=True).recipe == job.recipe
    for recipe in ("brain-tumour-unet", "pets-unet", Recipe(), *(["auto"] if kept else [])):
        with pytest.raises(RecipeError, match="with another recipe") as caught:
            begin(data, out, recipe, resume=True)
        assert "leave --recipe out" in caught.value.fix


def test_a_planned_run_goes_on_with_no_other_recipe(data, tmp_path):
    begin(data, tmp_path / "run", None, tiny.SETTINGS)
    begin(data, tmp_path / "run", "auto", tiny.SETTINGS, resume=True)
    begin(data, tmp_path / "run", tmp_path / "run/recipe.toml", resume=True)
    with pytest.raises(RecipeError, match="with another recipe"):
        begin(data, tmp_path / "run", "workshop-unet", resume=True)


FINISHED = {"epochs": 3.0, "steps": 80, "seconds": 1.5, "stopped": "epochs", "best": {"step": 80}, "test": {}}


def finish(job, classes=("background", "vessel")):
    """The files that a finished run has beside those of its beginning; reading them is all that a repeated call may do."""
    job.folder.finish(FINISHED)
    space = LabelSpace(tuple(classes))
    Bundle(
        folder=job.folder.model, architecture="classical/otsu", arguments={}, label_space=space, contract=NO_NETWORK,
        training={},
    ).save()  # fmt: skip


@pytest.mark.parametrize("folds", [None, 2])
def test_a_finished_run_answers_the_same_call_at_once_and_refuses_others(data, tmp_path, folds):
    out, gone, settings = tmp_path / "run", tmp_path / "moved away", {"schedule.epochs": 3, "schedule.validations": 9}
    job = begin(data, out, Recipe(), settings, budget="1m", seed=0, folds=folds, preset="photo", resume=True)
    finish(job)
    stopped(job)  # it wrote down fewer validations than were asked for
    same = {
        "recipe": Recipe(),
        "settings": settings,
        "budget": "1m",
        "seed": 0,
        "folds": folds,
        "preset": "photo",
    }
    for call in (same, {}, {"seed": 0}, {"recipe": out / "recipe.toml"}, {"budget": "1m", "preset": "photo"}):
        found = begin(gone, out, **call, resume=True)
        assert isinstance(found, train.TrainResult) and (found.run, found.steps) == (out, 80)
    others = {"seed": 1, "budget": "2m", "folds": 3, "preset": "aerial", "settings": {"sampling.batch": 3}}
    for key, value in others.items():
        with pytest.raises(RecipeError, match="other values of"):
            begin(gone, out, **(same | {key: value}), resume=True)
    for recipe in ("pets-unet", "workshop-unet", "auto"):
        with pytest.raises(RecipeError, match="with another recipe"):
            begin(gone, out, recipe, resume=True)
    with pytest.raises(RecipeError, match=r"sampling\.bach"):
        begin(gone, out, None, {"sampling.bach": 3}, resume=True)


def test_a_preset_leaves_mirrors_out_where_the_classes_of_a_finished_run_tell_sides_apart(data, tmp_path):
    without = {"augmentation.flip_x": False, "augmentation.flip_y": False}
    job = begin(data, tmp_path / "run", Recipe(), {"schedule.epochs": 3} | without, preset="microscopy")
    finish(job, ["background", "left kidney", "right kidney"])
    assert begin(data, tmp_path / "run", preset="microscopy", resume=True).steps == 80
    finish(job)  # here the preset mirrors, which the run did not
    with pytest.raises(RecipeError, match=r"other values of augmentation\.flip_x"):
        begin(data, tmp_path / "run", preset="microscopy", resume=True)


def test_a_method_without_a_network_is_no_planned_network(data, tmp_path):
    job = begin(data, tmp_path / "run", Recipe(), {"model.architecture": "unet"})
    stored = classical_recipe("otsu")
    job.folder.recipe.write_text(stored.to_toml())
    older(tmp_path / "run")
    assert stored_recipe(job.folder, None, {}) == stored
    with pytest.raises(RecipeError, match="with another recipe"):
        stored_recipe(job.folder, None, {}, planned=True)


def test_the_digest_of_a_recipe_is_that_of_its_values():
    one = Recipe().override({"schedule.epochs": 3, "data.patch_hw": [32, 64]})
    assert recipe_digest(one) == recipe_digest(Recipe.from_toml(one.to_toml()))
    assert recipe_digest(one) == recipe_digest(
        Recipe.from_toml("[schedule]\nepochs = 3\n[data]\npatch_hw = [32, 64]\n")
    )
    assert len({recipe_digest(r) for r in (one, Recipe(), one.override({"seed": 1}))}) == 3


def labelme(root, name, classes, seed):
    save(root / f"{name}.png", picture(seed, (48, 64)))
    shapes = [
        {"label": label, "points": [[5 + 20 * j, 5], [20 + 20 * j, 5], [20 + 20 * j, 25 + j], [5 + 20 * j, 25 + j]],
         "group_id": None, "shape_type": "polygon", "flags": {}}
        for j, label in enumerate(classes)
    ]  # fmt: skip
    document = {"version": "5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.png", "imageData": None,
                "imageHeight": 48, "imageWidth": 64}  # fmt: skip
    (root / f"{name}.json").write_text(json.dumps(document))


@pytest.mark.parametrize("folds", [None, 2])
def test_classes_in_another_order_are_refused(tmp_path, folds):
    root, out = tmp_path / "data", tmp_path / "run"
    for i in range(8):
        labelme(root, f"p{i}", ["cat", "dog"], i)
    begin(root, out, Recipe(), {"schedule.epochs": 1}, folds=folds)
    if folds is None:
        labelme(root, "a0", ["dog"], 77)  # its file comes first, and so does its class
    else:
        for i in range(8):
            labelme(root, f"p{i}", ["dog", "cat"], i)
    with pytest.raises(DataError, match="background, dog, cat") as caught:
        begin(root, out, resume=True)
    assert "background, cat, dog" in caught.value.expected and "--out" in caught.value.fix
    older(out)
    assert begin(root, out, resume=True)


def test_labels_that_were_changed_are_refused_and_added_pictures_are_not(tmp_path):
    root = tiny.make_data(tmp_path / "data", count=8, size_hw=SIZE)
    parts = ["test" if i in (2, 6) else "val" if i == 4 else "train" for i in range(8)]
    rows = [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", part, ""] for i, part in enumerate(parts)]
    write_csv(root / "splits.csv", rows)
    job = begin(root, tmp_path / "run", Recipe(), {"schedule.epochs": 1})
    save(root / "images/p.08.png", picture(8, SIZE))
    save(root / "masks/p.08.png", labels(8, SIZE))
    write_csv(root / "splits.csv", [*rows, ["images/p.08.png", "masks/p.08.png", "train", ""]])
    corrected = labels(6, SIZE)
    corrected[:3] = 1
    save(root / "masks/p.06.png", corrected)  # of the test
    assert begin(root, tmp_path / "run", resume=True).split.checksum == job.split.checksum
    corrected = labels(5, SIZE)
    corrected[np.nonzero(corrected)[0][0], np.nonzero(corrected)[1][0]] = 0  # a single pixel
    save(root / "masks/p.05.png", corrected)
    with pytest.raises(DataError, match="of 1 of the 6 pictures that train") as caught:
        begin(root, tmp_path / "run", resume=True)
    assert caught.value.where == "images/p.05.png"
    older(tmp_path / "run")
    assert begin(root, tmp_path / "run", resume=True)
