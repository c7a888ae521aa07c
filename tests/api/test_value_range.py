"""Recipes for 8 bits on pictures of more: the range is that of the training pictures, in training and prediction alike."""

import numpy as np
import pytest

import limner
from limner.api import train
from limner.api.network import input_contract
from limner.core.bundle import read_bundle
from limner.core.named_recipes import named_recipe
from limner.core.recipe import Recipe
from limner.training.loader import PatchLoader
from tests.api import tiny
from tests.make_data import gray, labels, save, write_csv
from tests.training.runs_light import Heard

SIZE = (40, 56)
TEST = (3, 8, 11)  # brighter and darker than all others


def made(root, kind="uint16"):
    """Twelve pictures of 900 to 7000; those of the test reach from 100 to 60000."""
    rng = np.random.default_rng(0)
    for i in range(12):
        ids = labels(i, SIZE)
        image = rng.integers(1200, 4000, SIZE) + 2500 * ids.astype(int)
        image[0, 0], image[0, 1] = (100, 60000) if i in TEST else (900, 7000)
        if kind == "float32":
            save(root / f"images/p{i:02d}.tif", (image / 8000).astype(kind))
        else:
            save(root / f"images/p{i:02d}.png", (image if kind == "uint16" else image // 256).astype(kind))
        save(root / f"masks/p{i:02d}.png", gray(ids))
    suffix = "tif" if kind == "float32" else "png"
    parts = ["test" if i in TEST else "val" if i in (1, 5) else "train" for i in range(12)]
    rows = [[f"images/p{i:02d}.{suffix}", f"masks/p{i:02d}.png", part, ""] for i, part in enumerate(parts)]
    write_csv(root / "splits.csv", rows)
    return root


def begun(root, out, recipe, resume=False, **changes):
    heard = Heard()
    call = train.Call(train.RunFolder(out), root, recipe, None, changes, resume, (), False, False)
    return train._begin(call, train.Place(), heard), heard.messages


@pytest.mark.parametrize(("kind", "low", "high"), [("uint16", 900, 7000), ("float32", 900 / 8000, 7000 / 8000)])
@pytest.mark.parametrize("name", ["spleen-unet", "tongue-deeplabv3plus"])
def test_pictures_of_more_bits_are_no_white_or_black_area(tmp_path, kind, low, high, name):
    root = made(tmp_path / "data", kind)
    job, said = begun(root, tmp_path / "run", name)
    assert job.recipe.data.intensity_range == pytest.approx((low, high))
    assert any(text.startswith("data.intensity_range = [") and kind in text for text in said)
    assert (
        Recipe.read(tmp_path / "run/recipe.toml") == job.recipe
        and "training" in job.recipe.reasons["data.intensity_range"]
    )
    items = job.dataset.with_items(job.split.part("train"))
    batch = PatchLoader(
        items, job.recipe, channels=job.recipe.data.channels, cache=tmp_path, listener=Heard()
    ).batch(0).images  # fmt: skip
    unit = name == "spleen-unet"
    assert batch.min() >= (0 if unit else -1) and batch.max() <= 1 + 1e-6 and batch.std() > (0.1 if unit else 0.2)
    assert input_contract(job.recipe).intensity_range == job.recipe.data.intensity_range
    again, said = begun(root, tmp_path / "run", name, resume=True)
    assert again.recipe == job.recipe and not any("intensity_range" in text for text in said)
    repeated, _ = begun(root, tmp_path / "repeated", tmp_path / "run/recipe.toml")
    assert repeated.recipe == job.recipe


def test_what_is_set_by_hand_or_fits_stays(tmp_path):
    root = made(tmp_path / "data")
    by_hand, said = begun(root, tmp_path / "a", "spleen-unet", **{"data.intensity_range": [0, 255]})
    assert by_hand.recipe.data.intensity_range == (0, 255) and not any("intensity_range =" in text for text in said)
    repeated, _ = begun(root, tmp_path / "b", tmp_path / "a/recipe.toml")
    assert repeated.recipe.data.intensity_range == (0, 255)
    own = begun(root, tmp_path / "c", named_recipe("spleen-unet").override({"data.intensity_range": [0, 4095]}))[0]
    assert own.recipe.data.intensity_range == (0, 4095)
    own = begun(root, tmp_path / "d", "spleen-unet", **{"data.normalization": "percentile"})[0]
    assert own.recipe.data.intensity_range == (0, 255)
    eight = begun(made(tmp_path / "eight", "uint8"), tmp_path / "e", "spleen-unet")[0]
    assert eight.recipe.data.intensity_range == (0, 255)


def test_a_planned_recipe_with_a_fixed_range(tmp_path):
    root = made(tmp_path / "data")
    recipe = limner.plan(root, settings={"data.normalization": "unit"})
    assert recipe.data.intensity_range == (900, 7000) and recipe.reasons["data.normalization"] == "set by hand"
    assert limner.plan(root).data.normalization == "percentile"


def test_prediction_feeds_pictures_in_the_same_range(tmp_path):
    root = made(tmp_path / "data")
    settings = tiny.SETTINGS | {"schedule.epochs": 1, "schedule.validations": 1, "data.normalization": "unit"}
    limner.train(root, recipe=Recipe(), settings=settings, out=tmp_path / "run")
    assert read_bundle(tmp_path / "run/model").contract.intensity_range == (900, 7000)


def test_folds_share_the_range_of_all_that_is_not_tested(tmp_path):
    root = made(tmp_path / "data")
    job, _ = begun(root, tmp_path / "run", "spleen-unet", **{"split.folds": 3})
    assert job.recipe.data.intensity_range == (900, 7000)


def test_a_fold_trained_alone_has_the_range_of_all_folds(tmp_path):
    root = made(tmp_path / "data")
    save(root / "images/p00.png", np.full(SIZE, 800, np.uint16))  # in one of the folds it is held out
    for fold in (1, 2, 3):
        job, _ = begun(root, tmp_path / f"run{fold}", "spleen-unet", **{"split.folds": 3, "split.fold": fold})
        assert job.recipe.data.intensity_range == (800, 7000)


def test_pictures_of_8_bits_are_not_made_black_by_one_of_16(tmp_path):
    root = made(tmp_path / "data", "uint8")
    save(root / "images/p00.png", np.full(SIZE, 40000, np.uint16))
    job, said = begun(root, tmp_path / "run", "workshop-unet")
    assert job.recipe.data.intensity_range == (0.0, 255.0)
    assert any("uint16 and uint8" in text and "percentile" in text for text in said)
